//! This crate, through its public interface; what of it changes changes here alone.
//!
//! Measured is what a receiver does with the frames of a peer: session, engine, merge, and a store
//! that answers at once and keeps the log. Who sent the frames is an engine too, whose work is not
//! counted; its frames are recorded, and a receiver of the same birth is given them again.

mod author;
mod bulk;
mod greeter;
mod late;
mod live;
mod node;
mod rule;
mod store;
mod whole;

pub(crate) use bulk::{Bulk, Replay, compressed, core, merge};
pub(crate) use greeter::{Greeter, credit};
pub(crate) use late::late;
pub(crate) use live::{Live, Meeting};
pub(crate) use rule::Rule;
pub(crate) use whole::whole;

/// What a receiver of this crate keeps.
pub(crate) const KEEPS: &str = "history, causality, digests, chains; every write a commit";
