//! The first words of a replica that has nothing: what a reader says until it is live.

use anabranch::engine::Input;
use anabranch::limits::BATCH_EVENTS_MAX;
use anabranch::protocol::{Message, Role, decode_frame, encode_frame};
use anabranch::resolver::Registry;
use bytes::Bytes;

use super::bulk::LINK;
use super::node::{Node, opened};
use crate::Done;

/// Talks until the other end has nothing more to send.
pub(crate) struct Greeter {
    node: Node,
    is_done: bool,
}

impl Greeter {
    pub(crate) fn new(number: u64) -> Done<Self> {
        let node = Node::receiver(10_000 + number, Registry::new())?;
        let is_done = false;
        Ok(Self { node, is_done })
    }

    /// What it says first.
    pub(crate) fn open(&mut self) -> Vec<Bytes> {
        self.node.give(opened(LINK, Role::Dialer, BATCH_EVENTS_MAX));
        self.said()
    }

    /// What it answers.
    pub(crate) fn hear(&mut self, frame: Bytes) -> Vec<Bytes> {
        self.is_done |= matches!(decode_frame(&frame), Ok(Message::CaughtUp));
        self.node.frame(LINK, frame);
        self.said()
    }

    /// The connection has ended.
    pub(crate) fn lost(&mut self) {
        self.node.out.clear();
        self.node.give(Input::LinkClosed {
            link: LINK,
            code: None,
            reason: String::new(),
        });
    }

    fn said(&mut self) -> Vec<Bytes> {
        self.node.out.drain(..).map(|(_, frame)| frame).collect()
    }

    /// Whether everything that follows is live.
    pub(crate) fn is_done(&self) -> bool {
        self.is_done
    }
}

/// Lets a sender send so many bytes more.
pub(crate) fn credit(bytes: u64) -> Done<Bytes> {
    Ok(encode_frame(&Message::Credit { bytes })?)
}
