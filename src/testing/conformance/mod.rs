//! Promises of the traits that others implement, each promise a test of its own.
//!
//! A suite is a macro that is given a name and a way to make the thing, and declares a module of
//! tests; a broken promise is a panic.

pub mod store;
pub mod transport;
