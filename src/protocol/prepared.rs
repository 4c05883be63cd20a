use alloc::vec::Vec;

use bytes::Bytes;

use super::Compression;
use super::Delivered;
use super::frame::{Front, batch_frame, batch_frame_of, pack};
use super::met::Met;
use super::tells::{Knowledge, Tell};
use crate::event::{BlockNames, Chain, ChainMark, Commit, ReplicaId, block_tail};
use crate::limits::{COMMIT_EVENTS_MAX, COMPRESSED_BYTES_MIN, PART_BYTES_MAX};
use crate::log::{Entry, EntryKind, Epoch};

/// Entries that were appended to the log, encoded once for every session that wants all of them.
#[derive(Clone, Debug)]
pub struct Prepared {
    from: u64,
    next: u64,
    epoch: Epoch,
    entries: Vec<(u64, Entry)>,
    events: u64,
    shared: Option<Shared>,
}

/// The frame for everyone, and what it is made of.
#[derive(Clone, Debug)]
struct Shared {
    frame: Bytes,
    /// What its numbers stand for. Whoever does not know is sent a frame that tells.
    tells: Vec<Tell>,
    marks: Vec<Option<ChainMark>>,
    /// How many bytes at the end of the frame are the block.
    block_bytes: usize,
    /// The frame, smaller, and what else can be made so.
    packed: Option<Bytes>,
    tail: [usize; 2],
}

impl Prepared {
    /// Encodes entries of the log that became sendable: those from position `from` up to `next`,
    /// in ascending order. `epoch` is the current opening of the store.
    ///
    /// Cost: one encoding of the commits. What does not fit one frame is not encoded; sessions then
    /// read it from the log.
    pub fn new(epoch: Epoch, from: u64, next: u64, entries: Vec<(u64, Entry)>) -> Self {
        Self::with_names(epoch, from, next, entries, None)
    }

    /// The same; replicas and event types get numbers among `names`, which each session tells its
    /// peer when it first sends one. Whatever one session is given has its numbers from the same
    /// `names`.
    pub fn named(
        epoch: Epoch,
        from: u64,
        next: u64,
        entries: Vec<(u64, Entry)>,
        names: &mut BlockNames,
    ) -> Self {
        Self::with_names(epoch, from, next, entries, Some(names))
    }

    fn with_names(
        epoch: Epoch,
        from: u64,
        next: u64,
        entries: Vec<(u64, Entry)>,
        names: Option<&mut BlockNames>,
    ) -> Self {
        let sendable = || {
            entries
                .iter()
                .map(|(_, entry)| entry)
                .filter(|entry| is_sendable(entry))
        };
        let events = events_of(sendable());
        let mut shared = None;
        if events > 0 && fits_one_frame(sendable()) {
            shared = Shared::new(next, &sendable, names);
        }
        Self {
            from,
            next,
            epoch,
            entries,
            events,
            shared,
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

    /// The same, and compressed once for every session that wants it so.
    #[must_use]
    pub fn packed(mut self, compression: &dyn Compression) -> Self {
        if let Some(shared) = &mut self.shared {
            shared.packed = shared.pack(&shared.frame, compression);
        }
        self
    }

    /// Whether there is a frame for everyone.
    pub(super) const fn is_encoded(&self) -> bool {
        self.shared.is_some()
    }

    /// The frame for everyone who wants all of it, with what this one has still to be told.
    pub(super) fn frame(
        &self,
        knowledge: &mut Knowledge,
        compression: Option<&dyn Compression>,
    ) -> Option<Bytes> {
        let shared = self.shared.as_ref()?;
        let lacking = knowledge.lacks(&shared.tells);
        if lacking.is_empty() {
            let packed = shared.packed.as_ref().filter(|_| compression.is_some());
            return Some(packed.unwrap_or(&shared.frame).clone());
        }
        let front = Front {
            position: Some(self.next),
            tells: &lacking,
            marks: &shared.marks,
        };
        let frame = batch_frame(front, shared.block());
        if frame.is_err() {
            knowledge.clear();
        }
        let frame = frame.ok()?;
        let packed = compression.and_then(|compression| shared.pack(&frame, compression));
        Some(packed.unwrap_or(frame))
    }
}

impl Shared {
    fn new<'a, I: Iterator<Item = &'a Entry>>(
        next: u64,
        entries: &impl Fn() -> I,
        mut names: Option<&mut BlockNames>,
    ) -> Option<Self> {
        let mut tells = Vec::new();
        let mut marks = Vec::new();
        let mut met = Met::new();
        let mut bytes = 0;
        for entry in entries() {
            bytes += entry.commit.bytes();
            let id = entry.commit.replica();
            if met.is_new(id) {
                let mark = entry.chain_before.map(Chain::mark);
                let number = names.as_mut().and_then(|names| names.assign_replica(id));
                marks.push(mark.filter(|_| number.is_none()));
                tells.extend(number.map(|number| Tell::Writer(number, id, mark)));
            }
        }
        let commits = || entries().map(|entry| &entry.commit);
        if let Some(names) = &mut names {
            name_others(commits(), &mut met, names, &mut tells);
        }
        let front = Front {
            position: Some(next),
            tells: &[],
            marks: &marks,
        };
        let names = names.map_or(BlockNames::NONE, |names| &*names);
        let (frame, block_bytes) = batch_frame_of(front, commits(), bytes, names).ok()?;
        Some(Self {
            frame,
            tells,
            marks,
            block_bytes,
            packed: None,
            tail: block_tail(commits()),
        })
    }

    /// The block that the frame ends with.
    fn block(&self) -> &[u8] {
        let front = self.frame.len().saturating_sub(self.block_bytes);
        self.frame.get(front..).unwrap_or_default()
    }

    fn pack(&self, frame: &Bytes, compression: &dyn Compression) -> Option<Bytes> {
        (frame.len() >= COMPRESSED_BYTES_MIN)
            .then(|| pack(frame, &self.tail, compression))
            .flatten()
    }
}

/// Gives numbers to the replicas that are named and do not write, and to event types.
fn name_others<'a>(
    commits: impl Iterator<Item = &'a Commit>,
    met: &mut Met<ReplicaId>,
    names: &mut BlockNames,
    tells: &mut Vec<Tell>,
) {
    let mut types = Met::new();
    for event in commits.flat_map(Commit::events) {
        let heads = event.heads().iter().map(|head| head.id.replica);
        for id in heads.chain(event.replaces().map(|id| id.replica)) {
            if met.is_new(id) {
                let number = names.assign_replica(id);
                tells.extend(number.map(|number| Tell::Other(number, id)));
            }
        }
        let event_type = event.event_type();
        if types.is_new(event_type) {
            let number = names.assign_type(event_type);
            tells.extend(number.map(|number| Tell::Type(number, event_type.clone())));
        }
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
    let mut writers = Met::new();
    entries
        .map(|entry| Delivered {
            continues: entry
                .chain_before
                .map(Chain::mark)
                .filter(|_| writers.is_new(entry.commit.replica())),
            commit: entry.commit.clone(),
        })
        .collect()
}
