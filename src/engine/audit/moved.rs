use alloc::collections::BTreeMap;

use crate::event::AggregateId;
use crate::limits::MOVED_KEPT_MAX;

/// The aggregates that events have come to lately, the latest last. One list serves all connections:
/// each knows how far it has told of them. Noting one costs O(log n).
#[derive(Debug, Default)]
pub(in crate::engine) struct Moved {
    touches: u64,
    by_touch: BTreeMap<u64, AggregateId>,
    last: BTreeMap<AggregateId, u64>,
}

impl Moved {
    /// An event has come; of many aggregates the first are forgotten.
    pub(in crate::engine) fn note(&mut self, aggregate: &AggregateId) {
        if let Some(touch) = self.last.insert(aggregate.clone(), self.touches) {
            self.by_touch.remove(&touch);
        }
        self.by_touch.insert(self.touches, aggregate.clone());
        self.touches += 1;
        if self.by_touch.len() > MOVED_KEPT_MAX
            && let Some((_, first)) = self.by_touch.pop_first()
        {
            self.last.remove(&first);
        }
    }

    /// What a connection that has told of everything goes on from.
    pub(in crate::engine) fn end(&self) -> u64 {
        self.touches
    }

    /// The first aggregate from there on, and what to go on from after it.
    pub(super) fn next(&self, from: u64) -> Option<(&AggregateId, u64)> {
        let (touch, aggregate) = self.by_touch.range(from..).next()?;
        Some((aggregate, touch + 1))
    }
}
