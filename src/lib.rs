//! A CRDT-style merge engine with pluggable resolvers.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod clock;
pub mod engine;
pub mod event;
pub mod limits;
pub mod log;
pub mod merge;
#[cfg(feature = "replica")]
pub mod open;
pub mod protocol;
#[cfg(feature = "replica")]
pub mod replica;
pub mod resolver;
#[cfg(feature = "replica")]
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "replica")]
pub mod transport;
