use alloc::vec::Vec;

use bytes::Bytes;

use super::Entry;

/// How much one read may return: it ends at the first bound reached, but returns at least one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimit {
    /// Entries at most.
    pub entries: usize,
    /// Bytes of encoded commits at most.
    pub bytes: usize,
}

/// From where an aggregate's history is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryFrom {
    /// From its newest stored fold: the fold and what became ready after it.
    Fold,
    /// Everything, in the order in which it became ready.
    Start,
}

/// What a store holds of one aggregate. An unknown aggregate has neither fold nor entries.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The newest stored fold, where it was asked for and there is one.
    pub fold: Option<Bytes>,
    /// Ready and released commits that touch the aggregate and that the fold does not cover, with
    /// their positions, ascending. They hold events of other aggregates too.
    pub entries: Vec<(u64, Entry)>,
}
