//! The exchange of events between two replicas, as one state machine without IO.
//!
//! A [`Session`] is one end of one connection. Its owner feeds it [`Input`]s (frames that came,
//! pages of the log that were read, the time) and carries out the [`Output`]s that it is asked for.
//! Both ends are equal; only who speaks first differs.
//!
//! Invariants: a cursor never covers a commit that was not delivered before it or with it; no more
//! bytes are under way than the receiver has granted; nothing that a peer sends makes a session
//! panic, wait for ever or allocate what the peer merely claims.
//!
//! This module knows neither stores nor carriers, reads no clock and draws no random number.

mod backoff;
mod close_code;
mod codecs;
mod compression;
mod frame;
mod io;
mod lineage;
mod message;
mod met;
mod prepared;
mod refusal;
mod session;
mod tells;
#[doc = include_str!("wire.md")]
pub mod wire {}

pub use backoff::Backoff;
pub use close_code::CloseCode;
pub use codecs::Codecs;
pub use compression::Compression;
pub use frame::{FrameError, decode_frame, decode_frame_with, encode_frame, frame_kind};
pub use io::{
    Delivered, Delivery, Direction, Greeting, Input, KnownPeer, Local, Output, Role, Staged,
    Standing,
};
pub use lineage::Lineage;
pub use message::{
    Batch, Digests, Hello, HelloPeer, HelloStaged, Message, Part, Refusal, Round, Summary,
    SummaryTrack, Versions,
};
pub use prepared::Prepared;
pub use refusal::{Reason, Remedy};
pub use session::{Phase, Session, SessionOptions, Status, Traffic};
