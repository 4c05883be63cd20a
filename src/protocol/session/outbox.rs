use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use bytes::Bytes;

use super::Traffic;
use crate::event::block_tail;
use crate::limits::COMPRESSED_BYTES_MIN;
use crate::protocol::frame::{pack, plain_bytes};
use crate::protocol::{CloseCode, Compression, Message, Output, encode_frame};

/// Why a session ends.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) code: CloseCode,
    pub(super) reason: String,
    /// The peer has said so, and need not be told.
    pub(super) by_peer: bool,
}

impl Ending {
    pub(super) fn new(code: CloseCode, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            by_peer: false,
        }
    }

    /// The peer ended the session.
    pub(super) fn by_peer(code: CloseCode, reason: String) -> Self {
        Self {
            code,
            reason,
            by_peer: true,
        }
    }

    /// The peer sent what it may not send, or not now.
    pub(super) fn violation(reason: impl Into<String>) -> Self {
        Self::new(CloseCode::PROTOCOL_VIOLATION, reason)
    }

    /// A message that is fine in itself, but not in this state.
    pub(super) fn misplaced(message: &'static str, state: &str) -> Self {
        Self::violation(format!("{message} message {state}"))
    }
}

pub(super) type Outcome = Result<(), Ending>;

/// What waits to be polled, and what has been sent so far.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Mostly there is one: what comes first needs no room of its own.
    first: Option<Output>,
    /// What comes after it, never without it.
    others: VecDeque<Output>,
    pub(super) sent: Traffic,
    has_sent: bool,
    /// What the peer undoes.
    pub(super) compression: Option<Arc<dyn Compression>>,
}

impl Outbox {
    pub(super) fn push(&mut self, output: Output) {
        if self.first.is_none() {
            self.first = Some(output);
        } else {
            self.others.push_back(output);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Output> {
        self.first.as_ref()?;
        let output = self.first.take();
        if self.others.capacity() > 0 {
            self.first = self.others.pop_front();
            if self.others.is_empty() {
                // What held a handful of outputs is not kept for a connection that has nothing to say.
                self.others = VecDeque::new();
            }
        }
        output
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Sends a message and returns the bytes of its frame, as credit counts them.
    pub(super) fn send(&mut self, message: &Message) -> Result<u64, Ending> {
        match encode_frame(message) {
            Ok(frame) => {
                let packed = self.packed(&frame, message);
                Ok(self.send_frame(packed.unwrap_or(frame)))
            }
            Err(error) => Err(Ending::new(
                CloseCode::INTERNAL,
                format!("cannot send: {error}"),
            )),
        }
    }

    pub(super) fn send_frame(&mut self, frame: Bytes) -> u64 {
        let bytes = u64::try_from(frame.len()).unwrap_or(u64::MAX);
        self.sent.bytes = self.sent.bytes.saturating_add(bytes);
        self.has_sent = true;
        let plain = u64::try_from(plain_bytes(&frame)).unwrap_or(u64::MAX);
        self.push(Output::Send(frame));
        plain
    }

    fn packed(&self, frame: &Bytes, message: &Message) -> Option<Bytes> {
        let compression = self.compression.as_deref()?;
        if frame.len() < COMPRESSED_BYTES_MIN {
            return None;
        }
        match message {
            Message::Batch(batch) => {
                let commits = batch.commits.iter().map(|delivered| &delivered.commit);
                pack(frame, &block_tail(commits), compression)
            }
            Message::Summary(_) | Message::Part(_) => pack(frame, &[], compression),
            _ => None,
        }
    }

    /// Whether anything was sent since this was last asked.
    pub(super) fn take_has_sent(&mut self) -> bool {
        core::mem::take(&mut self.has_sent)
    }
}
