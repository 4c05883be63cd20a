//! Rules that break their laws are found out while they are at work, named, and healed where a replay
//! can; rules that keep them are never accused.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod costs;
mod engines;
mod found;
mod rules;
mod shown;
mod spared;
mod star;
mod timelines;
mod told;

use anabranch::clock::Now;
use anabranch::engine::{Divergence, Health};
use anabranch::event::{Digest, Draft};
use anabranch::replica::Replica;
use anabranch::replica::environment::{Environment, OperatingSystem};
use anabranch::resolver::{Registry, Resolver};
use anabranch::store::MemoryStore;
use serde::Serialize;

/// An environment whose wall clock is ahead.
struct Ahead(OperatingSystem, u64);

impl Environment for Ahead {
    fn now(&self) -> Now {
        let now = self.0.now();
        let wall_ms = now.wall_ms + self.1;
        Now { wall_ms, ..now }
    }

    fn entropy(&self) -> u64 {
        self.0.entropy()
    }
}

/// A replica whose clock is so many seconds ahead, with one rule for everything.
pub(crate) async fn open(store: &MemoryStore, rule: impl Resolver, seconds: u64) -> Replica {
    Replica::builder(store.clone())
        .registry(Registry::new().with_default(rule))
        .environment(Ahead(OperatingSystem::new(), seconds * 1_000))
        .open()
        .await
        .unwrap()
}

pub(crate) async fn replica(rule: impl Resolver, seconds: u64) -> Replica {
    open(&MemoryStore::new(), rule, seconds).await
}

pub(crate) async fn record(replica: &Replica, aggregate: &str, payload: &impl Serialize) {
    let draft = Draft::new(aggregate, "tried", payload).unwrap();
    replica.record(draft).await.unwrap();
}

pub(crate) async fn digest(replica: &Replica, aggregate: &str) -> Digest {
    replica.digest(aggregate).await.unwrap().unwrap()
}

pub(crate) fn only(health: &Health) -> &Divergence {
    let [found] = &health.divergences[..] else {
        panic!("{:?}", health.divergences);
    };
    found
}
