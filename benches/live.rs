//! What a write costs until somebody else reads it: writer and reader on disk, a hub in a process of its own,
//! WebSockets over loopback; beside a bare fsync and a bare WebSocket round trip of the same run.
//!
//! `cargo bench --features hub --bench live` prints medians and the 99th percentile; `-- --json` one object;
//! `-- --awake` keeps both cores from falling asleep, which shows what is left without their waking.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a benchmark fails by panicking, and reads the clock"
)]

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anabranch::event::Draft;
use anabranch::replica::Connection;
use anabranch::{Filter, Hub, LastWriteWins, Registry, Replica};
use futures::{SinkExt, StreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::Message;

/// Writes that are timed, and as many before them that are not.
const ROUNDS: usize = 400;
const WARM: usize = 50;
/// Between two writes, so that every core has fallen asleep by then.
const PAUSE: Duration = Duration::from_millis(3);
/// Bytes of a value.
const VALUE: usize = 100;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if let Some(at) = arguments.iter().position(|argument| argument == "--serve") {
        return serve(Path::new(&arguments[at + 1])).await;
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut other = Other::start(&folder.path().join("hub"));
    let awake: Vec<Kept> = (0..2)
        .filter(|_| has("--awake"))
        .map(|_| Kept::start())
        .collect();
    let rounds = rounds(folder.path(), &other).await;
    drop(awake);
    other.child.kill().unwrap();
    other.child.wait().unwrap();
    print(&rounds, has("--json"), has("--awake"));
}

/// What one round took.
#[derive(Clone, Copy)]
struct Round {
    fsync: Duration,
    trip: Duration,
    durable: Duration,
    seen: Duration,
}

fn print(rounds: &[Round], json: bool, awake: bool) {
    let of = |pick: fn(&Round) -> Duration| percentiles(rounds.iter().map(pick).collect());
    let rows = [
        ("bare fsync of as many bytes", of(|round| round.fsync)),
        ("bare WebSocket round trip", of(|round| round.trip)),
        ("record, until it is durable", of(|round| round.durable)),
        (
            "record, until the reader has the state",
            of(|round| round.seen),
        ),
        (
            "  of which after it was durable",
            of(|round| round.seen.saturating_sub(round.durable)),
        ),
    ];
    let [fsync, trip, durable, seen, after] = rows.map(|(_, [p50, _])| p50.as_secs_f64());
    let (trips, trips_after) = ((seen - fsync) / trip, after / trip);
    if json {
        let row = |(what, [p50, p99]): (&str, [Duration; 2])| serde_json::json!({"what": what.trim(), "p50_ns": p50.as_nanos(), "p99_ns": p99.as_nanos()});
        let rows = rows.map(row);
        println!(
            "{}",
            serde_json::json!({
                "awake": awake, "rows": rows, "round_trips_over_fsync": trips,
                "round_trips_after_durable": trips_after, "durable_over_fsync": durable / fsync,
            })
        );
        return;
    }
    println!(
        "cores {}",
        if awake {
            "kept awake"
        } else {
            "idle between writes"
        }
    );
    println!("{:<42} {:>12} {:>12}", "", "p50", "p99");
    for (what, [p50, p99]) in rows {
        println!(
            "{what:<42} {:>9} us {:>9} us",
            p50.as_micros(),
            p99.as_micros()
        );
    }
    println!(
        "the reader has it after one fsync and {trips:.2} bare round trips, {trips_after:.2} of them after it was durable"
    );
}

fn percentiles(mut times: Vec<Duration>) -> [Duration; 2] {
    times.sort_unstable();
    [times[times.len() / 2], times[times.len() * 99 / 100]]
}

/// A file whose room is taken beforehand, as a journal's is: nothing but the data has to reach the disk.
fn bare_file(path: &Path) -> File {
    let mut file = File::create(path).unwrap();
    file.write_all(&vec![0; (ROUNDS + WARM) * VALUE]).unwrap();
    file.sync_all().unwrap();
    file.rewind().unwrap();
    file
}

/// Writer and reader, both connected to the hub.
struct Pair {
    writer: Replica,
    reader: Replica,
    links: [Connection; 2],
    seen: UnboundedReceiver<(Instant, String)>,
}

impl Pair {
    async fn open(folder: &Path, hub: &str) -> Self {
        let rules = Registry::new().with_default(LastWriteWins);
        let open = |name: &str| Replica::open_fjall(folder.join(name), rules.clone());
        let (writer, reader) = (open("writer").await.unwrap(), open("reader").await.unwrap());
        let mut links = [writer.connect(hub).unwrap(), reader.connect(hub).unwrap()];
        for link in &mut links {
            link.caught_up().await;
        }
        let (told, seen) = unbounded_channel();
        let (watching, mut watch) = (reader.clone(), reader.watch(Filter::all()));
        tokio::spawn(async move {
            while let Some(change) = watch.next().await {
                let state: Option<String> = watching.state(&change.aggregate).await.unwrap();
                if told.send((Instant::now(), state.unwrap())).is_err() {
                    return;
                }
            }
        });
        Self {
            writer,
            reader,
            links,
            seen,
        }
    }

    /// Until the write was durable, and until the reader had the state.
    async fn write(&mut self, round: usize) -> [Duration; 2] {
        let value = format!("{round:0VALUE$}");
        let draft = Draft::new(format!("key/{}", round % 10), "set", &value).unwrap();
        let (recording, began) = (self.writer.clone(), Instant::now());
        // As in an application: a task of the runtime writes.
        let recorded = tokio::spawn(async move {
            recording.record(draft).await.unwrap();
            Instant::now()
        });
        let seen = loop {
            let (at, state) = self.seen.recv().await.unwrap();
            if state == value {
                break at;
            }
        };
        [recorded.await.unwrap() - began, seen - began]
    }

    async fn close(self) {
        for link in self.links {
            link.close().await;
        }
        self.writer.close().await.unwrap();
        self.reader.close().await.unwrap();
    }
}

/// The four are timed in turn, so that whatever else the machine does touches all of them.
async fn rounds(folder: &Path, other: &Other) -> Vec<Round> {
    let mut file = bare_file(&folder.join("bare"));
    let echo = connect_async_with_config(&other.echo, None, true).await;
    let (mut socket, _) = echo.unwrap();
    let mut pair = Pair::open(folder, &other.hub).await;
    let mut rounds = Vec::new();
    for round in 0..ROUNDS + WARM {
        tokio::time::sleep(PAUSE).await;
        let began = Instant::now();
        file.write_all(&[7; VALUE]).unwrap();
        file.sync_data().unwrap();
        let fsync = began.elapsed();

        tokio::time::sleep(PAUSE).await;
        let began = Instant::now();
        socket.send(Message::binary(vec![7; VALUE])).await.unwrap();
        socket.next().await.unwrap().unwrap();
        let trip = began.elapsed();

        tokio::time::sleep(PAUSE).await;
        let [durable, seen] = pair.write(round).await;
        if round >= WARM {
            rounds.push(Round {
                fsync,
                trip,
                durable,
                seen,
            });
        }
    }
    pair.close().await;
    rounds
}

/// A process of its own, with a hub and an echo.
struct Other {
    child: Child,
    hub: String,
    echo: String,
}

impl Other {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command
            .arg("--serve")
            .arg(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = || format!("ws://{}", lines.next().unwrap().unwrap());
        Self {
            hub: line(),
            echo: line(),
            child,
        }
    }
}

async fn serve(folder: &Path) {
    let replica = Replica::open_fjall(folder, Registry::new()).await.unwrap();
    let hub = Hub::builder(replica)
        .bind("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let echo = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}\n{}", hub.local_addr(), echo.local_addr().unwrap());
    loop {
        let (stream, _) = echo.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        tokio::spawn(async move {
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            while let Some(Ok(message)) = socket.next().await {
                if socket.send(message).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// A process that keeps a core busy and gives way to any other.
struct Kept(Child);

impl Kept {
    fn start() -> Self {
        let busy = ["-n", "19", "sh", "-c", "while :; do :; done"];
        Self(Command::new("nice").args(busy).spawn().unwrap())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
