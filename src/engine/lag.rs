use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Engine;
use super::log_tail::LogTail;
use crate::event::{ReplicaId, SeqRanges};
use crate::limits::{GAP_RANGES_MAX, LAG_ENTRIES_MAX};
use crate::log::{Entry, EntryKind, IdRange, Page};

/// Events that one end has and the other lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// How many.
    pub events: u64,
    /// Which, by writer: the first 64 ranges.
    pub ranges: Vec<IdRange>,
    /// How many ranges there are beside these.
    pub more_ranges: u64,
}

impl Gap {
    /// Whether nothing is lacking.
    pub fn is_empty(&self) -> bool {
        self.events == 0
    }

    pub(super) fn add(&mut self, replica: ReplicaId, seqs: &SeqRanges) {
        self.events = self.events.saturating_add(seqs.count());
        for seqs in seqs.iter() {
            if self.ranges.len() < GAP_RANGES_MAX {
                self.ranges.push(IdRange { replica, seqs });
            } else {
                self.more_ranges += 1;
            }
        }
    }
}

type Vector = BTreeMap<ReplicaId, SeqRanges>;

/// What stands in the log behind what each peer has acknowledged. It is read once for all peers, from
/// the earliest acknowledged position on, at most 65,536 entries.
#[derive(Debug, Default)]
pub struct Lag {
    /// Peers by the position up to which they have acknowledged everything.
    peers: BTreeMap<u64, Vec<ReplicaId>>,
    /// What stands from one such position to the next one, by whom it came from.
    stretches: BTreeMap<u64, BTreeMap<Option<ReplicaId>, Vector>>,
    /// The first position that is looked at.
    earliest: u64,
    /// The end of the log, and of what the store holds of it.
    end: u64,
    stored_end: u64,
    next: Option<u64>,
}

impl Lag {
    pub(super) fn new(log: &LogTail) -> Self {
        Self {
            earliest: log.end().saturating_sub(LAG_ENTRIES_MAX),
            end: log.end(),
            stored_end: log.stored_end(),
            ..Self::default()
        }
    }

    pub(super) fn want(&mut self, peer: ReplicaId, acked: u64) {
        if acked < self.earliest {
            return;
        }
        // Beyond the end there is nothing: whoever acknowledged that knows a future that was lost.
        let acked = acked.min(self.end);
        self.peers.entry(acked).or_default().push(peer);
        self.stretches.entry(acked).or_default();
        self.next = Some(self.next.map_or(acked, |next| next.min(acked)));
    }

    /// From where the store must be read next; nothing when everything has been.
    pub fn reads_from(&self) -> Option<u64> {
        self.next.filter(|next| *next < self.stored_end)
    }

    fn count(&mut self, position: u64, entry: &Entry) {
        let stretch = self.stretches.range_mut(..=position).next_back();
        if let Some((_, stretch)) = stretch
            && entry.kind != EntryKind::Released
        {
            let commit = &entry.commit;
            let seqs = commit.span().first()..=commit.span().last();
            let vector = stretch.entry(entry.from).or_default();
            vector.entry(commit.replica()).or_default().insert(seqs);
        }
    }

    /// What each peer lacks; nothing of those whose stretch of the log was not read to its end.
    pub(super) fn gaps(self) -> BTreeMap<ReplicaId, Gap> {
        let mut gaps = BTreeMap::new();
        if self.reads_from().is_some() {
            return gaps;
        }
        let mut all = Vector::new();
        let mut from: BTreeMap<ReplicaId, Vector> = BTreeMap::new();
        for (position, stretch) in self.stretches.into_iter().rev() {
            for (peer, vector) in stretch {
                join(&mut all, &vector);
                if let Some(peer) = peer {
                    join(from.entry(peer).or_default(), &vector);
                }
            }
            for peer in self.peers.get(&position).into_iter().flatten() {
                let mut gap = Gap::default();
                for (replica, seqs) in &all {
                    match from.get(peer).and_then(|its| its.get(replica)) {
                        Some(its) => gap.add(*replica, &seqs.without(its)),
                        None => gap.add(*replica, seqs),
                    }
                }
                gaps.insert(*peer, gap);
            }
        }
        gaps
    }
}

fn join(vector: &mut Vector, other: &Vector) {
    for (replica, seqs) in other {
        let ranges = vector.entry(*replica).or_default();
        for range in seqs.iter() {
            ranges.insert(range);
        }
    }
}

impl Engine {
    /// A page of the log, read from [`Lag::reads_from`].
    pub fn lag_page(&self, lag: &mut Lag, page: &Page) {
        for (position, entry) in &page.entries {
            if *position < lag.stored_end {
                self.count_lag(lag, *position, entry);
            }
        }
        lag.next = lag.next.map(|next| page.next.max(next.saturating_add(1)));
    }

    pub(super) fn count_lag(&self, lag: &mut Lag, position: u64, entry: &Entry) {
        if !self.peers.is_withdrawn(entry.commit.id()) {
            lag.count(position, entry);
        }
    }
}
