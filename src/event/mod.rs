//! The immutable fact and everything it is made of: identity, time, causality, content, bytes.
//!
//! The invariant kept here: an [`Event`] that exists is well formed. Every bound of
//! [`limits`](crate::limits) was checked when it was built, whether by a local writer or from bytes
//! that a peer sent, so nothing above this module checks a size again. Whether an event is *valid*
//! depends on its causal past and is judged by [`merge`](crate::merge).
//!
//! This module knows nothing of clocks, resolvers, stores or networks.

pub mod cbor;

mod block;
mod chain;
mod chain_mark;
mod codec;
mod commit;
mod draft;
mod error;
mod fact;
mod head;
mod id;
pub(crate) mod input;
mod metadata;
mod name;
mod output;
mod payload;
mod replica_id;
mod scratch;
mod seq_ranges;
mod set_hash;
mod sorted_map;
mod text;
mod timestamp;
mod version_vector;

pub(crate) use block::read_block;
pub use block::{
    BlockNames, block_tail, decode_block, decode_block_with, encode_block, encode_block_with,
};
pub use chain::{Chain, ChainTag, Digest};
pub use chain_mark::ChainMark;
pub use codec::{decode_commit, encode_commit};
pub use commit::{Commit, CommitSpan};
pub use draft::Draft;
pub use error::{CodecError, CommitError, EventError, NameError, PayloadError};
pub use fact::{Event, EventParts};
pub use head::{Head, Heads};
pub use id::{EventId, Seq};
pub use metadata::Metadata;
pub use name::{AggregateId, EventType};
pub use payload::Payload;
pub use replica_id::ReplicaId;
pub use seq_ranges::SeqRanges;
pub use set_hash::SetHash;
pub(crate) use sorted_map::SortedMap;
pub use timestamp::{OrderKey, Timestamp};
pub use version_vector::{Causality, VersionVector};
