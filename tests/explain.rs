//! The handle tells why a value is what it is, whatever is in memory, and of what has no state, too.
#![cfg(feature = "replica")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use anabranch::Draft;
use anabranch::merge::{Explanation, RaceQuery, Unresolved, WhichRaces};
use anabranch::replica::{ReadError, Replica, ReplicaOptions};
use anabranch::resolver::{FieldEdit, FieldMerge, FoldFn, LastWriteWins, Registry, Verdict};
use anabranch::store::MemoryStore;
use futures::StreamExt;

fn registry() -> Registry {
    let fragile = FoldFn::new(
        "fragile",
        1,
        |_| 0i64,
        |sum, step: &i64, _| {
            assert!(*step >= 0, "a step back");
            *sum += step;
        },
    );
    let registry = Registry::new().with_default(FieldMerge);
    registry.with("fragile", fragile).unwrap()
}

async fn replica(cache_bytes: usize) -> Replica {
    let mut options = ReplicaOptions::default();
    options.cache_bytes = cache_bytes;
    let builder = Replica::builder(MemoryStore::new()).registry(registry());
    builder.options(options).open().await.unwrap()
}

async fn set(replica: &Replica, aggregate: &str, field: &str, value: u64) {
    let edit = FieldEdit::new().set([field], &value).unwrap();
    replica
        .record(Draft::new(aggregate, "edited", &edit).unwrap())
        .await
        .unwrap();
}

async fn explained(replica: &Replica, aggregate: &str) -> Explanation {
    let query = RaceQuery::first(100, WhichRaces::All);
    replica.explain(aggregate, query).await.unwrap().unwrap()
}

#[tokio::test]
async fn what_has_left_memory_is_explained_like_what_is_there() {
    let (ada, ben) = (replica(1 << 20).await, replica(1 << 20).await);
    for name in ["note/1", "note/2"] {
        set(&ada, name, "a", 1).await;
        set(&ben, name, "a", 2).await;
        set(&ben, name, "b", 3).await;
        ada.sync(&ben).await.unwrap();
        set(&ada, name, "b", 4).await;
    }
    let cold = replica(0).await;
    let status = ada.status();
    cold.join(status.lineage, status.lineage_shared)
        .await
        .unwrap();
    let commits: Vec<_> = ada.commits().map(Result::unwrap).collect().await;
    cold.ingest(commits).await.unwrap();
    for name in ["note/1", "note/2", "note/1"] {
        let (warm, cold) = (explained(&ada, name).await, explained(&cold, name).await);
        assert_eq!(warm, cold);
        assert_eq!((warm.events, warm.races.len()), (4, 1));
        assert_eq!(warm.races[0].contested[0].verdict, Verdict::LaterWins);
    }
    let query = RaceQuery::first(100, WhichRaces::All);
    let page = cold.races("note/1", query).await.unwrap();
    assert_eq!(page.races, explained(&cold, "note/1").await.races);
    let counts = cold.race_counts("note/1", 100).await.unwrap();
    assert_eq!(
        (counts.pairs, counts.later_wins, counts.more),
        (1, 1, false)
    );
}

#[tokio::test]
async fn an_aggregate_without_a_state_is_explained_by_its_last_good_one() {
    let replica = replica(1 << 20).await;
    let draft = |step: i64| Draft::new("fragile/1", "stepped", &step).unwrap();
    replica.record(draft(2)).await.unwrap();
    let other = Replica::in_memory(Registry::new().with_default(LastWriteWins))
        .await
        .unwrap();
    // Its step back follows upon what is here, so it comes second on any clock.
    other.sync(&replica).await.unwrap();
    other.record(draft(-1)).await.unwrap();
    let commits: Vec<_> = other.commits().map(Result::unwrap).collect().await;
    replica.ingest(commits).await.unwrap();
    let state = replica.state::<i64>("fragile/1").await;
    assert!(
        matches!(state, Err(ReadError::Unresolved { .. })),
        "{state:?}"
    );
    let explanation = explained(&replica, "fragile/1").await;
    assert!(matches!(
        explanation.condition,
        Some(Unresolved::Panicked { .. })
    ));
    assert_eq!(explanation.events, 2);
    assert_eq!(explanation.pieces[0].value, [2]);
}

#[tokio::test]
async fn what_is_not_there_has_no_explanation() {
    let replica = replica(0).await;
    let query = RaceQuery::default();
    assert_eq!(replica.explain("note/1", query).await.unwrap(), None);
    assert!(
        replica
            .races("note/1", query)
            .await
            .unwrap()
            .races
            .is_empty()
    );
    assert_eq!(replica.race_counts("note/1", 10).await.unwrap().pairs, 0);
    let error = replica.explain("no name", query).await.unwrap_err();
    assert!(matches!(error, ReadError::Name(_)), "{error}");
    replica.close().await.unwrap();
    assert!(replica.explain("note/1", query).await.is_err());
}
