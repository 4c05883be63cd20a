//! How much is tried. Counted in work, not in time, so that a search finds the same every time.

/// How much is tried for each law.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub(super) steps: u64,
    pub(super) seed: u64,
}

impl Budget {
    /// About so many folded events for each law, about two thirds of them in small histories.
    pub const fn new(steps: u64) -> Self {
        Self { steps, seed: 1 }
    }

    /// Another seed, for other random histories.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

impl Default for Budget {
    /// Under 10 seconds for all laws of a small rule with optimisation, under 60 without.
    fn default() -> Self {
        Self::new(if cfg!(debug_assertions) {
            60_000
        } else {
            400_000
        })
    }
}
