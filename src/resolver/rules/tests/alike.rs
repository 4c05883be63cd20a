//! One rule for everything is the rule over the whole record, or field by field.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use ciborium::Value;
use proptest::prelude::*;
use serde::Serialize;

use super::super::{DocumentEdit, Rule, Rules};
use crate::event::{Payload, cbor};
use crate::resolver::tests::rehearsal::{Rehearsal, Turn, turns};
use crate::resolver::{
    AddWinsSet, Counter, FieldEdit, FieldMerge, FirstWriteWins, Key, LastWriteWins, Manual,
    MultiValue, Piece, Resolver, SetEdit, Verdict,
};

/// What one event says to a record, and what it says to a field of a document.
type Both = (Payload, Payload);

fn payload<T: Serialize>(value: T) -> Payload {
    Payload::encode(&value).unwrap()
}

fn edit() -> DocumentEdit {
    DocumentEdit::new()
}

const FIELD: [&str; 1] = ["f"];

fn value(number: u8) -> Value {
    match number {
        0 => Value::Null,
        1 => Value::Map(Vec::from([(Value::from("a"), Value::from(1))])),
        2 => Value::Map(Vec::new()),
        number => Value::from(number),
    }
}

/// The two payloads of a number, by a rule.
fn both(rule: Rule, number: u8) -> Both {
    let (kind, number) = (number / 5, number % 5);
    let (set, resolved) = (value(number), value(number));
    match rule {
        Rule::LastWrite | Rule::FirstWrite | Rule::KeepAll => {
            (payload(&set), payload(edit().set(FIELD, &set).unwrap()))
        }
        Rule::Counter => {
            let step = i64::from(number) - 2;
            (payload(step), payload(edit().count(FIELD, step).unwrap()))
        }
        Rule::AddWinsSet if kind == 0 => (
            payload(SetEdit::new().add(&number).unwrap()),
            payload(edit().add(FIELD, &number).unwrap()),
        ),
        Rule::AddWinsSet => (
            payload(SetEdit::new().add("x").unwrap().remove(&number).unwrap()),
            payload(
                edit()
                    .add(FIELD, "x")
                    .unwrap()
                    .discard(FIELD, &number)
                    .unwrap(),
            ),
        ),
        Rule::Manual if kind == 0 => (
            payload(Manual::resolution(&resolved).unwrap()),
            payload(edit().resolve(FIELD, &resolved).unwrap()),
        ),
        Rule::Manual => (
            payload(Manual::write(&set).unwrap()),
            payload(edit().set(FIELD, &set).unwrap()),
        ),
    }
}

/// The field's pieces as those of a record.
fn lifted(pieces: Vec<Piece>) -> Vec<Piece> {
    let lift = |piece: Piece| match piece.key.path.as_slice() {
        [_] => Piece {
            key: Key::everything(),
            ..piece
        },
        path => Piece {
            key: Key::leaf(path[1..].to_vec()),
            ..piece
        },
    };
    pieces.into_iter().map(lift).collect()
}

/// Folds both, compares what can be told of them, and returns what each shows.
fn compare<R: Resolver>(
    rule: Rule,
    record: &R,
    turns: &[Turn],
    numbers: &[u8],
) -> (Value, Option<Value>) {
    let rules = Rules::new("test", 1).field("f", rule).unwrap();
    let pairs: Vec<Both> = numbers.iter().map(|number| both(rule, *number)).collect();
    let of = |side: fn(&Both) -> Payload| {
        Rehearsal::new(turns.iter().cloned().zip(pairs.iter().map(side)))
    };
    let (whole, field) = (of(|pair| pair.0.clone()), of(|pair| pair.1.clone()));
    let (mut one, mut other) = (Rehearsal::start(record), Rehearsal::start(&rules));
    for at in 0..whole.len() {
        let outcomes = (
            whole.step(record, &mut one, at),
            field.step(&rules, &mut other, at),
        );
        assert_eq!(outcomes.0.is_ok(), outcomes.1.is_ok(), "{outcomes:?}");
    }
    let pieces = (record.pieces(&one).unwrap(), rules.pieces(&other).unwrap());
    assert_eq!(without_nothing(pieces.0), without_nothing(lifted(pieces.1)));
    for (earlier, later) in (0..whole.len()).flat_map(|at| (0..at).map(move |first| (first, at))) {
        judged_alike(record, (&whole, earlier, later), &rules, &field);
    }
    let shown = cbor::from_slice(&record.present(&one).unwrap()).unwrap();
    (shown, other.value(FIELD).unwrap())
}

/// A cleared record tells who cleared it; a cleared field is not there, and a counter has no step.
fn without_nothing(mut pieces: Vec<Piece>) -> Vec<Piece> {
    pieces.retain(|piece| piece.value != [0xf6] && piece.value != [0]);
    pieces
}

fn judged_alike<R: Resolver>(
    record: &R,
    (whole, earlier, later): (&Rehearsal, usize, usize),
    rules: &Rules,
    field: &Rehearsal,
) {
    let read = |at| record.decode(whole.payload(at)).unwrap();
    let (one, other) = (read(earlier), read(later));
    let read = |at| rules.decode(field.payload(at)).unwrap();
    let (field_one, field_other) = (read(earlier), read(later));
    let shared = Resolver::footprint(record, &one).shared(&Resolver::footprint(record, &other));
    let inside = |key: &Key| {
        let path = [Vec::from(["f".into()]), key.path.clone()].concat();
        Key {
            path,
            branch: key.branch,
        }
    };
    let keys =
        Resolver::footprint(rules, &field_one).shared(&Resolver::footprint(rules, &field_other));
    assert_eq!(keys, shared.iter().map(inside).collect::<Vec<_>>());
    for key in &shared {
        let at = inside(key);
        let verdicts = (
            record.judge_at(key, &one, &other),
            rules.judge_at(&at, &field_one, &field_other),
        );
        assert_eq!(verdicts.0, verdicts.1);
        assert_eq!(record.value_at(key, &one), rules.value_at(&at, &field_one));
        assert_eq!(record.rule_at(key), rules.rule_at(&at));
    }
    if !shared.is_empty() {
        assert_eq!(
            record.judge(&one, &other),
            rules.judge(&field_one, &field_other)
        );
    }
}

fn events() -> impl Strategy<Value = (Vec<Turn>, Vec<u8>)> {
    (turns(0..10), prop::collection::vec(0u8..10, 0..10))
}

proptest! {
    #[test]
    fn a_named_field_that_the_last_write_wins_is_a_record_that_it_wins((turns, numbers) in events()) {
        let (record, field) = compare(Rule::LastWrite, &LastWriteWins, &turns, &numbers);
        prop_assert_eq!(record, field.unwrap_or(Value::Null));
    }

    #[test]
    fn a_field_that_the_first_write_wins_is_a_record_that_it_wins((turns, numbers) in events()) {
        let (record, field) = compare(Rule::FirstWrite, &FirstWriteWins, &turns, &numbers);
        prop_assert_eq!(record, field.unwrap_or(Value::Null));
    }

    #[test]
    fn a_counter_field_is_a_counter((turns, numbers) in events()) {
        let (record, field) = compare(Rule::Counter, &Counter, &turns, &numbers);
        prop_assert_eq!(record, field.unwrap_or(Value::from(0)));
    }

    #[test]
    fn a_set_field_is_a_set((turns, numbers) in events()) {
        let (record, field) = compare(Rule::AddWinsSet, &AddWinsSet, &turns, &numbers);
        prop_assert_eq!(record, field.unwrap_or(Value::Array(Vec::new())));
    }

    #[test]
    fn a_field_that_keeps_all_is_a_record_of_many_values((turns, numbers) in events()) {
        let (record, field) = compare(Rule::KeepAll, &MultiValue, &turns, &numbers);
        prop_assert_eq!(record, field.unwrap_or(Value::Array(Vec::new())));
    }

    #[test]
    fn a_manual_field_is_a_manual_record((turns, numbers) in events()) {
        let (record, field) = compare(Rule::Manual, &Manual, &turns, &numbers);
        let (name, value) = record.into_map().unwrap().remove(0);
        let field = field.unwrap_or(Value::Null);
        if name.as_text() == Some("open") {
            prop_assert_eq!(&field.into_map().unwrap()[0], &(name, value));
        } else {
            prop_assert_eq!(field, value);
        }
    }

    #[test]
    fn rules_that_name_no_field_merge_field_by_field(
        turns in turns(0..10),
        edits in prop::collection::vec(field_edits(), 0..10),
    ) {
        let rules = Rules::new("test", 1);
        let payloads = edits.iter().map(|edit| Payload::encode(edit).unwrap());
        let rehearsal = Rehearsal::new(turns.into_iter().zip(payloads));
        let events = || 0..rehearsal.len();
        let (one, other) = (rehearsal.fold(&FieldMerge, events()), rehearsal.fold(&rules, events()));
        prop_assert_eq!(one.present(), other.present().unwrap());
        prop_assert_eq!(FieldMerge.pieces(&one).unwrap(), rules.pieces(&other).unwrap());
        for later in events() {
            for earlier in 0..later {
                judged_as_fields(&rehearsal, &rules, earlier, later);
            }
        }
    }
}

fn judged_as_fields(rehearsal: &Rehearsal, rules: &Rules, earlier: usize, later: usize) {
    let of = |at| FieldMerge.decode(rehearsal.payload(at)).unwrap();
    let by = |at| rules.decode(rehearsal.payload(at)).unwrap();
    let keys = Resolver::footprint(&FieldMerge, &of(earlier));
    assert_eq!(keys, Resolver::footprint(rules, &by(earlier)));
    let mut at: BTreeSet<Key> = keys
        .shared(&Resolver::footprint(rules, &by(later)))
        .into_iter()
        .collect();
    at.extend(keys.keys().iter().cloned());
    for key in at {
        let fields = FieldMerge.judge_at(&key, &of(earlier), &of(later));
        assert_eq!(
            fields,
            rules.judge_at(&key, &by(earlier), &by(later)),
            "{key:?}"
        );
        let fields = FieldMerge.value_at(&key, &of(earlier));
        assert_eq!(fields, rules.value_at(&key, &by(earlier)), "{key:?}");
        assert_eq!(FieldMerge.rule_at(&key), rules.rule_at(&key));
    }
    let fields = FieldMerge.judge(&of(earlier), &of(later));
    assert_eq!(fields, rules.judge(&by(earlier), &by(later)));
    assert_ne!(fields, Verdict::Open);
}

fn field_edits() -> impl Strategy<Value = FieldEdit> {
    let path = || prop::collection::vec(prop::sample::select(Vec::from(["a", "bb"])), 1..4);
    let remove = prop::collection::vec(prop_oneof![6 => path(), 1 => Just(Vec::new())], 0..2);
    let set = prop::collection::vec((path(), 0u8..5), 0..3);
    (remove, set).prop_map(|(remove, set)| {
        let edit = remove.into_iter().fold(FieldEdit::new(), FieldEdit::remove);
        let write = |edit: FieldEdit, (path, number)| edit.set(path, &value(number));
        set.into_iter().try_fold(edit, write).unwrap()
    })
}
