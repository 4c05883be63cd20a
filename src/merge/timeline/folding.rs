use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{OnceCell, RefCell};

use super::rows::Fate;
use super::view::FoldView;
use super::{FoldOutcome, Timeline, Unresolved};
use crate::event::{Event, EventId, VersionVector};
use crate::merge::{Guard, Panic};
use crate::resolver::{ErasedResolver, ErasedState, Folded, Footprint};

/// How far the fold has come, and what it has seen on the way.
#[derive(Debug, Default)]
pub(super) struct Fold {
    pub(super) state: Option<ErasedState>,
    /// How many events of the order have been folded.
    pub(super) done: usize,
    /// The maximal events among those before, all of them in memory or not.
    pub(super) frontier: BTreeSet<EventId>,
    /// What they amount to as one past.
    pub(super) prefix: VersionVector,
    pub(super) condition: Option<Unresolved>,
    /// An event at which the rule panicked: the next attempt is made on a copy of the state.
    pub(super) doubtful: Option<EventId>,
    pub(super) state_bytes: usize,
}

impl Timeline {
    /// Brings the state up to date: folds what has come since, or everything again where something
    /// of it is late. Where the rule panics or does not know an event's type, the state stays as it
    /// was before that event, and the next fold after news, or after [`retry`](Self::retry), tries
    /// again.
    ///
    /// Every call of the resolver happens under the guard.
    pub fn fold(&mut self, guard: &dyn Guard) -> FoldOutcome {
        let everything = self.fold.state.is_none() || self.news.skips;
        let mut outcome = self.arrange();
        for slot in core::mem::take(&mut self.news.invalid) {
            if let Some(row) = self.rows.row(slot)
                && let Fate::Invalid(rejection) = &row.fate
            {
                outcome.rejected.push((row.event.id(), rejection.clone()));
            }
        }
        let Some(resolver) = self
            .route
            .as_ref()
            .map(|route| Arc::clone(route.resolver()))
        else {
            self.fold.condition = Some(Unresolved::NoResolver);
            return outcome;
        };
        if !core::mem::take(&mut self.news.any) && (self.is_folded() || self.condition().is_some())
        {
            return outcome;
        }
        self.fold.condition = self
            .advance(self.order.len(), &*resolver, guard, &mut outcome)
            .err();
        if let Some(Unresolved::Panicked {
            event: Some(event), ..
        }) = &self.fold.condition
        {
            let event = *event;
            self.recover(event, &*resolver, guard);
        }
        self.report(everything, &*resolver, guard, &mut outcome);
        if !self.complete && self.is_folded() {
            self.forget();
        }
        outcome
    }

    /// Lets the next fold try an event again at which the rule panicked, even if nothing new came.
    pub fn retry(&mut self) {
        self.news.any = true;
    }

    /// Whether nothing waits to be folded.
    pub fn is_folded(&self) -> bool {
        self.fold.state.is_some()
            && self.unsorted.is_none()
            && !self.news.skips
            && self.fold.done == self.order.len()
    }

    /// Whether the rule panicked while only the fold was in memory, which is lost with it: load the
    /// history to have a state again.
    pub fn wants_history(&self) -> bool {
        !self.complete && self.fold.state.is_none()
    }

    /// Puts the order in order, and starts over where something folded has changed its place.
    fn arrange(&mut self) -> FoldOutcome {
        let mut outcome = FoldOutcome {
            applied: 0,
            rejected: Vec::new(),
            keys: Footprint::Keys(Vec::new()),
            late: false,
            raced: false,
        };
        if core::mem::take(&mut self.news.skips) {
            outcome.late = self.fold.done > 0;
            self.sort_out(&mut outcome);
        }
        if let Some(smallest) = self.unsorted.take() {
            let rows = &self.rows;
            self.order
                .sort_by_key(|slot| rows.row(*slot).map(|row| row.event.order_key()));
            let place = self
                .order
                .partition_point(|slot| self.key(*slot) < Some(smallest));
            self.news.changed_from = self.news.changed_from.min(place);
            outcome.late |= place < self.fold.done;
        }
        if outcome.late {
            self.start_over();
        }
        outcome
    }

    fn start_over(&mut self) {
        self.fold.state = None;
        self.fold.done = 0;
        self.fold.frontier.clear();
        self.fold.prefix = VersionVector::new();
    }

    /// Folds up to a place of the order.
    fn advance(
        &mut self,
        until: usize,
        resolver: &dyn ErasedResolver,
        guard: &dyn Guard,
        outcome: &mut FoldOutcome,
    ) -> Result<(), Unresolved> {
        if self.fold.state.is_none() {
            let panicked = |message| Unresolved::Panicked {
                event: None,
                message,
            };
            if !self.complete {
                return Err(panicked(String::from(
                    "its state was lost, its history is not loaded",
                )));
            }
            let mut state = None;
            guard
                .run(&mut || state = Some(resolver.init(&self.aggregate)))
                .map_err(|Panic { message }| panicked(message))?;
            self.fold.state = state;
        }
        while self.fold.done < until {
            self.step(resolver, guard, outcome)?;
        }
        Ok(())
    }

    /// Folds the next event.
    fn step(
        &mut self,
        resolver: &dyn ErasedResolver,
        guard: &dyn Guard,
        outcome: &mut FoldOutcome,
    ) -> Result<(), Unresolved> {
        let done = self.fold.done;
        let Some(&slot) = self.order.get(done) else {
            return Ok(());
        };
        let Some(event) = self.rows.row(slot).map(|row| row.event.clone()) else {
            return Ok(());
        };
        self.look_behind_skipped(&event);
        let frontier = &self.fold.frontier;
        let named = event
            .heads()
            .iter()
            .filter(|head| frontier.contains(&head.id))
            .count();
        let cut = named == frontier.len();
        let Some(mut state) = self.fold.state.take() else {
            return Ok(());
        };
        let view = FoldView {
            resolver,
            rows: &self.rows,
            slot,
            event: &event,
            before: self.order.get(..done).unwrap_or_default(),
            everything: cut.then_some(&self.fold.prefix),
            past: RefCell::new(&mut self.past),
            vector: OnceCell::new(),
        };
        let doubtful = self.fold.doubtful == Some(event.id());
        let result = try_event(&mut state, &view, doubtful, guard);
        if !matches!(result, Err(Failure { spoilt: true, .. })) {
            self.fold.state = Some(state);
        }
        let fate = match result.map_err(|failure| failure.why)? {
            Folded::Applied => Fate::Applied,
            Folded::Rejected(rejection) => Fate::Rejected(rejection),
        };
        for head in event.heads() {
            self.fold.frontier.remove(&head.id);
        }
        self.fold.frontier.insert(event.id());
        self.fold.prefix.observe(event.id());
        self.fold.done += 1;
        self.settle(slot, fate, cut, outcome);
        Ok(())
    }

    /// What an event saw through a skipped one, which has no step of its own, is part of the past
    /// that it and what follows it share.
    fn look_behind_skipped(&mut self, event: &Event) {
        for head in event.heads() {
            let Some(slot) = self.rows.slot(head.id) else {
                continue;
            };
            let fate = self.rows.row(slot).map(|row| &row.fate);
            if matches!(fate, Some(Fate::Replaced(_))) {
                self.fold.prefix.join(&self.past.of(slot, &self.rows));
                self.fold.prefix.observe(head.id);
            }
        }
    }

    /// Notes what became of an event.
    pub(super) fn settle(&mut self, slot: usize, fate: Fate, cut: bool, outcome: &mut FoldOutcome) {
        let Some(row) = self.rows.row_mut(slot) else {
            return;
        };
        row.cut = cut;
        if fate == Fate::Applied {
            outcome.applied += 1;
            if !self.complete {
                self.fold.state_bytes += row.event.payload().len();
            }
        }
        if row.fate == fate {
            return;
        }
        if let Fate::Rejected(rejection) = &fate {
            outcome.rejected.push((row.event.id(), rejection.clone()));
            self.rejections += 1;
        }
        if matches!(row.fate, Fate::Rejected(_)) {
            self.rejections = self.rejections.saturating_sub(1);
        }
        row.fate = fate;
    }

    /// After a panic: the state as it was before the event, if the events before it are here.
    fn recover(&mut self, event: EventId, resolver: &dyn ErasedResolver, guard: &dyn Guard) {
        self.fold.doubtful = Some(event);
        if self.fold.state.is_some() || !self.complete {
            return;
        }
        let until = self.fold.done;
        self.start_over();
        let mut again = FoldOutcome {
            applied: 0,
            rejected: Vec::new(),
            keys: Footprint::Everything,
            late: false,
            raced: false,
        };
        // A rule that panics at another place the second time is left where it is: without a state.
        if self.advance(until, resolver, guard, &mut again).is_err() {
            self.start_over();
        }
    }
}

/// Why an event could not be folded.
struct Failure {
    why: Unresolved,
    /// Whether the state may have been changed in part.
    spoilt: bool,
}

fn try_event(
    state: &mut ErasedState,
    view: &FoldView<'_>,
    doubtful: bool,
    guard: &dyn Guard,
) -> Result<Folded, Failure> {
    let (resolver, event) = (view.resolver, view.event);
    let mut known = true;
    let mut folded = None;
    let mut copy = None;
    let ran = guard.run(&mut || {
        known = resolver.knows(event.event_type());
        if !known {
            return;
        }
        if doubtful {
            copy = Some(resolver.clone_state(state));
        }
        folded = Some(resolver.fold(copy.as_mut().unwrap_or(state), event, view));
    });
    if let Err(Panic { message }) = ran {
        let why = Unresolved::Panicked {
            event: Some(event.id()),
            message,
        };
        return Err(Failure {
            why,
            spoilt: !doubtful,
        });
    }
    match folded {
        Some(folded) => {
            if let Some(copy) = copy {
                *state = copy;
            }
            Ok(folded)
        }
        None => Err(Failure {
            why: Unresolved::UnknownEventType {
                event: event.id(),
                event_type: event.event_type().clone(),
                resolver: resolver.id(),
            },
            spoilt: false,
        }),
    }
}
