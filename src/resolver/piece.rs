use alloc::vec::Vec;

use super::Key;
use crate::event::EventId;

/// One part of a state as people read it, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The place.
    pub key: Key,
    /// What is there, in canonical CBOR.
    pub value: Vec<u8>,
    /// The events that it comes from, in the order of ids; none where the rule does not tell.
    pub from: Vec<EventId>,
    /// Whether a person has to decide between values that are all kept.
    pub open: bool,
}

impl Piece {
    /// A piece that is the whole state, or one of several values of it.
    pub(crate) fn whole(value: Vec<u8>, from: Vec<EventId>, open: bool) -> Self {
        Self {
            key: Key::everything(),
            value,
            from,
            open,
        }
    }
}
