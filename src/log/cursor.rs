use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::EPOCHS_MAX;

/// One opening of one store, drawn at random.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(u64);

impl Epoch {
    /// The epoch with these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The epoch as a number.
    pub const fn to_bits(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Place in one store's arrival log: the first position not yet read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cursor {
    /// The opening of the store in which the position was handed out.
    pub epoch: Epoch,
    /// Ordinal of the first entry not yet read; 0 is the start of the log.
    pub position: u64,
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}@{}", self.epoch, self.position)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}@{}", self.epoch.0, self.position)
    }
}

/// The openings of one store, oldest first, each with the end of the log at that moment.
///
/// At most 1,024 are kept; a cursor of a forgotten one is answered by a summary.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epochs(Vec<(Epoch, u64)>);

impl Epochs {
    /// No opening yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// A list read back from a store, oldest first.
    pub fn from_list(list: Vec<(Epoch, u64)>) -> Self {
        Self(list)
    }

    /// Begins an epoch whose first new entry will have position `start`.
    pub fn begin(&mut self, epoch: Epoch, start: u64) {
        if mutant!("epoch-not-begun") && !self.0.is_empty() {
            return;
        }
        self.0.push((epoch, start));
        let surplus = self.0.len().saturating_sub(EPOCHS_MAX);
        self.0.drain(..surplus);
    }

    /// The current epoch.
    pub fn current(&self) -> Option<Epoch> {
        self.0.last().map(|(epoch, _)| *epoch)
    }

    /// Whether a cursor points into this store's actual past: its epoch is listed and it does not
    /// pass that epoch's end. `end` is the end of the log now.
    pub fn honours(&self, cursor: Cursor, end: u64) -> bool {
        self.0
            .iter()
            .position(|(epoch, _)| *epoch == cursor.epoch)
            .is_some_and(|at| {
                let epoch_end = self.0.get(at + 1).map_or(end, |(_, start)| *start);
                cursor.position <= epoch_end || mutant!("lost-future-honoured")
            })
    }

    /// Each epoch with its start, oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Epoch, u64)> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restored_store_does_not_honour_cursors_from_its_lost_future() {
        let [first, second, third] = [1, 2, 3].map(Epoch::from_bits);
        let mut epochs = Epochs::new();
        epochs.begin(first, 0);
        epochs.begin(second, 10);
        let at = |epoch, position| Cursor { epoch, position };
        assert!(epochs.honours(at(first, 10), 25));
        assert!(!epochs.honours(at(first, 11), 25));
        assert!(epochs.honours(at(second, 25), 25));
        assert!(!epochs.honours(at(second, 26), 25));
        assert!(!epochs.honours(at(third, 0), 25));
    }
}
