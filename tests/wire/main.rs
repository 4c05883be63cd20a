//! What goes over a wire and onto a disk: any commits there and back, damaged bytes, sizes.
#![expect(
    clippy::unwrap_used,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, and its numbers are small"
)]

mod arbitrary;
mod blocks;
mod golden;
mod page;
mod shapes;
mod sizes;
