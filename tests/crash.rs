//! A store on real files against killed processes, damaged bytes, failing writes and wrong folders.
#![cfg(all(feature = "testing", feature = "fjall"))]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod crash {
    mod beside;
    mod blocks;
    mod content;
    mod damage;
    mod failing_writes;
    mod folder;
    mod kill;
    mod process;
    mod rows;
    mod verify;
}
