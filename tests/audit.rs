//! Rules that break their laws are found out while they are at work, named, and healed where a replay
//! can.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashSet};

use anabranch::clock::Now;
use anabranch::engine::{Divergence, Finding, Health};
use anabranch::event::{Digest, Draft};
use anabranch::merge::{BrokenLaw, Shortcut};
use anabranch::replica::Replica;
use anabranch::replica::environment::{Environment, OperatingSystem};
use anabranch::resolver::{
    Claims, Counter, FieldEdit, FieldMerge, FoldFn, Footprint, Key, LastWriteWins, Registry,
    Resolver,
};
use anabranch::store::MemoryStore;
use serde::{Deserialize, Serialize};

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
async fn open(store: &MemoryStore, rule: impl Resolver, seconds: u64) -> Replica {
    Replica::builder(store.clone())
        .registry(Registry::new().with_default(rule))
        .environment(Ahead(OperatingSystem::new(), seconds * 1_000))
        .open()
        .await
        .unwrap()
}

async fn replica(rule: impl Resolver, seconds: u64) -> Replica {
    open(&MemoryStore::new(), rule, seconds).await
}

async fn record(replica: &Replica, aggregate: &str, payload: &impl Serialize) {
    let draft = Draft::new(aggregate, "tried", payload).unwrap();
    replica.record(draft).await.unwrap();
}

async fn digest(replica: &Replica, aggregate: &str) -> Digest {
    replica.digest(aggregate).await.unwrap().unwrap()
}

fn only(health: &Health) -> &Divergence {
    let [found] = &health.divergences[..] else {
        panic!("{:?}", health.divergences);
    };
    found
}

/// Lets the order of a hash set show.
fn hash_set() -> impl Resolver {
    let note = |seen: &mut HashSet<String>, name: &String| {
        seen.insert(name.clone());
    };
    FoldFn::reducer("seen", 1, |_| HashSet::new(), note)
}

/// Numbers all places as they come, and names only the one that is written.
fn small_footprint() -> impl Resolver {
    let number = |places: &mut BTreeMap<String, u64>, name: &String| {
        let next = places.len() as u64;
        places.entry(name.clone()).or_insert(next);
    };
    FoldFn::reducer("places", 1, |_| BTreeMap::new(), number)
        .with_footprint(|name: &String| Footprint::Keys(vec![Key::leaf([name.as_str()])]))
}

/// The last one wins, and yet it says that the order does not matter.
fn false_claim() -> impl Resolver {
    FoldFn::reducer(
        "last",
        1,
        |_| String::new(),
        |last: &mut String, new: &String| {
            last.clone_from(new);
        },
    )
    .with_claims(Claims::commuting())
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Peak {
    peak: i64,
    #[serde(skip)]
    sum: i64,
}

/// Forgets a part of its state when it is written.
fn forgetful() -> impl Resolver {
    FoldFn::reducer(
        "peak",
        1,
        |_| Peak::default(),
        |state: &mut Peak, step: &i64| {
            state.sum += step;
            state.peak = state.peak.max(state.sum);
        },
    )
}

/// Depends on the machine.
fn local(offset: u64) -> impl Resolver {
    FoldFn::reducer(
        "sum",
        1,
        |_| 0u64,
        move |sum: &mut u64, step: &u64| *sum += step + offset,
    )
}

#[tokio::test]
async fn a_rule_that_lets_the_order_of_a_hash_set_show_is_found_out_within_one_sync() {
    let laptop = replica(hash_set(), 0).await;
    let phone = replica(hash_set(), 0).await;
    for number in 0..20 {
        record(&laptop, "seen/1", &format!("name {number}")).await;
    }
    laptop.sync(&phone).await.unwrap();
    for replica in [&laptop, &phone] {
        let health = replica.health().await;
        let found = only(&health);
        assert_eq!(found.finding, Finding::NotDeterministic);
        assert!(!found.is_healed && !health.is_well());
        let evidence = found.evidence.as_ref().unwrap();
        assert!(evidence.is_shown && evidence.law == BrokenLaw::Determinism);
        assert!(evidence.events <= 4, "{}", evidence.test);
        assert!(
            replica
                .state::<HashSet<String>>("seen/1")
                .await
                .unwrap()
                .is_some()
        );
        assert!(!health.distrusted[0].is_deterministic);
    }
    // Neither the events nor another aggregate of the rule wait for anything.
    record(&phone, "seen/2", &"more").await;
    let report = phone.sync(&laptop).await.unwrap();
    assert!(report.caught_up && report.pushed == 1);
}

#[tokio::test]
async fn a_footprint_that_is_too_small_is_switched_off_and_the_state_healed() {
    let laptop = replica(small_footprint(), 0).await;
    let phone = replica(small_footprint(), 10).await;
    record(&laptop, "places/1", &"a").await;
    record(&phone, "places/1", &"b").await;
    digest(&laptop, "places/1").await;
    digest(&phone, "places/1").await;
    laptop.sync(&phone).await.unwrap();

    assert_eq!(
        digest(&laptop, "places/1").await,
        digest(&phone, "places/1").await
    );
    let health = phone.health().await;
    let found = only(&health);
    assert_eq!(
        found.finding,
        Finding::FalseShortcut(Shortcut::Footprint.into())
    );
    assert!(found.is_healed && found.replayed.is_some());
    assert!(!health.is_well(), "a shortcut is off");
    assert_eq!(health.distrusted[0].shortcuts, Shortcut::Footprint.into());
    let evidence = found.evidence.as_ref().unwrap();
    assert_eq!((evidence.law, evidence.events), (BrokenLaw::Footprint, 2));

    // From now on the rule is right there, only slower.
    record(&laptop, "places/1", &"c").await;
    record(&phone, "places/1", &"d").await;
    digest(&phone, "places/1").await;
    phone.sync(&laptop).await.unwrap();
    assert_eq!(
        digest(&laptop, "places/1").await,
        digest(&phone, "places/1").await
    );
    assert_eq!(phone.health().await.divergences.len(), 1);
}

#[tokio::test]
async fn a_false_claim_is_switched_off_and_the_state_healed() {
    let laptop = replica(false_claim(), 0).await;
    let phone = replica(false_claim(), 10).await;
    record(&laptop, "last/1", &"a").await;
    record(&phone, "last/1", &"b").await;
    digest(&phone, "last/1").await;
    laptop.sync(&phone).await.unwrap();
    assert_eq!(
        digest(&laptop, "last/1").await,
        digest(&phone, "last/1").await
    );
    assert_eq!(phone.state::<String>("last/1").await.unwrap().unwrap(), "b");
    let health = phone.health().await;
    assert_eq!(
        only(&health).finding,
        Finding::FalseShortcut(Shortcut::Claim.into())
    );
    assert!(only(&health).is_healed);
}

#[tokio::test]
async fn a_state_that_forgets_when_it_is_stored_is_found_out_by_a_peer_and_healed() {
    let store = MemoryStore::new();
    let laptop = open(&store, forgetful(), 0).await;
    let phone = replica(forgetful(), 0).await;
    record(&laptop, "peak/1", &5i64).await;
    record(&laptop, "peak/1", &-5i64).await;
    digest(&laptop, "peak/1").await;
    laptop.close().await.unwrap();
    let laptop = open(&store, forgetful(), 0).await;
    record(&laptop, "peak/1", &7i64).await;
    let before = digest(&laptop, "peak/1").await;
    record(&laptop, "peak/1", &-5i64).await;
    record(&laptop, "peak/1", &4i64).await;
    laptop.sync(&phone).await.unwrap();
    let after = digest(&laptop, "peak/1").await;
    assert_eq!(after, digest(&phone, "peak/1").await, "{before}");
}

#[tokio::test]
async fn a_rule_that_depends_on_the_machine_is_told_of_on_both_with_both_digests() {
    let laptop = replica(local(0), 0).await;
    let store = MemoryStore::new();
    let phone = open(&store, local(1), 0).await;
    record(&laptop, "sum/1", &5u64).await;
    laptop.sync(&phone).await.unwrap();
    let (here, there) = (laptop.health().await, phone.health().await);
    let (here, there) = (only(&here), only(&there));
    assert_eq!(here.finding, Finding::ElsewhereDifferent);
    assert_eq!(there.finding, Finding::ElsewhereDifferent);
    assert_eq!(here.peer.unwrap().1, there.ours);
    assert_eq!(there.peer.unwrap().1, here.ours);
    let evidence = here.evidence.as_ref().unwrap();
    assert!(!evidence.is_shown && evidence.test.contains(&there.ours.to_string()));

    // The machine is mended.
    phone.close().await.unwrap();
    let phone = open(&store, local(0), 0).await;
    record(&laptop, "sum/1", &5u64).await;
    laptop.sync(&phone).await.unwrap();
    assert_eq!(
        digest(&laptop, "sum/1").await,
        digest(&phone, "sum/1").await
    );
    let health = laptop.health().await;
    assert!(
        health.divergences.is_empty() && health.is_well(),
        "{:?}",
        health.divergences
    );
}
