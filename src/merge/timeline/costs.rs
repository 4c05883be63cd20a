use super::Timeline;

/// What folding an aggregate has cost since it came into memory.
///
/// Never part of a state or a digest: it depends on how events arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Costs {
    /// Events folded, again ones included: calls of `admit` and, if admitted, `apply`.
    pub applies: u64,
    /// Times that the fold went back to a checkpoint, or to the start.
    pub rollbacks: u64,
    /// Late events that were applied to the newest state without going back.
    pub in_place: u64,
    /// States copied, as checkpoints and back, in bytes of their encoded form.
    pub cloned_bytes: u64,
    /// Footprints asked for, to tell which events touch the same keys.
    pub footprints: u64,
    /// Checkpoints held now.
    pub checkpoints: usize,
}

impl Costs {
    pub(super) fn copied(&mut self, bytes: usize) {
        self.cloned_bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
    }
}

impl Timeline {
    /// What folding it has cost since it came into memory.
    pub fn costs(&self) -> Costs {
        Costs {
            checkpoints: self.checkpoints.len(),
            ..self.costs
        }
    }
}
