//! How a log of many small groups lies on the disk, and what a crash at any moment leaves of that.

use std::path::Path;

use anabranch::event::{
    AggregateId, Commit, CommitSpan, Event, EventId, EventParts, EventType, Heads, Metadata,
    Payload, ReplicaId, Seq, Timestamp,
};
use anabranch::log::{Durability, Entry, EntryKind, Group, HistoryFrom, IdRange, ReadLimit};
use anabranch::store::{EventStore, FjallStore, Inspection};
use fjall::{Database, KeyspaceCreateOptions};

use super::content::{ALL, EPOCH, scratch, wait};

pub(super) const WRITERS: u64 = 3;
pub(super) const AGGREGATES: u64 = 50;

pub(super) fn entry(number: u64) -> Entry {
    let seq = Seq::new(1 + number / WRITERS).unwrap();
    let parts = EventParts {
        id: EventId::new(ReplicaId::new(1 + number % WRITERS, 1), seq),
        commit: CommitSpan::new(seq, 1).unwrap(),
        timestamp: Timestamp::at_millis(1 + number),
        written_ms: number,
        aggregate: AggregateId::new(&format!("doc/{}", number * number % AGGREGATES)).unwrap(),
        event_type: EventType::new("changed").unwrap(),
        heads: Heads::NONE,
        replaces: None,
        metadata: Metadata::new(),
        payload: Payload::from_bytes(number.to_be_bytes().to_vec().into()).unwrap(),
    };
    Entry {
        commit: Commit::new(vec![Event::assemble(parts).unwrap()]).unwrap(),
        kind: EntryKind::Ready,
        from: None,
        chain_before: None,
    }
}

/// Writes events up to a number, so many in a group.
fn write(store: &FjallStore, from: u64, to: u64, group: u64) {
    let numbers: Vec<u64> = (from..to).collect();
    for chunk in numbers.chunks(usize::try_from(group).unwrap()) {
        let entries = chunk.iter().copied().map(entry).collect();
        let durability = Durability::Buffered;
        let group = Group {
            entries,
            durability,
            ..Group::default()
        };
        wait(store.append(group)).unwrap();
    }
    wait(store.flush()).unwrap();
}

pub(super) fn open(folder: &Path) -> FjallStore {
    let store = FjallStore::open(folder).unwrap();
    wait(store.begin(EPOCH)).unwrap();
    store
}

/// Everything is there, once, in its order, and found whichever way it is asked for.
pub(super) fn check(store: &FjallStore, events: u64) {
    assert_eq!(wait(store.verify(Inspection::new())).unwrap().faults, []);
    let page = wait(store.since(0, ALL)).unwrap();
    assert_eq!(page.next, events);
    let numbers = (0..events).zip(&page.entries);
    for (number, (position, found)) in numbers {
        assert_eq!((*position, &found.commit), (number, &entry(number).commit));
    }
    for writer in 1..=WRITERS {
        let replica = ReplicaId::new(writer, 1);
        let seqs = Seq::FIRST..=Seq::new(u64::MAX).unwrap();
        let located = wait(store.locate(vec![IdRange { replica, seqs }])).unwrap();
        assert!(located.into_iter().eq((writer - 1..events).step_by(3)));
    }
    let name = AggregateId::new("doc/4").unwrap();
    let history = wait(store.history(name, HistoryFrom::Start)).unwrap();
    let wanted = (0..events).filter(|number| number * number % AGGREGATES == 4);
    assert!(history.entries.iter().map(|(at, _)| *at).eq(wanted));
    let names = wait(store.aggregates(String::new(), None, 1_000)).unwrap();
    let mut wanted: Vec<_> = (0..events.min(1_000))
        .map(|number| entry(number).commit.events()[0].aggregate().clone())
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    assert_eq!(names, wanted);
    let known: Vec<_> = (0..events).step_by(997).map(entry).collect();
    let ids = known.iter().map(|entry| entry.commit.id()).collect();
    for (known, entry) in wait(store.known(ids)).unwrap().iter().zip(&known) {
        assert_eq!(known.unwrap().digest, entry.commit.events()[0].digest());
    }
}

fn rows(folder: &Path, table: &str) -> usize {
    let db = Database::builder(folder.join("data")).open().unwrap();
    let rows = db.keyspace(table, KeyspaceCreateOptions::default).unwrap();
    rows.iter().count()
}

#[test]
fn groups_of_one_event_become_blocks_of_many() {
    let folder = scratch();
    let mut end = 0;
    for more in [1, 700, 40, 1_110] {
        let store = open(folder.path());
        write(&store, end, end + more, 1);
        end += more;
        check(&store, end);
        wait(store.close()).unwrap();
    }
    let blocks = rows(folder.path(), "log");
    // What an opening leaves that is less than a whole block stays as it is.
    assert!(blocks <= 1 + 188 + 40 + 86 + 3, "{blocks} blocks");
    // At most a row of each aggregate and of each writer for each opening.
    let (ids, histories) = (
        rows(folder.path(), "ids"),
        rows(folder.path(), "aggregates"),
    );
    assert!(ids <= 24 && histories <= 200, "{ids}, {histories}");
    check(&open(folder.path()), end);
}

#[test]
fn whatever_the_indexes_lack_after_a_crash_is_read_from_the_log() {
    let folder = scratch();
    let mut end = 0;
    // The third time a segment is full when the process ends; the rows of it are written after.
    for (more, group) in [(300, 1), (400, 100), (32_100, 1_000), (400, 100), (10, 1)] {
        let store = open(folder.path());
        write(&store, end, end + more, group);
        end += more;
        drop(store);
        if end < 1_000 {
            check(&open(folder.path()), end);
        }
    }
    let store = open(folder.path());
    check(&store, end);
    wait(store.close()).unwrap();
    drop(store);
    check(&open(folder.path()), end);
}

#[test]
fn a_store_is_verified_while_its_blocks_are_joined() {
    let folder = scratch();
    let store = open(folder.path());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(&store, 0, 4_000, 1));
        while !writer.is_finished() {
            assert_eq!(wait(store.verify(Inspection::new())).unwrap().faults, []);
        }
    });
    check(&store, 4_000);
}

#[test]
fn a_reader_goes_on_behind_a_block_that_was_joined_since_it_was_read() {
    let folder = scratch();
    let store = open(folder.path());
    let first_alone = ReadLimit { entries: 1, ..ALL };
    // Half of each block is read, so that it is remembered as it was.
    for end in (2..=1_200).step_by(2) {
        write(&store, end - 2, end, 2);
        let page = wait(store.since(end - 2, first_alone)).unwrap();
        assert_eq!(page.next, end - 1);
    }
    for position in 0..1_200 {
        let page = wait(store.since(position, ALL)).unwrap();
        assert_eq!((page.entries[0].0, page.next), (position, 1_200));
    }
}
