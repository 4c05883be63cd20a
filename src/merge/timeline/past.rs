use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::rows::Rows;
use crate::event::VersionVector;

/// Vector clocks of events, derived from heads where somebody asks.
///
/// An event's vector covers what its writer had seen of the aggregate, the event itself not
/// included. It never changes, so it may be kept once derived.
#[derive(Debug, Default)]
pub(super) struct Past {
    vectors: BTreeMap<usize, Arc<VersionVector>>,
    /// Events without a vector since the last one that was noted.
    since: usize,
}

/// In a stretch without concurrency every so many events one vector is kept, so that deriving one
/// walks at most so far: a copy of the vector against a walk.
const STRETCH: usize = 64;
/// A vector found on a shorter walk is not worth keeping: finding it again costs as little.
const WALK: usize = 16;

impl Past {
    /// Takes notice that the event at a slot has everything in its past that is here, which is
    /// `seen`.
    pub(super) fn note(&mut self, slot: usize, seen: &VersionVector) {
        self.since += 1;
        if self.since == STRETCH {
            self.since = 0;
            self.vectors.insert(slot, Arc::new(seen.clone()));
        }
    }

    /// The vector of the valid event at a slot. Walks back to events whose vectors are known; the
    /// walk keeps its own stack.
    pub(super) fn of(&mut self, slot: usize, rows: &Rows) -> Arc<VersionVector> {
        if let Some(vector) = self.vectors.get(&slot) {
            return Arc::clone(vector);
        }
        let mut vector = VersionVector::new();
        let mut walked = BTreeSet::new();
        let mut open = Vec::from([slot]);
        while let Some(next) = open.pop() {
            if !walked.insert(next) {
                continue;
            }
            if let Some(known) = self.vectors.get(&next) {
                vector.join(known);
                continue;
            }
            let Some(row) = rows.row(next) else { continue };
            for head in row.event.heads() {
                vector.observe(head.id);
                open.extend(rows.slot(head.id));
            }
        }
        let vector = Arc::new(vector);
        if walked.len() >= WALK {
            self.vectors.insert(slot, Arc::clone(&vector));
        }
        vector
    }
}
