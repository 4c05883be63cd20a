//! Every built-in rule, on histories of writers who are offline now and then: its footprints and its
//! claims buy shortcuts, and the shortcuts change nothing.

use anabranch::event::Payload;
use anabranch::resolver::{
    AddWinsSet, Counter, DocumentEdit, FieldEdit, FieldMerge, FirstWriteWins, LastWriteWins,
    Manual, MultiValue, Rules, SetEdit,
};
use proptest::prelude::*;

use crate::offline::{Note, Write, check, writes};

/// A value, or nothing.
fn value((_, number): Note) -> Payload {
    match number % 4 {
        0 => Payload::encode(&()),
        other => Payload::encode(&other),
    }
    .unwrap()
}

fn step((_, number): Note) -> Payload {
    Payload::encode(&(i64::from(number) - 100)).unwrap()
}

fn elements((place, number): Note) -> Payload {
    let edit = SetEdit::new();
    let edit = match number % 5 {
        0 | 1 => edit.add(&(place % 7)),
        2 => edit.remove(&(place % 7)),
        3 => edit.remove(&(place % 7)).unwrap().add(&"b"),
        _ => edit.add(&(place % 7)).unwrap().remove("b"),
    };
    Payload::encode(&edit.unwrap()).unwrap()
}

fn decision(note: Note) -> Payload {
    let edit = match note.1 % 3 {
        0 => Manual::resolution(&(note.1 % 5)),
        _ => Manual::write(&(note.1 % 5)),
    };
    Payload::encode(&edit.unwrap()).unwrap()
}

/// Some place in a small tree, so that branches and leaves meet.
fn path(place: u8) -> Vec<&'static str> {
    let name = |number: u8| ["a", "b", "c", "d"][usize::from(number % 4)];
    match place % 10 {
        0..5 => vec![name(place / 10)],
        5..9 => vec![name(place / 10), name(place / 40)],
        _ => vec![name(place / 10), name(place / 40), "e"],
    }
}

fn fields((place, number): Note) -> Payload {
    let edit = FieldEdit::new();
    let edit = match number % 6 {
        0 => edit.remove(path(place)),
        1 => edit.remove(path(place)).set(path(number), &number).unwrap(),
        _ => edit.set(path(place), &(number % 9)).unwrap(),
    };
    Payload::encode(&edit).unwrap()
}

/// A document with a field of each kind, and one operation, now and then one that does not fit.
fn document((place, number): Note) -> Payload {
    let field = ["last", "first", "sum", "set", "all", "man", "other"][usize::from(place % 7)];
    let path = || match place % 14 {
        0..7 => vec![field],
        _ => vec!["in", field],
    };
    let edit = DocumentEdit::new();
    let edit = match (field, number % 8) {
        (_, 0) => Ok(edit.remove(path())),
        (_, 1) if place % 3 == 0 => Ok(edit.remove(["in"])),
        ("sum", _) => edit.count(path(), i64::from(number)),
        ("set", 2 | 3) => edit.discard(path(), &(number % 5)),
        ("set", _) => edit.add(path(), &(number % 5)),
        ("man", 2) => edit.resolve(path(), &(number % 5)),
        _ => edit.set(path(), &(number % 5)),
    };
    Payload::encode(&edit.unwrap()).unwrap()
}

fn rules() -> Rules {
    let fields = "last=last-write, first=first-write, sum=counter, set=add-wins-set, all=keep-all, \
        man=manual, in.first=first-write, in.sum=counter, in.set=add-wins-set, in.all=keep-all, \
        in.man=manual";
    fields.parse().unwrap()
}

/// What all payloads are tried with.
type Trial<'a> = (&'a [Write], usize);

fn try_all((writes, pause): Trial<'_>, which: u8) {
    match which {
        0 => check(&LastWriteWins, &value, writes, pause),
        1 => check(&FirstWriteWins, &value, writes, pause),
        2 => check(&MultiValue, &value, writes, pause),
        3 => check(&Counter, &step, writes, pause),
        4 => check(&AddWinsSet, &elements, writes, pause),
        5 => check(&Manual, &decision, writes, pause),
        6 => check(&FieldMerge, &fields, writes, pause),
        _ => check(&rules(), &document, writes, pause),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn no_shortcut_changes_what_a_built_in_rule_makes_of_a_history(
        writes in writes(),
        pause in 1usize..12,
        which in 0u8..8,
    ) {
        try_all((&writes, pause), which);
    }
}
