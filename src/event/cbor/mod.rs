//! Canonical CBOR: what this crate writes, and how it reads what others wrote.
//!
//! The invariant kept here: [`to_vec`] has one output per value. It is the core deterministic
//! encoding of RFC 8949 section 4.2.1: shortest integers, lengths and floats, definite lengths, map
//! keys in the order of their bytes. So equal payloads and equal states have equal bytes, on every
//! replica, whatever order a hash map showed. The serde data model is mapped as ciborium maps it.
//!
//! Reading is as strict as it must be and no more: [`from_slice`] and [`Reader`] take any
//! well-formed item, canonical or not, because the bytes of a payload are its identity and nobody
//! rewrites them. Nesting is bounded ([`CBOR_DEPTH_MAX`](crate::limits::CBOR_DEPTH_MAX), arrays,
//! maps and tags each count one) by the bytes alone, so whether a payload is too deep does not
//! depend on the type it is read as. Nothing is reserved for a length that the bytes do not hold.
//!
//! This module knows nothing of events.

mod canonical;
mod compound;
mod deserialize;
mod float;
mod item_head;
mod reader;
mod serializer;
pub mod sorted_set;
mod writer;

pub use canonical::is_canonical;
pub(crate) use deserialize::check_below;
pub use deserialize::{check, from_slice};
pub use reader::{Kind, Reader};
pub use serializer::to_vec;
pub use writer::Writer;

#[cfg(test)]
mod tests;
