//! The protocol between two or three replicas, with a naive log behind each session and nothing but
//! queues between them. Everything is driven with a bound, so a livelock is a failure.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::indexing_slicing,
    reason = "so does an entry that the log does not have"
)]
#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "the logs of these tests are short"
)]

#[path = "session/driven.rs"]
mod driven;
#[path = "session/node.rs"]
mod node;
#[path = "session/pair.rs"]
mod pair;

#[path = "session/codec.rs"]
mod codec;
#[path = "session/contact.rs"]
mod contact;
#[path = "session/held_back.rs"]
mod held_back;
#[path = "session/hello.rs"]
mod hello;
#[path = "session/large.rs"]
mod large;
#[path = "session/line.rs"]
mod line;
#[path = "session/names.rs"]
mod names;
#[path = "session/packed.rs"]
mod packed;
#[path = "session/passing.rs"]
mod passing;
#[path = "session/refusal.rs"]
mod refusal;
#[path = "session/states.rs"]
mod states;
#[path = "session/time.rs"]
mod time;
#[path = "session/violations.rs"]
mod violations;
