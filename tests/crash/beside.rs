//! A writer, readers, joined blocks, index rows that are written in the pauses, and compactions,
//! all beside one another and in an order that chance decides.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use anabranch::event::{AggregateId, ReplicaId, Seq};
use anabranch::log::{Durability, Group, HistoryFrom, IdRange, ReadLimit};
use anabranch::store::{EventStore, FjallStore};
use fjall::{Database, KeyspaceCreateOptions};

use super::blocks::{AGGREGATES, WRITERS, check, entry, open};
use super::content::{ALL, scratch, wait};

/// More than three segments of an index, which end with a block.
const EVENTS: u64 = 100_000;
/// What is written while nobody else reads, so that the rows of an index come soon.
const ALONE: u64 = 31_000;

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// Some numbers below a bound, more often late ones.
    fn range(&mut self, end: u64) -> Range<u64> {
        let far = if self.below(2) == 0 { 3_000 } else { end };
        let back = 1 + self.below(end.min(far));
        let first = end - back;
        first..(first + 1 + self.below(700)).min(end)
    }
}

fn group(numbers: Range<u64>) -> Group {
    Group {
        entries: numbers.map(entry).collect(),
        durability: Durability::Buffered,
        ..Group::default()
    }
}

/// Writes groups of any size; now and then several of which none is waited for before the next.
fn write(store: &FjallStore, numbers: Range<u64>, answered: &AtomicU64, random: &mut Random) {
    let mut next = numbers.start;
    while next < numbers.end {
        let mut answers = Vec::new();
        for _ in 0..if random.below(8) == 0 { 40 } else { 1 } {
            let events = match random.below(20) {
                0..8 => 1,
                8..19 => 1 + random.below(30),
                _ => 1 + random.below(1_500),
            };
            let end = (next + events).min(numbers.end);
            answers.push(store.append(group(next..end)));
            next = end;
        }
        for answer in answers {
            answered.store(wait(answer).unwrap(), Ordering::Release);
        }
    }
}

/// Asks one thing and demands of the answer what had been answered before.
fn look(store: &FjallStore, answered: &AtomicU64, random: &mut Random) {
    let end = answered.load(Ordering::Acquire);
    if end == 0 {
        return;
    }
    let numbers = random.range(end);
    match random.below(6) {
        0 | 1 => look_into_pages(store, numbers, end, random),
        2 => {
            let step = usize::try_from(1 + random.below(50)).unwrap();
            let positions: Vec<u64> = numbers.step_by(step).collect();
            let page = wait(store.at(positions.clone(), ALL)).unwrap();
            assert!(page.entries.iter().map(|(at, _)| *at).eq(positions));
            let (at, found) = &page.entries[0];
            assert_eq!(found.commit, entry(*at).commit);
        }
        3 => {
            let writer = random.below(WRITERS);
            let seqs: Vec<u64> = numbers.filter(|n| n % WRITERS == writer).collect();
            let (Some(first), Some(last)) = (seqs.first(), seqs.last()) else {
                return;
            };
            let seq = |number: &u64| Seq::new(1 + number / WRITERS).unwrap();
            let range = IdRange {
                replica: ReplicaId::new(1 + writer, 1),
                seqs: seq(first)..=seq(last),
            };
            assert_eq!(wait(store.locate(vec![range])).unwrap(), seqs);
        }
        4 => {
            let wanted: Vec<_> = numbers.step_by(97).map(entry).collect();
            let ids = wanted.iter().map(|entry| entry.commit.id()).collect();
            for (known, entry) in wait(store.known(ids)).unwrap().iter().zip(&wanted) {
                assert_eq!(known.unwrap().digest, entry.commit.events()[0].digest());
            }
        }
        _ => look_into_history(store, numbers.start, end),
    }
}

fn look_into_pages(store: &FjallStore, numbers: Range<u64>, end: u64, random: &mut Random) {
    let limit = ReadLimit {
        entries: 1 + usize::try_from(random.below(600)).unwrap(),
        bytes: 1 << (8 + random.below(14)),
    };
    let mut position = numbers.start;
    while position < numbers.end {
        let page = wait(store.since(position, limit)).unwrap();
        assert!(page.next > position && page.entries.len() <= limit.entries);
        let positions = page.entries.iter().map(|(at, _)| *at);
        assert!(positions.eq(position..page.next), "a page from {position}");
        let (at, found) = page.entries.last().unwrap();
        assert_eq!(found.commit, entry(*at).commit, "of {end}");
        position = page.next;
    }
}

fn look_into_history(store: &FjallStore, number: u64, end: u64) {
    let rest = number * number % AGGREGATES;
    let name = AggregateId::new(&format!("doc/{rest}")).unwrap();
    let history = wait(store.history(name, HistoryFrom::Start)).unwrap();
    let found: Vec<u64> = history.entries.iter().map(|(at, _)| *at).collect();
    let known = found.partition_point(|at| *at < end);
    let wanted = (0..end).filter(|n| n * n % AGGREGATES == rest);
    assert!(
        found[..known].iter().copied().eq(wanted),
        "doc/{rest} at {end}"
    );
    assert!(found.is_sorted_by(|a, b| a < b));
}

/// Up to where the indexes tell what the log holds, as the note of it says. A block begins there, so
/// that whoever reads from there on finds the ends of segments where they were.
fn indexed(folder: &Path) -> u64 {
    let db = Database::builder(folder.join("data")).open().unwrap();
    let row = |table: &str, key: &[u8]| {
        let table = db.keyspace(table, KeyspaceCreateOptions::default);
        table.unwrap().get(key).unwrap()
    };
    let note = row("notes", b"i").unwrap();
    let indexed = u64::from_be_bytes(note[..8].try_into().unwrap());
    assert!(row("log", &indexed.to_be_bytes()).is_some());
    indexed
}

#[test]
fn rows_of_indexes_are_written_though_nobody_reads_and_no_block_lies_across_their_end() {
    let folder = scratch();
    let store = open(folder.path());
    // The segment ends among small groups, which are joined.
    for (numbers, step) in [
        (0..32_000, 1_000),
        (32_000..34_000, 10),
        (34_000..62_000, 1_000),
    ] {
        for first in numbers.step_by(step) {
            let end = first + u64::try_from(step).unwrap();
            wait(store.append(group(first..end))).unwrap();
        }
    }
    drop(store);
    assert_eq!(indexed(folder.path()), 32_770);
}

#[test]
fn whoever_reads_beside_everything_else_finds_what_was_answered() {
    let folder = scratch();
    let store = open(folder.path());
    let (answered, done) = (AtomicU64::new(0), AtomicBool::new(false));
    write(&store, 0..ALONE, &answered, &mut Random(1));
    thread::scope(|scope| {
        for seed in 2..5 {
            let (store, answered, done) = (&store, &answered, &done);
            scope.spawn(move || {
                let mut random = Random(seed);
                while !done.load(Ordering::Acquire) {
                    look(store, answered, &mut random);
                }
            });
        }
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                wait(store.compact()).unwrap();
            }
        });
        write(&store, ALONE..EVENTS, &answered, &mut Random(5));
        done.store(true, Ordering::Release);
    });
    check(&store, EVENTS);
    // As a process that was killed leaves it.
    drop(store);
    assert!(indexed(folder.path()) >= 2 * 32_768, "rows are behind");
    check(&open(folder.path()), EVENTS);
}
