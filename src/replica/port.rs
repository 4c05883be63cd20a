use std::collections::VecDeque;
use std::string::String;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::engine::SyncReport;
use crate::protocol::CloseCode;
use crate::transport::{Attempt, LinkSender};

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
///
/// While nothing waits, the carrier lies here, and whoever has a frame sends it on the thread it is
/// on: to hand it to a task can cost the waking of a core. Frames never overtake each other.
#[derive(Default)]
pub(super) struct Port {
    queue: Mutex<Queue>,
    wake: Notify,
    pub(super) done: Notify,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    /// Whether the carrier still holds some of an earlier frame.
    begun: bool,
    closed: Option<Closed>,
    /// Away while the task uses it.
    carrier: Option<Box<dyn LinkSender>>,
}

impl Queue {
    /// Sends the frame if nothing is before it; tells whether anything is left for the task.
    fn attempt(&mut self, frame: &Bytes) -> Attempt {
        let is_first = self.frames.is_empty() && !self.begun && self.closed.is_none();
        match &mut self.carrier {
            Some(carrier) if is_first => carrier.attempt(frame),
            _ => Attempt::NotBegun,
        }
    }
}

/// What the task is to do.
struct Work {
    carrier: Box<dyn LinkSender>,
    frames: Vec<Bytes>,
    closed: Option<Closed>,
}

impl Port {
    /// Sends a frame on this thread if it can leave without waiting, else leaves it to the task.
    pub(super) fn send_now(&self, frame: Bytes) {
        let mut queue = self.lock();
        match queue.attempt(&frame) {
            Attempt::Left => return,
            Attempt::Begun => queue.begun = true,
            Attempt::NotBegun => queue.frames.push_back(frame),
        }
        drop(queue);
        self.wake.notify_one();
    }

    /// Leaves a frame to the task, which sends what has gathered as one.
    pub(super) fn send_soon(&self, frame: Bytes) {
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

    fn work(&self) -> Option<Work> {
        let mut queue = self.lock();
        if queue.frames.is_empty() && !queue.begun && queue.closed.is_none() {
            return None;
        }
        let carrier = queue.carrier.take()?;
        queue.begun = false;
        Some(Work {
            carrier,
            frames: queue.frames.drain(..).collect(),
            closed: queue.closed.clone(),
        })
    }

    pub(super) fn closed(&self) -> Option<Closed> {
        self.lock().closed.clone()
    }

    /// Carries frames out until the connection is to be closed, and closes it.
    pub(super) async fn run(&self, carrier: Box<dyn LinkSender>) {
        self.lock().carrier = Some(carrier);
        loop {
            let Some(work) = self.work() else {
                self.wake.notified().await;
                continue;
            };
            let Work {
                mut carrier,
                frames,
                closed,
            } = work;
            if carrier.send(frames).await.is_err() {
                return;
            }
            if let Some(closed) = closed {
                carrier.close(closed.code, closed.reason).await;
                return;
            }
            self.lock().carrier = Some(carrier);
        }
    }
}
