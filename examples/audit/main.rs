//! Three replicas and a hub that knows no rules, over WebSockets on this machine. One rule reads the
//! order of a hash map; another one says that it touches less than it does. Both are found out while
//! they are at work, and shown by a test to paste; the second is healed as well.
//!
//! `cargo run --features hub --example audit`

mod rules;

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use anabranch::engine::{Divergence, Finding};
use anabranch::store::MemoryStore;
use anabranch::{Draft, Hub, Registry, Replica};

use rules::{Board, board, queue};

/// Longer than anything here takes; what hangs is a failure.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at how somebody is.
const LOOK: Duration = Duration::from_millis(20);

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    tokio::time::timeout(PATIENCE, story()).await?
}

async fn story() -> Outcome<()> {
    // The hub stores and forwards; what two replicas tell it of their states, it holds side by side.
    let store = Replica::builder(MemoryStore::new()).open().await?;
    let hub = Hub::builder(store).bind("127.0.0.1:0").start().await?;
    let address = format!("ws://{}", hub.local_addr());
    let mut replicas = Vec::new();
    for name in ["ann", "bob", "cleo"] {
        let rules = Registry::new()
            .with("board", board())?
            .with("queue", queue())?;
        replicas.push((name, Replica::in_memory(rules).await?));
    }
    by_chance(&replicas, &address).await?;
    too_small(&replicas, &address).await?;
    for (name, replica) in &replicas {
        for rule in replica.health().await.distrusted {
            let (id, off) = (rule.resolver, rule.shortcuts);
            let off = if off.is_empty() {
                String::new()
            } else {
                format!(", and takes no shortcut by its {off} any more")
            };
            println!("{name} distrusts {id}{off}");
        }
        replica.close().await?;
    }
    hub.stop().await?;
    Ok(())
}

/// The first act.
async fn by_chance(replicas: &[(&str, Replica)], address: &str) -> Outcome<()> {
    println!("first act: a rule that lets the order of a hash map show");
    let (_, ann) = replicas.first().ok_or("there is ann")?;
    for name in "Ada Bea Cid Dan Eve Fay Gus Hal Ida Jon Kim Leo".split(' ') {
        ann.record(Draft::new("board/1", "scored", name)?).await?;
    }
    // One round, one after the other.
    for (_, replica) in replicas {
        replica.sync(address).await?;
    }
    let mut shown = false;
    for (name, replica) in replicas {
        let board: Board = replica.state("board/1").await?.unwrap_or_default();
        let first = board.ranks.get(..4).unwrap_or_default();
        println!("  {name} reads {}, ...", first.join(", "));
        let Some(found) = found(replica, "board/1").await else {
            continue;
        };
        if found.finding != Finding::NotDeterministic {
            return Err(format!("{name} has found something else: {found}").into());
        }
        println!("  {name} has found out: {}", found.finding);
        if !std::mem::replace(&mut shown, true) {
            show(&found)?;
        }
    }
    shown.then_some(()).ok_or("one round of syncs is enough")?;
    Ok(())
}

/// The second act.
async fn too_small(replicas: &[(&str, Replica)], address: &str) -> Outcome<()> {
    println!("\nsecond act: a rule whose footprint is too small");
    let came = ["Ada", "Bea", "Cid"];
    for (who, (_, replica)) in came.into_iter().zip(replicas) {
        // Let the clocks go on, so that the order is the one that everybody would tell.
        tokio::time::sleep(LOOK).await;
        replica.record(Draft::new("queue/1", "came", who)?).await?;
    }
    for (name, replica) in replicas {
        println!("  apart, {name} reads {:?}", queue_of(replica).await?);
    }
    let mut online = Vec::new();
    for (_, replica) in replicas {
        let mut connection = replica.connect(address)?;
        connection.caught_up().await;
        online.push(connection);
    }
    let expected = came.into_iter().map(str::to_owned).zip(1..).collect();
    let mut shown = false;
    for (name, replica) in replicas {
        while queue_of(replica).await? != expected {
            tokio::time::sleep(LOOK).await;
        }
        println!("  together, {name} reads {expected:?}");
        let Some(found) = found(replica, "queue/1").await else {
            continue;
        };
        if !matches!(found.finding, Finding::FalseShortcut(_)) || !found.is_healed {
            return Err(format!("{name} has found something else: {found}").into());
        }
        println!("  {name} has found out and healed: {}", found.finding);
        if !std::mem::replace(&mut shown, true) {
            show(&found)?;
        }
    }
    for connection in online {
        connection.close().await;
    }
    let mut digests = Vec::new();
    for (_, replica) in replicas {
        digests.extend(replica.digest("queue/1").await?);
    }
    digests.dedup();
    let ([digest], true) = (&digests[..], shown) else {
        return Err("the false footprint is found, and all have the same queue".into());
    };
    println!("all three have the same queue, digest {digest}\n");
    Ok(())
}

async fn queue_of(replica: &Replica) -> Outcome<BTreeMap<String, usize>> {
    Ok(replica.state("queue/1").await?.unwrap_or_default())
}

/// What a replica has found of one aggregate.
async fn found(replica: &Replica, aggregate: &str) -> Option<Divergence> {
    let health = replica.health().await;
    let mut found = health.divergences.into_iter();
    found.find(|found| found.aggregate.as_str() == aggregate)
}

fn show(found: &Divergence) -> Outcome<()> {
    println!("\n{found}\n");
    let evidence = found.evidence.as_ref().ok_or("it can be shown")?;
    let (events, test) = (evidence.events, &evidence.test);
    println!("The smallest history that shows it, {events} events:\n\n{test}");
    Ok(())
}
