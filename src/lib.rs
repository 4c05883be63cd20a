//! A CRDT-style merge engine with pluggable resolvers.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod clock;
pub mod event;
pub mod limits;
pub mod log;
pub mod resolver;
