//! Carriers of encoded frames, behind traits that say nothing of what the frames mean.
//!
//! A carrier delivers whole frames in order while a connection lives, and loses at most the end of
//! the sequence when it dies. Everything it holds is bounded: a sender waits until its frame has
//! left, a frame above [`FRAME_BYTES_MAX`](crate::limits::FRAME_BYTES_MAX) closes the connection.
//!
//! A transport knows nothing of sessions, stores or replicas.

mod error;
pub mod in_process;
#[cfg(feature = "websocket")]
pub mod websocket;

use std::boxed::Box;
use std::string::String;
use std::vec::Vec;

use bytes::Bytes;
use futures::future::BoxFuture;

pub use self::error::TransportError;
pub use self::in_process::pair;
use crate::protocol::CloseCode;

/// Opens connections.
pub trait Transport: Send + Sync + 'static {
    /// Connects to an address of this transport's kind, for example `ws://127.0.0.1:7171/sync`.
    ///
    /// Cancel-safe: a dropped future leaves no connection.
    fn dial<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Link, TransportError>>;

    /// Whether this transport understands an address.
    fn serves(&self, address: &str) -> bool;
}

/// One open connection, in two halves that are used by different tasks.
pub struct Link {
    /// The outgoing half.
    pub sender: Box<dyn LinkSender>,
    /// The incoming half.
    pub receiver: Box<dyn LinkReceiver>,
    /// The other end, for people and logs.
    pub peer: String,
}

/// The outgoing half of a connection.
pub trait LinkSender: Send + 'static {
    /// Sends frames in order and returns when they have left this process's buffers (or are held
    /// by a bounded one). Not cancel-safe: a dropped future ends the connection.
    fn send(&mut self, frames: Vec<Bytes>) -> BoxFuture<'_, Result<(), TransportError>>;

    /// Sends a frame if it can leave without waiting, from whatever thread; none is under way
    /// meanwhile. What this does not do, [`send`](Self::send) does: unless overridden, all of it.
    fn attempt(&mut self, frame: &Bytes) -> Attempt {
        let _ = frame;
        Attempt::NotBegun
    }

    /// Says goodbye and closes. Waits for the other end no longer than a few seconds.
    fn close(&mut self, code: CloseCode, reason: String) -> BoxFuture<'_, ()>;
}

/// How far a frame came without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It has left.
    Left,
    /// It is in a buffer of the carrier, and leaves with the next [`send`](LinkSender::send), if
    /// only of no frames.
    Begun,
    /// Nothing of it was taken.
    NotBegun,
}

/// The incoming half of a connection.
pub trait LinkReceiver: Send + 'static {
    /// The next thing that happens. Cancel-safe.
    fn receive(&mut self) -> BoxFuture<'_, Incoming>;
}

/// What comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A whole frame.
    Frame(Bytes),
    /// The other end closed, or the connection broke; nothing follows.
    Closed {
        /// The code of the other end, where it said one.
        code: Option<CloseCode>,
        /// Text for people.
        reason: String,
    },
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
