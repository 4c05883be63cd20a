//! One connection, shared by its two halves. The lock is held during a poll only, so a sender that
//! waits for the network never keeps the receiver from reading.

use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use futures::{Sink, SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};

use super::bites::Bites;
use crate::limits::{
    FRAME_BYTES_MAX, GOODBYE_MS, WEBSOCKET_FRAGMENT_BYTES, WEBSOCKET_READ_BYTES,
    WEBSOCKET_REASON_BYTES_MAX,
};
use crate::protocol::CloseCode;
use crate::transport::{Attempt, Incoming, Link, LinkReceiver, LinkSender, TransportError};

/// Splits an upgraded connection.
pub(super) fn open(stream: Stream, peer: String) -> Link {
    let socket = Shared(Arc::new(Mutex::new(Socket {
        stream,
        end: None,
        sender: None,
        receiver: None,
    })));
    Link {
        sender: Box::new(Sender(socket.clone())),
        receiver: Box::new(Receiver {
            socket,
            leave: Leave::Stay,
        }),
        peer,
    }
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Socket>>);

type Stream = WebSocketStream<Bites>;

struct Socket {
    stream: Stream,
    /// How it ended, once it has; either half may be the one that notices.
    end: Option<End>,
    /// The halves that wait. Both may poll the same direction of the stream, which wakes only the
    /// last one to ask.
    sender: Option<Waker>,
    receiver: Option<Waker>,
}

#[derive(Clone)]
struct End {
    code: Option<CloseCode>,
    reason: String,
}

impl End {
    fn broken(error: &Error) -> Self {
        Self {
            code: None,
            reason: error.to_string(),
        }
    }
}

impl Socket {
    /// The first end counts; whoever waits learns of it.
    fn end(&mut self, code: Option<CloseCode>, reason: impl Into<String>) {
        self.end.get_or_insert_with(|| End {
            code,
            reason: reason.into(),
        });
        self.sender
            .take()
            .into_iter()
            .chain(self.receiver.take())
            .for_each(Waker::wake);
    }

    /// Nobody is woken when the carrier can take more: whoever sends next waits for that.
    fn attempt(&mut self, frame: &Bytes) -> Attempt {
        let mut cx = Context::from_waker(Waker::noop());
        let is_free = |polled| matches!(polled, Poll::Ready(Ok(())));
        if self.end.is_some() || !is_free(self.stream.poll_ready_unpin(&mut cx)) {
            return Attempt::NotBegun;
        }
        for message in fragments(frame.clone()) {
            if self.stream.start_send_unpin(message).is_err() {
                return Attempt::Begun;
            }
        }
        if is_free(self.stream.poll_flush_unpin(&mut cx)) {
            Attempt::Left
        } else {
            Attempt::Begun
        }
    }

    fn hang_up(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(self.stream.get_mut()).poll_shutdown(cx).map(drop)
    }
}

impl Shared {
    /// Nothing panics while it holds the lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, Socket> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls the stream for the sending half until it is done or the connection has ended.
    async fn poll<F>(&self, mut poll: F) -> Result<(), End>
    where
        F: FnMut(&mut Stream, &mut Context<'_>) -> Poll<Result<(), Error>>,
    {
        poll_fn(|cx| {
            let mut socket = self.lock();
            if let Some(end) = &socket.end {
                return Poll::Ready(Err(end.clone()));
            }
            socket.sender = Some(cx.waker().clone());
            poll(&mut socket.stream, cx).map_err(|error| End::broken(&error))
        })
        .await
    }

    fn start(&self, message: Message) -> Result<(), End> {
        self.lock()
            .stream
            .start_send_unpin(message)
            .map_err(|error| End::broken(&error))
    }

    async fn send_all(&self, frames: Vec<Bytes>) -> Result<(), End> {
        for message in frames.into_iter().flat_map(fragments) {
            self.poll(SinkExt::poll_ready_unpin).await?;
            self.start(message)?;
        }
        self.poll(SinkExt::poll_flush_unpin).await
    }

    /// Says goodbye and waits for the answer; what else comes in meanwhile is thrown away.
    async fn say_goodbye(&self, code: CloseCode, reason: &str) -> Result<(), End> {
        self.poll(SinkExt::poll_ready_unpin).await?;
        self.start(Message::Close(Some(close_frame(code, reason))))?;
        self.poll(SinkExt::poll_flush_unpin).await?;
        self.poll(|stream, cx| {
            while ready!(stream.poll_next_unpin(cx)).is_some_and(|message| message.is_ok()) {}
            Poll::Ready(Ok(()))
        })
        .await
    }
}

struct Sender(Shared);

impl LinkSender for Sender {
    fn send(&mut self, frames: Vec<Bytes>) -> BoxFuture<'_, Result<(), TransportError>> {
        async move {
            if let Some(bytes) = frames
                .iter()
                .map(Bytes::len)
                .find(|len| *len > FRAME_BYTES_MAX)
            {
                self.close(CloseCode::TOO_BIG, format!("a frame of {bytes} bytes"))
                    .await;
                return Err(TransportError::FrameTooLarge {
                    bytes,
                    max: FRAME_BYTES_MAX,
                });
            }
            let unfinished = EndOnDrop(&self.0);
            let sent = self.0.send_all(frames).await;
            if sent.is_ok() {
                mem::forget(unfinished);
            }
            sent.map_err(|End { code, reason }| TransportError::Closed { code, reason })
        }
        .boxed()
    }

    fn attempt(&mut self, frame: &Bytes) -> Attempt {
        if frame.len() > WEBSOCKET_FRAGMENT_BYTES {
            return Attempt::NotBegun;
        }
        self.0.lock().attempt(frame)
    }

    fn close(&mut self, code: CloseCode, reason: String) -> BoxFuture<'_, ()> {
        async move {
            let ends = EndOnDrop(&self.0);
            // Whether the other end answered or not makes no difference any more.
            let _ = timeout(
                Duration::from_millis(GOODBYE_MS),
                self.0.say_goodbye(code, &reason),
            )
            .await;
            drop(ends);
            let _ = poll_fn(|cx| Poll::Ready(self.0.lock().hang_up(cx))).await;
        }
        .boxed()
    }
}

/// A send that is dropped half done has left half a message behind: the connection is over.
struct EndOnDrop<'a>(&'a Shared);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.lock().end(None, "closed at this end");
    }
}

struct Receiver {
    socket: Shared,
    leave: Leave,
}

/// What remains to be done once nothing more is received; kept in the receiver because a call of
/// `receive` may be dropped and repeated.
enum Leave {
    /// The connection lives.
    Stay,
    /// The other end broke the protocol: tell it so.
    Accuse(CloseFrame),
    /// Flush what is queued, the answer to a goodbye, and close; after an accusation read on for
    /// a while, since unread bytes would make the system reset the connection and the code be lost.
    Finish { drain: bool },
    /// Nothing.
    Gone,
}

impl LinkReceiver for Receiver {
    fn receive(&mut self) -> BoxFuture<'_, Incoming> {
        async move {
            if matches!(self.leave, Leave::Stay)
                && let Some(frame) = poll_fn(|cx| self.poll_frame(cx)).await
            {
                return Incoming::Frame(frame);
            }
            let patience = Duration::from_millis(GOODBYE_MS);
            let _ = timeout(patience, poll_fn(|cx| self.poll_leave(cx))).await;
            self.leave = Leave::Gone;
            let end = self.socket.lock().end.clone();
            let End { code, reason } = end.unwrap_or(End {
                code: None,
                reason: String::new(),
            });
            Incoming::Closed { code, reason }
        }
        .boxed()
    }
}

impl Receiver {
    /// The next frame, or nothing once the connection has ended.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut socket = self.socket.lock();
        loop {
            if socket.end.is_some() {
                self.leave = Leave::Gone;
                return Poll::Ready(None);
            }
            socket.receiver = Some(cx.waker().clone());
            let next = ready!(socket.stream.poll_next_unpin(cx));
            let (leave, code, reason) = match next {
                Some(Ok(Message::Binary(frame))) => return Poll::Ready(Some(frame)),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Close(frame))) => {
                    let (code, reason) = understand(frame);
                    (Leave::Finish { drain: false }, code, reason)
                }
                Some(Ok(Message::Text(_))) => accuse(CloseCode::TEXT, "binary messages only"),
                Some(Err(error)) => judge(&error),
                None => (Leave::Gone, None, "the other end is gone".to_owned()),
            };
            self.leave = leave;
            socket.end(code, reason);
            return Poll::Ready(None);
        }
    }

    fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut socket = self.socket.lock();
        if let Leave::Accuse(frame) = &mut self.leave {
            let accusation = Message::Close(Some(frame.clone()));
            self.leave = if socket.stream.start_send_unpin(accusation).is_ok() {
                Leave::Finish { drain: true }
            } else {
                Leave::Gone
            };
        }
        let Leave::Finish { drain } = self.leave else {
            return Poll::Ready(());
        };
        if ready!(Pin::new(&mut socket.stream).poll_flush(cx)).is_err() {
            return Poll::Ready(());
        }
        ready!(socket.hang_up(cx));
        if !drain {
            return Poll::Ready(());
        }
        let mut bytes = [0; WEBSOCKET_READ_BYTES];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            let read = ready!(Pin::new(socket.stream.get_mut()).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }
}

/// A frame as one message, in pieces that keep the write buffer small.
fn fragments(mut frame: Bytes) -> impl Iterator<Item = Message> {
    let mut kind = Some(Data::Binary);
    std::iter::from_fn(move || {
        let opcode = OpCode::Data(kind?);
        let piece = frame.split_to(frame.len().min(WEBSOCKET_FRAGMENT_BYTES));
        kind = (!frame.is_empty()).then_some(Data::Continue);
        Some(Message::Frame(Frame::message(
            piece,
            opcode,
            frame.is_empty(),
        )))
    })
}

/// What to do about an error of the incoming direction, and how it is told to the owner.
fn judge(error: &Error) -> (Leave, Option<CloseCode>, String) {
    match error {
        Error::Capacity(what) => accuse(CloseCode::TOO_BIG, &what.to_string()),
        Error::Utf8(_) => accuse(CloseCode::TEXT, "binary messages only"),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            (Leave::Gone, None, "the other end is gone".to_owned())
        }
        Error::Protocol(what) => accuse(CloseCode::PROTOCOL_VIOLATION, &what.to_string()),
        broken => (Leave::Gone, None, broken.to_string()),
    }
}

fn accuse(code: CloseCode, reason: &str) -> (Leave, Option<CloseCode>, String) {
    (
        Leave::Accuse(close_frame(code, reason)),
        None,
        format!("the other end broke a rule: {reason}"),
    )
}

fn close_frame(code: CloseCode, reason: &str) -> CloseFrame {
    let mut end = reason.len().min(WEBSOCKET_REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    CloseFrame {
        code: code.get().into(),
        reason: reason.get(..end).unwrap_or_default().into(),
    }
}

fn understand(goodbye: Option<CloseFrame>) -> (Option<CloseCode>, String) {
    match goodbye {
        Some(frame) => (
            Some(CloseCode::new(frame.code.into())),
            frame.reason.as_str().to_owned(),
        ),
        None => (None, "the other end closed without a reason".to_owned()),
    }
}
