//! The handle over the memory store: writing, reading, watching, tailing, syncing in one process.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use anabranch::clock::Now;
use anabranch::engine::{Failure, Filter};
use anabranch::event::{Draft, EventId};
use anabranch::log::Durability;
use anabranch::replica::environment::{Environment, OperatingSystem};
use anabranch::replica::{RecordError, Replica, SyncOptions};
use anabranch::resolver::{FieldEdit, FieldMerge, FoldFn, LastWriteWins, Registry, Rejection};
use anabranch::store::MemoryStore;
use anabranch::transport::in_process::InProcess;
use futures::StreamExt;
use serde_json::{Value, json};

fn registry() -> Registry {
    Registry::new()
        .with("note", LastWriteWins)
        .unwrap()
        .with("seat", seats())
        .unwrap()
        .with_default(FieldMerge)
}

/// A rule of a user's own: two seats, the third booking is refused.
fn seats() -> impl anabranch::resolver::Resolver {
    FoldFn::new(
        "seats",
        1,
        |_| Vec::<String>::new(),
        |state, guest: &String, _| {
            state.push(guest.clone());
        },
    )
    .with_admit(|state: &Vec<String>, _guest: &String, _cx| {
        if state.len() < 2 {
            Ok(())
        } else {
            Err(Rejection::new("both seats are taken"))
        }
    })
}

async fn replica() -> Replica {
    Replica::builder(MemoryStore::new())
        .registry(registry())
        .open()
        .await
        .unwrap()
}

/// An environment whose wall clock goes ahead of the others', so that its writes come after theirs.
struct Ahead {
    system: OperatingSystem,
    ms: u64,
}

impl Environment for Ahead {
    fn now(&self) -> Now {
        let now = self.system.now();
        Now {
            wall_ms: now.wall_ms + self.ms,
            ..now
        }
    }

    fn entropy(&self) -> u64 {
        self.system.entropy()
    }
}

async fn replica_ahead(ms: u64) -> Replica {
    let environment = Ahead {
        system: OperatingSystem::new(),
        ms,
    };
    let builder = Replica::builder(MemoryStore::new()).registry(registry());
    builder.environment(environment).open().await.unwrap()
}

fn edit(aggregate: &str, field: &str, value: &str) -> Draft {
    let edit = FieldEdit::new().set([field], &value).unwrap();
    Draft::new(aggregate, "edited", &edit).unwrap()
}

async fn state(replica: &Replica, aggregate: &str) -> Value {
    replica
        .state::<Value>(aggregate)
        .await
        .unwrap()
        .unwrap_or(Value::Null)
}

#[tokio::test]
async fn what_is_recorded_is_read_at_once() {
    let replica = replica().await;
    let recorded = replica
        .record(edit("task/1", "title", "buy milk"))
        .await
        .unwrap();
    assert_eq!(recorded.events().count(), 1);
    assert_eq!(
        state(&replica, "task/1").await,
        json!({"title": "buy milk"})
    );
    assert_eq!(state(&replica, "task/2").await, Value::Null);
    assert_eq!(replica.status().events, 1);
}

#[tokio::test]
async fn two_replicas_that_wrote_apart_agree_after_one_sync() {
    let (a, b) = (replica().await, replica().await);
    a.record(edit("task/1", "title", "buy milk")).await.unwrap();
    b.record(edit("task/1", "done", "yes")).await.unwrap();
    b.record(Draft::new("note/1", "written", &"from b").unwrap())
        .await
        .unwrap();
    let report = a.sync(&b).await.unwrap();
    assert_eq!(
        (report.pushed, report.pulled, report.duplicates),
        (1, 2, 0),
        "{report}"
    );
    assert!(report.caught_up);
    for aggregate in ["task/1", "note/1"] {
        assert_eq!(state(&a, aggregate).await, state(&b, aggregate).await);
        assert_eq!(
            a.digest(aggregate).await.unwrap(),
            b.digest(aggregate).await.unwrap()
        );
    }
    assert_eq!(
        state(&a, "task/1").await,
        json!({"title": "buy milk", "done": "yes"})
    );
    let again = a.sync(&b).await.unwrap();
    assert_eq!(
        (again.pushed, again.pulled, again.duplicates),
        (0, 0, 0),
        "{again}"
    );
}

#[tokio::test]
async fn a_sync_can_go_one_way() {
    let (a, b) = (replica().await, replica().await);
    a.record(edit("task/1", "x", "a")).await.unwrap();
    b.record(edit("task/2", "x", "b")).await.unwrap();
    let report = a.sync_with(&b, SyncOptions::push_only()).await.unwrap();
    assert_eq!((report.pushed, report.pulled), (1, 0), "{report}");
    assert_eq!(a.status().events, 1);
    assert_eq!(b.status().events, 2);
    let report = a.sync_with(&b, SyncOptions::pull_only()).await.unwrap();
    assert_eq!((report.pushed, report.pulled), (0, 1), "{report}");
    assert_eq!(a.status().events, 2);
}

#[tokio::test]
async fn a_write_that_its_own_rule_refuses_is_not_written() {
    let a = replica().await;
    let book = |guest: &str| Draft::new("seat/7", "booked", guest).unwrap();
    a.record(book("ann")).await.unwrap();
    a.record(book("bob")).await.unwrap();
    let refused = a.record(book("cid")).await.unwrap_err();
    assert!(
        matches!(
            &refused,
            RecordError::Failed(Failure::Rejected { index: 0, .. })
        ),
        "{refused}"
    );
    assert_eq!(
        refused.to_string(),
        "seat/7 refuses event 0 of the commit: both seats are taken"
    );
    assert_eq!(a.status().events, 2);
    let refused = a
        .record_all(vec![edit("task/1", "x", "y"), book("dan")])
        .await
        .unwrap_err();
    assert!(matches!(
        refused,
        RecordError::Failed(Failure::Rejected { index: 1, .. })
    ));
    assert_eq!(a.status().events, 2);
    assert_eq!(state(&a, "task/1").await, Value::Null);
}

#[tokio::test]
async fn a_rejection_after_a_sync_is_the_same_everywhere_and_reported() {
    let (a, b) = (replica().await, replica_ahead(5_000).await);
    let book = |guest: &str| Draft::new("seat/7", "booked", guest).unwrap();
    a.record(book("ann")).await.unwrap();
    a.record(book("bob")).await.unwrap();
    b.record(book("cid")).await.unwrap();
    let report = a.sync(&b).await.unwrap();
    assert_eq!(state(&a, "seat/7").await, state(&b, "seat/7").await);
    assert_eq!(state(&a, "seat/7").await, json!(["ann", "bob"]));
    assert_eq!(report.rejected, 1, "{report}");
    let status = b.describe("seat/7").await.unwrap().unwrap();
    assert_eq!(status.rejections, 1);
    assert_eq!(status.rejected[0].1.reason(), "both seats are taken");
}

#[tokio::test]
async fn a_commit_is_visible_as_a_whole() {
    let (a, b) = (replica().await, replica().await);
    let drafts = vec![
        edit("task/1", "x", "1"),
        edit("task/1", "y", "2"),
        edit("task/2", "z", "3"),
    ];
    let recorded = a.record_all(drafts).await.unwrap();
    assert_eq!(recorded.events().count(), 3);
    a.sync(&b).await.unwrap();
    assert_eq!(state(&b, "task/1").await, json!({"x": "1", "y": "2"}));
    assert_eq!(state(&b, "task/2").await, json!({"z": "3"}));
}

#[tokio::test]
async fn a_watch_tells_what_changed_and_coalesces() {
    let (a, b) = (replica().await, replica().await);
    let mut watch = b.watch(Filter::under(["task"]).unwrap());
    a.record(edit("task/1", "x", "1")).await.unwrap();
    a.record(edit("task/1", "x", "2")).await.unwrap();
    a.record(Draft::new("note/1", "written", &"unseen").unwrap())
        .await
        .unwrap();
    a.sync(&b).await.unwrap();
    let change = watch.next().await.unwrap();
    assert_eq!(change.aggregate.as_str(), "task/1");
    assert_eq!(change.events, 2);
    assert!(
        !change.late && !change.raced && change.durable,
        "{change:?}"
    );
    b.record(edit("task/9", "x", "1")).await.unwrap();
    assert_eq!(watch.next().await.unwrap().aggregate.as_str(), "task/9");
}

#[tokio::test]
async fn a_late_event_says_that_what_was_shown_is_rewritten() {
    let (a, b) = (replica().await, replica_ahead(5_000).await);
    a.record(edit("task/1", "x", "early")).await.unwrap();
    b.record(edit("task/1", "x", "late")).await.unwrap();
    assert_eq!(state(&b, "task/1").await, json!({"x": "late"}));
    let mut watch = b.watch(Filter::all());
    a.sync(&b).await.unwrap();
    let change = watch.next().await.unwrap();
    assert!(change.late && change.raced, "{change:?}");
}

#[tokio::test]
async fn a_tail_goes_on_from_its_cursor_and_then_live() {
    let a = replica().await;
    for n in 0..5 {
        a.record(edit(&format!("task/{n}"), "x", "1"))
            .await
            .unwrap();
    }
    let mut tail = a.tail(Filter::all(), None).unwrap();
    let mut seen: Vec<EventId> = Vec::new();
    let mut cursor = None;
    for _ in 0..3 {
        let told = tail.next().await.unwrap().unwrap();
        seen.push(told.event.id());
        cursor = Some(told.cursor);
    }
    drop(tail);
    let mut tail = a.tail(Filter::all(), cursor).unwrap();
    for _ in 0..2 {
        seen.push(tail.next().await.unwrap().unwrap().event.id());
    }
    a.record(edit("task/live", "x", "1")).await.unwrap();
    seen.push(tail.next().await.unwrap().unwrap().event.id());
    let seqs: Vec<u64> = seen.iter().map(|id| id.seq.get()).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn a_buffered_write_is_answered_before_it_is_fsynced_and_survives_once_flushed() {
    let store = MemoryStore::new();
    let a = Replica::builder(store.clone())
        .registry(registry())
        .open()
        .await
        .unwrap();
    a.record_with(edit("task/1", "x", "1"), Durability::Buffered)
        .await
        .unwrap();
    a.flush().await.unwrap();
    assert_eq!(a.status().durable_end, 1);
}

#[tokio::test]
async fn a_replica_that_was_closed_says_so() {
    let a = replica().await;
    let b = a.clone();
    a.record(edit("task/1", "x", "1")).await.unwrap();
    a.close().await.unwrap();
    let refused = b.record(edit("task/1", "x", "2")).await.unwrap_err();
    assert_eq!(refused, RecordError::Failed(Failure::Closed));
    assert!(b.tail(Filter::all(), None).unwrap().next().await.is_none());
    assert!(!b.is_ready());
}

#[tokio::test]
async fn a_store_that_is_opened_again_goes_on_where_it_ended() {
    let store = MemoryStore::new();
    let a = Replica::builder(store.clone())
        .registry(registry())
        .open()
        .await
        .unwrap();
    let id = a.id();
    a.record(edit("task/1", "x", "1")).await.unwrap();
    a.close().await.unwrap();
    drop(a);
    let a = Replica::builder(store)
        .registry(registry())
        .open()
        .await
        .unwrap();
    assert_eq!(a.id(), id);
    assert_eq!(state(&a, "task/1").await, json!({"x": "1"}));
    let recorded = a.record(edit("task/1", "y", "2")).await.unwrap();
    assert_eq!(recorded.commit.seq.get(), 2);
    assert_eq!(state(&a, "task/1").await, json!({"x": "1", "y": "2"}));
}

#[tokio::test]
async fn many_callers_at_once_all_get_their_writes() {
    let a = replica().await;
    let calls = (0..200).map(|n| {
        let a = a.clone();
        async move {
            a.record(edit(&format!("task/{}", n % 7), &format!("f{n}"), "1"))
                .await
        }
    });
    for recorded in futures::future::join_all(calls).await {
        recorded.unwrap();
    }
    let mut fields = 0;
    for n in 0..7 {
        fields += state(&a, &format!("task/{n}"))
            .await
            .as_object()
            .unwrap()
            .len();
    }
    assert_eq!(fields, 200);
}

#[tokio::test]
async fn an_interval_sync_runs_until_it_is_stopped() {
    let (a, b) = (replica().await, replica().await);
    b.record(edit("task/1", "x", "1")).await.unwrap();
    let mut auto = a.sync_every(&b, Duration::from_millis(5), SyncOptions::default());
    let first = auto.next().await.unwrap();
    assert_eq!(first.as_ref().as_ref().unwrap().pulled, 1);
    auto.stop().await;
    b.record(edit("task/1", "x", "2")).await.unwrap();
    assert_eq!(a.status().events, 1);
}

#[tokio::test]
async fn a_rule_that_panics_leaves_the_others_alone() {
    let rude = FoldFn::new(
        "rude",
        1,
        |_| 0u64,
        |state: &mut u64, n: &u64, _| {
            assert!(*n != 13, "thirteen");
            *state += *n;
        },
    );
    let registry = Registry::new()
        .with("sum", rude)
        .unwrap()
        .with_default(FieldMerge);
    let (a, b) = (
        Replica::builder(MemoryStore::new())
            .registry(registry)
            .open()
            .await
            .unwrap(),
        Replica::builder(MemoryStore::new())
            .registry(
                Registry::new()
                    .with(
                        "sum",
                        FoldFn::new("rude", 1, |_| 0u64, |s: &mut u64, n: &u64, _| *s += *n),
                    )
                    .unwrap()
                    .with_default(FieldMerge),
            )
            .open()
            .await
            .unwrap(),
    );
    b.record(Draft::new("sum/1", "added", &1u64).unwrap())
        .await
        .unwrap();
    b.record(Draft::new("sum/1", "added", &13u64).unwrap())
        .await
        .unwrap();
    b.record(edit("task/1", "x", "1")).await.unwrap();
    a.sync(&b).await.unwrap();
    assert_eq!(state(&a, "task/1").await, json!({"x": "1"}));
    let unresolved = a.state::<u64>("sum/1").await.unwrap_err();
    assert!(unresolved.to_string().contains("thirteen"), "{unresolved}");
    assert_eq!(a.status().unresolved.len(), 1);
}

#[tokio::test]
async fn a_writer_whose_clock_is_ahead_is_refused_at_the_first_hop_and_writes_again() {
    let (a, b) = (replica().await, replica_ahead(600_000).await);
    a.record(edit("task/1", "x", "a")).await.unwrap();
    let before = b.id();
    b.record(edit("task/1", "y", "b")).await.unwrap();
    b.record(edit("task/1", "y", "b again")).await.unwrap();
    let report = b.sync(&a).await.unwrap();
    assert_eq!(report.refused.len(), 1, "{report}");
    assert!(
        report.refused[0].why.contains("ahead"),
        "{:?}",
        report.refused
    );
    assert_ne!(
        b.id(),
        before,
        "the refused events were written again by a new incarnation"
    );
    assert_eq!(b.id().device(), before.device());
    assert_eq!(state(&a, "task/1").await, json!({"x": "a", "y": "b again"}));
    assert_eq!(state(&b, "task/1").await, state(&a, "task/1").await);
    b.record(edit("task/1", "z", "later")).await.unwrap();
    let report = b.sync(&a).await.unwrap();
    assert!(report.refused.is_empty(), "{report}");
    assert_eq!(
        state(&a, "task/1").await,
        json!({"x": "a", "y": "b again", "z": "later"})
    );
    assert_eq!(
        a.digest("task/1").await.unwrap(),
        b.digest("task/1").await.unwrap()
    );
}

#[tokio::test]
async fn a_restored_store_takes_a_new_incarnation_and_gets_its_lost_past_back() {
    let hub = replica().await;
    let store = MemoryStore::new();
    let a = Replica::builder(store.clone())
        .registry(registry())
        .open()
        .await
        .unwrap();
    a.record(edit("task/1", "x", "1")).await.unwrap();
    a.sync(&hub).await.unwrap();
    let backup = store.copy();
    a.record(edit("task/1", "x", "2")).await.unwrap();
    a.sync(&hub).await.unwrap();
    let before = a.id();
    a.close().await.unwrap();

    let a = Replica::builder(backup)
        .registry(registry())
        .open()
        .await
        .unwrap();
    assert_eq!(a.id(), before);
    let report = a.sync(&hub).await.unwrap();
    assert_ne!(a.id(), before);
    assert_eq!(report.pulled, 1, "{report}");
    assert_eq!(state(&a, "task/1").await, json!({"x": "2"}));
    a.record(edit("task/1", "y", "new life")).await.unwrap();
    a.sync(&hub).await.unwrap();
    assert_eq!(
        state(&hub, "task/1").await,
        json!({"x": "2", "y": "new life"})
    );
}

#[tokio::test]
async fn a_buffered_write_is_fsynced_within_a_moment_though_nothing_follows_it() {
    let a = replica().await;
    a.record_with(edit("task/1", "x", "1"), Durability::Buffered)
        .await
        .unwrap();
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    let durable = async {
        while a.status().durable_end == 0 {
            looks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), durable)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_buffered_write_reaches_a_live_peer_though_nothing_follows_it() {
    let switchboard = InProcess::new();
    let mut listener = switchboard.listen("b").unwrap();
    let builder = Replica::builder(MemoryStore::new()).registry(registry());
    let a = builder.transport(switchboard).open().await.unwrap();
    let b = replica().await;
    let mut connection = a.connect("mem://b").unwrap();
    let link = listener.accept().await;
    let serving = tokio::spawn({
        let b = b.clone();
        async move { b.accept(link).await }
    });
    connection.caught_up().await;
    let mut tail = b.tail(Filter::all(), None).unwrap();
    a.record_with(edit("task/1", "x", "1"), Durability::Buffered)
        .await
        .unwrap();
    let told = tokio::time::timeout(Duration::from_secs(30), tail.next()).await;
    assert_eq!(
        told.unwrap().unwrap().unwrap().event.aggregate().as_str(),
        "task/1"
    );
    connection.close().await;
    serving.await.unwrap();
}

#[tokio::test]
async fn a_fork_is_told_though_nothing_of_it_is_sent() {
    let hub = replica().await;
    let store = MemoryStore::new();
    let builder = Replica::builder(store.clone()).registry(registry());
    let a = builder.open().await.unwrap();
    a.record(edit("task/1", "x", "1")).await.unwrap();
    a.sync(&hub).await.unwrap();
    let backup = store.copy();
    a.record(edit("task/1", "x", "2")).await.unwrap();
    a.sync(&hub).await.unwrap();
    a.close().await.unwrap();

    let builder = Replica::builder(backup).registry(registry());
    let a = builder.open().await.unwrap();
    a.record(edit("task/1", "x", "another 2")).await.unwrap();
    let report = a.sync(&hub).await.unwrap();
    assert_eq!((report.pushed, report.pulled), (0, 0), "{report}");
    assert_eq!(report.forked, 1, "{report}");
}

#[tokio::test]
async fn a_replica_looks_at_all_of_its_store_and_tells_how_far_it_is() {
    let store = MemoryStore::new();
    let builder = Replica::builder(store.clone()).registry(registry());
    let a = builder.open().await.unwrap();
    for number in 0..20 {
        let draft = edit(&format!("task/{number}"), "x", "y");
        a.record_with(draft, Durability::Buffered).await.unwrap();
    }
    // A close stores the states of what is in memory; whatever it wrote must be understood.
    a.close().await.unwrap();
    let builder = Replica::builder(store).registry(registry());
    let a = builder.open().await.unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let report = a.verify(move |at| tell.send(at).unwrap()).await.unwrap();
    assert_eq!((report.entries, report.events), (20, 20));
    assert!(report.is_whole(), "{:?}", report.faults);
    let last = told.into_iter().last().unwrap();
    assert_eq!((last.entries, last.of), (20, 20));
    assert_eq!(
        a.compact().await.unwrap().bytes_after,
        0,
        "memory has no files"
    );
    a.close().await.unwrap();
    assert!(a.verify(|_| ()).await.is_err());
}
