//! W8: as much as goes from one writer through a hub to one reader.

use std::path::Path;
use std::time::Instant;

use anabranch::transport::websocket::WebSocketTransport;
use anabranch::{MemoryStore, Replica};
use futures::future::try_join_all;
use futures::{SinkExt, StreamExt};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use super::Bench;
use crate::Done;
use crate::child::{Fresh, Process, registry, runtime};
use crate::contest::{Contestant, Run, contest};
use crate::table::{Role, Row, count};

/// Bytes of text in an event.
const TEXT: usize = 150;
/// Writes that wait at a time, and messages of one bare frame.
const TOGETHER: usize = 512;
const FRAME: usize = 64;

pub(crate) fn run(bench: &mut Bench<'_>) -> Done<()> {
    let events = bench.pick(204_800, 20_480, 1_024);
    let count = count(events);
    let title = format!("{count} events from one writer through a hub to one reader");
    let row = Row::new("W8", title, "events/s").more_is_better();
    let mut row = row.aims(250_000.0, Some(1_000_000.0));
    let folder = bench.stores.folder()?.to_owned();
    let keeps = "every event a commit, fsynced on the hub, merged and read at the reader";
    let contestants = vec![
        Contestant::new("anabranch", Role::Ours, keeps, |_| ours(&folder, events)),
        Contestant::new(
            "bare relay",
            Role::Limit,
            "tungstenite, 64 in a frame, nothing kept",
            |_| bare(events * 20),
        ),
    ];
    let rounds = bench.rounds(15);
    contest(&mut [&mut row], rounds, contestants, &bench.progress)?;
    bench.rows.push(row);
    Ok(())
}

fn ours(folder: &Path, events: usize) -> Done<Run> {
    let folder = tempfile::tempdir_in(folder)?;
    let path = folder.path().join("hub");
    let mut hub = Process::start(&["hub", "2", path.to_str().ok_or("no text")?])?;
    let address = hub.line()?;
    let mut reader = Process::start(&["reader", &address, &events.to_string()])?;
    reader.line()?;
    let runtime = runtime(1)?;
    let began = Instant::now();
    let writing = runtime.block_on(write(&address, events))?;
    reader.line()?;
    let seconds = began.elapsed().as_secs_f64();
    runtime.block_on(writing.close())?;
    reader.end()?;
    hub.end()?;
    Ok(Run::of(events as f64 / seconds))
}

/// A writer that has written everything, which may be on its way still.
async fn write(address: &str, events: usize) -> Done<Replica> {
    let builder = Replica::builder(MemoryStore::new()).registry(registry());
    let replica = builder.transport(WebSocketTransport::new()).open().await?;
    replica.sync(address).await?;
    let connection = replica.connect(address)?;
    let fresh = Fresh::new(TEXT);
    for first in (0..events).step_by(TOGETHER) {
        let drafts = (first..events.min(first + TOGETHER)).map(|at| fresh.draft(at));
        let drafts = drafts.collect::<Done<Vec<_>>>()?;
        let writes = drafts.into_iter().map(|draft| replica.record(draft));
        try_join_all(writes).await?;
    }
    // It goes on being connected until the replica is closed.
    std::mem::forget(connection);
    Ok(replica)
}

fn bare(events: usize) -> Done<Run> {
    let mut relay = Process::start(&["relay"])?;
    let address = relay.line()?;
    let frames = events / FRAME;
    let message = Message::binary(vec![7_u8; (TEXT + 60) * FRAME]);
    let seconds = runtime(1)?.block_on(async {
        let (mut reader, _) = connect_async(&address).await?;
        let (mut writer, _) = connect_async(&address).await?;
        let began = Instant::now();
        let writing = tokio::spawn(async move {
            for _ in 0..frames {
                if writer.send(message.clone()).await.is_err() {
                    break;
                }
            }
            writer
        });
        for _ in 0..frames {
            reader.next().await.ok_or("the relay has gone")??;
        }
        let seconds = began.elapsed().as_secs_f64();
        drop(writing.await?);
        Done::Ok(seconds)
    })?;
    Ok(Run::of(events as f64 / seconds))
}
