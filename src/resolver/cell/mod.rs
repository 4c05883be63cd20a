//! What one place of a state holds, by each of the built-in ways to settle it.
//!
//! A cell is folded event by event, in canonical order: [`Register`] keeps the last write, [`First`]
//! the first, [`Sum`] adds up, [`Siblings`] keeps every write that nobody has seen and written over,
//! and [`DotSet`] does so element by element. Rules over a whole record hold one cell, rules over a
//! document one per field. The invariant kept here: a cell holds what is visible, never what somebody
//! who saw it has overwritten, so it does not grow with history; and equal cells have equal bytes.
//!
//! This module knows canonical values and the events that wrote them, not payloads: reading and
//! checking them is the rule's business.

mod dot_set;
mod element;
mod first;
mod image;
mod register;
mod siblings;
mod sum;

pub(crate) use dot_set::DotSet;
pub(crate) use element::segment_of;
pub(crate) use first::First;
pub(crate) use image::{Cell, ReplicaTable, decode, encode, stored_as_image, unreadable};
pub(crate) use register::{Register, Slot};
pub(crate) use siblings::Siblings;
pub(crate) use sum::Sum;

/// Whether the writer of the event that is being folded knew an event.
pub(crate) type Saw<'a> = &'a dyn Fn(crate::event::EventId) -> bool;

/// The CBOR of null.
pub(crate) const NULL: &[u8] = &[0xf6];

#[cfg(test)]
mod tests;
