use alloc::vec::Vec;

use super::{Timeline, Unresolved};
use crate::event::{Digest, EventId, SetHash};
use crate::merge::{Guard, Shortcuts};
use crate::resolver::{ErasedResolver, Rejection};

/// What a fold of all events from the start comes to, made aside and without any shortcut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// How many events were folded.
    pub events: u64,
    /// What they amount to as a set.
    pub set: SetHash,
    /// The state, encoded.
    pub state: Vec<u8>,
    /// The refused events, in the order of ids.
    pub rejected: Vec<(EventId, Rejection)>,
    /// How often the rule was asked to fold an event.
    pub applies: u64,
}

impl Replay {
    /// Digest of the state.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.state)
    }
}

impl Timeline {
    /// Folds the first events anew, aside, as many as are asked for in the order in which they
    /// became ready. Takes no shortcut, changes nothing here. Costs one apply for each.
    ///
    /// # Errors
    /// Why there is no state, where there is none or its history is not in memory.
    pub fn replay(&self, events: u64, guard: &dyn Guard) -> Result<Replay, Unresolved> {
        if !self.complete {
            return Err(Unresolved::NotFolded);
        }
        let mut aside = Self::new(self.aggregate.clone(), self.route.clone());
        aside.avoided = Shortcuts::ALL;
        let wanted = usize::try_from(events).unwrap_or(usize::MAX);
        for row in self.rows.iter().take(wanted) {
            aside.integrate(row.event.clone(), row.tag());
        }
        aside.news.forget_concurrency(aside.rows.len());
        aside.fold(guard);
        let state = encoded(&aside, guard)?;
        Ok(Replay {
            events: aside.events,
            set: aside.set,
            state,
            rejected: aside.rejected(),
            applies: aside.costs.applies,
        })
    }

    /// What stands here, in the form of a replay; nothing while there is no current state.
    pub fn as_replay(&self, guard: &dyn Guard) -> Option<Replay> {
        Some(Replay {
            events: self.events,
            set: self.set,
            state: encoded(self, guard).ok()?,
            rejected: self.rejected(),
            applies: 0,
        })
    }

    /// The refused events that are in memory, in the order of ids.
    fn rejected(&self) -> Vec<(EventId, Rejection)> {
        let mut rejected: Vec<_> = self
            .rows
            .iter()
            .filter_map(|row| Some((row.event.id(), self.rows.refused(row)?.clone())))
            .collect();
        rejected.sort_unstable_by_key(|(id, _)| *id);
        rejected
    }
}

fn encoded(timeline: &Timeline, guard: &dyn Guard) -> Result<Vec<u8>, Unresolved> {
    let state = timeline.state().map_err(Clone::clone)?;
    let route = timeline.route.as_ref().ok_or(Unresolved::NoResolver)?;
    let resolver: &dyn ErasedResolver = &**route.resolver();
    let mut bytes = None;
    guard
        .run(&mut || bytes = resolver.encode_state(state).ok())
        .map_err(|panic| Unresolved::Panicked {
            event: None,
            message: panic.message,
        })?;
    bytes.ok_or(Unresolved::NotFolded)
}
