//! What opening a store, reading a cold aggregate and resuming cost, at 10,000 and 100,000 events.
//!
//! Prints times and their ratio; demands only what does not depend on the machine: that the bytes
//! read from files are bounded by a constant.
#![cfg(all(feature = "testing", feature = "fjall", target_os = "linux"))]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::time::Instant;

use anabranch::event::{
    AggregateId, Commit, CommitSpan, Event, EventId, EventParts, EventType, Heads, Metadata,
    Payload, ReplicaId, Seq, Timestamp,
};
use anabranch::log::{
    Durability, Entry, EntryKind, Epoch, Group, HistoryFrom, ReadLimit, StateRow,
};
use anabranch::store::{EventStore, FjallStore};

const SIZES: [u64; 2] = [10_000, 100_000];
const WRITERS: u64 = 16;
const AGGREGATES: u64 = 5_000;
const ROUNDS: u64 = 15;
const NEW: u64 = 10;
const STEPS: [&str; 4] = ["open", "begin", "cold read", "resume"];
/// Bytes of files that opening may read, and one read.
const BOUNDS: [u64; 4] = [128 << 10, 16 << 10, 64 << 10, 64 << 10];

fn aggregate(number: u64) -> AggregateId {
    AggregateId::new(&format!("doc/{}", number * 2_654_435_761 % AGGREGATES)).unwrap()
}

fn entry(number: u64) -> Entry {
    let seq = Seq::new(1 + number / WRITERS).unwrap();
    let parts = EventParts {
        id: EventId::new(ReplicaId::new(number % WRITERS, 1), seq),
        commit: CommitSpan::new(seq, 1).unwrap(),
        timestamp: Timestamp::at_millis(number),
        written_ms: number,
        aggregate: aggregate(number),
        event_type: EventType::new("changed").unwrap(),
        heads: Heads::NONE,
        replaces: None,
        metadata: Metadata::new(),
        payload: Payload::from_bytes(vec![7; 100].into()).unwrap(),
    };
    let commit = Commit::new(vec![Event::assemble(parts).unwrap()]).unwrap();
    Entry {
        commit,
        kind: EntryKind::Ready,
        from: None,
        chain_before: None,
    }
}

/// A store in which each aggregate has a fold that covers its history.
fn write(folder: &Path, events: u64) {
    let runtime = runtime();
    let store = FjallStore::open(folder).unwrap();
    runtime.block_on(store.begin(Epoch::from_bits(1))).unwrap();
    let numbers: Vec<u64> = (0..events).collect();
    for chunk in numbers.chunks(500) {
        let entries = chunk.iter().copied().map(entry).collect();
        let durability = Durability::Buffered;
        runtime
            .block_on(store.append(Group {
                entries,
                durability,
                ..Group::default()
            }))
            .unwrap();
    }
    let fold = |number| StateRow {
        aggregate: aggregate(number),
        bytes: vec![1; 200].into(),
    };
    let states = (0..AGGREGATES).map(fold).collect();
    runtime
        .block_on(store.append(Group {
            states,
            ..Group::default()
        }))
        .unwrap();
    runtime.block_on(store.close()).unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

/// Bytes that this process has read from files so far.
fn bytes_read() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    let line = io.lines().find_map(|line| line.strip_prefix("rchar: "));
    line.unwrap().parse().unwrap()
}

/// Microseconds and bytes of some work.
#[expect(clippy::disallowed_methods, reason = "measures")]
fn measured<T>(costs: &mut Vec<(u128, u64)>, work: impl FnOnce() -> T) -> T {
    let (before, began) = (bytes_read(), Instant::now());
    let output = work();
    // Reading the counter itself counts for some hundred bytes.
    costs.push((began.elapsed().as_micros(), bytes_read() - before));
    output
}

/// The median cost of each step.
fn costs(folder: &Path, events: u64) -> Vec<(u128, u64)> {
    let runtime = runtime();
    let mut steps = [const { Vec::new() }; 4];
    for round in 0..ROUNDS {
        let [open, begin, cold, resume] = &mut steps;
        let store = measured(open, || FjallStore::open(folder).unwrap());
        let epoch = Epoch::from_bits(2 + round);
        let opening = measured(begin, || runtime.block_on(store.begin(epoch)).unwrap());
        assert!(opening.clean && opening.end == events);
        let name = aggregate(round * 37);
        let read = || {
            runtime
                .block_on(store.history(name, HistoryFrom::Fold))
                .unwrap()
        };
        let history = measured(cold, read);
        assert!(history.fold.is_some() && history.entries.is_empty());
        let limit = ReadLimit {
            entries: 512,
            bytes: 1 << 20,
        };
        let since = || runtime.block_on(store.since(events - NEW, limit)).unwrap();
        assert_eq!(measured(resume, since).next, events);
        runtime.block_on(store.close()).unwrap();
    }
    let median = |mut all: Vec<(u128, u64)>| {
        all.sort_unstable();
        all[all.len() / 2]
    };
    steps.map(median).to_vec()
}

#[test]
fn opening_a_cold_read_and_a_resume_read_no_more_as_history_grows() {
    let found = SIZES.map(|events| {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), events);
        costs(folder.path(), events)
    });
    println!(
        "{:>10} {:>9} events {:>9} events   ratio   bytes read",
        "", SIZES[0], SIZES[1]
    );
    for (step, name) in STEPS.iter().enumerate() {
        let [(small, few), (large, many)] = [found[0][step], found[1][step]];
        let tenths = large * 10 / small.max(1);
        let ratio = format!("{}.{}", tenths / 10, tenths % 10);
        println!("{name:>10} {small:>13} us {large:>13} us {ratio:>7}   {few}, {many}");
        assert!(
            many <= BOUNDS[step],
            "{name} reads {many} bytes, at most {} ",
            BOUNDS[step]
        );
    }
}
