//! Each kind of mistake is found, and told from the others.

use std::collections::HashSet;

use anabranch::engine::Finding;
use anabranch::merge::{BrokenLaw, Shortcut, Shortcuts};
use anabranch::store::MemoryStore;
use futures::StreamExt;

use crate::rules::{false_claim, forgetful, hash_set, local, small_footprint};
use crate::{digest, only, open, record, replica};

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
    let store = MemoryStore::new();
    let phone = open(&store, small_footprint(), 10).await;
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

    // It is remembered that the shortcut is off.
    phone.close().await.unwrap();
    let phone = open(&store, small_footprint(), 10).await;
    record(&laptop, "places/1", &"e").await;
    record(&phone, "places/1", &"f").await;
    digest(&phone, "places/1").await;
    phone.sync(&laptop).await.unwrap();
    assert_eq!(
        digest(&laptop, "places/1").await,
        digest(&phone, "places/1").await
    );
    let health = phone.health().await;
    assert!(health.divergences.is_empty() && !health.is_well());
    assert_eq!(health.distrusted[0].shortcuts, Shortcut::Footprint.into());
}

#[tokio::test]
async fn a_false_shortcut_is_found_without_any_peer() {
    let laptop = replica(small_footprint(), 0).await;
    let phone = replica(small_footprint(), 10).await;
    record(&laptop, "places/1", &"a").await;
    record(&phone, "places/1", &"b").await;
    digest(&phone, "places/1").await;
    let commits: Vec<_> = laptop.commits().map(Result::unwrap).collect().await;
    phone.ingest(commits).await.unwrap();
    let wrong = digest(&phone, "places/1").await;
    // Whatever comes next.
    record(&phone, "places/2", &"a").await;
    let health = phone.health().await;
    let found = only(&health);
    assert_eq!((found.ours, found.peer), (wrong, None));
    assert_eq!(found.replayed, Some(digest(&phone, "places/1").await));
    assert!(found.is_healed && health.audits == 1);
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
    for step in [5i64, 5, -5] {
        record(&laptop, "peak/1", &step).await;
    }
    digest(&laptop, "peak/1").await;
    laptop.close().await.unwrap();
    let laptop = open(&store, forgetful(), 0).await;
    record(&laptop, "peak/1", &6i64).await;
    let before = digest(&laptop, "peak/1").await;
    laptop.sync(&phone).await.unwrap();
    let after = digest(&laptop, "peak/1").await;
    assert_ne!(before, after);
    assert_eq!(after, digest(&phone, "peak/1").await);
    let health = laptop.health().await;
    let found = only(&health);
    let stored = Shortcuts::from(Shortcut::StoredFold);
    assert_eq!(found.finding, Finding::FalseShortcut(stored));
    assert!(found.is_healed);
    assert_eq!(found.evidence.as_ref().unwrap().law, BrokenLaw::StateSplit);

    // It is remembered, and no state is stored for the rule any more.
    laptop.close().await.unwrap();
    let laptop = open(&store, forgetful(), 0).await;
    assert_eq!(digest(&laptop, "peak/1").await, after);
    record(&laptop, "peak/1", &1i64).await;
    laptop.sync(&phone).await.unwrap();
    assert_eq!(
        digest(&laptop, "peak/1").await,
        digest(&phone, "peak/1").await
    );
    let health = laptop.health().await;
    assert!(health.divergences.is_empty() && !health.is_well());
    assert_eq!(health.distrusted[0].shortcuts, stored);
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
