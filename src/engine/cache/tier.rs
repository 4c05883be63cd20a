use crate::merge::Timeline;

/// What is kept of a timeline in memory, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tier {
    /// All its events.
    Full,
    /// Its fold, from which it goes on.
    Lean,
    /// It goes once its fold is stored, unless it is used before.
    Leaving,
}

impl Tier {
    /// Where a timeline belongs that has just been used.
    pub(super) fn of(timeline: &Timeline) -> Self {
        if timeline.has_history() {
            Self::Full
        } else {
            Self::Lean
        }
    }
}

/// One thing for each tier.
#[derive(Debug, Default)]
pub(super) struct Tiers<T> {
    full: T,
    lean: T,
    leaving: T,
}

impl<T> Tiers<T> {
    pub(super) fn of(&self, tier: Tier) -> &T {
        match tier {
            Tier::Full => &self.full,
            Tier::Lean => &self.lean,
            Tier::Leaving => &self.leaving,
        }
    }

    pub(super) fn of_mut(&mut self, tier: Tier) -> &mut T {
        match tier {
            Tier::Full => &mut self.full,
            Tier::Lean => &mut self.lean,
            Tier::Leaving => &mut self.leaving,
        }
    }
}
