use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BinaryHeap};
use alloc::sync::Arc;

use super::rarely::absent;
use super::rows::Rows;
use crate::event::VersionVector;

/// Vector clocks of events, derived from heads where somebody asks.
///
/// An event's vector covers what its writer had seen of the aggregate, the event itself not
/// included. It never changes, so it may be kept once derived.
#[derive(Debug, Default)]
pub(super) struct Past {
    vectors: BTreeMap<usize, Arc<VersionVector>>,
    /// Nothing where nobody has asked.
    recent: Option<Box<Recent>>,
}

/// Vectors that were derived last: a few events at a time are asked about, again and again.
#[derive(Debug, Default)]
struct Recent {
    derived: [Option<(usize, Arc<VersionVector>)>; RECENT],
    /// Where the next one goes.
    turn: usize,
}

/// In a stretch without concurrency every so many events one vector is kept, so that deriving one
/// walks at most so far: a copy of the vector against a walk.
const STRETCH: usize = 64;
/// A vector found on a shorter walk is not worth keeping for good: finding it again costs as little.
const WALK: usize = 16;
/// As many as one late event and those around it make, few enough to look through.
const RECENT: usize = 8;

absent!(
    Past,
    Past {
        vectors: BTreeMap::new(),
        recent: None,
    }
);

impl Past {
    /// Whether it is worth while to take notice of the past of the event at a slot.
    pub(super) fn wants(&self, slot: usize) -> bool {
        let last = self.vectors.last_key_value().map(|(last, _)| *last);
        slot >= last.unwrap_or_default() + STRETCH
    }

    /// Takes notice that the event at a slot has everything in its past that is here, which is
    /// `seen`.
    pub(super) fn note(&mut self, slot: usize, seen: VersionVector) {
        self.vectors.insert(slot, Arc::new(seen));
    }

    /// The vector of the valid event at a slot. Walks back to events whose vectors are known, in the
    /// order of slots: what an event names has come before it.
    pub(super) fn of(&mut self, slot: usize, rows: &Rows) -> Arc<VersionVector> {
        if let Some(vector) = self.known(slot) {
            return Arc::clone(vector);
        }
        let mut vector = VersionVector::new();
        let mut walked = 0;
        let mut open = BinaryHeap::from([slot]);
        while let Some(next) = open.pop() {
            while open.peek() == Some(&next) {
                open.pop();
            }
            walked += 1;
            if let Some(known) = self.known(next) {
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
        if walked >= WALK {
            self.vectors.insert(slot, Arc::clone(&vector));
        } else {
            let recent = self.recent.get_or_insert_default();
            recent.keep(slot, Arc::clone(&vector));
        }
        vector
    }

    fn known(&self, slot: usize) -> Option<&Arc<VersionVector>> {
        let recent = self.recent.as_ref().and_then(|recent| recent.find(slot));
        recent.or_else(|| self.vectors.get(&slot))
    }
}

impl Recent {
    fn find(&self, slot: usize) -> Option<&Arc<VersionVector>> {
        let mut derived = self.derived.iter().flatten();
        let found = derived.find(|(at, _)| *at == slot);
        found.map(|(_, vector)| vector)
    }

    /// In the place of the oldest.
    fn keep(&mut self, slot: usize, vector: Arc<VersionVector>) {
        if let Some(oldest) = self.derived.get_mut(self.turn) {
            *oldest = Some((slot, vector));
        }
        self.turn = (self.turn + 1) % RECENT;
    }
}
