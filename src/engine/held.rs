use super::Engine;
use crate::event::{AggregateId, ReplicaId};
use crate::log::{Cursor, Received};

/// What a replica holds in memory, each beside the bound that it is to keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Held {
    /// Bytes of timelines that stay.
    pub cache_bytes: usize,
    /// As many as may stay, but for what was used last and what somebody waits for.
    pub cache_bytes_max: usize,
    /// Bytes of the timeline that was used last.
    pub last_used_bytes: usize,
    /// Aggregates that stay because somebody waits for them.
    pub pinned: usize,
    /// Entries of the log that the store has not answered, or that a read or an offer may need.
    pub entries: usize,
    /// Of the watch with the most: aggregates with a change that was not told, at most
    /// [`WATCH_CHANGES_MAX`](crate::limits::WATCH_CHANGES_MAX).
    pub changes: usize,
    /// Deliveries of peers that wait for a look into the store; credit bounds their bytes.
    pub parked: usize,
}

impl Engine {
    /// What it holds in memory. Cost: connections and watches.
    pub fn held(&self) -> Held {
        let (cache_bytes, cache_bytes_max, last_used_bytes) = self.cache.staying();
        Held {
            cache_bytes,
            cache_bytes_max,
            last_used_bytes,
            pinned: self.cache.pinned(),
            entries: self.log.kept().count(),
            changes: self.watches.changes_max(),
            parked: self.links.iter().map(|link| link.parked.len()).sum(),
        }
    }

    /// How far the log of each peer was read.
    pub fn cursors(&self) -> impl Iterator<Item = (ReplicaId, Cursor)> {
        self.peers.cursors()
    }

    /// What was received of whom.
    pub fn received(&self) -> &Received {
        self.inbox.received()
    }

    /// The aggregates that are in memory, in the order of names.
    pub fn in_memory(&self) -> impl Iterator<Item = &AggregateId> {
        self.cache.hot().map(crate::merge::Timeline::aggregate)
    }
}
