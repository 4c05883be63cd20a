//! What is there after a close, the end of a process, and a loss of power.

use std::vec::Vec;

use bytes::Bytes;

use super::StoreGuard;
use super::author::{Author, ready, released, waiting};
use super::model::Model;
use super::rig::{Rig, block_on};
use super::writing::note;
use crate::event::AggregateId;
use crate::log::{Durability, Epoch, Group, StateRow};
use crate::store::{EventStore, StoreError};

pub fn an_opening_without_a_begin_leaves_no_trace<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    rig.append_all([ready(&Author::new(1).commit(&["a/1"]))]);
    rig.close();
    rig.open_unbegun();
    rig.store = None;
    rig.open();
    rig.check();
    assert!(rig.opening.clean);
}

pub fn every_opening_is_listed_with_its_start<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    for _ in 0..3 {
        rig.append_all([
            ready(&author.commit(&["a/1"])),
            ready(&author.commit(&["a/1"])),
        ]);
        rig.reopen();
    }
    let starts: Vec<_> = rig.opening.epochs.iter().collect();
    assert_eq!(
        starts,
        [(1, 0), (2, 2), (3, 4), (4, 6)].map(|(e, s)| (Epoch::from_bits(e), s))
    );
}

pub fn a_second_begin_goes_on_where_the_first_was<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    let [first, second, third] = [(); 3].map(|()| author.commit(&["a/1"]));
    rig.append_all([ready(&first), waiting(&third)]);
    rig.buffer([ready(&second)]);
    rig.begin();
    rig.check_opening();
    assert!(!rig.opening.clean, "the first opening was not closed");
    rig.append_all([released(&third)]);
    rig.reopen();
}

pub fn a_close_and_an_open_change_nothing<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    assert!(rig.opening.clean);
    let mut author = Author::new(1);
    rig.append_all([ready(&author.commit(&["a/1"]))]);
    rig.buffer([ready(&author.commit(&["a/1"]))]);
    for _ in 0..3 {
        rig.reopen();
        assert!(rig.opening.clean);
    }
}

pub fn a_store_that_was_dropped_is_whole_and_not_clean<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    rig.append_all([ready(&author.commit(&["a/1"]))]);
    rig.buffer([waiting(&author.commit(&["a/1", "b/1"]))]);
    rig.store = None;
    rig.open();
    rig.check();
    assert!(!rig.opening.clean);
    rig.reopen();
    assert!(rig.opening.clean);
}

pub fn closing_twice_is_closing_once<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    rig.append_all([ready(&Author::new(1).commit(&["a/1"]))]);
    let store = rig.store.take().unwrap();
    block_on(store.close()).unwrap();
    block_on(store.close()).unwrap();
    let entries = Vec::from([ready(&Author::new(2).commit(&["a/1"]))]);
    let refused = block_on(store.append(Group {
        entries,
        ..Group::default()
    }));
    assert!(matches!(refused, Err(StoreError::Closed)), "{refused:?}");
    drop(store);
    rig.open();
    rig.check();
}

pub fn what_was_received_is_told_with_its_gaps<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let (mut near, mut far) = (Author::new(1), Author::new(2));
    let near: Vec<_> = (0..6)
        .map(|n| near.commit(&["a/1", "a/2"][..=n % 2]))
        .collect();
    let far: Vec<_> = (0..3).map(|_| far.commit(&["b/1", "b/2"])).collect();
    rig.append_all([
        ready(&near[0]),
        ready(&near[4]),
        waiting(&far[2]),
        ready(&near[2]),
    ]);
    rig.reopen();
    rig.append_all([ready(&near[1]), waiting(&far[1])]);
    rig.reopen();
    rig.append_all([ready(&near[5]), ready(&near[3]), ready(&far[0])]);
    rig.append_all([released(&far[1]), released(&far[2])]);
    rig.reopen();
    assert!(
        rig.opening
            .received
            .iter()
            .all(|(_, track)| track.beyond().is_empty())
    );
}

pub fn what_waits_is_told_in_the_order_of_arrival<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let (mut near, mut far) = (Author::new(1), Author::new(2));
    let near: Vec<_> = (0..4).map(|_| near.commit(&["a/1"])).collect();
    let far: Vec<_> = (0..4).map(|_| far.commit(&["a/1"])).collect();
    rig.append_all([
        waiting(&far[3]),
        waiting(&near[2]),
        waiting(&far[1]),
        waiting(&near[1]),
    ]);
    rig.reopen();
    assert_eq!(rig.opening.waiting.len(), 4);
    rig.append_all([released(&near[2]), released(&far[3]), waiting(&near[3])]);
    rig.reopen();
    let waiting: Vec<_> = rig
        .opening
        .waiting
        .iter()
        .map(|entry| &entry.commit)
        .collect();
    assert_eq!(waiting, [&far[1], &near[1], &near[3]]);
}

pub fn notes_are_put_replaced_and_removed<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let put = |rig: &mut Rig<G>, notes: &[(&[u8], Option<&[u8]>)]| {
        let notes = notes.iter().map(|(key, value)| note(key, *value)).collect();
        rig.append(Group {
            notes,
            ..Group::default()
        });
    };
    put(
        &mut rig,
        &[
            (b"b", Some(b"1")),
            (b"a", Some(b"2")),
            (b"\xff", Some(b"")),
            (b"ab", Some(b"3")),
        ],
    );
    rig.reopen();
    put(
        &mut rig,
        &[(b"a", None), (b"b", Some(b"4")), (b"none", None)],
    );
    put(
        &mut rig,
        &[
            (b"c", Some(b"5")),
            (b"c", None),
            (b"d", None),
            (b"d", Some(b"6")),
        ],
    );
    rig.reopen();
    let keys: Vec<_> = rig
        .opening
        .notes
        .iter()
        .map(|(key, _)| key.as_slice())
        .collect();
    assert_eq!(keys, [b"ab".as_slice(), b"b", b"d", b"\xff"]);
}

pub fn what_was_durable_survives_a_loss_of_power<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    for round in 0..4 {
        for _ in 0..=round {
            rig.append(Group {
                entries: Vec::from([
                    ready(&author.commit(&["a/1"])),
                    ready(&author.commit(&["b/1"])),
                ]),
                notes: Vec::from([note(b"round", Some(&[round]))]),
                ..Group::default()
            });
        }
        rig.lose_power();
        rig.open();
        rig.check();
        assert!(!rig.opening.clean);
    }
}

pub fn a_durable_append_covers_the_buffered_ones_before_it<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    for _ in 0..5 {
        rig.buffer([ready(&author.commit(&["a/1"]))]);
    }
    rig.append(Group::default());
    rig.lose_power();
    rig.open();
    rig.check();
}

pub fn a_flush_covers_what_was_buffered<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    for _ in 0..5 {
        rig.buffer([ready(&author.commit(&["a/1"]))]);
    }
    block_on(rig.store().flush()).unwrap();
    block_on(rig.store().flush()).unwrap();
    rig.lose_power();
    rig.open();
    rig.check();
}

pub fn an_opening_survives_a_loss_of_power<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    for _ in 0..3 {
        rig.lose_power();
        rig.open();
    }
    rig.check();
}

pub fn a_fold_is_lost_with_what_it_covers<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    let mut group = |text: &'static str, durability| Group {
        entries: Vec::from([ready(&author.commit(&["a/1"]))]),
        states: Vec::from([StateRow {
            aggregate: AggregateId::new("a/1").unwrap(),
            bytes: Bytes::from_static(text.as_bytes()),
        }]),
        notes: Vec::from([note(b"kept", (text == "old").then_some(b"1"))]),
        durability,
    };
    rig.append(group("old", Durability::Durable));
    let kept = rig.model.clone();
    rig.append(group("new", Durability::Buffered));
    let possible = Vec::from([kept, rig.model.clone()]);
    rig.lose_power();
    open_as_one_of(&mut rig, possible);
}

pub fn a_loss_of_power_leaves_whole_groups<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    rig.append_all([ready(&author.commit(&["a/1"]))]);
    let mut possible = Vec::from([rig.model.clone()]);
    for round in 0..6_u8 {
        rig.append(Group {
            entries: (0..3)
                .map(|_| ready(&author.commit(&["a/1", "b/1"])))
                .collect(),
            notes: Vec::from([note(b"round", Some(&[round]))]),
            durability: Durability::Buffered,
            ..Group::default()
        });
        possible.push(rig.model.clone());
    }
    rig.lose_power();
    open_as_one_of(&mut rig, possible);
}

/// Opens what a loss of power has left, which must be one of these, and compares everything with it.
fn open_as_one_of<G: StoreGuard>(rig: &mut Rig<G>, possible: Vec<Model>) {
    rig.open_unbegun();
    rig.begin();
    let begun = rig.model.epochs.clone();
    let end = rig.opening.end;
    rig.model = possible
        .into_iter()
        .find(|model| model.end() == end)
        .expect("whole groups are left");
    rig.model.epochs = begun;
    rig.check_opening();
    rig.check();
}
