//! One event to a thousand readers: a hub, or a loop that sends the same bytes to each.
//!
//! The server has one thread and the readers have one. A reader greets as a replica does, and from
//! then on gives credit and looks for the last event: what a frame holds is not taken apart.

use std::time::{Duration, Instant};

use anabranch::transport::websocket::WebSocketTransport;
use anabranch::transport::{Incoming, LinkReceiver, LinkSender, Transport};
use anabranch::{Hub, MemoryStore, Replica};
use bytes::Bytes;
use futures::future::{FutureExt, LocalBoxFuture, try_join_all};
use futures::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, accept_async, connect_async};

use super::{Fresh, heard, registry, runtime, say, until_told_to_end};
use crate::Done;
use crate::ours::{Greeter, credit};

/// Bytes of one event's payload, and what it takes beside that.
const TEXT: usize = 200;
const ENVELOPE: usize = 60;
/// What the text of the last event holds, and no other.
const LAST: &str = "yyyyyyyy";
/// Bytes after which a reader gives as much credit again.
const CREDIT: u64 = 256 * 1024;

/// Serves readers, and when it is told to go sends each of them so many events, so many in a frame.
pub(super) fn server(who: &str, events: usize, each: usize) -> Done<()> {
    runtime(0)?.block_on(async {
        if who == "bare" {
            bare_server(events, each).await
        } else {
            hub_server(events, each).await
        }
    })
}

async fn bare_server(events: usize, each: usize) -> Done<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    say(&format!("ws://{}", listener.local_addr()?));
    let readers: usize = heard().await?.parse()?;
    let mut sockets = Vec::new();
    for _ in 0..readers {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        sockets.push(accept_async(socket).await?);
    }
    say("connected");
    heard().await?;
    let bytes = (TEXT + ENVELOPE) * each;
    let (frame, last) = (
        Bytes::from(vec![b'x'; bytes]),
        Bytes::from(vec![b'y'; bytes]),
    );
    for left in (0..events / each).rev() {
        let frame = if left == 0 { &last } else { &frame };
        for socket in &mut sockets {
            socket.send(Message::Binary(frame.clone())).await?;
        }
    }
    tokio::task::spawn_blocking(until_told_to_end).await?;
    Ok(())
}

async fn hub_server(events: usize, each: usize) -> Done<()> {
    let replica = Replica::builder(MemoryStore::new())
        .registry(registry())
        .open()
        .await?;
    let hub = Hub::builder(replica).bind("127.0.0.1:0").start().await?;
    say(&format!("ws://{}/sync", hub.local_addr()));
    let readers: usize = heard().await?.parse()?;
    while hub.connections() < readers {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    say("connected");
    heard().await?;
    let mut fresh = Fresh::new(TEXT);
    for at in (0..events).step_by(each) {
        if at + each >= events {
            fresh.text = "y".repeat(TEXT);
        }
        let drafts = (at..at + each).map(|at| fresh.draft(at));
        hub.replica()
            .record_all(drafts.collect::<Done<_>>()?)
            .await?;
        // Those who send have their turn, so that one event is one frame.
        tokio::task::yield_now().await;
    }
    tokio::task::spawn_blocking(until_told_to_end).await?;
    Ok(())
}

/// Connects so many readers, says so, and when each has got the last event says how many seconds
/// it took since the first frame.
pub(super) fn readers(address: &str, who: &str, readers: usize) -> Done<()> {
    runtime(0)?.block_on(async {
        let mut all = Vec::new();
        for number in 0..readers {
            all.push(if who == "bare" {
                bare_reader(address).await?
            } else {
                replica_reader(address, number as u64).await?
            });
        }
        say("ready");
        let ends = try_join_all(all.iter_mut().map(|reader| reader.until_last())).await?;
        let first = ends.iter().map(|(first, _)| *first).min();
        let last = ends.iter().map(|(_, last)| *last).max();
        let (first, last) = first.zip(last).ok_or("there is no reader")?;
        say(&format!("{}", (last - first).as_secs_f64()));
        tokio::task::spawn_blocking(until_told_to_end).await?;
        Ok(())
    })
}

/// One end that counts.
trait Reader {
    /// The next frame.
    fn next(&mut self) -> LocalBoxFuture<'_, Done<Bytes>>;
    /// Lets the sender go on.
    fn credit(&mut self, bytes: u64) -> LocalBoxFuture<'_, Done<()>>;
}

impl dyn Reader {
    /// When the first frame came, and when the last event.
    async fn until_last(&mut self) -> Done<(Instant, Instant)> {
        let (mut first, mut owed) = (None, 0);
        loop {
            let frame = self.next().await?;
            let first = *first.get_or_insert_with(Instant::now);
            owed += frame.len() as u64;
            if memchr::memmem::find(&frame, LAST.as_bytes()).is_some() {
                return Ok((first, Instant::now()));
            }
            if owed >= CREDIT {
                self.credit(std::mem::take(&mut owed)).await?;
            }
        }
    }
}

struct Bare(WebSocketStream<MaybeTlsStream<TcpStream>>);

async fn bare_reader(address: &str) -> Done<Box<dyn Reader>> {
    let (socket, _) = connect_async(address).await?;
    Ok(Box::new(Bare(socket)))
}

impl Reader for Bare {
    fn next(&mut self) -> LocalBoxFuture<'_, Done<Bytes>> {
        async {
            let message = self.0.next().await.ok_or("the server has gone")??;
            Ok(message.into_data())
        }
        .boxed_local()
    }

    fn credit(&mut self, _: u64) -> LocalBoxFuture<'_, Done<()>> {
        async { Ok(()) }.boxed_local()
    }
}

struct Replicated {
    sender: Box<dyn LinkSender>,
    receiver: Box<dyn LinkReceiver>,
}

/// Connections that one reader makes: taking over a hub's log ends the first.
const TRIES: usize = 3;

async fn replica_reader(address: &str, number: u64) -> Done<Box<dyn Reader>> {
    let mut greeter = Greeter::new(number)?;
    let mut failure = None;
    for _ in 0..TRIES {
        let link = WebSocketTransport::new().dial(address).await?;
        let mut reader = Replicated {
            sender: link.sender,
            receiver: link.receiver,
        };
        match reader.greet(&mut greeter).await {
            Ok(()) => return Ok(Box::new(reader)),
            Err(error) => failure = Some(error),
        }
        greeter.lost();
    }
    Err(failure.unwrap_or_else(|| "a reader was not let in".into()))
}

impl Replicated {
    async fn greet(&mut self, greeter: &mut Greeter) -> Done<()> {
        let mut said = greeter.open();
        while !greeter.is_done() {
            if !said.is_empty() {
                self.sender.send(said).await?;
            }
            said = greeter.hear(self.next().await?);
        }
        Ok(self.sender.send(said).await?)
    }
}

impl Reader for Replicated {
    fn next(&mut self) -> LocalBoxFuture<'_, Done<Bytes>> {
        async {
            match self.receiver.receive().await {
                Incoming::Frame(frame) => Ok(frame),
                Incoming::Closed { reason, .. } => Err(format!("the hub closed: {reason}").into()),
            }
        }
        .boxed_local()
    }

    fn credit(&mut self, bytes: u64) -> LocalBoxFuture<'_, Done<()>> {
        async move { Ok(self.sender.send(vec![credit(bytes)?]).await?) }.boxed_local()
    }
}
