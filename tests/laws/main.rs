//! Rules on trial: planted mistakes are found and named, sound rules are not accused.
#![cfg(feature = "testing")]

mod elsewhere;
mod found;
#[expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "planted mistakes, shared with an example"
)]
mod rules;
mod shown;
