//! Rules on trial: planted mistakes are found and named, sound rules are not accused.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod built_in;
mod mistakes;
mod shown;
mod unusual;
