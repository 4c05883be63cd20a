use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use crate::event::AggregateId;
use crate::log::{Entry, EntryKind, Epochs};

/// The end of the log as the engine sees it: positions it has handed out, entries the store has not
/// answered yet, and how far entries may be sent.
#[derive(Debug)]
pub(super) struct LogTail {
    pub(super) epochs: Epochs,
    /// Position the next entry gets.
    end: u64,
    /// End of what the store has answered.
    stored_end: u64,
    /// End of what is fsynced.
    durable_end: u64,
    /// Entries from `kept_from` to `end`; the store holds those before.
    kept: VecDeque<Entry>,
    kept_from: u64,
    /// Positions of entries that nobody else holds, until they are fsynced; ascending.
    unsafe_to_send: VecDeque<u64>,
    /// How far entries were offered to sessions.
    offered_end: u64,
    /// Reads under way of histories, each with the stored end when it began: entries from there on
    /// are kept until it returns, since it may have missed them.
    reads: Vec<u64>,
    touching: Touching,
}

/// Where kept entries with ready events of an aggregate are, as far as somebody has asked. Built on the
/// way, so that many aggregates that are read at once look through what is kept once.
#[derive(Debug, Default)]
struct Touching {
    positions: BTreeMap<AggregateId, Vec<u64>>,
    /// Up to where entries are in it.
    until: u64,
}

impl LogTail {
    pub(super) fn new(epochs: Epochs, end: u64) -> Self {
        Self {
            epochs,
            end,
            stored_end: end,
            durable_end: end,
            kept: VecDeque::new(),
            kept_from: end,
            unsafe_to_send: VecDeque::new(),
            offered_end: end,
            reads: Vec::new(),
            touching: Touching::default(),
        }
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn stored_end(&self) -> u64 {
        self.stored_end
    }

    pub(super) fn durable_end(&self) -> u64 {
        self.durable_end
    }

    pub(super) fn append(&mut self, entry: Entry) -> u64 {
        let position = self.end;
        if entry.from.is_none() && !mutant!("own-events-sent-before-fsync") {
            self.unsafe_to_send.push_back(position);
        }
        self.kept.push_back(entry);
        self.end = self.end.saturating_add(1);
        position
    }

    /// The store has answered everything before `end`.
    pub(super) fn stored(&mut self, end: u64, durable: bool) {
        self.stored_end = end;
        if durable {
            self.durable_end = end;
            while self
                .unsafe_to_send
                .front()
                .is_some_and(|first| *first < end)
            {
                self.unsafe_to_send.pop_front();
            }
        }
        self.trim();
    }

    pub(super) fn read_began(&mut self) -> u64 {
        self.reads.push(self.stored_end);
        self.stored_end
    }

    pub(super) fn read_ended(&mut self, began: u64) {
        if let Some(at) = self.reads.iter().position(|read| *read == began) {
            self.reads.swap_remove(at);
        }
        self.trim();
    }

    fn trim(&mut self) {
        let reads = self.reads.iter().copied().min();
        let reads = reads.filter(|_| !mutant!("let-go-under-a-read"));
        let needed = reads.unwrap_or(self.stored_end);
        let keep_from = needed.min(self.stored_end).min(self.offered_end);
        while self.kept_from < keep_from && self.kept.pop_front().is_some() {
            self.kept_from += 1;
        }
        if self.kept_from >= self.touching.until && !self.touching.positions.is_empty() {
            self.touching.positions.clear();
        }
    }

    /// First position that may not be sent yet: an entry that came from nobody and is not fsynced.
    pub(super) fn sendable_end(&self) -> u64 {
        self.unsafe_to_send.front().copied().unwrap_or(self.end)
    }

    /// The positions of what has become sendable and was not [offered](Self::offered) yet.
    pub(super) fn to_offer(&self) -> Option<(u64, u64)> {
        let (from, next) = (self.offered_end, self.sendable_end());
        (from < next).then_some((from, next))
    }

    /// Everything sendable was offered to whoever listens; what nobody was there for is read from
    /// the store when somebody is.
    pub(super) fn offered(&mut self) {
        self.offered_end = self.sendable_end();
        self.trim();
    }

    /// How far entries were offered to sessions: the end of the log as peers may see it.
    pub(super) fn offered_end(&self) -> u64 {
        self.offered_end
    }

    /// Kept entries of a range of positions. Cost: the range.
    pub(super) fn kept_between(
        &self,
        from: u64,
        to: u64,
    ) -> impl Iterator<Item = (u64, &Entry)> + Clone {
        let from = from.max(self.kept_from);
        let count = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        (from..).zip(self.kept_since(from)).take(count)
    }

    /// Entries with ready events of one aggregate, from a position on.
    pub(super) fn ready_of(&mut self, aggregate: &AggregateId, from: u64) -> Vec<Entry> {
        let from = from.max(self.kept_from);
        let looked_to = self.touching.until.max(self.kept_from);
        let Self { kept, touching, .. } = self;
        let skipped = usize::try_from(looked_to - self.kept_from).unwrap_or(usize::MAX);
        for (position, entry) in (looked_to..).zip(kept.iter().skip(skipped)) {
            touching.note(position, entry);
        }
        touching.until = self.end;
        let positions = self.touching.positions.get(aggregate);
        let entry = |position: &u64| {
            let place = usize::try_from(position.checked_sub(from)?).ok()?;
            let place = place + usize::try_from(from - self.kept_from).ok()?;
            self.kept.get(place).cloned()
        };
        positions.into_iter().flatten().filter_map(entry).collect()
    }

    /// Entries that are kept in memory.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Entry> {
        self.kept.iter()
    }

    fn kept_since(&self, from: u64) -> impl Iterator<Item = &Entry> + Clone {
        let skipped = from.saturating_sub(self.kept_from);
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        self.kept.range(skipped.min(self.kept.len())..)
    }
}

impl Touching {
    fn note(&mut self, position: u64, entry: &Entry) {
        if entry.kind == EntryKind::Waiting {
            return;
        }
        for event in entry.commit.events() {
            let positions = self.positions.entry(event.aggregate().clone()).or_default();
            if positions.last() != Some(&position) {
                positions.push(position);
            }
        }
    }
}
