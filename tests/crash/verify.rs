//! A store that looks at all of itself, after somebody has changed some of it.

use std::fs;
use std::path::Path;

use anabranch::log::Durability;
use anabranch::store::{EventStore, Fault, FjallStore, Inspection, VerifyReport};
use fjall::{Database, KeyspaceCreateOptions, PersistMode};

use super::content::{EPOCH, check, group, scratch, wait};
use super::damage::{Fixture, copy};
use super::rows::{change, store_with};

fn verified(store: &FjallStore) -> VerifyReport {
    wait(store.verify(Inspection::new())).unwrap()
}

/// Opens the store of a folder and lets it look at itself.
fn faults(folder: &Path) -> Vec<Fault> {
    let store = FjallStore::open(folder).unwrap();
    wait(store.begin(EPOCH)).unwrap();
    verified(&store).faults
}

fn places(faults: &[Fault]) -> Vec<(Option<u64>, &str)> {
    let positions = faults.iter().map(|fault| fault.position);
    let whats = faults.iter().map(|fault| fault.what.as_str());
    positions.zip(whats).collect()
}

/// The end of the key of a history that begins with the first entry.
const FIRST: [u8; 3] = [0, 1, 0];

fn is_fold(key: &[u8]) -> bool {
    key.ends_with(&[0, 2])
}

/// A table, and one of its rows.
type Row<'a> = (&'a str, &'a dyn Fn(&[u8]) -> bool);

#[test]
fn each_changed_row_is_named_and_nothing_else() {
    let cases: [(Row<'_>, Option<u64>, &str); 6] = [
        (
            ("log", &|key| key == 2_u64.to_be_bytes()),
            Some(2),
            "log entries 2 to 4",
        ),
        (
            ("aggregates", &|key| {
                is_fold(key) && key.starts_with(b"doc/1\0")
            }),
            None,
            "stored state of doc/1",
        ),
        (("notes", &|key| key[0] == b't'), None, "track of replica"),
        (("notes", &|key| key[0] == b'n'), None, "note ngroup"),
        (
            ("ids", &|key| key.ends_with(&1_u64.to_be_bytes())),
            Some(0),
            "index row of",
        ),
        (
            ("aggregates", &|key| key.ends_with(&FIRST)),
            Some(0),
            "history of",
        ),
    ];
    for ((table, which), position, what) in cases {
        let folder = scratch();
        store_with(folder.path(), 6, true);
        assert_eq!(faults(folder.path()), []);
        close(folder.path());
        change(folder.path(), table, false, which);
        let Ok(store) = FjallStore::open(folder.path()) else {
            let is_read_at_once = what.starts_with("track");
            assert!(is_read_at_once, "{what} keeps the store from being opened");
            continue;
        };
        // A note that cannot be read keeps it from being begun.
        drop(wait(store.begin(EPOCH)));
        let found = verified(&store).faults;
        let about = |fault: &Fault| fault.what.starts_with(what);
        let is_all = !found.is_empty() && found.iter().all(about);
        assert!(is_all, "{what}: {found:?}");
        assert_eq!(found[0].position, position, "{found:?}");
        let because = |fault: &Fault| fault.reason == "its checksum is wrong";
        assert!(found.iter().all(because), "{found:?}");
    }
}

/// Ends the use of a store as it should be ended.
fn close(folder: &Path) {
    let store = FjallStore::open(folder).unwrap();
    wait(store.begin(EPOCH)).unwrap();
    wait(store.close()).unwrap();
}

#[test]
fn a_row_that_is_gone_is_missed_by_the_entry_that_it_belongs_to() {
    let cases: [(Row<'_>, &str); 3] = [
        (("log", &|key| key == 0_u64.to_be_bytes()), "it is missing"),
        (
            ("ids", &|key| key.ends_with(&1_u64.to_be_bytes())),
            "the index of ids lacks it",
        ),
        (
            ("aggregates", &|key| key.ends_with(&FIRST)),
            "the history of its aggregate lacks it",
        ),
    ];
    for ((table, which), reason) in cases {
        let folder = scratch();
        store_with(folder.path(), 6, true);
        change(folder.path(), table, true, which);
        let found = faults(folder.path());
        let block = if table == "log" {
            "log entries 0 to 1"
        } else {
            "log entry 0"
        };
        assert_eq!(places(&found)[0], (Some(0), block), "{found:?}");
        assert_eq!(found[0].reason, reason);
        assert!(
            found.len() <= 2,
            "no fault follows from another one: {found:?}"
        );
    }
}

#[test]
fn a_row_that_this_store_never_wrote_is_noticed() {
    let history = b"doc/1\0\x01\x01\x77";
    let id = [&[7; 16][..], &1_u64.to_be_bytes()].concat();
    for (table, key, what) in [
        ("aggregates", history.to_vec(), "history of doc/1"),
        ("ids", id, "index row of"),
    ] {
        let folder = scratch();
        store_with(folder.path(), 6, true);
        put(folder.path(), table, &[(key, b"whatever this is".to_vec())]);
        let found = faults(folder.path());
        let names = |fault: &Fault| fault.what.starts_with(what);
        assert!(found.iter().any(names), "{found:?}");
    }
}

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

fn rows(folder: &Path, table: &str) -> Rows {
    let db = Database::builder(folder.join("data")).open().unwrap();
    let rows = db.keyspace(table, KeyspaceCreateOptions::default).unwrap();
    let row = |row: fjall::Guard| row.into_inner().unwrap();
    let rows = rows.iter().map(row);
    rows.map(|(key, value)| (key.to_vec(), value.to_vec()))
        .collect()
}

fn put(folder: &Path, table: &str, put: &[(Vec<u8>, Vec<u8>)]) {
    let db = Database::builder(folder.join("data")).open().unwrap();
    let rows = db.keyspace(table, KeyspaceCreateOptions::default).unwrap();
    for (key, value) in put {
        rows.insert(key, value).unwrap();
    }
    db.persist(PersistMode::SyncAll).unwrap();
}

/// Rows with right checksums, which another log of the same shape has.
#[test]
fn a_row_that_no_entry_stands_for_is_noticed() {
    let (few, many, other) = (scratch(), scratch(), scratch());
    store_with(few.path(), 6, true);
    store_with(many.path(), 9, true);
    // The entries at the first positions hold other commits than those of a store from the start.
    let store = FjallStore::open(other.path()).unwrap();
    wait(store.begin(EPOCH)).unwrap();
    wait(store.append(group(7, 50, Durability::Durable))).unwrap();
    wait(store.close()).unwrap();
    drop(store);
    for table in ["ids", "aggregates"] {
        for (from, what) in [
            (&many, "the log has no entry"),
            (&other, "the log asks for"),
        ] {
            let mixed = scratch();
            copy(few.path(), mixed.path());
            assert_eq!(faults(mixed.path()), []);
            close(mixed.path());
            let here = rows(mixed.path(), table);
            let mut strange = rows(from.path(), table);
            strange.retain(|row| !here.contains(row) && !is_fold(&row.0));
            assert!(!strange.is_empty());
            put(mixed.path(), table, &strange);
            let found = faults(mixed.path());
            let says = |fault: &Fault| fault.reason.starts_with(what);
            // A row that takes the place of another one is missed besides.
            let lacks = |fault: &Fault| fault.reason.contains("lacks it");
            assert!(
                found.iter().all(|fault| says(fault) || lacks(fault)) && found.iter().any(says),
                "{table}: {found:?}"
            );
        }
    }
}

/// What the log itself says decides, not only checksums: an index that is whole and of another time.
#[test]
fn an_index_that_was_put_back_from_an_earlier_copy_is_noticed() {
    let (old, new) = (scratch(), scratch());
    store_with(old.path(), 5, true);
    store_with(new.path(), 9, true);
    for table in ["ids", "aggregates"] {
        let mixed = scratch();
        copy(new.path(), mixed.path());
        let earlier = self::rows(old.path(), table);
        let later = self::rows(mixed.path(), table);
        let db = Database::builder(mixed.path().join("data")).open().unwrap();
        let rows = db.keyspace(table, KeyspaceCreateOptions::default).unwrap();
        for (key, _) in later {
            rows.remove(key).unwrap();
        }
        for (key, value) in earlier {
            rows.insert(key, value).unwrap();
        }
        db.persist(PersistMode::SyncAll).unwrap();
        drop((rows, db));
        let found = faults(mixed.path());
        assert!(
            found.iter().any(|fault| fault.position.is_some()),
            "{found:?}"
        );
    }
}

/// What was received decides what is asked of peers, so it must be what the log holds.
#[test]
fn bookkeeping_of_an_earlier_time_is_noticed() {
    let (old, new) = (scratch(), scratch());
    store_with(old.path(), 5, true);
    store_with(new.path(), 9, true);
    let mut tracks = rows(old.path(), "notes");
    tracks.retain(|(key, _)| key[0] == b't');
    put(new.path(), "notes", &tracks);
    let found = faults(new.path());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].what.starts_with("track of replica"), "{found:?}");
}

#[test]
fn a_mark_that_was_changed_while_the_store_is_open_is_noticed() {
    let folder = scratch();
    store_with(folder.path(), 3, true);
    let store = FjallStore::open(folder.path()).unwrap();
    wait(store.begin(EPOCH)).unwrap();
    let path = folder.path().join("mark");
    let mut bytes = fs::read(&path).unwrap();
    bytes[10] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let found = verified(&store).faults;
    assert_eq!(places(&found), [(None, "high-water mark")]);
}

#[test]
fn wherever_bits_are_flipped_in_tables_what_cannot_be_read_is_named() {
    let fixture = Fixture::in_tables();
    let (mut named, mut whole) = (0, 0);
    for (file, bytes) in fixture.files() {
        if !file.starts_with("data/keyspaces") {
            continue;
        }
        for place in 0..6 {
            let at = (bytes.len() - 1) * (2 * place + 1) / 12;
            let harmed = scratch();
            copy(fixture.folder.path(), harmed.path());
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(harmed.path().join(&file), bytes).unwrap();
            let Ok(store) = FjallStore::open(harmed.path()) else {
                continue;
            };
            let Ok(opening) = wait(store.begin(EPOCH)) else {
                continue;
            };
            let report = verified(&store);
            let read = check(&store, &opening, 100, 5_000);
            println!(
                "{} at {at}: {} faults, {read:?}",
                file.display(),
                report.faults.len()
            );
            assert_eq!(
                report.faults.is_empty(),
                read.is_ok(),
                "{:?}",
                report.faults
            );
            for fault in &report.faults {
                assert!(!fault.what.is_empty() && !fault.reason.is_empty());
            }
            named += usize::from(report.faults.iter().any(|fault| fault.position.is_some()));
            whole += usize::from(report.is_whole());
        }
    }
    println!("{named} with a position, {whole} whole");
    assert!(named > 5);
}

#[test]
fn a_store_is_verified_while_it_is_written_and_read() {
    let folder = scratch();
    let store = FjallStore::open(folder.path()).unwrap();
    wait(store.begin(EPOCH)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..200 {
                wait(store.append(group(number, 2_000, Durability::Buffered))).unwrap();
            }
        });
        let mut seen = 0;
        while seen < 300 {
            let report = verified(&store);
            assert_eq!(report.faults, []);
            assert!(report.entries >= seen);
            seen = report.entries;
        }
    });
    assert_eq!(verified(&store).faults, []);
}

#[test]
fn what_was_overwritten_is_given_back_when_a_store_is_compacted() {
    let folder = scratch();
    let write = |store: &FjallStore, numbers: std::ops::RangeInclusive<u64>| {
        for number in numbers {
            let mut group = group(number, 100, Durability::Buffered);
            group.states[0].bytes = incompressible(number).into();
            wait(store.append(group)).unwrap();
        }
    };
    let store = FjallStore::open(folder.path()).unwrap();
    wait(store.begin(EPOCH)).unwrap();
    write(&store, 1..=150);
    wait(store.close()).unwrap();
    drop(store);
    let store = FjallStore::open(folder.path()).unwrap();
    wait(store.begin(EPOCH)).unwrap();
    let first = wait(store.compact()).unwrap();
    println!("{first}");
    // fjall has given back some of it already, now more and now less.
    assert!(first.bytes_after <= first.bytes_before, "{first}");
    let five_states = 5 * 200_000..1_500_000;
    assert!(five_states.contains(&first.bytes_after), "{first}");
    let again = wait(store.compact()).unwrap();
    assert!(again.bytes_after <= first.bytes_after + 10_000, "{again}");
    assert_eq!(verified(&store).faults, []);
    // Writes go on beside it, and a close waits for it.
    let compaction = store.compact();
    write(&store, 151..=160);
    wait(store.close()).unwrap();
    wait(compaction).unwrap();
    drop(store);
    assert_eq!(faults(folder.path()), []);
}

fn incompressible(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..200_000).map(|_| next()).collect()
}
