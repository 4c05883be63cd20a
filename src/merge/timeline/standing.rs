use super::Timeline;
use crate::event::{Digest, SetHash};
use crate::merge::Guard;

/// What an aggregate stands at: a set of events, and what a rule makes of it.
///
/// Two replicas that agree in everything but the state have a rule, or a shortcut, that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How many ready events.
    pub events: u64,
    /// Which ones.
    pub set: SetHash,
    /// The rule, its version and configuration.
    pub fingerprint: Digest,
    /// Digest of the state.
    pub state: Digest,
}

impl Timeline {
    /// What its events amount to as a set, in memory or not.
    pub fn set(&self) -> SetHash {
        self.set
    }

    /// What it stands at, as of the last fold; nothing while it has no current state, or no event.
    /// Encodes the state, once for each.
    pub fn standing(&mut self, guard: &dyn Guard) -> Option<Standing> {
        if self.is_empty() {
            return None;
        }
        let fingerprint = self.route.as_ref()?.fingerprint();
        let known = self.digest.filter(|_| self.state().is_ok());
        let state = if let Some(digest) = known {
            digest
        } else {
            let mut digest = None;
            guard.run(&mut || digest = self.digest()).ok()?;
            digest?
        };
        self.digest = Some(state);
        Some(Standing {
            events: self.events,
            set: self.set,
            fingerprint,
            state,
        })
    }
}
