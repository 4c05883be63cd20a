use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::rows::Fate;
use super::validity::{Named, invalid};
use super::view::{LatestView, Seen};
use super::{Outcome, Timeline, TrialError};
use crate::event::{Event, EventId, VersionVector};
use crate::merge::{Guard, Panic};
use crate::resolver::{ErasedResolver, ErasedState, Folded, Rejection, View};

impl Timeline {
    /// Whether these new events of one commit, which name everything here, would be admitted now.
    /// Fold first: what has not been folded is not looked at. The state is copied only where there
    /// are several events.
    ///
    /// Where there is no rule, or its state cannot be had, only validity is checked: nothing would
    /// be gained by refusing a write for it. An event type that the rule does not know is refused.
    ///
    /// # Errors
    /// [`TrialError`] names the first event that would be rejected, and why.
    pub fn trial(&self, events: &[Event], guard: &dyn Guard) -> Result<(), TrialError> {
        self.check_validity(events)?;
        self.judge_each(events, Seen::All(self.rows.writers()), &[], guard)
    }

    /// [`trial`](Self::trial) of events of which the first may name less than everything here: they
    /// are judged in the state that they will have here, knowing only what they name. The history
    /// must be in memory, unless the first one names all heads.
    ///
    /// Where something here comes after them in canonical order, which takes a stamp that this
    /// replica's clock did not follow, the whole history is folded once more.
    ///
    /// # Errors
    /// As [`trial`](Self::trial).
    pub fn trial_at_place(
        &mut self,
        events: &[Event],
        guard: &dyn Guard,
    ) -> Result<(), TrialError> {
        let Some(first) = events.first() else {
            return Ok(());
        };
        if !self.complete || self.is_followed_by(first) {
            return self.trial(events, guard);
        }
        self.check_validity(events)?;
        if Some(first.order_key()) < self.last {
            return self.rehearse(events, guard);
        }
        let seen = self.past_of(first.heads());
        let unseen = self.unseen(&seen);
        self.judge_each(events, Seen::Part(&seen), &unseen, guard)
    }

    fn check_validity(&self, events: &[Event]) -> Result<(), TrialError> {
        for (index, event) in events.iter().enumerate() {
            let before = events.get(..index).unwrap_or_default();
            let look_up = |id| self.named(id).or_else(|| named_in(before, id));
            if let Some(rejection) = invalid(event, look_up) {
                return Err(TrialError { index, rejection });
            }
        }
        Ok(())
    }

    /// Judges events that come after everything here, of which their writer has not seen `unseen`.
    fn judge_each(
        &self,
        events: &[Event],
        seen: Seen<'_>,
        unseen: &[Event],
        guard: &dyn Guard,
    ) -> Result<(), TrialError> {
        let (Some(route), Ok(state)) = (&self.route, self.state()) else {
            return Ok(());
        };
        let resolver = &**route.resolver();
        let mut copy: Option<ErasedState> = None;
        let mut previous = None;
        for (index, event) in events.iter().enumerate() {
            let view = TrialView {
                latest: LatestView { seen, previous },
                resolver,
                event,
                unseen,
            };
            previous = Some(event.id());
            let mut verdict = Ok(());
            let ran = guard.run(&mut || {
                if events.len() > 1 && copy.is_none() {
                    copy = Some(resolver.clone_state(state));
                }
                verdict = judge(resolver, state, copy.as_mut(), event, &view);
            });
            if let Err(Panic { message }) = ran {
                let reason = alloc::format!("the resolver panicked: {message}");
                verdict = Err(Rejection::new(reason));
            }
            verdict.map_err(|rejection| TrialError { index, rejection })?;
        }
        Ok(())
    }

    /// The events here that are not in a past, in canonical order.
    fn unseen(&self, seen: &VersionVector) -> Vec<Event> {
        let mut unseen = Vec::new();
        let mut walked = BTreeSet::new();
        let heads = self.rows.writers().heads().into_iter();
        let mut open: Vec<EventId> = heads.map(|(id, _)| id).collect();
        while let Some(id) = open.pop() {
            if seen.contains(id) || !walked.insert(id) {
                continue;
            }
            let Some(row) = self.rows.find(id) else {
                continue;
            };
            open.extend(row.event.heads().iter().map(|head| head.id));
            if row.fate() != Fate::Replaced {
                unseen.push(row.event.clone());
            }
        }
        unseen.sort_unstable_by_key(Event::order_key);
        unseen
    }

    /// Folds everything again with the new events at their places.
    fn rehearse(&self, events: &[Event], guard: &dyn Guard) -> Result<(), TrialError> {
        if self.state().is_err() {
            return Ok(());
        }
        let history = self.rows.iter().map(|row| (row.event.clone(), row.tag()));
        let new = events.iter().map(|event| (event.clone(), None));
        let (aggregate, route) = (self.aggregate.clone(), self.route.clone());
        let mut stage = Self::with_history(aggregate, route, history.chain(new));
        stage.fold(guard);
        for (index, event) in events.iter().enumerate() {
            let rejection = match (stage.outcome(event.id()), stage.condition()) {
                (Some(Outcome::Rejected(rejection)), _) => rejection,
                (None, Some(condition)) => Rejection::new(condition.to_string()),
                _ => continue,
            };
            return Err(TrialError { index, rejection });
        }
        Ok(())
    }
}

/// What an event can see that is to come after everything here, and may not have seen all of it.
struct TrialView<'a> {
    latest: LatestView<'a>,
    resolver: &'a dyn ErasedResolver,
    event: &'a Event,
    unseen: &'a [Event],
}

impl View for TrialView<'_> {
    fn saw(&self, id: EventId) -> bool {
        self.latest.saw(id)
    }

    fn rivals(&self) -> Vec<Event> {
        let own = self.resolver.footprint(self.event.payload());
        let overlaps = |event: &&Event| own.overlaps(&self.resolver.footprint(event.payload()));
        self.unseen.iter().filter(overlaps).cloned().collect()
    }
}

fn judge(
    resolver: &dyn ErasedResolver,
    state: &ErasedState,
    copy: Option<&mut ErasedState>,
    event: &Event,
    view: &dyn View,
) -> Result<(), Rejection> {
    let event_type = event.event_type();
    if !resolver.knows(event_type) {
        let reason = alloc::format!(
            "{} does not know the event type {event_type}",
            resolver.id()
        );
        return Err(Rejection::new(reason));
    }
    let Some(copy) = copy else {
        return resolver.admit(state, event, view);
    };
    match resolver.fold(copy, event, view) {
        Folded::Applied => Ok(()),
        Folded::Rejected(rejection) => Err(rejection),
    }
}

/// An earlier event of the same trial.
fn named_in(before: &[Event], id: EventId) -> Option<Named> {
    let event = before.iter().find(|event| event.id() == id)?;
    Some(Named {
        timestamp: event.timestamp(),
        tag: None,
        valid: true,
    })
}
