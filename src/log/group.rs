use alloc::vec::Vec;

use bytes::Bytes;

use super::{Entry, Epochs, Received};
use crate::event::{AggregateId, Chain, Digest, Timestamp};

/// What an acknowledgement of a write stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Durability {
    /// Handed to the operating system: survives the end of the process, not a loss of power. Not
    /// sent to anyone yet.
    Buffered,
    /// Fsynced.
    #[default]
    Durable,
}

/// The fold of one aggregate as it stood at one place of the log; opaque to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRow {
    /// Whose state.
    pub aggregate: AggregateId,
    /// The encoded fold.
    pub bytes: Bytes,
}

/// One record of the engine's own bookkeeping; opaque to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its key, 1 to 1,024 bytes.
    pub key: Vec<u8>,
    /// Its new value, or nothing to remove it.
    pub value: Option<Bytes>,
}

/// What is written at once: entirely there or entirely absent after any crash.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Appended to the log in this order.
    pub entries: Vec<Entry>,
    /// Folds as of the end of this group's entries. A store may forget an aggregate's earlier row.
    pub states: Vec<StateRow>,
    /// Bookkeeping, applied in order.
    pub notes: Vec<Note>,
    /// Whether the group must be fsynced before the write is acknowledged.
    pub durability: Durability,
}

/// What a store knows of one received event without reading its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Digest of the event.
    pub digest: Digest,
    /// Chain value after the event, where everything before it was here when it came.
    pub chain: Option<Chain>,
    /// Its stamp.
    pub timestamp: Timestamp,
}

/// What a store tells when it is opened. Proportional to the number of replicas and of waiting
/// commits, not to history.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// All openings, this one last.
    pub epochs: Epochs,
    /// End of the log: the position the next entry gets.
    pub end: u64,
    /// What has been received, per replica, with gaps.
    pub received: Received,
    /// Entries of commits that wait for their past, in the order of arrival.
    pub waiting: Vec<Entry>,
    /// All notes, in the order of keys.
    pub notes: Vec<(Vec<u8>, Bytes)>,
    /// Whether the last use ended with a close.
    pub clean: bool,
}
