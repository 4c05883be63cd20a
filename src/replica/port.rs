use std::collections::VecDeque;
use std::string::String;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::engine::SyncReport;
use crate::protocol::CloseCode;
use crate::transport::LinkSender;

/// How a connection ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Closed {
    /// Why, as a number.
    pub code: CloseCode,
    /// Why, in words.
    pub reason: String,
    /// What the session came to.
    pub report: SyncReport,
}

/// The outgoing side of one connection: frames that wait for the carrier, bounded by the credit
/// that the peer has granted.
#[derive(Default)]
pub(super) struct Port {
    queue: Mutex<Queue>,
    wake: Notify,
    pub(super) done: Notify,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    closed: Option<Closed>,
}

impl Port {
    pub(super) fn send(&self, frame: Bytes) {
        self.lock().frames.push_back(frame);
        self.wake.notify_one();
    }

    pub(super) fn close(&self, closed: Closed) {
        self.lock().closed.get_or_insert(closed);
        self.wake.notify_one();
        self.done.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(&self) -> (Vec<Bytes>, Option<Closed>) {
        let mut queue = self.lock();
        (queue.frames.drain(..).collect(), queue.closed.clone())
    }

    pub(super) fn closed(&self) -> Option<Closed> {
        self.lock().closed.clone()
    }

    /// Carries frames out until the connection is to be closed, and closes it.
    pub(super) async fn run(&self, mut sender: Box<dyn LinkSender>) {
        loop {
            let (frames, closed) = self.take();
            if !frames.is_empty() && sender.send(frames).await.is_err() {
                return;
            }
            if let Some(closed) = closed {
                sender.close(closed.code, closed.reason).await;
                return;
            }
            self.wake.notified().await;
        }
    }
}
