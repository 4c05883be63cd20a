//! W7: from a writer through a hub to a reader, each a process of its own, over loopback.

use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use anabranch::transport::websocket::WebSocketTransport;
use anabranch::{FjallStore, Replica};
use futures::{SinkExt, StreamExt};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use super::Bench;
use super::append::preallocated;
use crate::Done;
use crate::child::{Fresh, Process, keep_awake, registry, runtime};
use crate::measure::{median, quantile};
use crate::table::{Role, Row};

/// Bytes of text in an event.
const TEXT: usize = 150;
/// Between two events, so that each finds everybody waiting.
const PAUSE: Duration = Duration::from_millis(2);

pub(crate) fn run(bench: &mut Bench<'_>) -> Done<()> {
    for (awake, how) in [(false, "cores idle"), (true, "cores kept awake")] {
        let events = bench.pick(1_000, 250, 20);
        let title = |what: &str| format!("writer, hub, reader over loopback, {how}, {what}");
        let mut middle = Row::new("W7", title("p50"), "us");
        let mut slow = Row::new("W7", title("p99"), "us");
        for round in 0..bench.arguments.rounds.min(3) {
            let spinning = if awake { keep_awake()? } else { Vec::new() };
            bench.progress.step(&format!("round {}, {how}", round + 1));
            let figures = [
                (
                    "anabranch",
                    Role::Ours,
                    "record to the state read; writer and hub fsync",
                    ours(bench, events)?,
                ),
                (
                    "bare round trip",
                    Role::Limit,
                    "tungstenite there and back, nothing kept",
                    bare(events)?,
                ),
                (
                    "fsync",
                    Role::Part,
                    "200 bytes into a preallocated file",
                    fsyncs(bench, events)?,
                ),
            ];
            drop(spinning);
            for (who, role, keeps, figures) in figures {
                middle
                    .cell(who, role, keeps)
                    .add(median(&figures).unwrap_or_default());
                slow.cell(who, role, keeps)
                    .add(quantile(&figures, 0.99).unwrap_or_default());
            }
        }
        // The writer's fsync and one and a half times what the carrier takes.
        let bare = middle.figure(Role::Limit).zip(middle.figure(Role::Part));
        if let Some((trip, fsync)) = bare {
            middle = middle.aims(fsync + 1.5 * trip, Some(fsync + 1.1 * trip));
        }
        bench.rows.extend([middle, slow]);
    }
    Ok(())
}

/// Microseconds from the call of `record` to the state read, event by event.
fn ours(bench: &mut Bench<'_>, events: usize) -> Done<Vec<f64>> {
    let folder = tempfile::tempdir_in(bench.stores.folder()?)?;
    let store = |name: &str| folder.path().join(name);
    let path = store("hub");
    let mut hub = Process::start(&["hub", "2", path.to_str().ok_or("no text")?])?;
    let address = hub.line()?;
    let mut reader = Process::start(&["reader", &address, &events.to_string()])?;
    reader.line()?;
    let runtime = runtime(0)?;
    runtime.block_on(async {
        let builder = Replica::builder(FjallStore::open(store("writer"))?);
        let builder = builder
            .registry(registry())
            .transport(WebSocketTransport::new());
        let replica = builder.open().await?;
        let mut connection = replica.connect(&address)?;
        connection.caught_up().await;
        for at in 0..events {
            tokio::time::sleep(PAUSE).await;
            replica.record(Fresh::new(TEXT).draft(at)?).await?;
        }
        tokio::time::sleep(PAUSE * 10).await;
        connection.close().await;
        replica.close().await?;
        Done::Ok(())
    })?;
    let ages = reader.line()?;
    reader.end()?;
    hub.end()?;
    Ok(ages.split(',').filter_map(|age| age.parse().ok()).collect())
}

/// Microseconds there and back.
fn bare(events: usize) -> Done<Vec<f64>> {
    let mut echo = Process::start(&["echo"])?;
    let address = echo.line()?;
    let trips = runtime(0)?.block_on(async {
        let (mut socket, _) = connect_async(address).await?;
        let message = Message::binary(vec![7_u8; TEXT + 60]);
        let mut trips = Vec::new();
        for _ in 0..events {
            tokio::time::sleep(PAUSE).await;
            let sent = Instant::now();
            socket.send(message.clone()).await?;
            socket.next().await.ok_or("the other end has gone")??;
            trips.push(sent.elapsed().as_secs_f64() * 1e6);
        }
        Done::Ok(trips)
    });
    echo.end()?;
    trips
}

/// Microseconds of a write that is fsynced.
fn fsyncs(bench: &mut Bench<'_>, events: usize) -> Done<Vec<f64>> {
    let path = bench.stores.folder()?.join("fsync");
    let (file, _) = preallocated(&path)?;
    let mut times = Vec::new();
    for at in 0..events {
        std::thread::sleep(PAUSE);
        let began = Instant::now();
        file.write_all_at(&[7; 200], at as u64 * 200)?;
        file.sync_data()?;
        times.push(began.elapsed().as_secs_f64() * 1e6);
    }
    Ok(times)
}
