//! Rows that were changed behind the store's back, with fjall's own checksums right.

use std::path::Path;

use anabranch::event::{AggregateId, EventId, ReplicaId, Seq};
use anabranch::log::{Durability, HistoryFrom};
use anabranch::store::{EventStore, FjallStore, StoreError};
use fjall::{Database, KeyspaceCreateOptions, PersistMode};

use super::content::{ALL, EPOCH, group, scratch, wait};

const TABLES: [&str; 4] = ["log", "ids", "aggregates", "notes"];

pub(super) fn store_with(folder: &Path, groups: u64, clean: bool) {
    let store = FjallStore::open(folder).unwrap();
    wait(store.begin(EPOCH)).unwrap();
    for number in 1..=groups {
        wait(store.append(group(number, 50, Durability::Durable))).unwrap();
    }
    if clean {
        wait(store.close()).unwrap();
    }
}

/// Changes one row of a table: the last byte of its value, or removes it.
pub(super) fn change(folder: &Path, table: &str, remove: bool, which: impl Fn(&[u8]) -> bool) {
    let db = Database::builder(folder.join("data")).open().unwrap();
    let rows = db.keyspace(table, KeyspaceCreateOptions::default).unwrap();
    let row = rows
        .iter()
        .map(|row| row.into_inner().unwrap())
        .filter(|(key, _)| which(key));
    let (key, value) = row.last().unwrap();
    if remove {
        rows.remove(key).unwrap();
    } else {
        let mut value = value.to_vec();
        *value.last_mut().unwrap() ^= 1;
        rows.insert(key, value).unwrap();
    }
    db.persist(PersistMode::SyncAll).unwrap();
}

fn damaged<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result {
        Err(StoreError::Damaged { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_changed_row_is_named_and_the_others_are_read() {
    let folder = scratch();
    store_with(folder.path(), 5, true);
    let aggregate = AggregateId::new("doc/1").unwrap();
    change(folder.path(), "log", false, |key| {
        key == 2_u64.to_be_bytes()
    });
    change(folder.path(), "aggregates", false, |key| {
        key.starts_with(b"doc/1\0\x02")
    });
    let store = FjallStore::open(folder.path()).unwrap();
    let opening = wait(store.begin(EPOCH)).unwrap();
    let block = "log entries from 2 on";
    assert_eq!(damaged(wait(store.since(0, ALL))), block);
    assert_eq!(damaged(wait(store.at(vec![0, 3], ALL))), block);
    assert_eq!(wait(store.at(vec![0, 1, 5], ALL)).unwrap().next, 6);
    assert_eq!(wait(store.since(5, ALL)).unwrap().next, opening.end);
    let fold = wait(store.history(aggregate.clone(), HistoryFrom::Fold));
    assert_eq!(damaged(fold), "stored state of doc/1");
}

#[test]
fn a_changed_row_of_the_index_is_named() {
    let folder = scratch();
    store_with(folder.path(), 5, true);
    change(folder.path(), "ids", false, |_| true);
    let store = FjallStore::open(folder.path()).unwrap();
    wait(store.begin(EPOCH)).unwrap();
    let known = |replica| {
        let id = EventId::new(ReplicaId::new(replica, 1), Seq::FIRST);
        wait(store.known(vec![id]))
    };
    assert!(damaged(known(1)).starts_with("index row of "));
    assert_eq!(known(2).unwrap(), [None]);
}

#[test]
fn what_was_changed_within_a_block_is_told_as_far_as_the_block_tells() {
    let folder = scratch();
    store_with(folder.path(), 5, true);
    let db = Database::builder(folder.path().join("data"))
        .open()
        .unwrap();
    let rows = db.keyspace("log", KeyspaceCreateOptions::default).unwrap();
    let key = 2_u64.to_be_bytes();
    let mut block = rows.get(key).unwrap().unwrap().to_vec();
    // Payloads stand last, before the checksum of the whole.
    let at = block.len() - 8 - 50;
    block[at] ^= 1;
    rows.insert(key, block).unwrap();
    db.persist(PersistMode::SyncAll).unwrap();
    drop((rows, db));
    let store = FjallStore::open(folder.path()).unwrap();
    wait(store.begin(EPOCH)).unwrap();
    let read = wait(store.at(vec![4], ALL)).unwrap_err().to_string();
    let what = "from 2 on: its checksum is wrong, checksum of ";
    assert!(read.contains(what), "{read}");
}

#[test]
fn a_missing_entry_is_damage_and_not_the_end_of_the_log() {
    let folder = scratch();
    store_with(folder.path(), 5, true);
    change(folder.path(), "log", true, |key| key == 2_u64.to_be_bytes());
    let store = FjallStore::open(folder.path()).unwrap();
    wait(store.begin(EPOCH)).unwrap();
    assert_eq!(damaged(wait(store.since(3, ALL))), "log entry 3");
    let page = wait(store.since(0, ALL));
    assert_eq!(damaged(page), "log entry 2");
    assert_eq!(damaged(wait(store.at(vec![3], ALL))), "log entry 3");
}

#[test]
fn a_missing_last_entry_is_found_when_the_store_is_opened() {
    let folder = scratch();
    store_with(folder.path(), 5, true);
    change(folder.path(), "log", true, |_| true);
    assert_eq!(damaged(FjallStore::open(folder.path())), "log");
}

#[test]
fn an_unclean_end_is_followed_by_a_look_at_the_tail() {
    for table in TABLES {
        for remove in [false, true] {
            // Indexes are written by a close; what came after it is in the log alone.
            for later in [0, 2] {
                if later > 0 && ["ids", "aggregates"].contains(&table) {
                    continue;
                }
                let folder = scratch();
                store_with(folder.path(), 5, true);
                let store = FjallStore::open(folder.path()).unwrap();
                wait(store.begin(EPOCH)).unwrap();
                for number in 6..6 + later {
                    wait(store.append(group(number, 50, Durability::Durable))).unwrap();
                }
                drop(store);
                // The last row of each table was written last, but for the track of the replica.
                let newest = |key: &[u8]| table != "aggregates" || !key.ends_with(&[0, 2]);
                change(folder.path(), table, remove, newest);
                let what = damaged(FjallStore::open(folder.path()));
                assert!(!what.is_empty(), "{table} {remove} {later}");
            }
        }
    }
}
