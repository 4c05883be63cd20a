//! What the audit costs: a small share of all folding, and a bounded number of bytes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anabranch::event::Commit;
use anabranch::limits::{AUDIT_FREE_APPLIES, AUDIT_SHARE};
use anabranch::merge::Aggregates;
use anabranch::resolver::{FoldFn, Footprint, Key, Registry, Resolver};
use futures::StreamExt;

use crate::{digest, record, replica};

/// Names its keys exactly, and counts how often it is asked.
fn counted(applies: &Arc<AtomicU64>) -> impl Resolver + use<> {
    let applies = Arc::clone(applies);
    let write = move |places: &mut BTreeMap<u64, u64>, place: &u64| {
        applies.fetch_add(1, Ordering::Relaxed);
        *places.entry(*place).or_default() += 1;
    };
    FoldFn::reducer("places", 1, |_| BTreeMap::new(), write)
        .with_footprint(|place| Footprint::Keys(vec![Key::leaf([place.to_string()])]))
}

#[tokio::test]
async fn audits_fold_no_more_than_a_twentieth_again() {
    let applies = Arc::new(AtomicU64::new(0));
    let laptop = replica(counted(&Arc::default()), 0).await;
    let phone = replica(counted(&applies), 10).await;
    for place in 0..1_000u64 {
        record(&laptop, "places/1", &place).await;
        record(&phone, "places/1", &(place + 1_000)).await;
    }
    let commits: Vec<Commit> = laptop.commits().map(Result::unwrap).collect().await;
    let own: Vec<Commit> = phone.commits().map(Result::unwrap).collect().await;
    for commit in &commits {
        phone.ingest(vec![commit.clone()]).await.unwrap();
        digest(&phone, "places/1").await;
    }
    let health = phone.health().await;
    assert!(health.audits > 0 && health.is_well());
    let folded = applies.load(Ordering::Relaxed);

    // The same without an audit.
    let plain = Arc::new(AtomicU64::new(0));
    let registry = Registry::new().with_default(counted(&plain));
    let mut aggregates = Aggregates::new(registry);
    let id = "places/1".parse().unwrap();
    for commit in own.iter().chain(&commits) {
        aggregates.receive(commit);
        aggregates.digest(&id).unwrap();
    }
    let needed = plain.load(Ordering::Relaxed);
    let audits = folded - needed;
    assert!(audits > 0, "{folded} {needed}");
    let bound = needed / AUDIT_SHARE + AUDIT_FREE_APPLIES;
    assert!(audits <= bound, "{audits} of {folded}, at most {bound}");
}

#[tokio::test]
async fn comparing_costs_a_sync_some_bytes_for_each_aggregate_that_moved_and_none_else() {
    let rule = || counted(&Arc::default());
    let (laptop, phone) = (replica(rule(), 0).await, replica(rule(), 0).await);
    for name in 0..300 {
        record(&laptop, &format!("places/{name}"), &7u64).await;
    }
    let first = laptop.sync(&phone).await.unwrap();
    assert!(first.bytes_received < 40_000, "{first}");
    let idle = laptop.sync(&phone).await.unwrap();
    assert!(idle.bytes_sent < 500 && idle.bytes_received < 500, "{idle}");
    record(&laptop, "places/5", &8u64).await;
    let one = laptop.sync(&phone).await.unwrap();
    let more = (one.bytes_sent - idle.bytes_sent) + (one.bytes_received - idle.bytes_received);
    assert!(more < 600, "{one}");
}
