//! Histories, folds and names of aggregates.

use std::string::String;
use std::vec::Vec;

use bytes::Bytes;

use super::StoreGuard;
use super::author::{Author, ready, released, waiting};
use super::rig::{Rig, block_on};
use crate::event::AggregateId;
use crate::log::{Group, StateRow};
use crate::store::{EventStore, History, HistoryFrom};

pub fn history_covers_what_is_ready_and_not_what_waits<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    let [first, second, third] = [(); 3].map(|()| author.commit(&["a/1"]));
    rig.append_all([ready(&first), waiting(&third), waiting(&second)]);
    assert_eq!(positions(&history(&rig, "a/1", HistoryFrom::Start)), [0]);
    rig.append_all([released(&second)]);
    assert_eq!(positions(&history(&rig, "a/1", HistoryFrom::Start)), [0, 3]);
    rig.append_all([released(&third)]);
    assert_eq!(
        positions(&history(&rig, "a/1", HistoryFrom::Fold)),
        [0, 3, 4]
    );
    rig.reopen();
}

pub fn an_event_of_another_aggregate_comes_with_its_commit<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    let commit = author.commit(&["a/1", "b/1", "a/1", "c/1"]);
    rig.append_all([ready(&author.clone().commit(&["b/1"])), ready(&commit)]);
    for name in ["a/1", "c/1"] {
        let history = history(&rig, name, HistoryFrom::Start);
        assert_eq!(positions(&history), [1]);
        assert_eq!(history.entries[0].1.commit, commit);
    }
    assert_eq!(positions(&history(&rig, "b/1", HistoryFrom::Start)), [0, 1]);
}

pub fn a_fold_hides_what_it_covers<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    let mut next = || ready(&author.commit(&["a/1", "b/1"]));
    rig.append_all([next(), next()]);
    rig.append(Group {
        entries: Vec::from([next()]),
        states: Vec::from([fold("a/1", "three")]),
        ..Group::default()
    });
    assert_eq!(seen(&rig, "a/1"), (Some("three".into()), Vec::new()));
    assert_eq!(seen(&rig, "b/1"), (None, Vec::from([0, 1, 2])));
    rig.append_all([next(), next()]);
    assert_eq!(seen(&rig, "a/1"), (Some("three".into()), Vec::from([3, 4])));
    let all = history(&rig, "a/1", HistoryFrom::Start);
    assert_eq!(
        (all.fold.clone(), positions(&all)),
        (None, Vec::from([0, 1, 2, 3, 4]))
    );
    rig.reopen();
}

pub fn a_later_fold_replaces_an_earlier_one<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    for round in ["one", "two", "three"] {
        rig.append(Group {
            entries: Vec::from([
                ready(&author.commit(&["a/1"])),
                ready(&author.commit(&["a/1"])),
            ]),
            states: Vec::from([fold("a/1", "draft"), fold("a/1", round)]),
            ..Group::default()
        });
        assert_eq!(seen(&rig, "a/1"), (Some(round.into()), Vec::new()));
    }
    rig.append_all([ready(&author.commit(&["a/1"]))]);
    rig.append(Group {
        states: Vec::from([fold("a/1", "")]),
        ..Group::default()
    });
    assert_eq!(seen(&rig, "a/1"), (Some(String::new()), Vec::new()));
    rig.reopen();
}

pub fn an_aggregate_that_is_not_here_has_no_history<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    rig.append_all([
        ready(&author.commit(&["a/11"])),
        waiting(&author.commit(&["a/2"])),
    ]);
    for name in ["a/1", "a/11/b", "a/2", "b/1"] {
        for from in [HistoryFrom::Start, HistoryFrom::Fold] {
            let history = history(&rig, name, from);
            assert!(
                history.fold.is_none() && history.entries.is_empty(),
                "{name}"
            );
        }
    }
}

pub fn aggregates_are_listed_under_whole_segments<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    let names = [
        "order/7",
        "order/7 b",
        "order/77",
        "order/7/line/1",
        "order/7!",
        "order/70",
    ];
    rig.append_all(names.map(|name| ready(&author.commit(&[name, "order é/1"]))));
    rig.append_all([waiting(&author.commit(&["order/7/secret"]))]);
    let prefixes = [
        "",
        "/",
        "order",
        "order/",
        "order/7",
        "order/7/",
        "order/7/line",
        "order/7 b",
    ];
    for prefix in
        prefixes
            .into_iter()
            .chain(["ord", "order/9", "order é", "order/7/line/1", "\u{ff}"])
    {
        assert_eq!(
            rig.list(prefix, usize::MAX),
            rig.under(prefix),
            "under {prefix:?}"
        );
    }
    assert_eq!(rig.list("order/7", 10).len(), 2);
}

pub fn aggregates_are_listed_in_pages<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    let names: Vec<_> = (0..40).map(|n| std::format!("a/{}/{n}", n % 3)).collect();
    rig.append_all(
        names
            .iter()
            .map(|name| ready(&author.commit(&[name])))
            .collect::<Vec<_>>(),
    );
    for prefix in ["", "a", "a/1", "a/2/"] {
        for limit in [1, 7, 100] {
            assert_eq!(rig.list(prefix, limit), rig.under(prefix));
        }
    }
    assert!(rig.list("a", 0).is_empty());
    let absent = AggregateId::new("a/1/2").unwrap();
    let after = block_on(
        rig.store()
            .aggregates("a".into(), Some(absent.clone()), 100),
    )
    .unwrap();
    let wanted: Vec<_> = rig
        .under("a")
        .into_iter()
        .filter(|name| *name > absent)
        .collect();
    assert_eq!(after, wanted);
}

pub fn aggregates_with_long_histories_are_listed_once<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    for name in ["a/1", "a/2", "a/1/x", "a/3"] {
        let long = if name == "a/3" { 1 } else { 100 };
        rig.append_all(
            (0..long)
                .map(|_| ready(&author.commit(&[name])))
                .collect::<Vec<_>>(),
        );
        rig.append(Group {
            states: Vec::from([fold(name, name)]),
            ..Group::default()
        });
    }
    for limit in [1, 2, 3, 4, 100] {
        assert_eq!(rig.list("a", limit), rig.under("a"));
    }
}

fn fold(name: &str, bytes: &str) -> StateRow {
    let aggregate = AggregateId::new(name).unwrap();
    StateRow {
        aggregate,
        bytes: Bytes::copy_from_slice(bytes.as_bytes()),
    }
}

fn history<G: StoreGuard>(rig: &Rig<G>, name: &str, from: HistoryFrom) -> History {
    block_on(rig.store().history(AggregateId::new(name).unwrap(), from)).unwrap()
}

fn positions(history: &History) -> Vec<u64> {
    history
        .entries
        .iter()
        .map(|(position, _)| *position)
        .collect()
}

fn seen<G: StoreGuard>(rig: &Rig<G>, name: &str) -> (Option<String>, Vec<u64>) {
    let history = history(rig, name, HistoryFrom::Fold);
    let fold = history
        .fold
        .as_ref()
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    (fold, positions(&history))
}
