//! What helps to test this crate and what is written against it: suites that hold an implementation
//! to the promises of its trait, and doubles that fail on command.
//!
//! Nothing in the library knows this module; it knows neither the hub nor the command line.

pub mod conformance;
pub mod doubles;
pub mod laws;
pub mod sim;
