use alloc::vec::Vec;

use crate::event::{Chain, Commit, ReplicaId};

/// Why a commit stands at this place of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// It arrived, and its whole past was here.
    Ready,
    /// It arrived before its past; it counts as received, but not yet in any state.
    Waiting,
    /// A commit that waited has become ready. The store keeps a reference to its earlier entry.
    Released,
}

/// One line of an arrival log.
///
/// Senders of sync stream `Ready` and `Waiting` entries, so each commit crosses once; tails and
/// per-aggregate histories stream `Ready` and `Released` ones, so they are in causal order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The commit.
    pub commit: Commit,
    /// Why it stands here.
    pub kind: EntryKind,
    /// The peer it came from; nothing for local writes. A resume does not send it back there.
    pub from: Option<ReplicaId>,
    /// Chain value of the writer before the commit's first event, where everything before is here.
    pub chain_before: Option<Chain>,
}

/// Some consecutive entries of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Entries with their positions, ascending.
    pub entries: Vec<(u64, Entry)>,
    /// Where to go on reading.
    pub next: u64,
}
