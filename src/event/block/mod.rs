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
//! # Format
//!
//! Numbers are LEB128 in their shortest form unless a width is given; `zigzag` maps 0, -1, 1, -2 to 0,
//! 1, 2, 3 in 64 bits, wrapping. Things stand in this order; what a clear bit of `columns` leaves out
//! takes no byte.
//!
//! ```text
//! columns      bits: 1 COMMITS, 2 WRITERS, 4 AGGREGATES, 8 TYPES, 16 HEADS, 32 SIZES, 64 NAMES,
//!              128 LENGTHS, 256 WALLS, 512 STEPS, 1024 REPLACES, 2048 METADATA
//! commits      COMMITS: how many; else 1. Zero ends the block.
//! lengths      LENGTHS: of each commit, its events less one; else 0
//! writers      WRITERS: 2 * entries + whether references follow; else one entry and none.
//!              The entries, replica ids of 16 bytes; with NAMES before each the number that
//!              stands for it and one, or 0 and the id. References, one a commit
//! others       HEADS or REPLACES: how many; ids of replicas that are named and write nothing here
//! types        TYPES: as for writers, NAMES too. Entries are texts: length, UTF-8. References, one
//!              an event
//! aggregates   AGGREGATES: as for writers. A byte of each entry: high half the bytes that it shares
//!              with the start of the one before it, low half how many follow, less 15 of what is
//!              15 or more. The rests of these, high half first. The bytes that follow. References
//! firsts       of each writer, the seq of its first event here
//! steps        STEPS: of each other commit, zigzag of its first seq less the one expected; else 0
//! stamps       of each commit, 3 * zigzag of its milliseconds less those of the commit before it (or
//!              1,700,000,000,000) + 0: its logic is 0, 1: one more than before, 2: it follows
//! walls        WALLS: of each commit, zigzag of its wall time less the milliseconds of its stamp
//! head counts  HEADS: of each event, 0: none, 1: the last event of its aggregate in this block,
//!              otherwise heads and one
//! head ids     of each head that is written: its replica (writers, then others), zigzag of its
//!              seq less the last one of that replica that was read here (or 0)
//! head tags    2 bytes of each head, little-endian
//! replaced     REPLACES: of each event, 0 or the replica and one, then its seq as in head ids
//! metadata     METADATA: bytes of this column. Of each event, entries; their keys and values, texts
//! sizes        SIZES: bytes of each payload; else of one, as all are equal; nothing if there is one
//!              event, whose payload is what remains
//! checksums    of each event, the first 2 bytes of its digest
//! sum          exclusive or of the next 4 bytes of all digests; of a single event 2 of them
//! payloads     one after the other
//! ```
//!
//! A *reference* is 0 for the next entry that was not referred to yet, else the index of an earlier
//! one and one. Where they are left out, each refers to the next entry, and to the last one when they
//! are used up.

mod columns;
mod decode;
mod dictionary;
mod encode;
mod input;
mod layout;
mod names;

pub use decode::{decode_block, decode_block_with};
pub use encode::{block_tail, encode_block, encode_block_with};
pub use names::BlockNames;
