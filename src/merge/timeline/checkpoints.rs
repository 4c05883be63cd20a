use alloc::vec::Vec;
use core::mem::size_of;

use super::prefix::Prefix;
use super::rarely::absent;
use crate::event::OrderKey;
use crate::limits::CHECKPOINT_EVENTS_MIN;

/// Copies of the fold at places of the order, from which a replay starts.
///
/// They lie at about doubling distances from the newest one, so that the nearest one before any
/// place is at most about twice as far from the end as the place itself, and about log2(n) of them
/// are kept.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    kept: Vec<Checkpoint>,
}

#[derive(Debug)]
pub(super) struct Checkpoint {
    pub(super) prefix: Prefix,
    /// What a copy costs, roughly.
    pub(super) bytes: usize,
    /// Slots of events that belong into it and were applied to newer states in the meantime; in the
    /// order in which that happened.
    pub(super) owed: Vec<usize>,
}

absent!(Checkpoints, Checkpoints { kept: Vec::new() });

impl Checkpoint {
    /// How many events lie before it, owed ones included.
    fn len(&self) -> usize {
        self.prefix.len + self.owed.len()
    }
}

impl Checkpoints {
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn bytes(&self) -> usize {
        let owed = |checkpoint: &Checkpoint| checkpoint.owed.len() * size_of::<usize>();
        let bytes = |checkpoint: &Checkpoint| checkpoint.bytes + owed(checkpoint);
        self.kept.iter().map(bytes).sum()
    }

    /// Keeps one behind all others, and lets go of those that it makes superfluous.
    pub(super) fn lay(&mut self, prefix: Prefix, bytes: usize) {
        let end = prefix.len;
        self.kept.push(Checkpoint {
            prefix,
            bytes,
            owed: Vec::new(),
        });
        let mut at = 0;
        while let Some(next) = self.kept.get(at + 1) {
            let before = at.checked_sub(1).and_then(|before| self.kept.get(before));
            let before = before.map_or(0, Checkpoint::len);
            if end - before <= 2 * (end - next.len()) {
                self.kept.remove(at);
            } else {
                at += 1;
            }
        }
    }

    /// The last one before a place; those behind it are dropped.
    pub(super) fn back_to(&mut self, key: OrderKey) -> Option<Checkpoint> {
        let from = self
            .kept
            .partition_point(|checkpoint| checkpoint.prefix.last < Some(key));
        if !mutant!("checkpoint-behind-kept") {
            self.kept.truncate(from);
        }
        self.kept.pop()
    }

    /// Takes notice of an event that was applied to the newest state, before these in the order.
    /// Returns those that owe so much by now that they have to be brought up to date.
    ///
    /// An eighth of what a replay from there costs, and no less than a copy is worth, is little.
    pub(super) fn owe(&mut self, slot: usize, key: OrderKey, end: usize) -> Vec<Checkpoint> {
        let from = self
            .kept
            .partition_point(|checkpoint| checkpoint.prefix.last < Some(key));
        let mut indebted = Vec::new();
        let mut at = from;
        while let Some(checkpoint) = self.kept.get_mut(at) {
            if !mutant!("checkpoint-not-updated") {
                checkpoint.owed.push(slot);
            }
            let replay = end.saturating_sub(checkpoint.len());
            if checkpoint.owed.len() > CHECKPOINT_EVENTS_MIN.max(replay / 8) {
                indebted.push(self.kept.remove(at));
            } else {
                at += 1;
            }
        }
        indebted
    }

    /// Keeps one that was taken out, in its place.
    pub(super) fn put_back(&mut self, checkpoint: Checkpoint) {
        let at = self
            .kept
            .partition_point(|other| other.prefix.last < checkpoint.prefix.last);
        self.kept.insert(at, checkpoint);
    }
}
