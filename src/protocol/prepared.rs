use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use bytes::Bytes;

use super::message::{Batch, Message};
use super::{Delivered, encode_frame};
use crate::event::{Chain, ReplicaId};
use crate::limits::{COMMIT_EVENTS_MAX, PART_BYTES_MAX};
use crate::log::{Entry, EntryKind, Epoch};

/// Entries that were appended to the log, encoded once for every session that wants all of them.
#[derive(Clone, Debug)]
pub struct Prepared {
    from: u64,
    next: u64,
    epoch: Epoch,
    entries: Vec<(u64, Entry)>,
    events: u64,
    frame: Option<Bytes>,
}

impl Prepared {
    /// Encodes entries of the log that became sendable: those from position `from` up to `next`,
    /// in ascending order. `epoch` is the current opening of the store.
    ///
    /// Cost: one encoding of the commits. What does not fit one frame is not encoded; sessions then
    /// read it from the log.
    pub fn new(epoch: Epoch, from: u64, next: u64, entries: Vec<(u64, Entry)>) -> Self {
        let sendable = || {
            entries
                .iter()
                .map(|(_, entry)| entry)
                .filter(|entry| is_sendable(entry))
        };
        let events = events_of(sendable());
        let mut frame = None;
        if events > 0 && fits_one_frame(sendable()) {
            let commits = with_chains(sendable());
            let position = Some(next);
            frame = encode_frame(&Message::Batch(Batch { position, commits })).ok();
        }
        Self {
            from,
            next,
            epoch,
            entries,
            events,
            frame,
        }
    }

    /// Position of the first entry.
    pub const fn from(&self) -> u64 {
        self.from
    }

    /// Position after the last entry.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// The opening of the store in which they were appended.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The entries with their positions.
    pub fn entries(&self) -> &[(u64, Entry)] {
        &self.entries
    }

    /// Events of all commits that a frame for everyone holds.
    pub(super) const fn events(&self) -> u64 {
        self.events
    }

    /// The frame for everyone who wants all of it.
    pub(super) const fn frame(&self) -> Option<&Bytes> {
        self.frame.as_ref()
    }
}

/// Whether sync streams the entry: a commit crosses once, when it arrives.
pub(super) fn is_sendable(entry: &Entry) -> bool {
    entry.kind != EntryKind::Released
}

/// Whether one frame surely holds these commits.
pub(super) fn fits_one_frame<'a>(entries: impl Iterator<Item = &'a Entry> + Clone) -> bool {
    let bytes: usize = entries.clone().map(|entry| entry.commit.bytes()).sum();
    bytes <= PART_BYTES_MAX && entries.count() <= COMMIT_EVENTS_MAX
}

/// How many events these commits hold.
pub(super) fn events_of<'a>(entries: impl Iterator<Item = &'a Entry>) -> u64 {
    entries
        .map(|entry| u64::from(entry.commit.span().len()))
        .sum()
}

/// The commits of one batch, the first of each writer with the chain value that it continues.
pub(super) fn with_chains<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<Delivered> {
    let mut writers: BTreeSet<ReplicaId> = BTreeSet::new();
    entries
        .map(|entry| Delivered {
            continues: entry
                .chain_before
                .map(Chain::mark)
                .filter(|_| writers.insert(entry.commit.replica())),
            commit: entry.commit.clone(),
        })
        .collect()
}
