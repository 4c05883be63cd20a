//! What a store finds when it looks at all of itself. That nothing is wrong with a whole one is
//! checked after everything else that is done in these laws.

use std::sync::{Arc, Mutex};
use std::vec::Vec;

use super::StoreGuard;
use super::author::{Author, ready, released, waiting};
use super::rig::{Rig, block_on};
use crate::event::AggregateId;
use crate::log::{Group, Note, StateRow};
use crate::store::{EventStore, Inspection};

pub fn an_empty_store_is_whole<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    rig.check();
    rig.reopen();
}

pub fn what_waits_and_what_was_released_is_no_fault<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let (mut near, mut far) = (Author::new(1), Author::new(2));
    let (first, second) = (near.commit(&["a/1", "a/2"]), near.commit(&["a/1"]));
    let third = near.commit(&["a/3"]);
    rig.append_all([waiting(&second), ready(&far.commit(&["a/1"]))]);
    rig.check();
    rig.append_all([waiting(&third)]);
    rig.reopen();
    rig.append_all([ready(&first), released(&second), released(&third)]);
    rig.check();
    rig.reopen();
}

pub fn progress_is_told_up_to_the_last_entry<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    let commits: Vec<_> = (0..1_200)
        .map(|_| ready(&author.commit(&["a/1"])))
        .collect();
    rig.append_all(commits);
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let inspection = Inspection::new().with_progress(move |entries| {
        tell.lock().unwrap().push(entries);
    });
    let report = block_on(rig.store().verify(inspection)).unwrap();
    let told = told.lock().unwrap();
    assert!(told.is_sorted() && told.len() > 2, "{told:?}");
    assert_eq!((told.last(), report.entries), (Some(&1_200), 1_200));
}

pub fn a_fold_that_makes_no_sense_to_whoever_knows_is_a_fault<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    let fold = |name: &str, fold: &'static [u8]| StateRow {
        aggregate: AggregateId::new(name).unwrap(),
        bytes: fold.into(),
    };
    rig.append(Group {
        entries: Vec::from([ready(&author.commit(&["a/1", "a/2"]))]),
        states: Vec::from([fold("a/1", b"sense"), fold("a/2", b"none")]),
        ..Group::default()
    });
    let knows = |fold: &[u8]| match fold {
        b"sense" => Ok(()),
        _ => Err("it is none".into()),
    };
    let report = block_on(rig.store().verify(Inspection::new().with_folds(knows))).unwrap();
    let faults: Vec<_> = report.faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults, ["stored state of a/2: it is none"]);
}

pub fn compacting_changes_nothing<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    for round in 0..20_u8 {
        rig.append(Group {
            entries: Vec::from([ready(&author.commit(&["a/1", "a/2"]))]),
            states: Vec::from([StateRow {
                aggregate: AggregateId::new("a/1").unwrap(),
                bytes: Vec::from([round; 3_000]).into(),
            }]),
            notes: Vec::from([Note {
                key: Vec::from([round % 3]),
                value: (round % 2 == 0).then(|| Vec::from([round]).into()),
            }]),
            ..Group::default()
        });
    }
    block_on(rig.store().compact()).unwrap();
    rig.check();
    rig.append_all([ready(&author.commit(&["a/1"]))]);
    rig.reopen();
    block_on(rig.store().compact()).unwrap();
    rig.lose_power();
    rig.open();
    rig.check();
}
