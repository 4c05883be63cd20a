//! Live sync through a hub, on fjall, over real WebSockets: what is written on one side is seen on
//! the other, across stops, restarts and large commits.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anabranch::engine::Filter;
use anabranch::event::{Draft, EventId};
use anabranch::hub::Hub;
use anabranch::replica::{Connection, ConnectionStatus, Replica};
use anabranch::resolver::{FieldEdit, FieldMerge, Registry};
use anabranch::store::FjallStore;
use anabranch::transport::websocket::WebSocketTransport;
use futures::StreamExt;
use serde_json::{Value, json};

/// A bound on every wait: whatever takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("nothing happened for a minute")
}

async fn open(path: &Path) -> Replica {
    let store = FjallStore::open(path).unwrap();
    let registry = Registry::new().with_default(FieldMerge);
    let builder = Replica::builder(store).registry(registry);
    builder
        .transport(WebSocketTransport::new())
        .open()
        .await
        .unwrap()
}

/// A hub without rules: it only stores and forwards.
async fn hub(path: &Path, address: &str) -> Hub {
    let store = FjallStore::open(path).unwrap();
    let replica = Replica::builder(store).open().await.unwrap();
    Hub::builder(replica).bind(address).start().await.unwrap()
}

fn url(address: SocketAddr) -> String {
    format!("ws://{address}/sync")
}

fn edit(aggregate: &str, field: &str, value: &str) -> Draft {
    let edit = FieldEdit::new().set([field], &value).unwrap();
    Draft::new(aggregate, "edited", &edit).unwrap()
}

async fn connect(replica: &Replica, address: SocketAddr) -> Connection {
    let mut connection = replica.connect(&url(address)).unwrap();
    assert_eq!(
        in_time(connection.caught_up()).await,
        ConnectionStatus::Live
    );
    connection
}

/// Waits until an aggregate's state is this, looking whenever a change is told.
async fn becomes(replica: &Replica, aggregate: &str, expected: &Value) {
    let mut watch = replica.watch(Filter::all());
    in_time(async {
        loop {
            if replica.state::<Value>(aggregate).await.unwrap().as_ref() == Some(expected) {
                return;
            }
            watch.next().await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_writes_the_other_watches() {
    let folder = tempfile::tempdir().unwrap();
    let hub = hub(&folder.path().join("hub"), "127.0.0.1:0").await;
    let ann = open(&folder.path().join("ann")).await;
    let bob = open(&folder.path().join("bob")).await;
    let _ann = connect(&ann, hub.local_addr()).await;
    let _bob = connect(&bob, hub.local_addr()).await;
    let mut watch = bob.watch(Filter::under(["note"]).unwrap());
    ann.record(edit("note/1", "text", "hello")).await.unwrap();
    let change = in_time(watch.next()).await.unwrap();
    assert_eq!(change.aggregate.as_str(), "note/1");
    let state: Value = bob.state("note/1").await.unwrap().unwrap();
    assert_eq!(state, json!({"text": "hello"}));
    hub.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_was_away_is_caught_up_with_and_nothing_crosses_twice() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("hub");
    let first = hub(&home, "127.0.0.1:0").await;
    let address = first.local_addr();
    let ann = open(&folder.path().join("ann")).await;
    let bob = open(&folder.path().join("bob")).await;
    let mut ann_link = connect(&ann, address).await;
    let mut bob_link = connect(&bob, address).await;
    ann.record(edit("note/1", "a", "1")).await.unwrap();
    becomes(&bob, "note/1", &json!({"a": "1"})).await;
    first.stop().await.unwrap();
    drop(first);

    ann.record(edit("note/1", "a", "2")).await.unwrap();
    bob.record(edit("note/1", "b", "2")).await.unwrap();
    let again = hub(&home, &address.to_string()).await;
    assert_eq!(in_time(ann_link.caught_up()).await, ConnectionStatus::Live);
    assert_eq!(in_time(bob_link.caught_up()).await, ConnectionStatus::Live);
    let both = json!({"a": "2", "b": "2"});
    becomes(&ann, "note/1", &both).await;
    becomes(&bob, "note/1", &both).await;
    for replica in [&ann, &bob, again.replica()] {
        let status = replica.status();
        assert_eq!(status.events, 3);
        let duplicates: u64 = status.links.iter().map(|link| link.duplicates).sum();
        assert_eq!(
            duplicates, 0,
            "a resume sent what the other side has: {status:?}"
        );
    }
    assert_eq!(
        ann.digest("note/1").await.unwrap(),
        bob.digest("note/1").await.unwrap()
    );
    again.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_larger_than_a_frame_arrives_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let hub = hub(&folder.path().join("hub"), "127.0.0.1:0").await;
    let ann = open(&folder.path().join("ann")).await;
    let bob = open(&folder.path().join("bob")).await;
    let page = "x".repeat(200_000);
    let drafts = (0..25)
        .map(|n| edit(&format!("page/{n}"), "text", &page))
        .collect();
    ann.record_all(drafts).await.unwrap();
    let address = url(hub.local_addr());
    let report = in_time(ann.sync(address.as_str())).await.unwrap();
    assert_eq!(report.pushed, 25, "{report}");
    let report = in_time(bob.sync(address.as_str())).await.unwrap();
    assert_eq!(report.pulled, 25, "{report}");
    for n in 0..25 {
        let name = format!("page/{n}");
        let theirs = bob.digest(name.as_str()).await.unwrap();
        assert!(theirs.is_some());
        assert_eq!(ann.digest(name.as_str()).await.unwrap(), theirs);
    }
    hub.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_from_both_sides_is_tailed_everywhere_once_and_in_order() {
    const BURST: usize = 500;
    let folder = tempfile::tempdir().unwrap();
    let hub = hub(&folder.path().join("hub"), "127.0.0.1:0").await;
    let ann = open(&folder.path().join("ann")).await;
    let bob = open(&folder.path().join("bob")).await;
    let _ann = connect(&ann, hub.local_addr()).await;
    let _bob = connect(&bob, hub.local_addr()).await;
    let write = |replica: Replica, name: &'static str| async move {
        let writes = (0..BURST).map(|n| {
            let (replica, field) = (replica.clone(), format!("{name} {n}"));
            async move {
                replica
                    .record(edit(&format!("note/{}", n % 10), &field, "x"))
                    .await
            }
        });
        for recorded in futures::future::join_all(writes).await {
            recorded.unwrap();
        }
    };
    let tails = [&ann, &bob, hub.replica()].map(|replica| {
        let tail = replica.tail(Filter::all(), None).unwrap();
        tail.take(2 * BURST)
            .map(|told| told.unwrap().event)
            .collect::<Vec<_>>()
    });
    let ((), (), all) = in_time(async {
        tokio::join!(
            write(ann.clone(), "ann"),
            write(bob.clone(), "bob"),
            futures::future::join_all(tails)
        )
    })
    .await;
    for events in all {
        let mut seen: BTreeSet<EventId> = BTreeSet::new();
        for event in events {
            assert!(
                event.heads().iter().all(|head| seen.contains(&head.id)),
                "a cause is missing"
            );
            assert!(seen.insert(event.id()), "{} came twice", event.id());
        }
        assert_eq!(seen.len(), 2 * BURST);
    }
    for n in 0..10 {
        let name = format!("note/{n}");
        let ours = ann.digest(name.as_str()).await.unwrap();
        assert_eq!(ours, bob.digest(name.as_str()).await.unwrap());
    }
    hub.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_is_not_read_costs_nothing_and_tells_everything_later() {
    let folder = tempfile::tempdir().unwrap();
    let ann = open(&folder.path().join("ann")).await;
    let mut watch = ann.watch(Filter::all());
    let aggregates = 3_000;
    for block in 0..aggregates / 100 {
        let drafts = (0..100)
            .map(|n| edit(&format!("note/{}", block * 100 + n), "x", "1"))
            .collect();
        ann.record_all(drafts).await.unwrap();
    }
    let mut told = BTreeSet::new();
    in_time(async {
        while told.len() < aggregates {
            told.insert(watch.next().await.unwrap().aggregate);
        }
    })
    .await;
    ann.record(edit("note/new", "x", "1")).await.unwrap();
    assert_eq!(
        in_time(watch.next()).await.unwrap().aggregate.as_str(),
        "note/new"
    );
}

/// Copies a closed store, as whoever clones a machine does.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let copied = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copy(&file.path(), &copied);
        } else {
            std::fs::copy(file.path(), copied).unwrap();
        }
    }
}

/// Both connected under one name, the hub refused what the clone wrote, which went on under a new name
/// in that connection; the hub took what came over it for known to the original, and kept it from it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_clone_writes_under_its_new_name_reaches_its_original() {
    let folder = tempfile::tempdir().unwrap();
    let (original, clone) = (folder.path().join("original"), folder.path().join("clone"));
    let hub = hub(&folder.path().join("hub"), "127.0.0.1:0").await;
    let ann = open(&original).await;
    ann.record(edit("task/1", "title", "buy milk"))
        .await
        .unwrap();
    connect(&ann, hub.local_addr()).await.close().await;
    ann.close().await.unwrap();
    drop(ann);
    copy(&original, &clone);

    let (ann, double) = (open(&original).await, open(&clone).await);
    let _ann = connect(&ann, hub.local_addr()).await;
    let _double = connect(&double, hub.local_addr()).await;
    ann.record(edit("task/2", "by", "the original"))
        .await
        .unwrap();
    let mut arrived = hub.replica().tail(Filter::all(), None).unwrap().skip(1);
    in_time(arrived.next()).await.unwrap().unwrap();
    double
        .record(edit("task/3", "by", "the clone"))
        .await
        .unwrap();
    becomes(&ann, "task/3", &json!({"by": "the clone"})).await;
}
