use std::time::Duration;

use anabranch::MemoryStore;
use anabranch::log::{Durability, Epoch, Group, Note, ReadLimit};
use anabranch::store::{EventStore, StoreError};
use anabranch::testing::doubles::{FaultyStore, Made, Operation, StoreFault, StoreFaults, When};
use futures::FutureExt;
use futures::future::join;

const ALL: ReadLimit = ReadLimit {
    entries: usize::MAX,
    bytes: usize::MAX,
};

fn store() -> (FaultyStore<MemoryStore>, StoreFaults) {
    let faults = StoreFaults::new();
    (FaultyStore::new(MemoryStore::new(), faults.clone()), faults)
}

fn put(key: &str, durability: Durability) -> Group {
    let note = Note {
        key: key.into(),
        value: Some("1".into()),
    };
    Group {
        notes: vec![note],
        durability,
        ..Group::default()
    }
}

fn durable(key: &str) -> Group {
    put(key, Durability::Durable)
}

async fn begin(store: &impl EventStore, epoch: u64) -> Vec<String> {
    let opening = store.begin(Epoch::from_bits(epoch)).await.unwrap();
    let keys = opening.notes.into_iter();
    keys.map(|(key, _)| String::from_utf8(key).unwrap())
        .collect()
}

#[tokio::test]
async fn a_fault_meets_the_operation_of_its_number_and_no_other() {
    let (store, faults) = store();
    begin(&store, 1).await;
    faults.put(When::NthOf(Operation::Since, 2), StoreFault::FailBefore);
    faults.put(When::Nth(5), StoreFault::FailBefore);
    assert!(store.since(0, ALL).await.is_ok());
    let failed = store.since(0, ALL).await.unwrap_err();
    assert_eq!(failed.to_string(), "store cannot since: the script says so");
    assert!(store.since(0, ALL).await.is_ok());
    assert!(store.at(vec![], ALL).await.is_err());
    assert!(store.at(vec![], ALL).await.is_ok());
    let fault = Some(StoreFault::FailBefore);
    let met: Vec<_> = faults.made().into_iter().map(|made| made.fault).collect();
    assert_eq!(met, [None, None, fault, None, fault, None]);
    assert_eq!(faults.made()[3].operation, Operation::Since);
    assert_eq!(
        (faults.total(), faults.count(Operation::At), faults.fired()),
        (6, 2, 2)
    );
}

#[tokio::test]
async fn a_fault_that_lasts_meets_all_that_follow_until_the_script_is_cleared() {
    let (store, faults) = store();
    faults.put(When::FromOf(Operation::Since, 2), StoreFault::FailBefore);
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        outcomes.push(store.since(0, ALL).await.is_ok());
    }
    assert_eq!(outcomes, [true, false, false, false]);
    faults.clear();
    assert!(store.since(0, ALL).await.is_ok());
    faults.put(When::From(6), StoreFault::FailBefore);
    assert!(store.since(0, ALL).await.is_err());
    assert!(store.known(vec![]).await.is_err());
}

#[tokio::test]
async fn a_write_that_fails_is_there_or_not_as_the_script_says_and_none_follows_it() {
    for (fault, there) in [
        (StoreFault::FailBefore, vec![]),
        (StoreFault::FailAfter, vec!["a"]),
    ] {
        let (store, faults) = store();
        begin(&store, 1).await;
        faults.put(When::NthOf(Operation::Append, 1), fault);
        assert!(store.append(durable("a")).await.is_err());
        let refused = store.append(durable("b")).await;
        assert!(
            matches!(refused, Err(StoreError::Poisoned { .. })),
            "{refused:?}"
        );
        assert!(store.flush().await.is_err() && store.close().await.is_err());
        assert_eq!(begin(&store, 2).await, there);
        store.append(durable("c")).await.unwrap();
    }
}

#[tokio::test]
async fn what_hangs_goes_on_when_it_is_released_and_what_was_asked_later_comes_later() {
    for fault in [StoreFault::Hang, StoreFault::HangAfter] {
        let (store, faults) = store();
        begin(&store, 1).await;
        faults.put(When::NthOf(Operation::Append, 1), fault);
        let mut first = store.append(durable("a"));
        let mut second = store.append(durable("b"));
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut first).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none(), "the order was lost");
        // Reads do not wait for writes.
        store.since(0, ALL).await.unwrap();
        faults.release();
        let (first, second) = join(first, second).await;
        assert!(first.is_ok() && second.is_ok());
    }
}

#[tokio::test]
async fn a_write_that_was_given_up_holds_up_nobody() {
    let (store, faults) = store();
    begin(&store, 1).await;
    faults.put(When::NthOf(Operation::Append, 1), StoreFault::Hang);
    let mut first = store.append(durable("a"));
    assert!((&mut first).now_or_never().is_none());
    drop(first);
    store.append(durable("b")).await.unwrap();
    assert_eq!(begin(&store, 2).await, ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_operation_takes_as_long_as_the_script_says() {
    let (store, faults) = store();
    let length = Duration::from_secs(10);
    faults.put(When::NthOf(Operation::Since, 1), StoreFault::Slow(length));
    let asked = tokio::time::Instant::now();
    store.since(0, ALL).await.unwrap();
    assert!(asked.elapsed() >= length);
}

#[tokio::test]
async fn a_full_disk_takes_no_write_until_there_is_room() {
    let (store, faults) = store();
    begin(&store, 1).await;
    faults.set_full(true);
    let full = store.append(durable("a")).await.unwrap_err();
    assert_eq!(
        full.to_string(),
        "store cannot append: no space left on device"
    );
    assert!(store.since(0, ALL).await.is_ok(), "reads need no room");
    assert!(store.begin(Epoch::from_bits(2)).await.is_err());
    faults.set_full(false);
    assert!(begin(&store, 3).await.is_empty());
    store.append(durable("a")).await.unwrap();
}

#[tokio::test]
async fn a_loss_of_power_takes_what_was_not_fsynced_and_everything_fails_after_it() {
    for (fault, there) in [
        (StoreFault::PowerLossBefore, vec!["a"]),
        (StoreFault::PowerLossAfter, vec!["a", "b", "c"]),
    ] {
        let (disk, faults) = (MemoryStore::new(), StoreFaults::new());
        let open = || {
            let store = FaultyStore::new(disk.clone(), faults.clone());
            store.with_power(MemoryStore::power_loss)
        };
        let store = open();
        begin(&store, 1).await;
        store.append(durable("a")).await.unwrap();
        store.append(put("b", Durability::Buffered)).await.unwrap();
        faults.put(When::NthOf(Operation::Append, 3), fault);
        assert!(store.append(durable("c")).await.is_err());
        assert!(store.since(0, ALL).await.is_err());
        faults.clear();
        assert_eq!(begin(&open(), 2).await, there);
    }
}

#[tokio::test]
async fn what_was_asked_is_listed_in_the_order_of_the_calls() {
    let (store, faults) = store();
    drop(store.flush());
    begin(&store, 1).await;
    let operations = |made: Vec<Made>| made.into_iter().map(|made| made.operation);
    let listed: Vec<_> = operations(faults.made()).collect();
    assert_eq!(listed, [Operation::Flush, Operation::Begin]);
}
