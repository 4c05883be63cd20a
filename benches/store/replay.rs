//! Reading everything back, and what it takes on disk.

use std::path::Path;

use anabranch::event::decode_commit;
use anabranch::log::{Epoch, ReadLimit};
use anabranch::store::{EventStore, FjallStore};

use super::Wishes;
use super::content::{Authors, Fill};
use super::raw::Raw;
use super::rows::{Rows, computed, median, timed};
use super::wait::wait;

const PAGE: ReadLimit = ReadLimit {
    entries: 512,
    bytes: 1 << 20,
};

pub(super) fn measure(wishes: &Wishes, rows: &mut Rows) {
    rows.title("replay from disk after a close, and bytes there, for each event of 174 bytes");
    let events = if wishes.quick { 40_000 } else { 200_000 };
    for (fill, of) in [(Fill::Random, "random bytes"), (Fill::Words, "words")] {
        for group in [1_000, 1] {
            let events = if group == 1 { events / 10 } else { events };
            let folder = tempfile::tempdir_in(&wishes.folder).unwrap();
            let (ours, raw) = (folder.path().join("ours"), folder.path().join("raw"));
            write(&ours, &raw, fill, events, group);
            let (mut our_times, mut raw_times) = (Vec::new(), Vec::new());
            let mut our_cpu = Vec::new();
            for _ in 0..if wishes.quick { 3 } else { 7 } {
                raw_times.push(replay_raw(&raw, events));
                let (time, computing) = replay(&ours, events);
                our_times.push(time);
                our_cpu.push(computing);
            }
            let what = format!("{of}, {group} per group");
            let of_each = |bytes: u64| bytes as f64 / events as f64;
            rows.row(
                &what,
                &[
                    ("ns", median(our_times), 0),
                    ("ns computing", median(our_cpu), 0),
                    ("ns raw", median(raw_times), 0),
                    ("bytes", of_each(bytes_of(&ours)), 0),
                    ("bytes raw", of_each(bytes_of(&raw)), 0),
                    ("bytes compacted", of_each(compacted(&ours)), 0),
                ],
            );
        }
    }
}

fn write(ours: &Path, raw: &Path, fill: Fill, events: u64, group: u64) {
    let store = FjallStore::open(ours).unwrap();
    wait(store.begin(Epoch::from_bits(1))).unwrap();
    let mut authors = Authors::new(16, fill);
    let mut rows = Raw::open(raw);
    for _ in 0..events / group {
        let group = authors.group(group);
        rows.append(&group);
        wait(store.append(group)).unwrap();
    }
    rows.settle();
    wait(store.close()).unwrap();
}

/// Nanoseconds for each event, from an open store to the last entry; of the wall clock and of
/// processors.
fn replay(path: &Path, events: u64) -> (f64, f64) {
    let store = FjallStore::open(path).unwrap();
    wait(store.begin(Epoch::from_bits(2))).unwrap();
    let before = computed();
    let (read, time) = timed(|| {
        let mut position = 0;
        loop {
            let page = wait(store.since(position, PAGE)).unwrap();
            if page.next == position {
                return position;
            }
            position = page.next;
        }
    });
    let computing = computed() - before;
    assert_eq!(read, events);
    wait(store.close()).unwrap();
    let of_each = |ns: f64| ns / events as f64;
    (of_each(time.as_secs_f64() * 1e9), of_each(computing))
}

fn replay_raw(path: &Path, events: u64) -> f64 {
    let raw = Raw::open(path);
    let (read, time) = timed(|| {
        let rows = raw.rows.iter().map(|row| row.into_inner().unwrap());
        rows.map(|(_, row)| decode_commit(&row).unwrap().events().len() as u64)
            .sum::<u64>()
    });
    assert_eq!(read, events);
    time.as_secs_f64() * 1e9 / events as f64
}

/// Bytes that are in use by the files of a folder, without journals.
pub(super) fn bytes_of(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).unwrap().flatten();
    entries
        .map(|entry| {
            let path = entry.path();
            if path.is_dir() {
                bytes_of(&path)
            } else if path.extension().is_some_and(|extension| extension == "jnl") {
                0
            } else {
                entry.metadata().unwrap().len()
            }
        })
        .sum()
}

/// The same after the tables were compacted.
fn compacted(path: &Path) -> u64 {
    let store = FjallStore::open(path).unwrap();
    wait(store.begin(Epoch::from_bits(3))).unwrap();
    wait(store.compact()).unwrap();
    wait(store.close()).unwrap();
    drop(store);
    bytes_of(path)
}
