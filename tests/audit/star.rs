//! Around a hub without rules, which cannot fold anything.

use anabranch::engine::Finding;
use anabranch::replica::Replica;
use anabranch::resolver::{Counter, Registry};
use anabranch::store::MemoryStore;

use crate::rules::local;
use crate::{only, record, replica};

#[tokio::test]
async fn both_ends_of_a_sync_learn_that_they_agree() {
    let (laptop, phone) = (replica(Counter, 0).await, replica(Counter, 0).await);
    record(&laptop, "sum/1", &5).await;
    laptop.sync(&phone).await.unwrap();
    for replica in [&laptop, &phone] {
        let health = replica.health().await;
        assert!(health.is_well() && health.comparisons == 1);
    }
}

async fn hub() -> Replica {
    let hub = Replica::builder(MemoryStore::new()).registry(Registry::new());
    hub.open().await.unwrap()
}

#[tokio::test]
async fn two_peers_of_a_hub_without_rules_learn_that_they_differ() {
    let hub = hub().await;
    let laptop = replica(local(0), 0).await;
    let phone = replica(local(1), 0).await;
    record(&laptop, "sum/1", &5u64).await;
    laptop.sync(&hub).await.unwrap();
    phone.sync(&hub).await.unwrap();
    let health = phone.health().await;
    let found = only(&health);
    assert_eq!(found.finding, Finding::ElsewhereDifferent);
    assert!(
        laptop.health().await.is_well(),
        "it has not met the hub since"
    );

    record(&laptop, "sum/2", &5u64).await;
    phone.sync(&hub).await.unwrap();
    laptop.sync(&hub).await.unwrap();
    phone.sync(&hub).await.unwrap();
    record(&laptop, "sum/2", &6u64).await;
    record(&phone, "sum/1", &6u64).await;
    phone.sync(&hub).await.unwrap();
    laptop.sync(&hub).await.unwrap();
    let health = laptop.health().await;
    assert_eq!(only(&health).finding, Finding::ElsewhereDifferent);
    let health = hub.health().await;
    assert!(health.is_well() && health.comparisons == 0);
}

#[tokio::test]
async fn peers_of_a_hub_without_rules_that_agree_compare_through_it() {
    let hub = hub().await;
    let laptop = replica(Counter, 0).await;
    let phone = replica(Counter, 0).await;
    record(&laptop, "sum/1", &5).await;
    laptop.sync(&hub).await.unwrap();
    phone.sync(&hub).await.unwrap();
    let health = phone.health().await;
    assert!(health.is_well() && health.comparisons == 1);
}
