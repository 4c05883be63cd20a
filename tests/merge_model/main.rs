//! The merge core against a model that gathers, sorts and folds, and nothing else.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::indexing_slicing,
    reason = "so does a commit that was never written"
)]
#![expect(
    clippy::as_conversions,
    reason = "the histories of these tests are short"
)]

mod authors;
mod built_in;
mod changes;
mod decided;
mod exhaustive;
mod explaining;
mod forms;
mod journal;
mod late;
mod long;
mod model;
mod offline;
mod panics;
mod race_pages;
mod races;
mod random;
mod replacing;
mod spelled;
mod validity;
mod waiting;
