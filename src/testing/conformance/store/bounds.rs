//! What other stores' columns, collations and parameters are too small for.

use std::string::String;
use std::vec::Vec;

use bytes::Bytes;

use super::StoreGuard;
use super::author::{Author, ready, released, waiting};
use super::rig::{ALL, Rig, block_on, range};
use super::writing::note;
use crate::event::{AggregateId, Commit, EventId};
use crate::limits::NOTE_KEY_BYTES_MAX;
use crate::log::{Entry, Epoch, Group, IdRange, StateRow};
use crate::store::{EventStore, HistoryFrom};

pub fn numbers_beyond_the_signed_range_are_kept<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    for bits in [u64::MAX, 1 << 63, 0] {
        rig.begin_as(Epoch::from_bits(bits));
        rig.check_opening();
    }
    let (mut near, mut far) = (Author::new(1), Author::far(0));
    let [first, second, third] = [(); 3].map(|()| far.commit(&["a/1", "a/2"]));
    rig.append_all([
        ready(&first),
        ready(&near.commit(&["a/1"])),
        waiting(&third),
        Entry {
            from: Some(far.replica()),
            ..ready(&second)
        },
        released(&third),
        ready(&Author::far(1).commit(&["a/1"])),
    ]);
    rig.check();
    let everything = Vec::from([range(far.replica(), 1 << 63, u64::MAX)]);
    let located = block_on(rig.store().locate(everything)).unwrap();
    assert_eq!(located, [0, 2, 3]);
    rig.reopen();
}

pub fn names_are_told_apart_to_the_byte<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    let names = [
        "a/x",
        "a/X",
        "A/x",
        "a/x ",
        "a/ x",
        "a/x  ",
        "a/straße",
        "a/strasse",
        "a/STRASSE",
        "a/\u{e9}",
        "a/e\u{301}",
        "a/e",
        "a/İ",
        "a/i",
        "a/I",
        "a/ı",
        "a/%",
        "a/_",
        "a/x%/1",
        "a/xy/1",
        "a/x_/1",
        "a/'; drop table a; --",
        "a/\"",
        "a/\\",
        "a/[x]",
        "a/*",
        "a/\u{ffff}",
        "a/\u{10000}",
        "a/\u{feff}x",
        "a/x\u{200b}",
        "a/1",
        "a/01",
        "a/1.0",
        "a/null",
        "a/NULL",
    ];
    rig.append(Group {
        entries: names
            .iter()
            .map(|name| ready(&author.commit(&[name])))
            .collect(),
        states: names
            .iter()
            .map(|name| fold(name, Bytes::from(*name)))
            .collect(),
        ..Group::default()
    });
    for prefix in ["a/x%", "a/_", "a/x_", "A", "a/%", "a/e", "a/x "] {
        assert_eq!(rig.list(prefix, 1), rig.under(prefix), "under {prefix:?}");
    }
    rig.reopen();
}

pub fn note_keys_are_bytes_and_not_text<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let keys: [&[u8]; 14] = [
        b"k",
        b"K",
        b"k ",
        b"k\0",
        b"k\0\0",
        b"k\0a",
        b"\0",
        b"\0k",
        b"\x7f",
        b"\x80",
        b"\xff",
        b"\xff\xff",
        b"\xc3\x28",
        b"%",
    ];
    for value in [b"1".as_slice(), b"", b"\0", b"2\0", b"2"] {
        let notes = keys.iter().map(|key| note(key, Some(value))).collect();
        rig.append(Group {
            notes,
            ..Group::default()
        });
        rig.begin();
        rig.check_opening();
    }
    let removed = keys.iter().step_by(2).map(|key| note(key, None));
    rig.append(Group {
        notes: removed.collect(),
        ..Group::default()
    });
    rig.reopen();
    assert_eq!(rig.opening.notes.len(), keys.len() / 2);
}

pub fn large_folds_and_notes_are_kept_whole<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    const MEBIBYTE: usize = 1 << 20;
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    for size in [
        255,
        65_535,
        65_536,
        MEBIBYTE - 1,
        MEBIBYTE + 1,
        5 * MEBIBYTE,
    ] {
        // Each place of it is unlike its neighbours, so nothing can be missing from its midst.
        let bytes: Bytes = (0..size).map(|at| (at % 251) as u8).collect();
        rig.append(Group {
            entries: Vec::from([ready(&author.commit(&["a/1"]))]),
            states: Vec::from([fold("a/1", bytes.clone())]),
            notes: Vec::from([note(&size.to_be_bytes(), Some(&bytes))]),
            ..Group::default()
        });
        let name = AggregateId::new("a/1").unwrap();
        let history = block_on(rig.store().history(name, HistoryFrom::Fold)).unwrap();
        assert!(history.fold == Some(bytes), "a fold of {size} bytes");
    }
    rig.close();
    rig.open();
    let name = AggregateId::new("a/1").unwrap();
    let history = block_on(rig.store().history(name, HistoryFrom::Fold)).unwrap();
    assert_eq!(history.fold.map(|fold| fold.len()), Some(5 * MEBIBYTE));
}

const MANY: usize = 3_000;

/// A store that was begun and holds many commits, all of one group with as many notes and folds.
fn crowded<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) -> (G, G::Store, Vec<Commit>) {
    let (guard, store) = make();
    block_on(store.begin(Epoch::from_bits(1))).unwrap();
    let mut author = Author::new(1);
    let names: Vec<_> = (0..MANY).map(|n| std::format!("a/{n}")).collect();
    let commits: Vec<_> = names.iter().map(|name| author.commit(&[name])).collect();
    let group = Group {
        entries: commits.iter().map(ready).collect(),
        states: names.iter().map(|name| fold(name, Bytes::new())).collect(),
        notes: names
            .iter()
            .map(|name| note(name.as_bytes(), Some(b"1")))
            .collect(),
        ..Group::default()
    };
    let end = block_on(store.append(group)).unwrap();
    assert_eq!(end, MANY as u64);
    (guard, store, commits)
}

pub fn a_group_of_many_commits_fits<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let (guard, store, commits) = crowded(make);
    block_on(store.close()).unwrap();
    drop(store);
    let store = guard.reopen().unwrap();
    let opening = block_on(store.begin(Epoch::from_bits(2))).unwrap();
    assert_eq!((opening.end, opening.notes.len()), (MANY as u64, MANY));
    let page = block_on(store.since(0, ALL)).unwrap();
    let read = page.entries.iter().map(|(_, entry)| &entry.commit);
    assert!(read.eq(&commits), "the commits come back in their order");
    let names = block_on(store.aggregates(String::new(), None, usize::MAX)).unwrap();
    assert_eq!(names.len(), MANY);
}

pub fn many_questions_at_once_are_answered<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let (_guard, store, commits) = crowded(make);
    let stranger = Author::new(2).commit(&["a/1"]).id();
    let ids: Vec<_> = commits
        .iter()
        .flat_map(|commit| [stranger, commit.id()])
        .collect();
    let known = block_on(store.known(ids)).unwrap();
    let there = known.iter().map(Option::is_some);
    assert!(there.eq((0..2 * MANY).map(|at| at % 2 == 1)));
    let page = block_on(store.at((0..MANY as u64).collect(), ALL)).unwrap();
    assert_eq!(page.entries.len(), MANY);
    let range = |id: EventId| IdRange {
        replica: id.replica,
        seqs: id.seq..=id.seq,
    };
    let ranges: Vec<_> = commits.iter().map(|commit| range(commit.id())).collect();
    let located = block_on(store.locate(ranges)).unwrap();
    assert!(located.into_iter().eq(0..MANY as u64));
}

pub fn note_keys_are_refused_beyond_the_bound_and_not_before<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let group = |bytes: usize| Group {
        notes: Vec::from([note(&std::vec![b'k'; bytes], Some(&bytes.to_be_bytes()))]),
        ..Group::default()
    };
    for fits in [1, 2, 255, 256, NOTE_KEY_BYTES_MAX - 1, NOTE_KEY_BYTES_MAX] {
        rig.append(group(fits));
    }
    for refused in [0, NOTE_KEY_BYTES_MAX + 1] {
        rig.refuse(group(refused));
    }
    rig.reopen();
    assert_eq!(rig.opening.notes.len(), 6);
}

fn fold(name: &str, bytes: Bytes) -> StateRow {
    StateRow {
        aggregate: AggregateId::new(name).unwrap(),
        bytes,
    }
}
