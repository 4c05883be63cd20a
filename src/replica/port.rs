use std::collections::VecDeque;
use std::mem;
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
    closed: Option<Box<Closed>>,
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
    closed: Option<Box<Closed>>,
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
        self.lock().closed.get_or_insert_with(|| Box::new(closed));
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
            frames: mem::take(&mut queue.frames).into(),
            closed: queue.closed.clone(),
        })
    }

    pub(super) fn closed(&self) -> Option<Closed> {
        self.lock().closed.as_deref().cloned()
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
                let Closed { code, reason, .. } = *closed;
                carrier.close(code, reason).await;
                return;
            }
            self.lock().carrier = Some(carrier);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt;
    use futures::future::BoxFuture;

    use super::*;
    use crate::engine::SyncReport;
    use crate::transport::TransportError;

    /// What a carrier was given, in the order in which it would leave, and what it says next.
    #[derive(Default)]
    struct Log {
        left: Vec<u8>,
        attempts: VecDeque<Attempt>,
    }

    struct Carrier(Arc<Mutex<Log>>);

    impl LinkSender for Carrier {
        fn send(&mut self, frames: Vec<Bytes>) -> BoxFuture<'_, Result<(), TransportError>> {
            let mut log = self.0.lock().unwrap();
            log.left.extend(frames.iter().map(|frame| frame[0]));
            async { Ok(()) }.boxed()
        }

        fn attempt(&mut self, frame: &Bytes) -> Attempt {
            let mut log = self.0.lock().unwrap();
            let attempt = log.attempts.pop_front().unwrap_or(Attempt::Left);
            if attempt != Attempt::NotBegun {
                log.left.push(frame[0]);
            }
            attempt
        }

        fn close(&mut self, _: CloseCode, _: String) -> BoxFuture<'_, ()> {
            async {}.boxed()
        }
    }

    /// Frames 0 to 5, of which the carrier takes the third as it is told; some are left to the task.
    fn frames_leave_in_order(third: Attempt, soon: &[u8], run_after: u8) {
        let log = Arc::new(Mutex::new(Log::default()));
        log.lock().unwrap().attempts = VecDeque::from([Attempt::Left, Attempt::Left, third]);
        let port = Port::default();
        let mut task = port.run(Box::new(Carrier(log.clone()))).boxed();
        assert!((&mut task).now_or_never().is_none());
        for number in 0..6 {
            let frame = Bytes::copy_from_slice(&[number]);
            if soon.contains(&number) {
                port.send_soon(frame);
            } else {
                port.send_now(frame);
            }
            if number == run_after {
                assert!((&mut task).now_or_never().is_none());
            }
        }
        port.close(Closed {
            code: CloseCode::DONE,
            reason: String::new(),
            report: SyncReport::default(),
        });
        assert!(task.now_or_never().is_some());
        assert_eq!(log.lock().unwrap().left, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn frames_never_overtake_each_other() {
        for third in [Attempt::Left, Attempt::Begun, Attempt::NotBegun] {
            for soon in [&[][..], &[0], &[1, 4], &[5], &[0, 1, 2, 3, 4, 5]] {
                for run_after in 0..6 {
                    frames_leave_in_order(third, soon, run_after);
                }
            }
        }
    }

    #[test]
    fn a_frame_that_can_leave_at_once_needs_no_task() {
        let log = Arc::new(Mutex::new(Log::default()));
        let port = Port::default();
        let mut task = port.run(Box::new(Carrier(log.clone()))).boxed();
        assert!((&mut task).now_or_never().is_none());
        port.send_now(Bytes::copy_from_slice(&[7]));
        assert_eq!(log.lock().unwrap().left, [7]);
    }
}
