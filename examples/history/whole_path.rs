//! The history through the whole path: three replicas and a hub on disk, over real WebSockets.
//!
//! The authors' lanes are dealt out among the replicas; each starts with what its own lanes wrote,
//! most of which waits for what the others wrote, and gets the rest from the hub.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;
use std::time::Instant;

use anabranch::event::{AggregateId, Commit, ReplicaId};
use anabranch::hub::Hub;
use anabranch::replica::{Connection, Replica};
use anabranch::resolver::{FieldMerge, Fields, Registry};
use anabranch::{Filter, FjallStore};
use futures::StreamExt;

use crate::data::History;
use crate::in_memory::push_lines;
use crate::{progress, progress_ends};

/// Replicas that the lanes are dealt out among.
const REPLICAS: usize = 3;
/// Commits handed over at a time.
const INGEST: usize = 256;
/// Names asked for at a time.
const NAMES: usize = 1_000;

/// Checks everything and prints what it found.
#[expect(
    clippy::disallowed_methods,
    reason = "an example that measures reads the clock"
)]
pub(crate) fn run(history: &History, expected: &str) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let folder = tempfile::tempdir()?;
    let start = Instant::now();
    let events = history.told.events().count();
    println!("\nThe whole path: {REPLICAS} replicas and a hub on fjall, over WebSockets\n");
    runtime.block_on(async {
        let whole = Whole::open(folder.path()).await?;
        let lanes = whole.start(history).await?;
        let started = start.elapsed().as_secs_f64();
        whole.table("before", &lanes).await?;
        let connections = whole.exchange(u64::try_from(events)?).await?;
        let exchanged = start.elapsed().as_secs_f64();
        whole.table("after", &lanes).await?;
        whole.sockets();
        whole.check(expected).await?;
        let checked = start.elapsed().as_secs_f64();
        println!(
            "\n  {checked:.2} s = {started:.2} to store the lanes + {:.2} to exchange + {:.2} to read \
             and compare all states, {:.0} events/s",
            exchanged - started,
            checked - exchanged,
            f64::from(u32::try_from(events)?) / checked
        );
        println!("  the state of all {REPLICAS} replicas is the known one; the hub holds every event");
        whole.close(connections).await
    })
}

struct Whole {
    replicas: Vec<Replica>,
    hub: Hub,
}

impl Whole {
    async fn open(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let store = FjallStore::open(folder.join("hub"))?;
        let hub = Replica::builder(store).open().await?;
        let hub = Hub::builder(hub).bind("127.0.0.1:0").start().await?;
        let mut replicas = Vec::new();
        for number in 1..=REPLICAS {
            let registry = Registry::new().with_default(FieldMerge);
            let path = folder.join(format!("replica {number}"));
            replicas.push(Replica::open_fjall(path, registry).await?);
        }
        Ok(Self { replicas, hub })
    }

    /// Hands each replica what its own lanes wrote; how many lanes each has.
    async fn start(&self, history: &History) -> Result<Vec<usize>, Box<dyn Error>> {
        let writers: BTreeSet<ReplicaId> =
            history.told.commits.iter().map(Commit::replica).collect();
        let dealt: BTreeMap<ReplicaId, usize> = writers
            .iter()
            .enumerate()
            .map(|(n, lane)| (*lane, n % REPLICAS))
            .collect();
        let mut lanes = Vec::new();
        for (number, replica) in self.replicas.iter().enumerate() {
            let own = history
                .told
                .commits
                .iter()
                .filter(|commit| dealt.get(&commit.replica()) == Some(&number));
            let own: Vec<Commit> = own.cloned().collect();
            for commits in own.chunks(INGEST) {
                replica.ingest(commits.to_vec()).await?;
            }
            lanes.push(dealt.values().filter(|to| **to == number).count());
        }
        Ok(lanes)
    }

    /// Connects everybody and waits until each has every event ready.
    async fn exchange(&self, events: u64) -> Result<Vec<Connection>, Box<dyn Error>> {
        let address = format!("ws://{}/sync", self.hub.local_addr());
        let mut connections = Vec::new();
        for replica in &self.replicas {
            connections.push(replica.connect(&address)?);
        }
        let everybody = self.replicas.iter().chain([self.hub.replica()]);
        let arrivals = everybody.map(|replica| async move {
            let mut tail = replica.tail(Filter::all(), None)?;
            for arrived in 1..=events {
                tail.next().await.ok_or("a replica was closed")??;
                if arrived % 1_000 == 0 || arrived == events {
                    progress(&format!("{arrived:6} of {events} events ready"));
                }
            }
            Ok::<(), Box<dyn Error>>(())
        });
        futures::future::try_join_all(arrivals).await?;
        progress_ends();
        for connection in &mut connections {
            connection.caught_up().await;
        }
        Ok(connections)
    }

    async fn table(&self, when: &str, lanes: &[usize]) -> Result<(), Box<dyn Error>> {
        println!(
            "  {when:12} {:>6} {:>9} {:>16} {:>8}",
            "lanes", "events", "commits waiting", "records"
        );
        for (number, (replica, lanes)) in self.replicas.iter().zip(lanes).enumerate() {
            let lanes = lanes.to_string();
            self.row(&format!("replica {}", number + 1), &lanes, replica)
                .await?;
        }
        self.row("hub", "-", self.hub.replica()).await
    }

    async fn row(&self, name: &str, lanes: &str, replica: &Replica) -> Result<(), Box<dyn Error>> {
        let status = replica.status();
        let records = names(replica).await?.len();
        println!(
            "  {name:12} {lanes:>6} {:>9} {:>16} {records:>8}",
            status.events, status.waiting
        );
        Ok(())
    }

    fn sockets(&self) {
        println!(
            "\n  socket       {:>14} {:>14} {:>11}",
            "bytes to hub", "bytes from hub", "duplicates"
        );
        for (number, replica) in self.replicas.iter().enumerate() {
            for link in replica.status().links {
                println!(
                    "  replica {:<4} {:>14} {:>14} {:>11}",
                    number + 1,
                    link.session.sent.bytes,
                    link.session.received.bytes,
                    link.duplicates
                );
            }
        }
    }

    async fn check(&self, expected: &str) -> Result<(), Box<dyn Error>> {
        for (number, replica) in self.replicas.iter().enumerate() {
            let mut lines = Vec::new();
            for name in names(replica).await? {
                let read = replica.read::<FieldMerge, _>(&name, |fields: &Fields| {
                    push_lines(&name, fields, &mut lines)
                });
                read.await?.ok_or("a record without events")??;
            }
            lines.sort_unstable();
            if lines.concat() != expected {
                return Err(format!("replica {}: the state differs", number + 1).into());
            }
            if replica.status().vector != self.hub.replica().status().vector {
                return Err(format!("replica {}: the hub holds other events", number + 1).into());
            }
        }
        Ok(())
    }

    async fn close(self, connections: Vec<Connection>) -> Result<(), Box<dyn Error>> {
        for connection in connections {
            connection.close().await;
        }
        for replica in self.replicas {
            replica.close().await?;
        }
        Ok(self.hub.stop().await?)
    }
}

/// Names of all records of a replica.
async fn names(replica: &Replica) -> Result<Vec<AggregateId>, Box<dyn Error>> {
    let mut names: Vec<AggregateId> = Vec::new();
    loop {
        let page = replica.aggregates("", names.last().cloned(), NAMES).await?;
        if page.is_empty() {
            return Ok(names);
        }
        names.extend(page);
    }
}
