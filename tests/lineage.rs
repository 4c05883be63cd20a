//! Logs that were founded apart become one when they first meet, however many meet at once.
#![cfg(feature = "replica")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use anabranch::engine::Failure;
use anabranch::replica::Replica;
use anabranch::resolver::{LastWriteWins, Registry};
use anabranch::store::MemoryStore;
use anabranch::transport::in_process::InProcess;
use anabranch::transport::{Incoming, Link, LinkReceiver};
use anabranch::{Draft, SyncReport};
use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt, join_all};
use tokio::sync::Barrier;

/// Holds back what comes in until as many connections have opened as the barrier counts.
struct Held {
    inner: Box<dyn LinkReceiver>,
    barrier: Option<Arc<Barrier>>,
}

impl LinkReceiver for Held {
    fn receive(&mut self) -> BoxFuture<'_, Incoming> {
        async move {
            if let Some(barrier) = &self.barrier {
                barrier.wait().await;
                self.barrier = None;
            }
            self.inner.receive().await
        }
        .boxed()
    }
}

async fn replica(network: &InProcess) -> Replica {
    let registry = Registry::new().with("note", LastWriteWins).unwrap();
    let builder = Replica::builder(MemoryStore::new()).registry(registry);
    builder.transport(network.clone()).open().await.unwrap()
}

async fn sync(replica: &Replica, number: usize) -> SyncReport {
    let name = format!("note/{number}");
    replica
        .record(Draft::new(name.as_str(), "written", "text").unwrap())
        .await
        .unwrap();
    replica.sync("mem://hub").await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn replicas_that_first_meet_a_hub_at_the_same_moment_share_its_log() {
    for _ in 0..20 {
        let network = InProcess::new();
        let hub = replica(&network).await;
        let mut listener = network.listen("hub").unwrap();
        let serving = hub.clone();
        tokio::spawn(async move {
            let barrier = Arc::new(Barrier::new(3));
            for number in 0.. {
                let Link {
                    sender,
                    receiver,
                    peer,
                } = listener.accept().await;
                let barrier = (number < 3).then(|| barrier.clone());
                let receiver = Box::new(Held {
                    inner: receiver,
                    barrier,
                });
                let hub = serving.clone();
                tokio::spawn(async move {
                    hub.accept(Link {
                        sender,
                        receiver,
                        peer,
                    })
                    .await
                });
            }
        });
        let replicas = [
            replica(&network).await,
            replica(&network).await,
            replica(&network).await,
        ];
        join_all(
            replicas
                .iter()
                .enumerate()
                .map(|(number, replica)| sync(replica, number)),
        )
        .await;
        assert_eq!(hub.status().events, 3);
        for replica in &replicas {
            assert_eq!(replica.status().lineage, hub.status().lineage);
            replica.sync("mem://hub").await.unwrap();
            assert_eq!(replica.status().events, 3);
        }
    }
}

#[tokio::test]
async fn an_empty_log_joins_that_of_the_commits_it_is_given_and_one_with_events_refuses_others() {
    let network = InProcess::new();
    let ours = replica(&network).await;
    let draft = Draft::new("note/1", "written", "text").unwrap();
    ours.record(draft.clone()).await.unwrap();
    let status = ours.status();
    let copy = replica(&network).await;
    copy.join(status.lineage, status.lineage_shared)
        .await
        .unwrap();
    let commits: Vec<_> = ours.commits().map(Result::unwrap).collect().await;
    assert_eq!(copy.ingest(commits.clone()).await.unwrap().accepted, 1);
    assert_eq!(copy.status().lineage, status.lineage);
    assert!(!copy.status().lineage_shared, "both can still join a hub");
    let again: Vec<_> = copy.commits().map(Result::unwrap).collect().await;
    assert_eq!(again, commits);

    let other = replica(&network).await;
    other.record(draft).await.unwrap();
    let refused = other.join(status.lineage, true).await.unwrap_err();
    let theirs = status.lineage;
    let ours = other.status().lineage;
    assert_eq!(refused, Failure::OtherLineage { ours, theirs });
    copy.join(status.lineage, true).await.unwrap();
    assert!(copy.status().lineage_shared);
    assert_eq!(other.status().lineage, ours, "a refusal changes nothing");
}
