//! A carrier as somebody might write it who had not read the trait: right but for one mistake.

use std::sync::{Arc, Mutex};

use anabranch::limits::FRAME_BYTES_MAX;
use anabranch::protocol::CloseCode;
use anabranch::testing::conformance::transport::Carrier;
use anabranch::transport::{
    Attempt, Incoming, Link, LinkReceiver, LinkSender, TransportError, pair,
};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Mutex as AsyncMutex, mpsc};

use super::planted::Sin;

pub(super) struct WrongCarrier {
    sin: Sin,
    connections: usize,
    shared: Arc<Shared>,
}

/// What connections should not share.
#[derive(Default)]
struct Shared {
    gate: Arc<AsyncMutex<()>>,
    unread: Mutex<Vec<Bytes>>,
    kept: Mutex<Vec<Box<dyn Send>>>,
}

impl WrongCarrier {
    pub(super) fn new(sin: Sin) -> Self {
        Self {
            sin,
            connections: 0,
            shared: Arc::default(),
        }
    }

    fn end(&self, link: Link, name: &str) -> Link {
        let gate = match self.sin {
            Sin::SharesAQueue => self.shared.gate.clone(),
            _ => Arc::default(),
        };
        let inner = Arc::new(AsyncMutex::new(Some(link.sender)));
        let sender = WrongSender {
            inner,
            queue: None,
            held: None,
            gate: gate.clone(),
            sin: self.sin,
            shared: self.shared.clone(),
            connection: self.connections,
        };
        let receiver = WrongReceiver {
            inner: Some(link.receiver),
            gate,
            sin: self.sin,
            shared: self.shared.clone(),
            connection: self.connections,
        };
        Link {
            sender: Box::new(sender),
            receiver: Box::new(receiver),
            peer: name.to_owned(),
        }
    }
}

impl Carrier for WrongCarrier {
    fn connect(&mut self) -> BoxFuture<'_, (Link, Link)> {
        self.connections += 1;
        let (near, far) = pair("near", "far");
        let ends = (self.end(near, "near"), self.end(far, "far"));
        std::future::ready(ends).boxed()
    }
}

type Inner = Arc<AsyncMutex<Option<Box<dyn LinkSender>>>>;

struct WrongSender {
    inner: Inner,
    queue: Option<mpsc::UnboundedSender<Bytes>>,
    held: Option<Bytes>,
    gate: Arc<AsyncMutex<()>>,
    sin: Sin,
    shared: Arc<Shared>,
    connection: usize,
}

impl WrongSender {
    fn spoiled(&mut self, mut frames: Vec<Bytes>) -> Vec<Bytes> {
        match self.sin {
            Sin::SwapsFrames if frames.len() > 1 => frames.swap(0, 1),
            Sin::RepeatsFrames => frames.extend(frames.last().cloned()),
            Sin::SkipsEmptyFrames => frames.retain(|frame| !frame.is_empty()),
            Sin::JoinsFrames if frames.len() > 1 && frames[0].len() < 1_000 => {
                frames = vec![Bytes::from(frames.concat())];
                frames[0].truncate(FRAME_BYTES_MAX);
            }
            Sin::CutsLongFrames => {
                for frame in &mut frames {
                    frame.truncate(65_535);
                }
            }
            Sin::CutsWhatIsTooLong => {
                for frame in &mut frames {
                    frame.truncate(FRAME_BYTES_MAX);
                }
            }
            Sin::KeepsTheLastFrameBack => {
                let last = frames.pop();
                let before = std::mem::replace(&mut self.held, last);
                frames.splice(0..0, before);
            }
            Sin::ClosesAtOnce => {
                let before = std::mem::replace(&mut self.held, frames.pop());
                frames.splice(0..0, before);
            }
            Sin::TurnsABit => {
                for frame in frames.iter_mut().filter(|frame| frame.len() > 1_000) {
                    let mut bytes = frame.to_vec();
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 1;
                    *frame = Bytes::from(bytes);
                }
            }
            Sin::MixesConnections if self.connection == 2 => {
                self.shared.unread.lock().unwrap().append(&mut frames);
            }
            Sin::BringsOldFramesAgain => {
                self.shared.unread.lock().unwrap().extend(frames.clone());
            }
            _ => {}
        }
        frames
    }

    /// Hands frames to a task that takes any number of them.
    fn enqueue(&mut self, frames: Vec<Bytes>) {
        let inner = self.inner.clone();
        let queue = self.queue.get_or_insert_with(|| {
            let (queue, mut frames) = mpsc::unbounded_channel::<Bytes>();
            tokio::spawn(async move {
                while let Some(frame) = frames.recv().await {
                    if let Some(sender) = &mut *inner.lock().await {
                        drop(sender.send(vec![frame]).await);
                    }
                }
            });
            queue
        });
        for frame in frames {
            queue.send(frame).unwrap();
        }
    }
}

impl LinkSender for WrongSender {
    fn send(&mut self, frames: Vec<Bytes>) -> BoxFuture<'_, Result<(), TransportError>> {
        async move {
            let frames = self.spoiled(frames);
            if matches!(
                self.sin,
                Sin::QueuesWithoutBound | Sin::GoesOnAfterADroppedSend
            ) {
                if self.sin == Sin::GoesOnAfterADroppedSend && frames.len() > 100 {
                    return std::future::pending().await;
                }
                self.enqueue(frames);
                return Ok(());
            }
            let guarded = matches!(self.sin, Sin::LocksBothHalves | Sin::SharesAQueue);
            let gate = self.gate.clone();
            let _guard = if guarded {
                Some(gate.lock().await)
            } else {
                None
            };
            match &mut *self.inner.lock().await {
                Some(sender) => sender.send(frames).await,
                None => Err(TransportError::Closed {
                    code: None,
                    reason: String::new(),
                }),
            }
        }
        .boxed()
    }

    fn attempt(&mut self, frame: &Bytes) -> Attempt {
        match self.sin {
            Sin::ClaimsWhatHasNotLeft => Attempt::Left,
            Sin::TakesAndDeniesIt => {
                self.enqueue(vec![frame.clone()]);
                Attempt::NotBegun
            }
            Sin::LeavesInAnyNumber => {
                self.enqueue(vec![frame.clone()]);
                Attempt::Left
            }
            _ => Attempt::NotBegun,
        }
    }

    fn close(&mut self, mut code: CloseCode, mut reason: String) -> BoxFuture<'_, ()> {
        async move {
            match self.sin {
                Sin::ForgetsTheCode => code = CloseCode::DONE,
                Sin::ForgetsTheReason => reason.clear(),
                Sin::BreaksCharacters => {
                    let cut = &reason.as_bytes()[..reason.len().min(123)];
                    reason = String::from_utf8_lossy(cut).into_owned();
                }
                Sin::WaitsForTheOtherEnd => return std::future::pending().await,
                _ => {}
            }
            let mut inner = self.inner.lock().await;
            if self.sin == Sin::ClosesOneHalf {
                // The frames end, but the receiver of this end is not told.
                drop(inner.take());
                return;
            }
            if let Some(sender) = &mut *inner {
                sender.close(code, reason).await;
            }
        }
        .boxed()
    }
}

impl Drop for WrongSender {
    fn drop(&mut self) {
        if self.sin == Sin::KeepsDroppedLinks {
            let inner: Inner = self.inner.clone();
            self.shared.kept.lock().unwrap().push(Box::new(inner));
        }
    }
}

struct WrongReceiver {
    inner: Option<Box<dyn LinkReceiver>>,
    gate: Arc<AsyncMutex<()>>,
    sin: Sin,
    shared: Arc<Shared>,
    connection: usize,
}

impl LinkReceiver for WrongReceiver {
    fn receive(&mut self) -> BoxFuture<'_, Incoming> {
        async move {
            let takes_strays = match self.sin {
                Sin::MixesConnections => self.connection == 1,
                Sin::BringsOldFramesAgain => self.connection > 1,
                _ => false,
            };
            let stray = self.shared.unread.lock().unwrap().pop();
            if let Some(stray) = stray.filter(|_| takes_strays) {
                return Incoming::Frame(stray);
            }
            let gate = self.gate.clone();
            let _guard = match self.sin {
                Sin::LocksBothHalves => Some(gate.lock().await),
                _ => None,
            };
            let incoming = self.inner.as_mut().unwrap().receive().await;
            let is_frame = matches!(incoming, Incoming::Frame(_));
            if self.sin == Sin::LosesWithADroppedReceive && is_frame {
                tokio::task::yield_now().await;
            }
            incoming
        }
        .boxed()
    }
}

impl Drop for WrongReceiver {
    fn drop(&mut self) {
        if self.sin == Sin::KeepsDroppedLinks {
            let inner = self.inner.take();
            self.shared.kept.lock().unwrap().push(Box::new(inner));
        }
    }
}
