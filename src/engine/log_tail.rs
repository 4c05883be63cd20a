use alloc::collections::VecDeque;
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
    /// How far entries were offered to sessions.
    offered_end: u64,
    /// Reads under way of histories, each with the stored end when it began: entries from there on
    /// are kept until it returns, since it may have missed them.
    reads: Vec<u64>,
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
            offered_end: end,
            reads: Vec::new(),
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
        self.kept.push_back(entry);
        self.end = self.end.saturating_add(1);
        position
    }

    /// The store has answered everything before `end`.
    pub(super) fn stored(&mut self, end: u64, durable: bool) {
        self.stored_end = end;
        if durable {
            self.durable_end = end;
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
        let needed = self.reads.iter().copied().min().unwrap_or(self.stored_end);
        let keep_from = needed.min(self.stored_end).min(self.offered_end);
        while self.kept_from < keep_from && self.kept.pop_front().is_some() {
            self.kept_from += 1;
        }
    }

    /// First position that may not be sent yet: a local write that is not fsynced.
    pub(super) fn sendable_end(&self) -> u64 {
        self.positions()
            .find(|(position, entry)| entry.from.is_none() && *position >= self.durable_end)
            .map_or(self.end, |(position, _)| position)
    }

    /// Entries that have become sendable since the last call.
    pub(super) fn offer(&mut self) -> Option<(u64, u64, Vec<(u64, Entry)>)> {
        let (from, to) = (self.offered_end, self.sendable_end());
        if from >= to {
            return None;
        }
        let entries = self.kept_between(from, to);
        self.offered_end = to;
        self.trim();
        Some((from, to, entries))
    }

    /// How far entries were offered to sessions: the end of the log as peers may see it.
    pub(super) fn offered_end(&self) -> u64 {
        self.offered_end
    }

    /// Nobody listens: what has become sendable is read from the store when somebody does.
    pub(super) fn offer_to_nobody(&mut self) {
        self.offered_end = self.sendable_end();
        self.trim();
    }

    /// Kept entries of a range of positions.
    pub(super) fn kept_between(&self, from: u64, to: u64) -> Vec<(u64, Entry)> {
        self.positions()
            .filter(|(position, _)| (from..to).contains(position))
            .map(|(position, entry)| (position, entry.clone()))
            .collect()
    }

    /// Entries with ready events of one aggregate that the store may not have returned.
    pub(super) fn ready_of(&self, aggregate: &AggregateId) -> Vec<Entry> {
        let touches = |entry: &&Entry| {
            entry.kind != EntryKind::Waiting
                && entry
                    .commit
                    .events()
                    .iter()
                    .any(|event| event.aggregate() == aggregate)
        };
        self.kept.iter().filter(touches).cloned().collect()
    }

    /// Entries that are kept in memory.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Entry> {
        self.kept.iter()
    }

    fn positions(&self) -> impl Iterator<Item = (u64, &Entry)> {
        (self.kept_from..).zip(&self.kept)
    }
}
