use alloc::boxed::Box;
use alloc::string::String;
use core::cell::{Cell, OnceCell, RefCell};

use super::prefix::{Extent, Prefix};
use super::rarely::{Rarely, absent};
use super::rows::Fate;
use super::rule::Rule;
use super::run::unknown;
use super::view::FoldView;
use super::{FoldOutcome, Outcome, Timeline, Unresolved};
use crate::event::{EventId, OrderKey};
use crate::merge::{Guard, Panic};
use crate::resolver::{ErasedState, Folded, Footprint, Route};

/// How far the fold has come.
#[derive(Debug, Default)]
pub(super) struct Fold {
    /// What is folded; nothing before the first fold, and where the rule has spoilt its state.
    pub(super) prefix: Option<Box<Prefix>>,
    pub(super) odd: Rarely<Odd>,
    /// Of an aggregate without its history: roughly the bytes of the state.
    pub(super) state_bytes: usize,
}

/// What is out of the ordinary about a fold.
#[derive(Debug, Default)]
pub(super) struct Odd {
    pub(super) condition: Option<Unresolved>,
    /// An event at which the rule panicked: the next attempt is made on a copy of the state.
    pub(super) doubtful: Option<EventId>,
    /// The last place of an event that asked for its rivals.
    pub(super) asker: Option<OrderKey>,
}

absent!(
    Odd,
    Odd {
        condition: None,
        doubtful: None,
        asker: None,
    }
);

impl Fold {
    /// Roughly how much memory it takes, in bytes, the state of an aggregate with its history apart.
    pub(super) fn bytes(&self) -> usize {
        let prefix = self.prefix.as_deref();
        self.state_bytes + prefix.map_or(0, Prefix::own_bytes)
    }

    fn set_condition(&mut self, condition: Option<Unresolved>) {
        if condition.is_some() || self.odd.condition.is_some() {
            self.odd.condition = condition;
        }
    }

    /// An event at this place has asked for its rivals.
    pub(super) fn asked(&mut self, key: Option<OrderKey>) {
        if key > self.odd.asker {
            self.odd.asker = key;
        }
    }
}

impl Timeline {
    /// Brings the state up to date. What came behind everything folded is folded on; a late event is
    /// applied to the newest state if nothing behind it touches its keys; otherwise the fold goes
    /// back to the nearest checkpoint and on from there.
    ///
    /// Where the rule panics or does not know an event's type, the state stays as it was before that
    /// event, and the next fold after news, or after [`retry`](Self::retry), tries again. Every call
    /// of the resolver happens under the guard.
    pub fn fold(&mut self, guard: &dyn Guard) -> FoldOutcome {
        let is_told = self.fold.prefix.is_some() && !self.news.skips;
        self.news.listen(is_told);
        let mut outcome = FoldOutcome::default();
        if let Some(route) = self.bring_up(guard, &mut outcome) {
            self.report_keys(Rule::new(&route, guard), &mut outcome);
            self.report_races(Rule::new(&route, guard), &mut outcome);
            if is_told {
                self.keep_up(Rule::new(&route, guard));
            }
            self.end_fold();
        }
        outcome
    }

    /// The same for somebody who does not ask for the keys of what has changed: they are said to be
    /// everything.
    pub fn fold_without_keys(&mut self, guard: &dyn Guard) -> FoldOutcome {
        self.news.listen(false);
        let mut outcome = FoldOutcome::default();
        if let Some(route) = self.bring_up(guard, &mut outcome) {
            outcome.keys = Footprint::Everything;
            self.report_races(Rule::new(&route, guard), &mut outcome);
            self.end_fold();
        }
        outcome
    }

    /// The same for somebody who asks neither for keys nor for races: there is said to be a race
    /// wherever there may be one. The rule is not asked for what events touch, unless that serves to
    /// apply a late one where it came.
    pub fn catch_up(&mut self, guard: &dyn Guard) -> FoldOutcome {
        self.news.listen(false);
        let mut outcome = FoldOutcome::default();
        if self.bring_up(guard, &mut outcome).is_some() {
            outcome.keys = Footprint::Everything;
            outcome.raced = self.news.is_concurrent();
            self.end_fold();
        }
        outcome
    }

    /// Folds what is to be folded. Returns the rule, if there was anything to try.
    fn bring_up(&mut self, guard: &dyn Guard, outcome: &mut FoldOutcome) -> Option<Route> {
        let changed = core::mem::take(&mut self.news.skips)
            .then(|| self.sort_out(outcome))
            .flatten();
        if let Some(place) = changed {
            self.news.reach_back(place);
        }
        for slot in self.news.take_invalid() {
            if let Some(row) = self.rows.row(slot)
                && let Some(rejection) = self.rows.refused(row)
            {
                let rejection = rejection.clone();
                outcome.rejected.push((row.event.id(), rejection));
            }
        }
        self.order.settle(&self.rows);
        let Some(route) = self.route.clone() else {
            self.fold.set_condition(Some(Unresolved::NoResolver));
            return None;
        };
        if !core::mem::take(&mut self.news.any) && (self.is_folded() || self.condition().is_some())
        {
            return None;
        }
        let rule = Rule::new(&route, guard);
        self.take_late(rule, outcome);
        let condition = self.advance(None, rule, outcome).err();
        self.fold.set_condition(condition);
        if let Some(Unresolved::Panicked {
            event: Some(event), ..
        }) = &self.fold.odd.condition
        {
            let event = *event;
            self.recover(event, rule);
        }
        Some(route)
    }

    /// What has come is no news any more. Without its history, what has been folded is not kept.
    fn end_fold(&mut self) {
        self.news.forget_concurrency(self.rows.len());
        if !self.complete && self.is_folded() {
            self.forget();
        }
    }

    /// Lets the next fold try an event again at which the rule panicked, even if nothing new came.
    pub fn retry(&mut self) {
        self.news.any = true;
    }

    /// Whether nothing waits to be folded.
    pub fn is_folded(&self) -> bool {
        let folded = |prefix: &Prefix| prefix.len == self.order.len();
        !self.news.skips && self.fold.prefix.as_deref().is_some_and(folded)
    }

    /// Whether the rule panicked while only the fold was in memory, which is lost with it: load the
    /// history to have a state again.
    pub fn wants_history(&self) -> bool {
        !self.complete && self.fold.prefix.is_none()
    }

    /// Whether a fold would find anything to do.
    pub fn wants_fold(&self) -> bool {
        self.news.any || self.wants_history() || !(self.is_folded() || self.condition().is_some())
    }

    pub(super) fn start_over(&mut self) {
        self.fold.prefix = None;
        self.checkpoints = Rarely::default();
        self.pace.restart();
    }

    /// Folds on, to the end or to a place of the order.
    pub(super) fn advance(
        &mut self,
        until: Option<OrderKey>,
        rule: Rule<'_>,
        outcome: &mut FoldOutcome,
    ) -> Result<(), Unresolved> {
        let prefix = match self.fold.prefix.take() {
            Some(prefix) => prefix,
            None => Box::new(self.begin(rule)?),
        };
        let mut place = self.order.after(prefix.last, &self.rows);
        self.fold.prefix = Some(prefix);
        self.find_extent();
        while let Some((slot, next)) = self.order.next(place) {
            if until.is_some_and(|until| self.rows.key(slot) >= Some(until)) {
                break;
            }
            if self.folds_in_one_go() {
                place = self.fold_run(place, until, rule, outcome)?;
                continue;
            }
            self.step(slot, rule, outcome)?;
            let payload = self.rows.row(slot).map(|row| row.event.payload().len());
            if self.pace.count(1, payload.unwrap_or_default()) {
                self.lay_checkpoint(rule);
            }
            place = next;
        }
        Ok(())
    }

    fn begin(&self, rule: Rule<'_>) -> Result<Prefix, Unresolved> {
        let panicked = |message| Unresolved::Panicked {
            event: None,
            message,
        };
        if !self.complete {
            let reason = "its state was lost, its history is not loaded";
            return Err(panicked(String::from(reason)));
        }
        let mut state = None;
        rule.guard
            .run(&mut || state = Some(rule.resolver.init(&self.aggregate)))
            .map_err(|Panic { message }| panicked(message))?;
        let unmade = || panicked(String::from("it made no first state"));
        state.map(Prefix::empty).ok_or_else(unmade)
    }

    /// Folds the next event.
    fn step(
        &mut self,
        slot: usize,
        rule: Rule<'_>,
        outcome: &mut FoldOutcome,
    ) -> Result<(), Unresolved> {
        let (Some(mut prefix), Some(row)) = (self.fold.prefix.take(), self.rows.row(slot)) else {
            return Ok(());
        };
        let first_time = row.fate() == Fate::Pending;
        if let Some(extent) = &mut prefix.extent {
            extent.look_behind_skipped(&row.event, &mut self.past, &self.rows);
        }
        let cut = prefix.is_seen_by(&row.event);
        let attempt = self.attempt(slot, &mut prefix, cut, rule);
        if let Err(Failure { spoilt, why }) = attempt {
            if !spoilt {
                self.fold.prefix = Some(prefix);
            }
            return Err(why);
        }
        if let Some(row) = self.rows.row(slot) {
            prefix.take(&row.event);
        }
        let found = cut.then(|| self.cuts.found()).flatten();
        self.rows.note_cut(slot, found);
        self.fold.prefix = Some(prefix);
        self.news.stepped(slot, first_time);
        if let Ok(folded) = attempt {
            self.settle(slot, folded.into(), outcome);
        }
        self.find_extent();
        Ok(())
    }

    /// Finds out which events the prefix holds, once the rule has asked for rivals: they are looked
    /// for among those before an event as far back as the last one that it is known to have seen with
    /// all before it. Costs a pass over the prefix, once.
    pub(super) fn find_extent(&mut self) {
        if self.fold.odd.asker.is_none() {
            return;
        }
        let Some(prefix) = self.fold.prefix.as_mut().filter(|p| p.extent.is_none()) else {
            return;
        };
        let mut extent = Extent::default();
        for slot in self.order.iter() {
            let Some(row) = self.rows.row(slot) else {
                continue;
            };
            if Some(row.event.order_key()) > prefix.last {
                break;
            }
            // It has come late and is still to be applied.
            if row.fate() == Fate::Pending {
                continue;
            }
            extent.look_behind_skipped(&row.event, &mut self.past, &self.rows);
            let cut = extent.is_seen_by(&row.event);
            extent.take(&row.event);
            let found = cut.then(|| self.cuts.found()).flatten();
            self.rows.note_cut(slot, found);
        }
        prefix.extent = Some(Box::new(extent));
    }

    /// Whether each writer's events came and lie in the order of seqs, all valid, none of them
    /// standing for another: then what an event saw shows in when it came.
    pub(super) fn is_plain(&self) -> bool {
        !self.rows.is_astray() && self.replacements.is_empty() && self.strays.is_empty()
    }

    /// Gives one event to the rule, in the state of a prefix that lies before it or commutes with it
    /// from there on. `cut` says that it has all of the prefix in its past.
    pub(super) fn attempt(
        &mut self,
        slot: usize,
        prefix: &mut Prefix,
        cut: bool,
        rule: Rule<'_>,
    ) -> Result<Folded, Failure> {
        let Some(row) = self.rows.row(slot) else {
            return Err(Failure {
                why: Unresolved::NotFolded,
                spoilt: false,
            });
        };
        let view = FoldView {
            resolver: rule.resolver,
            rows: &self.rows,
            slot,
            event: &row.event,
            order: &self.order,
            cuts: &self.cuts,
            everything: prefix
                .extent
                .as_deref()
                .filter(|_| cut)
                .map(|extent| &extent.seen),
            is_plain: self.is_plain(),
            past: RefCell::new(&mut self.past),
            vector: OnceCell::new(),
            asked: Cell::new(false),
        };
        let doubtful = self.fold.odd.doubtful == Some(row.event.id());
        self.costs.applies += 1;
        let result = try_event(&mut prefix.state, &view, doubtful, rule);
        if view.asked.get() {
            self.fold.asked(Some(row.event.order_key()));
        }
        result
    }

    /// Notes what became of an event.
    pub(super) fn settle(&mut self, slot: usize, outcome: Outcome, told: &mut FoldOutcome) {
        let Some(row) = self.rows.row(slot) else {
            return;
        };
        let before = row.fate();
        if outcome == Outcome::Applied {
            told.applied += 1;
            if !self.complete {
                self.fold.state_bytes += row.event.payload().len();
            }
        }
        if !self.rows.settle(slot, outcome) {
            return;
        }
        if let Some(row) = self.rows.row(slot)
            && row.fate() == Fate::Rejected
            && let Some(rejection) = self.rows.refused(row)
        {
            told.rejected.push((row.event.id(), rejection.clone()));
            self.rejections += 1;
        }
        if before == Fate::Rejected {
            self.rejections = self.rejections.saturating_sub(1);
        }
    }

    /// After a panic: the state as it was before the event, if the events before it are here.
    fn recover(&mut self, event: EventId, rule: Rule<'_>) {
        self.fold.odd.doubtful = Some(event);
        if self.fold.prefix.is_some() || !self.complete {
            return;
        }
        let Some(key) = self.rows.slot(event).and_then(|slot| self.rows.key(slot)) else {
            return;
        };
        self.roll_back(key, rule);
        // A rule that panics at another place the second time is left where it is: without a state.
        if self
            .advance(Some(key), rule, &mut FoldOutcome::default())
            .is_err()
        {
            self.start_over();
        }
    }
}

/// Why an event could not be folded.
pub(super) struct Failure {
    pub(super) why: Unresolved,
    /// Whether the state may have been changed in part.
    pub(super) spoilt: bool,
}

impl From<Folded> for Outcome {
    fn from(folded: Folded) -> Self {
        match folded {
            Folded::Applied => Self::Applied,
            Folded::Rejected(rejection) => Self::Rejected(rejection),
        }
    }
}

fn try_event(
    state: &mut ErasedState,
    view: &FoldView<'_>,
    doubtful: bool,
    rule: Rule<'_>,
) -> Result<Folded, Failure> {
    let (resolver, event) = (rule.resolver, view.event);
    let mut known = true;
    let mut folded = None;
    let mut copy = None;
    let ran = rule.guard.run(&mut || {
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
            why: unknown(event, rule),
            spoilt: false,
        }),
    }
}
