//! A history through the whole path: three replicas and a hub on disk, over WebSockets.
//!
//! Each replica starts with what a third of the authors wrote, most of which waits for what others
//! wrote, and gets the rest from the hub. Nobody is done before every event is ready everywhere, fsynced,
//! and folded.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anabranch::event::{AggregateId, Commit, ReplicaId};
use anabranch::hub::Hub;
use anabranch::replica::{Connection, Replica};
use anabranch::{Filter, FjallStore};
use futures::StreamExt;

use super::Rule;
use crate::Done;
use crate::child::runtime;

const REPLICAS: usize = 3;
/// Commits handed over at a time.
const INGEST: usize = 256;
/// Names asked for at a time.
const NAMES: usize = 1_000;

/// How long it takes, and what stands for the states, which are the same on all replicas.
pub(crate) fn whole(commits: &[&Commit], folder: &Path) -> Done<(Duration, u64)> {
    runtime(2)?.block_on(async {
        let began = Instant::now();
        let (replicas, hub) = open(folder).await?;
        deal(&replicas, commits).await?;
        let events = commits.iter().map(|commit| commit.events().len()).sum();
        let connections = exchange(&replicas, &hub, events).await?;
        let mut states = Vec::new();
        for replica in &replicas {
            states.push(state(replica).await?);
        }
        let took = began.elapsed();
        for connection in connections {
            connection.close().await;
        }
        for replica in replicas {
            replica.close().await?;
        }
        hub.stop().await?;
        states.dedup();
        match states.as_slice() {
            [state] => Ok((took, *state)),
            _ => Err("replicas differ in state".into()),
        }
    })
}

async fn open(folder: &Path) -> Done<(Vec<Replica>, Hub)> {
    let store = FjallStore::open(folder.join("hub"))?;
    let hub = Replica::builder(store).open().await?;
    let hub = Hub::builder(hub).bind("127.0.0.1:0").start().await?;
    let mut replicas = Vec::new();
    for number in 0..REPLICAS {
        let path = folder.join(format!("replica-{number}"));
        replicas.push(Replica::open_fjall(path, Rule::Fields.registry()).await?);
    }
    Ok((replicas, hub))
}

/// Hands each replica what its authors wrote.
async fn deal(replicas: &[Replica], commits: &[&Commit]) -> Done<()> {
    let mut dealt: BTreeMap<ReplicaId, usize> = BTreeMap::new();
    let mut lanes: Vec<Vec<Commit>> = vec![Vec::new(); replicas.len()];
    for commit in commits {
        let next = dealt.len() % replicas.len();
        let to = *dealt.entry(commit.replica()).or_insert(next);
        lanes[to].push((*commit).clone());
    }
    for (replica, lane) in replicas.iter().zip(lanes) {
        for commits in lane.chunks(INGEST) {
            replica.ingest(commits.to_vec()).await?;
        }
    }
    Ok(())
}

/// Connects everybody and waits until each has every event.
async fn exchange(replicas: &[Replica], hub: &Hub, events: usize) -> Done<Vec<Connection>> {
    let address = format!("ws://{}/sync", hub.local_addr());
    let mut connections = Vec::new();
    for replica in replicas {
        connections.push(replica.connect(&address)?);
    }
    for replica in replicas.iter().chain([hub.replica()]) {
        let mut tail = replica.tail(Filter::all(), None)?.take(events);
        while let Some(told) = tail.next().await {
            told?;
        }
    }
    for connection in &mut connections {
        connection.caught_up().await;
    }
    Ok(connections)
}

/// Stands for all states of a replica.
async fn state(replica: &Replica) -> Done<u64> {
    let (mut sum, mut after): (u64, Option<AggregateId>) = (0, None);
    loop {
        let page = replica.aggregates("", after, NAMES).await?;
        for name in &page {
            let digest = replica.digest(name.clone()).await?.ok_or("no digest")?;
            sum = sum.wrapping_add(super::bulk::mixed(name, digest.to_bytes()));
        }
        after = page.last().cloned();
        if after.is_none() {
            return Ok(sum);
        }
    }
}
