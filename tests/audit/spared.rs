//! Rules that keep their laws are not accused, whatever is written, by whom, and who meets whom.

use anabranch::event::Draft;
use anabranch::replica::Replica;
use anabranch::replica::environment::OperatingSystem;
use anabranch::resolver::{
    AddWinsSet, Counter, FieldEdit, FieldMerge, FirstWriteWins, FoldFn, LastWriteWins, Manual,
    MultiValue, Registry, SetEdit,
};
use anabranch::store::MemoryStore;

use crate::{Ahead, digest, record, replica};

fn registry() -> Registry {
    let registry = Registry::new().with("doc", FieldMerge).unwrap();
    let registry = registry.with("count", Counter).unwrap();
    let registry = registry.with("set", AddWinsSet).unwrap();
    let registry = registry.with("last", LastWriteWins).unwrap();
    let registry = registry.with("first", FirstWriteWins).unwrap();
    let registry = registry.with("many", MultiValue).unwrap();
    registry.with("open", Manual).unwrap()
}

/// `SplitMix64`.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }
}

fn draft(random: &mut Random) -> Draft {
    let number = random.below(5);
    let name = |kind: &str| format!("{kind}/{}", number % 2);
    let field = ["a", "b", "c"][random.below(3)];
    match random.below(7) {
        0 => Draft::new(
            name("doc"),
            "w",
            &FieldEdit::new().set([field, "x"], &number).unwrap(),
        ),
        1 => Draft::new(name("doc"), "w", &FieldEdit::new().remove([field])),
        2 => Draft::new(name("count"), "w", &(i64::try_from(number).unwrap() - 2)),
        3 if number > 2 => Draft::new(name("set"), "w", &SetEdit::new().remove(field).unwrap()),
        3 => Draft::new(name("set"), "w", &SetEdit::new().add(field).unwrap()),
        4 => Draft::new(name("last"), "w", &number),
        5 => Draft::new(name("many"), "w", &number),
        6 if number > 2 => Draft::new(name("open"), "w", &Manual::write(&number).unwrap()),
        _ => Draft::new(name("first"), "w", &number),
    }
    .unwrap()
}

async fn run(seed: u64) -> u64 {
    let mut random = Random(seed);
    let mut replicas = Vec::new();
    let mut stores = Vec::new();
    for number in 0..4u64 {
        let store = MemoryStore::new();
        replicas.push(open(&store, number).await);
        stores.push(store);
    }
    // One log from the beginning.
    for other in &replicas[1..] {
        other.sync(&replicas[0]).await.unwrap();
    }
    for _ in 0..60 {
        let (at, other) = (random.below(4), random.below(3));
        let other = if other < at { other } else { other + 1 };
        match random.below(10) {
            // What the rule refuses is not written.
            0..6 => drop(replicas[at].record(draft(&mut random)).await),
            6..9 => drop(replicas[at].sync(&replicas[other]).await.unwrap()),
            _ => {
                replicas[at].close().await.unwrap();
                replicas[at] = open(&stores[at], u64::try_from(at).unwrap()).await;
            }
        }
    }
    let mut comparisons = 0;
    for replica in &replicas {
        let health = replica.health().await;
        assert!(health.divergences.is_empty(), "seed {seed}: {health:?}");
        assert!(health.distrusted.is_empty());
        comparisons += health.comparisons;
    }
    comparisons
}

async fn open(store: &MemoryStore, number: u64) -> Replica {
    Replica::builder(store.clone())
        .registry(registry())
        .environment(Ahead(OperatingSystem::new(), number * 3_000))
        .open()
        .await
        .unwrap()
}

#[tokio::test]
async fn versions_of_a_rule_are_not_compared_with_each_other() {
    let rule = |version: u32| {
        let add = move |sum: &mut u64, step: &u64| *sum += step * u64::from(version);
        FoldFn::reducer("sum", version, |_| 0u64, add)
    };
    let (old, new) = (replica(rule(1), 0).await, replica(rule(2), 0).await);
    let (hub, other) = (replica(rule(1), 0).await, replica(rule(2), 0).await);
    record(&old, "sum/1", &5u64).await;
    for replica in [&old, &new, &other] {
        replica.sync(&hub).await.unwrap();
    }
    assert_ne!(digest(&old, "sum/1").await, digest(&new, "sum/1").await);
    for replica in [&old, &new, &hub, &other] {
        assert!(replica.health().await.is_well());
    }
    assert_eq!(old.health().await.comparisons, 1);
    assert_eq!(new.health().await.comparisons, 0);
}

#[tokio::test]
async fn the_built_in_rules_are_never_accused() {
    let mut comparisons = 0;
    for seed in 0..60 {
        comparisons += run(seed).await;
    }
    assert!(comparisons > 2_000, "{comparisons}");
}
