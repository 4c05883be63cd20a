//! What may be written, and how it is read back.

use std::string::String;
use std::vec::Vec;

use bytes::Bytes;

use super::StoreGuard;
use super::author::{Author, ready, released, waiting};
use super::rig::{ALL, Rig, block_on};
use crate::event::{AggregateId, Event, ReplicaId};
use crate::limits::{
    AGGREGATE_ID_BYTES_MAX, COMMIT_EVENTS_MAX, NOTE_KEY_BYTES_MAX, PAYLOAD_BYTES_MAX,
};
use crate::log::{Entry, Epoch, Group, Note, StateRow};
use crate::store::{EventStore, StoreError};

pub fn a_group_is_read_back_as_it_was_appended<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let (mut near, mut far) = (Author::new(1), Author::new(2));
    let peer = Some(ReplicaId::new(9, 9));
    let first = far.commit(&["a/1"]);
    let second = far.commit(&["a/1", "b/1"]);
    rig.append_all([
        ready(&near.commit(&["a/1", "a/2", "a/1"])),
        Entry {
            from: peer,
            ..waiting(&second)
        },
        Entry {
            from: peer,
            ..ready(&first)
        },
        Entry {
            from: peer,
            ..released(&second)
        },
        ready(&near.commit(&["a/2"])),
    ]);
    rig.check();
    rig.reopen();
}

pub fn positions_count_from_zero_without_holes<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    assert_eq!(rig.opening.end, 0);
    for size in [1, 3, 0, 2] {
        rig.append_all(
            (0..size)
                .map(|_| ready(&author.commit(&["a/1"])))
                .collect::<Vec<_>>(),
        );
    }
    let page = block_on(rig.store().since(0, ALL)).unwrap();
    assert!(page.entries.iter().map(|(at, _)| *at).eq(0..6));
    rig.reopen();
    assert_eq!(rig.opening.end, 6);
}

pub fn a_second_copy_of_an_event_is_refused<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    let commit = author.commit(&["a/1", "a/2"]);
    let later = author.commit(&["a/1"]);
    rig.append_all([ready(&commit), waiting(&later)]);
    for again in [
        ready(&commit),
        waiting(&commit),
        ready(&later),
        waiting(&later),
    ] {
        rig.refuse(Group {
            entries: Vec::from([again]),
            ..Group::default()
        });
    }
    let fresh = author.commit(&["a/1"]);
    let twice = Vec::from([ready(&fresh), ready(&fresh)]);
    rig.refuse(Group {
        entries: twice,
        ..Group::default()
    });
    let other_cut = Author::new(1).commit(&["a/9"]);
    rig.refuse(Group {
        entries: Vec::from([ready(&other_cut)]),
        ..Group::default()
    });
    rig.append_all([ready(&fresh)]);
    rig.reopen();
}

pub fn a_group_that_breaks_a_rule_changes_nothing<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    let commit = author.commit(&["a/1"]);
    rig.append_all([ready(&commit)]);
    let next = author.commit(&["a/2"]);
    let aggregate = AggregateId::new("a/1").unwrap();
    let good = Group {
        entries: Vec::from([ready(&next)]),
        states: Vec::from([StateRow {
            aggregate,
            bytes: Bytes::from_static(b"fold"),
        }]),
        notes: Vec::from([note(b"k", Some(b"v"))]),
        ..Group::default()
    };
    let mut doubled = good.clone();
    doubled.entries.push(ready(&commit));
    rig.refuse(doubled);
    for key in [Vec::new(), Vec::from([b'k'; NOTE_KEY_BYTES_MAX + 1])] {
        let mut bad_note = good.clone();
        bad_note.notes.push(Note { key, value: None });
        rig.refuse(bad_note);
    }
    rig.append(good);
    rig.reopen();
}

pub fn only_what_waits_is_released<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    let [first, second, third] = [(); 3].map(|()| author.commit(&["a/1"]));
    rig.append_all([ready(&first), waiting(&second)]);
    for commit in [&first, &third] {
        rig.refuse(Group {
            entries: Vec::from([released(commit)]),
            ..Group::default()
        });
    }
    let twice = Vec::from([released(&second), released(&second)]);
    rig.refuse(Group {
        entries: twice,
        ..Group::default()
    });
    rig.append_all([released(&second)]);
    rig.refuse(Group {
        entries: Vec::from([released(&second)]),
        ..Group::default()
    });
    let mut forger = Author::new(1);
    let copies = [forger.commit(&["a/1"]), forger.commit(&["a/2"])];
    rig.refuse(Group {
        entries: Vec::from([released(&copies[1])]),
        ..Group::default()
    });
}

pub fn a_commit_may_wait_and_be_released_in_one_group<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    let [first, second] = [(); 2].map(|()| author.commit(&["a/1"]));
    rig.append_all([waiting(&second), ready(&first), released(&second)]);
    rig.check();
    rig.reopen();
    assert!(rig.opening.waiting.is_empty());
}

pub fn an_empty_group_is_a_group<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    rig.append(Group::default());
    rig.buffer([]);
    rig.append_all([ready(&Author::new(1).commit(&["a/1"]))]);
    rig.append(Group::default());
    rig.reopen();
}

pub fn groups_queued_together_are_answered_in_order<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    let group = |entries| Group {
        entries,
        ..Group::default()
    };
    let groups: Vec<_> = (0..40)
        .map(|n| {
            group(
                (0..n % 4)
                    .map(|_| ready(&author.commit(&["a/1"])))
                    .collect(),
            )
        })
        .collect();
    let store = rig.store.take().unwrap();
    let refused = group(Vec::from([released(&author.commit(&["a/1"]))]));
    let appends: Vec<_> = groups
        .iter()
        .map(|group| store.append(group.clone()))
        .collect();
    let refused = store.append(refused);
    let after = store.append(group(Vec::from([ready(&Author::new(2).commit(&["a/1"]))])));
    for (append, group) in appends.into_iter().zip(&groups) {
        rig.model.append(group);
        assert_eq!(block_on(append).unwrap(), rig.model.end());
    }
    assert!(matches!(
        block_on(refused),
        Err(StoreError::BadGroup { .. })
    ));
    assert_eq!(block_on(after).unwrap(), rig.model.end() + 1);
    rig.model
        .append(&group(Vec::from([ready(&Author::new(2).commit(&["a/1"]))])));
    rig.store = Some(store);
    rig.reopen();
}

pub fn nothing_is_written_before_begin<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let (_guard, store) = make();
    let entries = Vec::from([ready(&Author::new(1).commit(&["a/1"]))]);
    let refused = block_on(store.append(Group {
        entries,
        ..Group::default()
    }));
    assert!(matches!(refused, Err(StoreError::Closed)), "{refused:?}");
    assert_eq!(block_on(store.begin(Epoch::from_bits(1))).unwrap().end, 0);
}

pub fn the_greatest_commit_fits<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let payload = Bytes::from(std::vec![7; PAYLOAD_BYTES_MAX - 200]);
    let commit = Author::new(1).commit_with(&["a/1"; 32], &payload);
    assert!(commit.bytes() > 8_300_000);
    rig.append_all([ready(&commit)]);
    rig.reopen();
}

pub fn the_longest_commit_fits<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let names: Vec<_> = (0..COMMIT_EVENTS_MAX)
        .map(|n| std::format!("a/{}", n % 7))
        .collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut author = Author::new(1);
    let first = author.commit_with(&names, &Bytes::from_static(b"x"));
    let second = author.commit_with(&names, &Bytes::from_static(b"y"));
    rig.append_all([waiting(&second), ready(&first), released(&second)]);
    assert_eq!(rig.list("a", 3), rig.under("a"));
    let ids: Vec<_> = first.events().iter().map(Event::id).collect();
    let known = block_on(rig.store().known(ids)).unwrap();
    let digests = first.events().iter().map(|event| Some(event.digest()));
    assert!(
        known
            .iter()
            .map(|known| known.map(|known| known.digest))
            .eq(digests)
    );
    rig.close();
    rig.open();
}

pub fn the_longest_name_and_note_key_fit<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let name = std::format!("a/{}", "é".repeat((AGGREGATE_ID_BYTES_MAX - 2) / 2));
    assert_eq!(name.len(), AGGREGATE_ID_BYTES_MAX);
    let commit = Author::new(1).commit(&[&name, "a/1"]);
    let aggregate = AggregateId::new(&name).unwrap();
    rig.append(Group {
        entries: Vec::from([ready(&commit)]),
        states: Vec::from([StateRow {
            aggregate,
            bytes: Bytes::new(),
        }]),
        notes: Vec::from([
            note(&[0xff; NOTE_KEY_BYTES_MAX], Some(b"")),
            note(b"\0", Some(b"1")),
        ]),
        ..Group::default()
    });
    rig.reopen();
}

pub(super) fn note(key: &[u8], value: Option<&[u8]>) -> Note {
    Note {
        key: key.to_vec(),
        value: value.map(Bytes::copy_from_slice),
    }
}
