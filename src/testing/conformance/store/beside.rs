//! Readers beside a writer, two openings at once, and appends that nobody waits for.

use std::string::{String, ToString};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::vec::Vec;

use bytes::Bytes;
use futures::FutureExt;

use super::StoreGuard;
use super::author::{Author, ready};
use super::pace::{Pace, beside};
use super::rig::{ALL, Rig, block_on};
use crate::event::{AggregateId, Commit};
use crate::log::{Epoch, Group, IdRange, StateRow};
use crate::store::{EventStore, HistoryFrom, ReadLimit, StoreError};

const GROUPS: usize = 40;

pub fn every_place_is_its_own<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut first = Rig::new(make);
    first.append_all([ready(&Author::new(1).commit(&["a/1"]))]);
    let mut second = Rig::new(make);
    second.append_all([ready(&Author::new(2).commit(&["b/1"]))]);
    first.check();
    second.reopen();
    first.reopen();
}

pub fn a_read_sees_what_was_answered_before_it<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let rig = Rig::new(make);
    let store = rig.store();
    let commits = commits(GROUPS);
    let answered = AtomicU64::new(0);
    let write = |pace: &Pace| {
        let mut last = 0;
        for commit in &commits {
            last = pace.write(last);
            let end = block_on(store.append(group([commit]))).unwrap();
            answered.store(end, Ordering::Release);
        }
    };
    let read = |pace: &Pace| {
        let mut end = 0;
        while end < GROUPS as u64 {
            pace.read();
            end = answered.load(Ordering::Acquire);
            if let Some(last) = end.checked_sub(1) {
                look_for(store, last, &commits[last as usize]);
            }
        }
    };
    beside(write, &[&read, &read]);
}

/// Demands that everything that can be asked knows of a commit.
fn look_for(store: &impl EventStore, position: u64, commit: &Commit) {
    let page = block_on(store.since(position, ALL)).unwrap();
    let first = page.entries.first().map(|(_, entry)| &entry.commit);
    assert_eq!(first, Some(commit), "an answered write is in the log");
    let known = block_on(store.known(Vec::from([commit.id()]))).unwrap();
    assert!(known[0].is_some(), "an answered write is known by its id");
    let ranges = Vec::from([IdRange {
        replica: commit.replica(),
        seqs: commit.id().seq..=commit.id().seq,
    }]);
    assert_eq!(block_on(store.locate(ranges)).unwrap(), [position]);
    let aggregate = commit.events()[0].aggregate();
    let history = block_on(store.history(aggregate.clone(), HistoryFrom::Start)).unwrap();
    let found = history.entries.iter().any(|(at, _)| *at == position);
    assert!(found, "an answered write is in its aggregate's history");
    let names = block_on(store.aggregates(aggregate.to_string(), None, 1)).unwrap();
    assert_eq!(names.first(), Some(aggregate));
}

pub fn a_history_beside_a_writer_goes_on_where_its_fold_ends<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let rig = Rig::new(make);
    let store = rig.store();
    let commits = commits(2 * GROUPS);
    let name = AggregateId::new("a/1").unwrap();
    let write = |pace: &Pace| {
        let mut last = 0;
        for (number, pair) in commits.chunks(2).enumerate() {
            last = pace.write(last);
            let mut group = group(pair);
            if number % 2 == 0 {
                let end = 2 * (number + 1);
                group.states.push(StateRow {
                    aggregate: name.clone(),
                    bytes: Bytes::from(end.to_string()),
                });
            }
            block_on(store.append(group)).unwrap();
        }
    };
    let read = |pace: &Pace| {
        let mut end = 0;
        while end < 2 * GROUPS as u64 {
            pace.read();
            let history = block_on(store.history(name.clone(), HistoryFrom::Fold)).unwrap();
            let fold = history.fold.as_ref().map_or_else(String::new, text);
            let covered = fold.parse().unwrap_or(0);
            let positions = history.entries.iter().map(|(at, _)| *at);
            end = covered + history.entries.len() as u64;
            assert!(positions.eq(covered..end), "a fold up to {covered}");
            assert_eq!(end % 2, 0, "a group was seen in part");
        }
    };
    beside(write, &[&read]);
}

pub fn readers_beside_a_writer_do_not_disturb_one_another<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let rig = Rig::new(make);
    let store = rig.store();
    let commits = commits(2 * GROUPS);
    let read = |pace: &Pace, entries| {
        let limit = ReadLimit {
            entries,
            bytes: usize::MAX,
        };
        let mut next = 0;
        while next < 2 * GROUPS {
            pace.read();
            let page = block_on(store.since(next as u64, limit)).unwrap();
            for (position, entry) in &page.entries {
                assert_eq!(*position, next as u64);
                assert_eq!(entry.commit, commits[next]);
                next += 1;
            }
            assert_eq!(page.next, next as u64);
        }
    };
    let write = |pace: &Pace| {
        let mut last = 0;
        for pair in commits.chunks(2) {
            last = pace.write(last);
            block_on(store.append(group(pair))).unwrap();
        }
    };
    beside(
        write,
        &[&|pace| read(pace, 1), &|pace| read(pace, 2), &|pace| {
            read(pace, 3);
        }],
    );
}

pub fn a_second_opening_is_refused_or_takes_over<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let (mut near, mut far) = (Author::new(1), Author::new(2));
    rig.append_all([ready(&near.commit(&["a/1"]))]);
    match rig.guard.reopen() {
        Err(StoreError::Locked { .. }) => {}
        Err(other) => panic!("an open store is opened again: {other}"),
        Ok(second) => {
            let early = block_on(second.append(group([&far.clone().commit(&["a/1"])])));
            assert!(matches!(early, Err(StoreError::Closed)), "{early:?}");
            rig.append_all([ready(&near.commit(&["a/1"]))]);
            let first = rig.store.replace(second).unwrap();
            rig.begin_as(Epoch::from_bits(99));
            rig.check_opening();
            let late = block_on(first.append(group([&near.clone().commit(&["a/1"])])));
            assert!(matches!(late, Err(StoreError::Closed)), "{late:?}");
            drop(first);
        }
    }
    rig.append_all([ready(&far.commit(&["a/1"]))]);
    rig.check();
    rig.reopen();
}

pub fn an_append_that_nobody_waits_for_is_whole_or_absent<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let mut steady = Author::new(1);
    for round in 0..9_u64 {
        let mut author = Author::new(10 + round);
        let pair = [(); 2].map(|()| author.commit(&["a/1", "a/2"]));
        let mut append = rig.store().append(group(&pair));
        for _ in 0..round % 3 {
            let mut cx = Context::from_waker(Waker::noop());
            if append.poll_unpin(&mut cx).is_ready() {
                break;
            }
        }
        drop(append);
        let next = group([&steady.commit(&["a/1"])]);
        let end = block_on(rig.store().append(next.clone())).unwrap();
        if end != rig.model.end() + 1 {
            rig.model.append(&group(&pair));
        }
        rig.model.append(&next);
        assert_eq!(end, rig.model.end(), "a group was written in part");
    }
    rig.check();
    rig.reopen();
}

fn commits(count: usize) -> Vec<Commit> {
    let mut author = Author::new(1);
    (0..count).map(|_| author.commit(&["a/1"])).collect()
}

fn group<'a>(commits: impl IntoIterator<Item = &'a Commit>) -> Group {
    Group {
        entries: commits.into_iter().map(ready).collect(),
        ..Group::default()
    }
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
