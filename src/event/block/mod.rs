//! Many commits as one piece of bytes, field by field: the form for the wire and for rows of a store.
//!
//! What repeats is written once (writers, types, names), what grows steadily as a difference, what
//! is the same everywhere not at all, so that a batch costs little more than what is new in it and a
//! single event has next to no frame around it. Every event carries the first two bytes of its
//! [digest](super::Digest), all together four more: what is read is what was written, or an error.
//!
//! Not the identity of anything: digests are those of the canonical bytes, and one commit may stand
//! in many blocks. Containers say that it is a block, of which version, and where it ends.
//!
//! The format is described to the byte in `src/protocol/wire.md`; it is frozen.

mod columns;
mod decode;
mod dictionary;
mod encode;
mod layout;
mod lone;
mod names;

pub(crate) use decode::read_block;
pub use decode::{decode_block, decode_block_with};
pub use encode::{block_tail, encode_block, encode_block_with};
pub use names::BlockNames;
