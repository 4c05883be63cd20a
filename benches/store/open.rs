//! From a folder to the first answer.

use std::path::Path;

use anabranch::log::{Epoch, ReadLimit};
use anabranch::store::{EventStore, FjallStore};

use super::Wishes;
use super::content::{Authors, Fill};
use super::rows::{Rows, median, timed};
use super::wait::wait;

const ONE: ReadLimit = ReadLimit {
    entries: 1,
    bytes: 1,
};

pub(super) fn measure(wishes: &Wishes, rows: &mut Rows) {
    rows.title("open, begin and read the first entry (ms; the system's cache is warm)");
    let sizes: &[u64] = if wishes.long {
        &[100_000, 1_000_000]
    } else {
        &[100_000]
    };
    for events in sizes {
        let folder = tempfile::tempdir_in(&wishes.folder).unwrap();
        let path = folder.path().join("store");
        write(&path, *events);
        let mut crashed = Vec::new();
        for round in 0..5 {
            let copy = folder.path().join(format!("copy {round}"));
            self::copy(&path, &copy);
            crashed.push(opening(&copy, *events, false));
            std::fs::remove_dir_all(copy).unwrap();
        }
        opening(&path, *events, true);
        let clean = (0..9).map(|_| opening(&path, *events, true)).collect();
        rows.row(
            &format!("{events} events"),
            &[
                ("after a close", median(clean), 1),
                ("after a crash", median(crashed), 1),
            ],
        );
    }
}

/// A store as a process that was killed leaves it.
fn write(path: &Path, events: u64) {
    let store = FjallStore::open(path).unwrap();
    wait(store.begin(Epoch::from_bits(1))).unwrap();
    let mut authors = Authors::new(16, Fill::Random);
    for _ in 0..events / 1_000 {
        wait(store.append(authors.group(1_000))).unwrap();
    }
}

/// Milliseconds until the first answer; closes the store afterwards if it is to be.
fn opening(path: &Path, events: u64, close: bool) -> f64 {
    let (store, time) = timed(|| {
        let store = FjallStore::open(path).unwrap();
        let opening = wait(store.begin(Epoch::from_bits(2))).unwrap();
        assert_eq!(opening.end, events);
        assert_eq!(wait(store.since(0, ONE)).unwrap().next, 1);
        store
    });
    if close {
        wait(store.close()).unwrap();
    }
    time.as_secs_f64() * 1e3
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
