//! The doubles do what their scripts say, and a replica over them keeps what it promised.
#![cfg(feature = "testing")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod doubles {
    mod clock;
    mod every_frame;
    mod every_operation;
    mod faults;
    mod link;
    mod recorder;
    mod store;
    mod world;
}
