//! Writes sets in one order, whatever order they are iterated in.
//!
//! Serde cannot tell a set from a list, so [`to_vec`](super::to_vec) cannot know that the order of
//! a `HashSet` means nothing and would write it as it comes: differently on every replica. A field
//! marked with this module is written sorted by the canonical bytes of its elements. A map needs no
//! mark, a `BTreeSet` has an order of its own, and a list keeps its order.
//!
//! ```
//! use std::collections::HashSet;
//!
//! use anabranch::event::cbor;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Note {
//!     #[serde(with = "anabranch::event::cbor::sorted_set")]
//!     labels: HashSet<String>,
//! }
//!
//! let one = Note { labels: ["a", "b", "c"].map(String::from).into() };
//! let other = Note { labels: ["c", "b", "a"].map(String::from).into() };
//! assert_eq!(cbor::to_vec(&one).unwrap(), cbor::to_vec(&other).unwrap());
//! ```
//!
//! The mark reaches one level only: a set inside a set or inside a list needs a newtype of its own
//! around the inner one.

use alloc::vec::Vec;

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};

/// Writes a collection sorted by the canonical bytes of its elements, each as often as it is there.
/// Every element is encoded twice.
///
/// # Errors
/// What an element or the serializer refuses.
pub fn serialize<'a, C, S>(set: &'a C, serializer: S) -> Result<S::Ok, S::Error>
where
    C: ?Sized,
    &'a C: IntoIterator<Item: Serialize>,
    S: Serializer,
{
    let mut elements = Vec::new();
    for element in set {
        elements.push((
            super::to_vec(&element).map_err(ser::Error::custom)?,
            element,
        ));
    }
    elements.sort_by(|(one, _), (other, _)| one.cmp(other));
    serializer.collect_seq(elements.into_iter().map(|(_, element)| element))
}

/// Reads a collection as it would be read without this module.
///
/// # Errors
/// What the collection's own reading refuses.
pub fn deserialize<'de, C, D>(deserializer: D) -> Result<C, D::Error>
where
    C: Deserialize<'de>,
    D: Deserializer<'de>,
{
    C::deserialize(deserializer)
}
