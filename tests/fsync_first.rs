//! What leaves a replica, and what it calls durable, was fsynced before.
#![cfg(feature = "replica")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use anabranch::event::{AggregateId, EventId};
use anabranch::log::{
    Epoch, Group, History, HistoryFrom, IdRange, Known, Opening, Page, ReadLimit,
};
use anabranch::store::{EventStore, MemoryStore, StoreError};
use anabranch::transport::in_process::InProcess;
use anabranch::{Draft, Durability, LastWriteWins, Registry, Replica};
use futures::future::{BoxFuture, FutureExt};
use tokio::sync::watch;

fn rules() -> Registry {
    Registry::new().with_default(LastWriteWins)
}

fn note(text: &str) -> Draft {
    Draft::new("note/1", "written", text).unwrap()
}

/// A store in memory whose fsyncs take until somebody allows them.
struct Slow {
    inner: MemoryStore,
    allowed: watch::Receiver<bool>,
}

impl EventStore for Slow {
    fn begin(&self, epoch: Epoch) -> BoxFuture<'_, Result<Opening, StoreError>> {
        self.inner.begin(epoch)
    }

    fn append(&self, group: Group) -> BoxFuture<'_, Result<u64, StoreError>> {
        async move {
            if group.durability == Durability::Durable {
                self.allowed
                    .clone()
                    .wait_for(|allowed| *allowed)
                    .await
                    .unwrap();
            }
            self.inner.append(group).await
        }
        .boxed()
    }

    fn since(&self, position: u64, limit: ReadLimit) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.inner.since(position, limit)
    }

    fn at(&self, positions: Vec<u64>, limit: ReadLimit) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.inner.at(positions, limit)
    }

    fn locate(&self, ranges: Vec<IdRange>) -> BoxFuture<'_, Result<Vec<u64>, StoreError>> {
        self.inner.locate(ranges)
    }

    fn known(&self, ids: Vec<EventId>) -> BoxFuture<'_, Result<Vec<Option<Known>>, StoreError>> {
        self.inner.known(ids)
    }

    fn history(
        &self,
        aggregate: AggregateId,
        from: HistoryFrom,
    ) -> BoxFuture<'_, Result<History, StoreError>> {
        self.inner.history(aggregate, from)
    }

    fn aggregates(
        &self,
        prefix: String,
        after: Option<AggregateId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<AggregateId>, StoreError>> {
        self.inner.aggregates(prefix, after, limit)
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.flush()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.close()
    }
}

/// Lets every task do what it can.
async fn settle() {
    for _ in 0..500 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_that_a_replica_wrote_leaves_it_before_it_is_fsynced() {
    let network = InProcess::new();
    let hub = Replica::in_memory(rules()).await.unwrap();
    let mut listener = network.listen("hub").unwrap();
    let serving = hub.clone();
    tokio::spawn(async move { serving.accept(listener.accept().await).await });
    let (allow, allowed) = watch::channel(true);
    let store = Slow {
        inner: MemoryStore::new(),
        allowed,
    };
    let builder = Replica::builder(store).registry(rules());
    let writer = builder.transport(network).open().await.unwrap();
    let mut connection = writer.connect("mem://hub").unwrap();
    connection.caught_up().await;
    settle().await;

    allow.send_replace(false);
    writer
        .record_with(note("buffered"), Durability::Buffered)
        .await
        .unwrap();
    let durable = writer.clone();
    let durable = tokio::spawn(async move { durable.record(note("durable")).await });
    settle().await;
    assert_eq!(writer.status().events, 2);
    assert_eq!(
        hub.status().events,
        0,
        "an event was sent before it was fsynced"
    );
    assert!(
        !durable.is_finished(),
        "an event was called durable before it was"
    );
    allow.send_replace(true);
    durable.await.unwrap().unwrap();
    settle().await;
    assert_eq!(hub.status().events, 2);
}
