//! The vocabulary of an arrival log: what a store keeps and in which words others ask for it.
//!
//! Invariant: positions only grow, and a [`Cursor`] names a position of one *opening* of one store,
//! so a store that was restored from an old copy never honours a cursor from its lost future.
//!
//! Plain data; this module knows neither stores nor the protocol that carries cursors.

mod cursor;
mod entry;
mod group;
mod history;
mod list;
mod received;

pub use cursor::{Cursor, Epoch, Epochs};
pub use entry::{Entry, EntryKind, Page};
pub use group::{Durability, Group, Known, Note, Opening, StateRow};
pub use history::{History, HistoryFrom, ReadLimit};
pub use list::{EntryList, EntryRef};
pub use received::{IdRange, Received, Track};
