//! Against what the definition says of who saw which, and against a fold written out.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;

use super::super::Value;
use super::super::histories::{
    History, Pasts, all_orders, all_pasts, all_words, id_of, keeps_its_word, pieces, shown,
    size_after,
};
use super::*;
use crate::event::{EventId, cbor};

fn payload(edit: &ManualEdit) -> Payload {
    Payload::encode(edit).unwrap()
}

fn letters() -> [Payload; 4] {
    [
        payload(&Manual::write("a").unwrap()),
        payload(&Manual::write(&()).unwrap()),
        payload(&Manual::resolution("a").unwrap()),
        payload(&Manual::resolution(&7).unwrap()),
    ]
}

fn read(payload: &Payload) -> ManualEdit {
    Manual.decode(payload).unwrap()
}

/// Of some events, those that no other of them saw, by value.
fn unseen(of: &[usize], pasts: &Pasts, word: &[Payload]) -> BTreeMap<Vec<u8>, BTreeSet<EventId>> {
    let mut unseen: BTreeMap<Vec<u8>, BTreeSet<EventId>> = BTreeMap::new();
    for at in of {
        if !of.iter().any(|other| pasts[*other].contains(at)) {
            let value = read(&word[*at]).value().as_bytes().to_vec();
            unseen.entry(value).or_default().insert(id_of(*at));
        }
    }
    unseen
}

#[test]
fn what_was_written_under_the_rule_is_kept_until_seen_and_never_refused_in_any_order() {
    let mut open = 0;
    for pasts in all_pasts(4) {
        for word in all_words(&letters(), 4) {
            let asked = |at: usize| unseen(&pasts[at], &pasts, &word).len() < 2;
            if !(0..4).all(|at| read(&word[at]).resolves() || asked(at)) {
                continue;
            }
            let expected = unseen(&[0, 1, 2, 3], &pasts, &word);
            open += usize::from(expected.len() > 1);
            let history = History::new(pasts.clone(), &word);
            for order in all_orders(&pasts) {
                let outcome = history.fold(&Manual, &order);
                assert!(outcome.rejected.is_empty());
                let pieces = pieces(&Manual, &outcome.state).into_iter();
                let found = pieces.map(|piece| {
                    assert_eq!(piece.open, expected.len() > 1);
                    (piece.value, piece.from.into_iter().collect())
                });
                assert_eq!(found.collect::<BTreeMap<_, _>>(), expected);
            }
        }
    }
    assert!(open > 1000);
}

/// Whoever writes without this rule may do so onto an open conflict.
#[test]
fn a_write_onto_what_its_writer_saw_open_is_refused_everywhere() {
    for pasts in all_pasts(4) {
        for word in all_words(&letters(), 4) {
            let mut kept: Vec<usize> = Vec::new();
            let mut rejected = Vec::new();
            for at in 0..4 {
                let saw = |other: &&usize| pasts[at].contains(other);
                let values = kept
                    .iter()
                    .filter(saw)
                    .map(|other| read(&word[*other]).value().clone());
                let mut values: Vec<Value> = values.collect();
                values.dedup();
                if values.len() > 1 && !read(&word[at]).resolves() {
                    rejected.push(at);
                } else {
                    kept.retain(|other| !pasts[at].contains(other));
                    kept.push(at);
                    kept.sort_by_key(|other| read(&word[*other]).value().as_bytes().to_vec());
                }
            }
            let history = History::new(pasts.clone(), &word);
            let outcome = history.fold(&Manual, &[0, 1, 2, 3]);
            assert_eq!(outcome.rejected, rejected);
            let from = pieces(&Manual, &outcome.state).into_iter();
            let from: BTreeSet<EventId> = from.flat_map(|piece| piece.from).collect();
            assert_eq!(from, kept.into_iter().map(id_of).collect());
        }
    }
}

fn told(pasts: &[&[usize]], edits: &[ManualEdit]) -> serde_json::Value {
    let payloads: Vec<Payload> = edits.iter().map(payload).collect();
    let history = History::new(pasts.iter().map(|past| past.to_vec()).collect(), &payloads);
    let outcome = history.fold(&Manual, &history.canonical_order());
    assert!(outcome.rejected.is_empty());
    shown(&Manual, &outcome.state).deserialized().unwrap()
}

#[test]
fn a_conflict_is_open_until_a_decision_by_somebody_who_saw_it_all() {
    let write = |value: u8| Manual::write(&value).unwrap();
    let decide = |value: u8| Manual::resolution(&value).unwrap();
    assert_eq!(told(&[], &[]), serde_json::json!({"value": null}));
    let rivals = [write(1), write(2)];
    let open = serde_json::json!({"open": [1, 2]});
    assert_eq!(told(&[&[], &[]], &rivals), open);
    assert_eq!(
        told(&[&[], &[]], &[write(1), write(1)]),
        serde_json::json!({"value": 1})
    );
    let with = |rest: &[ManualEdit]| [&rivals[..], rest].concat();
    let settled = serde_json::json!({"value": 3});
    assert_eq!(told(&[&[], &[], &[0, 1]], &with(&[decide(3)])), settled);
    let half = serde_json::json!({"open": [2, 3]});
    assert_eq!(told(&[&[], &[], &[0]], &with(&[decide(3)])), half);
    let both: [&[usize]; 4] = [&[], &[], &[0, 1], &[0, 1]];
    assert_eq!(told(&both, &with(&[decide(3), decide(3)])), settled);
    let again = serde_json::json!({"open": [3, 4]});
    assert_eq!(told(&both, &with(&[decide(3), decide(4)])), again);
    let new: [&[usize]; 4] = [&[], &[], &[0, 1], &[1]];
    assert_eq!(told(&new, &with(&[decide(3), write(4)])), again);
}

#[test]
fn what_the_engine_relies_on_holds() {
    keeps_its_word(&Manual, &letters(), 4);
    assert!(size_after(&Manual, &letters(), 100) < 40);
}

#[test]
fn a_state_answers_in_rust_types() {
    let mut state = Settlement::default();
    assert_eq!(
        (state.is_open(), state.decode::<u8>().unwrap()),
        (false, None)
    );
    state.write(&[0x07], id_of(0), &|_| false);
    assert_eq!(
        (state.is_open(), state.decode().unwrap()),
        (false, Some(7u8))
    );
    state.write(&[0x08], id_of(1), &|_| false);
    assert_eq!((state.is_open(), state.as_bytes()), (true, None));
    let values: Vec<&[u8]> = state.iter().map(|(value, _)| value).collect();
    assert_eq!(values, [&[0x07], &[0x08]]);
}

#[test]
fn what_two_say_who_did_not_know_of_each_other_is_open_unless_they_agree() {
    let [write, null, agrees, differs] = letters().map(|payload| read(&payload));
    let key = Key::everything();
    let judge = |one, other| Manual.judge_at(&key, one, other);
    assert_eq!(judge(&write, &agrees), Verdict::Agree);
    assert_eq!(judge(&write, &null), Verdict::Open);
    assert_eq!(judge(&agrees, &differs), Verdict::Open);
    assert_eq!(Manual.value_at(&key, &differs).unwrap(), [0x07]);
    assert_eq!(Manual.rule_at(&key), "a person decides");
}

#[test]
fn a_payload_is_a_map_of_one_entry_in_any_encoding() {
    let read = |bytes: &[u8]| Manual.decode(&Payload::from_bytes(bytes.to_vec().into()).unwrap());
    let edit = read(b"\xbf\x65value\x19\x00\x07\xff").unwrap();
    assert_eq!(edit, Manual::write(&7).unwrap());
    let through_serde: ManualEdit = cbor::from_slice(b"\xa1\x67resolve\x18\x07").unwrap();
    assert_eq!(through_serde, Manual::resolution(&7).unwrap());
    assert!(through_serde.resolves() && !edit.resolves());
    for bad in [
        &b""[..],
        b"\x07",
        b"\xa0",
        b"\xa1\x67resolve",
        b"\xa1\x01\x01",
        b"\xa1\x61v\x01",
        b"\xa2\x65value\x01\x67resolve\x01",
        b"\xa2\x65value\x01\x65value\x01",
        b"\xa2\x67resolve\x01\x68unwanted\x01",
    ] {
        assert!(read(bad).is_err(), "{bad:?}");
    }
    let deep = |levels: usize| [b"\xa1\x65value".to_vec(), vec![0x81; levels], vec![0x01]].concat();
    let mut state = Settlement::default();
    for at in 0..2 {
        let edit = read(&deep(30 - at)).unwrap();
        state.write(edit.value().as_bytes(), id_of(at), &|_| false);
    }
    assert!(cbor::check(&Manual.present(&state).unwrap()).is_ok());
    assert!(read(&deep(31)).is_err());
}
