//! The engine alone, whole replicas in one thread: naive stores that answer late, lose what was not
//! fsynced and fail; links that delay and break; clocks that differ and jump. Everything comes from
//! a seed and is driven with a bound, so a livelock is a failure and a failing run can be repeated.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::indexing_slicing,
    reason = "so does a replica that is not there"
)]
#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "the numbers of these tests are small"
)]

#[path = "engine/checks.rs"]
mod checks;
#[path = "engine/disk.rs"]
mod disk;
#[path = "engine/gaps.rs"]
mod gaps;
#[path = "engine/link.rs"]
mod link;
#[path = "engine/network.rs"]
mod network;
#[path = "engine/node.rs"]
mod node;
#[path = "engine/plan.rs"]
mod plan;
#[path = "engine/random.rs"]
mod random;
#[path = "engine/rules.rs"]
mod rules;
#[path = "engine/strangers.rs"]
mod strangers;
#[path = "engine/users.rs"]
mod users;

#[path = "engine/seeds.rs"]
mod seeds;
#[path = "engine/stories.rs"]
mod stories;
