//! How much is tried. Counted in work, not in time, so that a search finds the same every time.

/// How much is tried for each law.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub(super) steps: u64,
    pub(super) seed: u64,
}

/// Random histories get no more than so many folded events.
const RANDOM: u64 = if cfg!(debug_assertions) {
    30_000
} else {
    120_000
};

impl Budget {
    /// About so many folded events at most for each law in small histories, and a share of it in
    /// random ones.
    pub const fn new(steps: u64) -> Self {
        Self { steps, seed: 1 }
    }

    /// No bound for small histories: all of up to 5 events with up to 4 payloads, each in every order
    /// of arrival, whatever that takes.
    pub const fn complete() -> Self {
        Self::new(u64::MAX)
    }

    pub(super) const fn is_complete(self) -> bool {
        self.steps == u64::MAX
    }

    pub(super) const fn small(self) -> u64 {
        self.steps
    }

    pub(super) const fn random(self) -> u64 {
        let share = self.steps / 4;
        if share < RANDOM { share } else { RANDOM }
    }

    /// Another seed, for other random histories.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

impl Default for Budget {
    /// Under 10 seconds for all laws of a small rule with optimisation, under 60 without, on two
    /// processors. Enough for all histories of up to 5 events with up to 4 payloads, without
    /// optimisation with up to 3; how far it came, the report tells of each law.
    fn default() -> Self {
        Self::new(if cfg!(debug_assertions) {
            1_500_000
        } else {
            4_000_000
        })
    }
}
