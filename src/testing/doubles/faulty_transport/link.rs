use std::boxed::Box;
use std::string::String;
use std::sync::{Arc, Mutex, MutexGuard};
use std::vec::Vec;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, pending};
use tokio::sync::watch;
use tokio::time::timeout;

use super::script::{Direction, LinkFault, LinkFaults};
use crate::protocol::CloseCode;
use crate::transport::{Incoming, Link, LinkReceiver, LinkSender, TransportError};

/// Halves of connections that their owner has dropped, of which the other end must not learn.
#[derive(Default)]
pub(super) struct Limbo {
    senders: Vec<Box<dyn LinkSender>>,
    receivers: Vec<Box<dyn LinkReceiver>>,
}

/// What both halves of one end share.
struct Shared {
    faults: LinkFaults,
    number: u64,
    is_cut: watch::Sender<bool>,
    /// Gone while a send is under way, and once cut.
    sender: Mutex<Option<Box<dyn LinkSender>>>,
}

pub(super) fn wrap(faults: LinkFaults, number: u64, link: Link) -> Link {
    let cuts = faults.cuts();
    let shared = Arc::new(Shared {
        faults,
        number,
        is_cut: watch::Sender::new(false),
        sender: Mutex::new(Some(link.sender)),
    });
    let inner = Some(link.receiver);
    let receiver = FaultyReceiver {
        shared: shared.clone(),
        cuts: cuts.clone(),
        inner,
        arrived: None,
    };
    for direction in [Direction::Outgoing, Direction::Incoming] {
        shared.cut_if_due(direction);
    }
    Link {
        sender: Box::new(FaultySender { shared, cuts }),
        receiver: Box::new(receiver),
        peer: link.peer,
    }
}

impl Shared {
    fn holds(&self, direction: Direction, fault: LinkFault) -> bool {
        let same = |other| other == fault;
        self.faults.holds(self.number, direction, same).is_some()
    }

    /// What a frame has to wait for before it passes.
    fn obstacle(&self, direction: Direction) -> Option<BoxFuture<'static, ()>> {
        let mut released = self.faults.released();
        let waits = |fault| matches!(fault, LinkFault::Hold | LinkFault::Delay(_));
        match self.faults.holds(self.number, direction, waits)? {
            LinkFault::Delay(length) => Some(timeout(length, pending::<()>()).map(drop).boxed()),
            _ => Some(async move { drop(released.changed().await) }.boxed()),
        }
    }

    /// The frame as it passes, or nothing where it vanishes.
    fn passing(&self, direction: Direction, frame: Bytes) -> Option<Bytes> {
        let frame = if self.holds(direction, LinkFault::Corrupt) {
            corrupted(&frame)
        } else {
            frame
        };
        let vanishes = self.holds(direction, LinkFault::Silence);
        (!vanishes).then_some(frame)
    }

    fn count(&self, direction: Direction) {
        self.faults.count(self.number, direction);
        self.cut_if_due(direction);
    }

    fn cut_if_due(&self, direction: Direction) {
        if self.holds(direction, LinkFault::Cut) {
            self.cut();
        }
    }

    fn cut(&self) {
        self.is_cut.send_replace(true);
        drop(self.sender().take());
    }

    fn is_cut(&self) -> bool {
        *self.is_cut.borrow()
    }

    fn sender(&self) -> MutexGuard<'_, Option<Box<dyn LinkSender>>> {
        self.sender.lock().expect("nothing panics under this lock")
    }

    /// Returns when the connection is cut, by its own script or with all others.
    async fn until_cut(&self, cuts: &mut watch::Receiver<u64>) {
        let mut is_cut = self.is_cut.subscribe();
        let told = async { drop(is_cut.wait_for(|cut| *cut).await) };
        tokio::select! {
            () = told => {}
            changed = cuts.changed() => match changed {
                Ok(()) => self.cut(),
                Err(_) => pending().await,
            },
        }
    }
}

struct FaultySender {
    shared: Arc<Shared>,
    cuts: watch::Receiver<u64>,
}

impl FaultySender {
    async fn pass(
        shared: &Shared,
        inner: &mut dyn LinkSender,
        frames: Vec<Bytes>,
    ) -> Result<(), TransportError> {
        for frame in frames {
            if shared.is_cut() {
                return Err(closed());
            }
            if let Some(obstacle) = shared.obstacle(Direction::Outgoing) {
                obstacle.await;
            }
            if let Some(frame) = shared.passing(Direction::Outgoing, frame) {
                inner.send(Vec::from([frame])).await?;
            }
            shared.count(Direction::Outgoing);
        }
        Ok(())
    }
}

impl LinkSender for FaultySender {
    fn send(&mut self, frames: Vec<Bytes>) -> BoxFuture<'_, Result<(), TransportError>> {
        async move {
            let shared = self.shared.clone();
            let mut inner = shared.sender().take().ok_or_else(closed)?;
            let result = tokio::select! {
                result = Self::pass(&shared, &mut *inner, frames) => result,
                () = shared.until_cut(&mut self.cuts) => Err(closed()),
            };
            if !shared.is_cut() {
                *shared.sender() = Some(inner);
            }
            result
        }
        .boxed()
    }

    fn close(&mut self, code: CloseCode, reason: String) -> BoxFuture<'_, ()> {
        async move {
            let shared = self.shared.clone();
            if shared.holds(Direction::Outgoing, LinkFault::Silence) {
                // Its own end is over all the same, or it would wait for an answer for ever.
                shared.is_cut.send_replace(true);
                return;
            }
            let inner = shared.sender().take();
            if let Some(mut inner) = inner {
                inner.close(code, reason).await;
                if !shared.is_cut() {
                    *shared.sender() = Some(inner);
                }
            }
        }
        .boxed()
    }
}

impl Drop for FaultySender {
    fn drop(&mut self) {
        let inner = self.shared.sender().take();
        if self.shared.holds(Direction::Outgoing, LinkFault::Silence) {
            self.shared
                .faults
                .keep_open(|limbo| limbo.senders.extend(inner));
        }
    }
}

struct FaultyReceiver {
    shared: Arc<Shared>,
    cuts: watch::Receiver<u64>,
    inner: Option<Box<dyn LinkReceiver>>,
    /// A frame on its last stretch, and what it waits for there. Kept here so that a dropped
    /// `receive` loses nothing.
    arrived: Option<(Bytes, Option<BoxFuture<'static, ()>>)>,
}

impl FaultyReceiver {
    async fn next(&mut self) -> Incoming {
        loop {
            if let Some((_, obstacle)) = &mut self.arrived {
                if let Some(waiting) = obstacle {
                    waiting.await;
                    *obstacle = None;
                }
                if let Some((frame, _)) = self.arrived.take() {
                    let frame = self.shared.passing(Direction::Incoming, frame);
                    self.shared.count(Direction::Incoming);
                    if let Some(frame) = frame {
                        return Incoming::Frame(frame);
                    }
                }
                continue;
            }
            let Some(inner) = &mut self.inner else {
                return pending().await;
            };
            match inner.receive().await {
                Incoming::Frame(frame) => {
                    self.arrived = Some((frame, self.shared.obstacle(Direction::Incoming)));
                }
                Incoming::Closed { .. }
                    if self.shared.holds(Direction::Incoming, LinkFault::Silence) =>
                {
                    return pending().await;
                }
                closed @ Incoming::Closed { .. } => return closed,
            }
        }
    }

    fn give_up(&mut self) {
        self.arrived = None;
        let inner = self.inner.take();
        if self.shared.holds(Direction::Outgoing, LinkFault::Silence) {
            self.shared
                .faults
                .keep_open(|limbo| limbo.receivers.extend(inner));
        }
    }
}

impl LinkReceiver for FaultyReceiver {
    fn receive(&mut self) -> BoxFuture<'_, Incoming> {
        async move {
            let shared = self.shared.clone();
            let mut cuts = self.cuts.clone();
            let cut = tokio::select! {
                biased;
                () = shared.until_cut(&mut cuts) => true,
                incoming = self.next() => return incoming,
            };
            if cut {
                self.give_up();
            }
            Incoming::Closed {
                code: None,
                reason: String::from("the connection was cut"),
            }
        }
        .boxed()
    }
}

impl Drop for FaultyReceiver {
    fn drop(&mut self) {
        self.give_up();
    }
}

fn closed() -> TransportError {
    TransportError::Closed {
        code: None,
        reason: String::from("the connection was cut"),
    }
}

fn corrupted(frame: &Bytes) -> Bytes {
    let mut bytes = frame.to_vec();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    Bytes::from(bytes)
}
