//! A replica whose commits are refused writes them again under a new incarnation, whatever happens
//! at the same time, and loses none.
#![cfg(feature = "fjall")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use anabranch::clock::Now;
use anabranch::replica::environment::{Environment, OperatingSystem};
use anabranch::store::{FjallStore, MemoryStore};
use anabranch::{Draft, FieldEdit, FieldMerge, Registry, Replica};
use futures::TryStreamExt;
use serde_json::{Value, json};

/// A wall clock ten minutes ahead of everybody else's.
struct Ahead(OperatingSystem);

/// What nobody should wait for.
const LONG: Duration = Duration::from_secs(20);

impl Environment for Ahead {
    fn now(&self) -> Now {
        let now = self.0.now();
        let wall_ms = now.wall_ms + 600_000;
        Now { wall_ms, ..now }
    }

    fn entropy(&self) -> u64 {
        self.0.entropy()
    }
}

fn rules() -> Registry {
    Registry::new().with_default(FieldMerge)
}

fn edit(field: &str, value: &str) -> Draft {
    let edit = FieldEdit::new().set([field], value).unwrap();
    Draft::new("task/1", "edited", &edit).unwrap()
}

async fn task(replica: &Replica) -> Value {
    replica.state("task/1").await.unwrap().unwrap_or_default()
}

async fn ahead(folder: &std::path::Path) -> Replica {
    let store = FjallStore::open(folder).unwrap();
    let builder = Replica::builder(store).registry(rules());
    builder
        .environment(Ahead(OperatingSystem::new()))
        .open()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_refusal_in_the_middle_of_a_burst_loses_nothing() {
    for yields in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let (hub, writer) = (
            Replica::in_memory(rules()).await.unwrap(),
            ahead(folder.path()).await,
        );
        writer.record(edit("first", "here")).await.unwrap();
        let burst = writer.clone();
        let burst = tokio::spawn(async move {
            for number in 0..30 {
                burst
                    .record(edit(&format!("field {number}"), "here"))
                    .await
                    .unwrap();
            }
        });
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        writer.sync(&hub).await.unwrap();
        burst.await.unwrap();
        let report = writer.sync(&hub).await.unwrap();
        assert!(report.caught_up, "{report}");
        assert_eq!(hub.status().waiting, 0);
        assert_eq!(task(&hub).await.as_object().unwrap().len(), 31);
        assert_eq!(task(&hub).await, task(&writer).await);
    }
}

#[tokio::test]
async fn two_peers_that_refuse_the_same_commit_get_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let writer = ahead(folder.path()).await;
    let [left, right] = [
        Replica::in_memory(rules()).await,
        Replica::in_memory(rules()).await,
    ];
    let (left, right) = (left.unwrap(), right.unwrap());
    // Both meet first, or their logs would be founded apart.
    left.sync(&right).await.unwrap();
    writer.sync(&left).await.unwrap();
    writer.record(edit("x", "1")).await.unwrap();
    writer.record(edit("x", "2")).await.unwrap();
    let (one, other) = tokio::join!(writer.sync(&left), writer.sync(&right));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.caught_up && other.caught_up, "{one}; {other}");
    left.sync(&right).await.unwrap();
    for replica in [&writer, &left, &right] {
        assert_eq!(task(replica).await, json!({"x": "2"}));
        assert_eq!(
            replica.digest("task/1").await,
            writer.digest("task/1").await
        );
    }
}

#[tokio::test]
async fn a_restamp_that_was_cut_off_by_a_crash_is_begun_again() {
    let hub = Replica::in_memory(rules()).await.unwrap();
    for frames in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let writer = ahead(folder.path()).await;
        let field = format!("field {frames}");
        writer.record(edit(&field, "here")).await.unwrap();
        let cut = async {
            for _ in 0..frames * 3 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            synced = writer.sync(&hub) => drop(synced.unwrap()),
            () = cut => {}
        }
        drop(writer);
        let writer = reopened(folder.path()).await;
        writer.sync(&hub).await.unwrap();
        let seen = task(&hub).await;
        assert_eq!(
            seen.get(&field),
            Some(&json!("here")),
            "after {frames}: {seen}"
        );
        writer.close().await.unwrap();
    }
}

/// Opens the store again once the tasks of its last handle have let go of it.
async fn reopened(folder: &std::path::Path) -> Replica {
    loop {
        if FjallStore::open(folder).is_ok() {
            return ahead(folder).await;
        }
        tokio::task::yield_now().await;
    }
}

/// A clone that has been handed a later write of its original, but not those between, wrote into the gap;
/// what ran into the later one was acknowledged and gone.
#[tokio::test]
async fn a_clone_does_not_write_into_the_gap_before_a_write_of_its_original() {
    let store = MemoryStore::new();
    let original = Replica::builder(store.clone()).registry(rules());
    let original = original.open().await.unwrap();
    original.record(edit("shared", "here")).await.unwrap();
    let copy = store.copy();
    for field in ["missing", "handed over"] {
        original.record(edit(field, "here")).await.unwrap();
    }
    let commits: Vec<_> = original.commits().try_collect().await.unwrap();
    let clone = Replica::builder(copy).registry(rules());
    let clone = clone.open().await.unwrap();
    let last = commits.last().cloned().into_iter().collect();
    assert_eq!(clone.ingest(last).await.unwrap().waiting, 1);
    for field in ["one", "two", "three"] {
        clone.record(edit(field, "here")).await.unwrap();
    }
    assert_eq!(task(&clone).await.as_object().unwrap().len(), 4);
    // Whoever brings the missing write brings peace: nothing contradicts anything.
    clone.sync(&original).await.unwrap();
    clone.sync(&original).await.unwrap();
    assert_eq!(task(&clone).await.as_object().unwrap().len(), 6);
    assert_eq!(task(&clone).await, task(&original).await);
}

/// The hub held another event, with another stamp, under the id that the write named; so it took a lifted
/// stamp for a skewed one, and what was written again was refused again, for ever.
#[tokio::test]
async fn what_a_clone_writes_on_its_own_branch_is_not_refused_for_the_stamp_of_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let wild = ahead(folder.path()).await;
    wild.record(edit("wild", "here")).await.unwrap();
    let wild: Vec<_> = wild.commits().try_collect().await.unwrap();
    let store = MemoryStore::new();
    let original = Replica::builder(store.clone()).registry(rules());
    let original = original.open().await.unwrap();
    original.ingest(wild).await.unwrap();
    let hub = Replica::in_memory(rules()).await.unwrap();
    original.sync(&hub).await.unwrap();
    let clone = Replica::builder(store.copy()).registry(rules());
    let clone = clone.open().await.unwrap();
    // Both write their first event: one follows the wild one, one is somewhere else.
    clone.record(edit("clone", "here")).await.unwrap();
    let elsewhere = Draft::new(
        "task/2",
        "edited",
        &FieldEdit::new().set(["x"], "1").unwrap(),
    );
    original.record(elsewhere.unwrap()).await.unwrap();
    original.sync(&hub).await.unwrap();
    clone.sync(&hub).await.unwrap();
    let before = clone.status().end;
    clone.record(edit("after", "here")).await.unwrap();
    let report = tokio::time::timeout(LONG, clone.sync(&hub)).await;
    let report = report.unwrap().unwrap();
    assert!(report.caught_up && report.refused.is_empty(), "{report}");
    assert_eq!(clone.status().end, before + 1, "it was written once");
}

/// A restored store was handed the first of the writes that it had lost, took it for the last one and
/// wrote the next: under an id that another replica knows as something else.
#[tokio::test]
async fn a_restored_store_that_is_handed_a_lost_write_does_not_go_on_behind_it() {
    let store = MemoryStore::new();
    let original = Replica::builder(store.clone()).registry(rules());
    let original = original.open().await.unwrap();
    original.record(edit("kept", "here")).await.unwrap();
    let copy = store.copy();
    for field in ["handed over", "elsewhere"] {
        original.record(edit(field, "here")).await.unwrap();
    }
    let commits: Vec<_> = original.commits().try_collect().await.unwrap();
    let restored = Replica::builder(copy).registry(rules());
    let restored = restored.open().await.unwrap();
    let handed = commits.get(1).cloned().into_iter().collect();
    assert_eq!(restored.ingest(handed).await.unwrap().waiting, 0);
    restored.record(edit("new", "here")).await.unwrap();
    restored.sync(&original).await.unwrap();
    restored.sync(&original).await.unwrap();
    assert_eq!(task(&restored).await.as_object().unwrap().len(), 4);
    assert_eq!(task(&restored).await, task(&original).await);
}
