//! What the indexes will tell of the newest entries, and until then this does.
//!
//! A row of an index for each event would cost more than the event itself. So entries are gathered
//! in segments; when a segment is full, its rows, one for all entries of a writer or an aggregate in
//! it, are written along with later groups, some at a time. The note `i` follows the last of them.
//!
//! Blocks are queued here when they were written, which is cheap, and put into a segment when the
//! answer is out, or by a reader who comes before that.
//!
//! Invariant: the log alone says what is here. Whatever the rows do not tell yet is put together
//! again from the log behind that note when a store is opened; after a clean close that is nothing.
//! A segment ends where its entries alone say, so rows that were written before a crash are written
//! again as they were.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use super::arrivals::{self, Arrival};
use super::block::Stored;
use super::rows::{history_key, history_row};
use crate::event::{AggregateId, Commit, Event, EventId, ReplicaId};
use crate::limits::{STORE_INDEX_ROW_ENTRIES, STORE_SEGMENT_EVENTS};
use crate::log::{EntryKind, IdRange};

/// Index rows of one segment.
#[derive(Debug, Default)]
pub(super) struct Segment {
    /// The position after its last entry.
    end: u64,
    events: usize,
    ids: BTreeMap<ReplicaId, Vec<Arrival>>,
    histories: HashMap<AggregateId, Vec<u64>>,
    names: BTreeSet<AggregateId>,
}

impl Segment {
    fn add(&mut self, position: u64, kind: EntryKind, commit: &Commit) {
        self.end = position.saturating_add(1);
        self.events = self.events.saturating_add(commit.events().len());
        if kind != EntryKind::Released {
            let arrival = Arrival::of(commit, position);
            let arrivals = self.ids.entry(commit.replica()).or_default();
            let at = arrivals.partition_point(|other| other.first < arrival.first);
            arrivals.insert(at, arrival);
        }
        if kind == EntryKind::Waiting {
            return;
        }
        for name in commit.events().iter().map(Event::aggregate) {
            if let Some(positions) = self.histories.get_mut(name) {
                if positions.last() != Some(&position) {
                    positions.push(position);
                }
            } else {
                self.histories.insert(name.clone(), Vec::from([position]));
                self.names.insert(name.clone());
            }
        }
    }
}

/// All segments that the indexes do not hold entirely, in the order of the log.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    full: VecDeque<Arc<Segment>>,
    filling: Segment,
    /// Blocks that are in no segment yet, in the order of the log.
    queued: VecDeque<Arc<Vec<Stored>>>,
    /// Events since the last end of a segment, those of queued blocks included. Looked at only while
    /// there are some.
    events: usize,
}

impl Fresh {
    /// Adds the next entry of the log.
    pub(super) fn add(&mut self, position: u64, kind: EntryKind, commit: &Commit) {
        self.filling.add(position, kind, commit);
    }

    /// To be called at the end of each block: segments end there.
    pub(super) fn end_block(&mut self) {
        if self.filling.events >= STORE_SEGMENT_EVENTS {
            self.end_segment();
        }
    }

    /// Takes the next block of the log, to be looked at later. Tells whether a segment ends with it.
    pub(super) fn queue(&mut self, block: &Arc<Vec<Stored>>) -> bool {
        if self.is_settled() {
            self.events = self.filling.events;
        }
        let events = block.iter().map(|(entry, _)| entry.commit.events().len());
        self.events = self.events.saturating_add(events.sum());
        self.queued.push_back(Arc::clone(block));
        let is_full = self.events >= STORE_SEGMENT_EVENTS;
        if is_full {
            self.events = 0;
        }
        is_full
    }

    /// Whether no block is queued.
    pub(super) fn is_settled(&self) -> bool {
        self.queued.is_empty()
    }

    /// Puts what is queued into segments. Cost: its events.
    pub(super) fn settle(&mut self) {
        while let Some(block) = self.queued.pop_front() {
            for (entry, placed) in &*block {
                self.add(placed.position, entry.kind, &entry.commit);
            }
            self.end_block();
        }
    }

    /// Whether the rows of a segment should have been written: the next one is half full.
    pub(super) fn is_behind(&self) -> bool {
        let waiting = self.full.len();
        waiting > 1 || waiting == 1 && self.filling.events >= STORE_SEGMENT_EVENTS / 2
    }

    /// Makes rows of what there is. Only where all of it is then written at once.
    pub(super) fn end_segment(&mut self) {
        if self.filling.events > 0 {
            self.full
                .push_back(Arc::new(std::mem::take(&mut self.filling)));
        }
    }

    /// The segments whose rows are to be written, the oldest first.
    pub(super) fn full(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.full.iter()
    }

    /// Forgets segments that the indexes hold up to a position.
    pub(super) fn forget(&mut self, indexed: u64) {
        while self
            .full
            .front()
            .is_some_and(|segment| segment.end <= indexed)
        {
            self.full.pop_front();
        }
    }

    fn segments(&self) -> impl Iterator<Item = &Segment> {
        let full = self.full.iter().map(|segment| &**segment);
        full.chain([&self.filling])
    }

    /// Where the commit of an event arrived.
    pub(super) fn arrival(&self, id: EventId) -> Option<Arrival> {
        let arrivals = |segment: &Segment| {
            let arrivals = segment.ids.get(&id.replica)?;
            arrivals::find(arrivals, id.seq)
        };
        self.segments().find_map(arrivals)
    }

    /// Positions at which the commits of these events arrived, in no particular order.
    pub(super) fn locate(&self, range: &IdRange, positions: &mut Vec<u64>) {
        for segment in self.segments() {
            if let Some(arrivals) = segment.ids.get(&range.replica) {
                let (first, last) = (*range.seqs.start(), *range.seqs.end());
                positions.extend(arrivals::between(arrivals, first, last));
            }
        }
    }

    /// Positions of entries that touch an aggregate, ascending.
    pub(super) fn history(&self, aggregate: &AggregateId) -> Vec<u64> {
        let histories = self.segments().filter_map(|s| s.histories.get(aggregate));
        histories.flatten().copied().collect()
    }

    /// Adds at most `limit` names of each segment, the first ones of a range.
    pub(super) fn names(
        &self,
        (start, end): &(String, Option<String>),
        limit: usize,
        found: &mut BTreeSet<AggregateId>,
    ) {
        let end = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        for segment in self.segments() {
            let names = segment
                .names
                .range::<str, _>((Bound::Included(start.as_str()), end));
            found.extend(names.take(limit).cloned());
        }
    }
}

/// A row of an index.
#[derive(Debug)]
pub(super) enum IndexRow {
    Ids(Vec<u8>, Vec<u8>),
    History(Vec<u8>, Vec<u8>),
}

/// How far the rows of the oldest segment have been handed out.
#[derive(Debug, Default)]
pub(super) enum Drain {
    #[default]
    Start,
    Ids(ReplicaId),
    Names(Option<AggregateId>),
}

impl Drain {
    /// The next rows of a segment, about as many as wanted. After the last ones, the position up to
    /// which the indexes then hold the log.
    pub(super) fn rows(
        &mut self,
        segment: &Segment,
        wanted: usize,
    ) -> (Vec<IndexRow>, Option<u64>) {
        let mut rows = Vec::new();
        while rows.len() < wanted {
            match self {
                Self::Start => self.ids(segment, Bound::Unbounded, &mut rows),
                Self::Ids(after) => {
                    let after = Bound::Excluded(*after);
                    self.ids(segment, after, &mut rows);
                }
                Self::Names(after) => {
                    let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
                    let names = segment
                        .names
                        .range::<AggregateId, _>((from, Bound::Unbounded));
                    let mut last = None;
                    for name in names.take(wanted - rows.len()) {
                        let positions = segment.histories.get(name);
                        put_history(name, positions.map_or(&[], Vec::as_slice), &mut rows);
                        last = Some(name.clone());
                    }
                    if last.is_none() {
                        *self = Self::Start;
                        return (rows, Some(segment.end));
                    }
                    *after = last;
                }
            }
        }
        (rows, None)
    }

    /// The rows of the next writer.
    fn ids(&mut self, segment: &Segment, from: Bound<ReplicaId>, rows: &mut Vec<IndexRow>) {
        let Some((replica, arrivals)) = segment.ids.range((from, Bound::Unbounded)).next() else {
            *self = Self::Names(None);
            return;
        };
        let follows = |a: &Arrival, b: &Arrival| a.last().next() == Some(b.first);
        let stretches = arrivals.chunk_by(follows);
        for stretch in stretches.flat_map(|stretch| stretch.chunks(STORE_INDEX_ROW_ENTRIES)) {
            if let Some((key, row)) = arrivals::row(*replica, stretch) {
                rows.push(IndexRow::Ids(key.to_vec(), row));
            }
        }
        *self = Self::Ids(*replica);
    }
}

fn put_history(name: &AggregateId, positions: &[u64], rows: &mut Vec<IndexRow>) {
    for positions in positions.chunks(STORE_INDEX_ROW_ENTRIES) {
        if let Some(first) = positions.first() {
            let key = history_key(name, *first);
            let row = history_row(&key, positions);
            rows.push(IndexRow::History(key, row));
        }
    }
}
