//! Against the definition by dots: all histories of a few events, in all orders.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec;

use Verdict::{Agree, EarlierWins, LaterWins, Merged};
use ciborium::Value;

use super::super::histories::{
    History, Pasts, all_orders, all_pasts, all_words, id_of, keeps_its_word, pieces, shown,
    size_after,
};
use super::*;
use crate::event::{EventId, cbor};

/// What is added and what is removed.
type Edit = (&'static [&'static str], &'static [&'static str]);

fn payload((added, removed): &Edit) -> Payload {
    let edit = removed.iter().try_fold(SetEdit::new(), SetEdit::remove);
    let edit = added.iter().try_fold(edit.unwrap(), SetEdit::add);
    Payload::encode(&edit.unwrap()).unwrap()
}

fn read(bytes: &[u8]) -> Result<SetWrites, PayloadError> {
    AddWinsSet.decode(&Payload::from_bytes(bytes.to_vec().into()).unwrap())
}

/// By the definition: an element is there if some event added it and nobody who saw that event has
/// added or removed the element.
fn model(pasts: &Pasts, word: &[Edit]) -> BTreeMap<&'static str, BTreeSet<EventId>> {
    let mut there: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (at, (added, _)) in word.iter().enumerate() {
        for element in *added {
            let named =
                |(added, removed): &Edit| added.contains(element) || removed.contains(element);
            if !(0..word.len()).any(|by| pasts[by].contains(&at) && named(&word[by])) {
                there.entry(*element).or_default().insert(id_of(at));
            }
        }
    }
    there
}

#[test]
fn the_elements_are_those_of_the_definition_in_any_order() {
    let letters: [Edit; 4] = [
        (&["a"], &[]),
        (&[], &["a"]),
        (&["a"], &["b"]),
        (&["b"], &["a"]),
    ];
    for pasts in all_pasts(4) {
        for word in all_words(&letters, 4) {
            let expected = model(&pasts, &word);
            let payloads: Vec<Payload> = word.iter().map(payload).collect();
            let history = History::new(pasts.clone(), &payloads);
            for order in all_orders(&pasts) {
                let outcome = history.fold(&AddWinsSet, &order);
                let texts: Vec<String> = shown(&AddWinsSet, &outcome.state).deserialized().unwrap();
                assert!(texts.iter().eq(expected.keys()));
                let pieces = pieces(&AddWinsSet, &outcome.state).into_iter();
                let found = pieces.map(|piece| {
                    assert_eq!(piece.value, cbor::to_vec(&piece.key.path[0]).unwrap());
                    (piece.key, piece.from.into_iter().collect())
                });
                let expected = expected.clone().into_iter();
                let expected = expected.map(|(element, from)| (Key::leaf([element]), from));
                assert!(found.eq(expected));
            }
        }
    }
}

#[test]
fn what_the_engine_relies_on_holds() {
    let letters: [Edit; 5] = [
        (&["a"], &[]),
        (&[], &["a", "b"]),
        (&["b"], &["a"]),
        (&["c"], &[]),
        (&[], &[]),
    ];
    let mut payloads: Vec<Payload> = letters.iter().map(payload).collect();
    payloads.push(Payload::encode(&[1]).unwrap());
    keeps_its_word(&AddWinsSet, &payloads, 3);
}

/// The same without the claim: what no key tells to meet commutes.
#[test]
fn events_that_name_different_elements_touch_nothing_in_common() {
    let footprint = |edit: &Edit| AddWinsSet.footprint(&AddWinsSet.decode(&payload(edit)).unwrap());
    let (one, other): (Edit, Edit) = ((&["a"], &["b"]), (&["c"], &["d"]));
    assert!(!footprint(&one).overlaps(&footprint(&other)));
    assert_eq!(
        footprint(&one).shared(&footprint(&(&["b"], &["c"]))),
        [Key::leaf(["b"])]
    );
    let number = AddWinsSet.decode(&Payload::encode(&SetEdit::new().add(&7).unwrap()).unwrap());
    assert_eq!(
        AddWinsSet.footprint(&number.unwrap()).keys(),
        [Key::leaf(["<7>"])]
    );
    assert_eq!(footprint(&(&[], &[])), Footprint::NOTHING);
}

#[test]
fn a_state_does_not_grow_with_what_was_added_and_removed() {
    let letters: [Edit; 2] = [(&["a", "b"], &[]), (&["a"], &["b"])];
    let payloads: Vec<Payload> = letters.iter().map(payload).collect();
    assert!(size_after(&AddWinsSet, &payloads, 100) < 40);
}

#[test]
fn pieces_are_in_the_order_of_keys() {
    let payload = payload(&(&["b", "aa"], &[]));
    let state = History::new(vec![vec![]], &[payload])
        .fold(&AddWinsSet, &[0])
        .state;
    let keys = pieces(&AddWinsSet, &state)
        .into_iter()
        .map(|piece| piece.key);
    assert!(keys.eq(["aa", "b"].map(|element| Key::leaf([element]))));
}

#[test]
fn a_state_answers_in_rust_types() {
    let edit = SetEdit::new()
        .add("b")
        .unwrap()
        .add(&7)
        .unwrap()
        .add("a")
        .unwrap();
    let writes = AddWinsSet.decode(&Payload::encode(&edit).unwrap()).unwrap();
    let mut state = Elements::default();
    assert!(state.is_empty());
    state.write(&writes, id_of(0), &|_| false);
    assert_eq!((state.len(), state.is_empty()), (3, false));
    assert!(state.contains(&7).unwrap() && state.contains("a").unwrap());
    assert!(!state.contains("7").unwrap() && !state.contains(&7.0).unwrap());
    assert_eq!(state.writers("b").unwrap(), [id_of(0)]);
    assert_eq!(
        state.decode::<Value>().unwrap(),
        [Value::from(7), "a".into(), "b".into()]
    );
    assert!(state.decode::<String>().is_err());
    let elements: Vec<&[u8]> = state.iter().map(|(element, _)| element).collect();
    assert_eq!(elements, [&[0x07][..], b"\x61a", b"\x61b"]);
}

#[test]
fn whichever_adds_wins_element_by_element() {
    let letters: [Edit; 4] = [
        (&["a"], &[]),
        (&[], &["a"]),
        (&["a"], &["b"]),
        (&["b"], &["a"]),
    ];
    let [add, remove, add_a, add_b] =
        letters.map(|edit| AddWinsSet.decode(&payload(&edit)).unwrap());
    let judge = |one, other| {
        let at = |key| AddWinsSet.judge_at(&Key::leaf([key]), one, other);
        assert_eq!(
            AddWinsSet.judge_at(&Key::everything(), one, other),
            AddWinsSet.judge(one, other)
        );
        (AddWinsSet.judge(one, other), at("a"), at("b"))
    };
    assert_eq!(judge(&add, &add), (Agree, Agree, Merged));
    assert_eq!(judge(&remove, &remove), (Agree, Agree, Merged));
    assert_eq!(judge(&add, &remove), (EarlierWins, EarlierWins, Merged));
    assert_eq!(judge(&remove, &add), (LaterWins, LaterWins, Merged));
    assert_eq!(judge(&add_a, &add_b), (Merged, EarlierWins, LaterWins));
    assert_eq!(judge(&add_b, &add_a), (Merged, LaterWins, EarlierWins));
    assert_eq!(judge(&add_b, &remove), (Agree, Agree, Merged));
    let add_both = AddWinsSet.decode(&payload(&(&["a", "b"], &[]))).unwrap();
    assert_eq!(judge(&add_a, &add_both), (LaterWins, Agree, LaterWins));
    assert_eq!(AddWinsSet.rule_at(&Key::leaf(["a"])), "add-wins set");
}

#[test]
fn what_a_payload_says_of_an_element_is_found_by_its_key() {
    let edit = SetEdit::new()
        .add("<7>")
        .unwrap()
        .add(&7)
        .unwrap()
        .remove("b")
        .unwrap();
    let writes = AddWinsSet.decode(&Payload::encode(&edit).unwrap()).unwrap();
    let says = |segment| AddWinsSet.value_at(&Key::leaf([segment]), &writes);
    assert_eq!(says("<7>").unwrap(), [0x07]);
    assert_eq!(says(r#"<"<7>">"#).unwrap(), b"\x63<7>");
    assert_eq!(says("b").unwrap(), [0xf6]);
    assert_eq!(says("c"), None);
    assert_eq!(AddWinsSet.value_at(&Key::everything(), &writes), None);
}

#[test]
fn the_last_call_for_an_element_counts_and_equal_edits_have_equal_bytes() {
    let edit = |build: &dyn Fn(SetEdit) -> Result<SetEdit, PayloadError>| {
        Payload::encode(&build(SetEdit::new()).unwrap()).unwrap()
    };
    let removed = edit(&|edit| edit.remove("a"));
    assert_eq!(edit(&|edit| edit.add("a")?.remove("a")), removed);
    assert_eq!(
        edit(&|edit| edit.add("a")?.add(&7)),
        edit(&|edit| edit.add(&7)?.add("a"))
    );
    assert_eq!(edit(&Ok).as_bytes(), &[0xa0][..]);
    assert!(SetEdit::new().is_empty() && !SetEdit::new().add(&1).unwrap().is_empty());
}

#[test]
fn a_payload_has_its_form_in_any_encoding() {
    // What is removed and added is added, in whichever order the entries come.
    let both = read(b"\xa2\x66remove\x82\x01\x02\x63add\x9f\x02\x18\x01\xff").unwrap();
    assert!(both.iter().eq([(&[0x01][..], true), (&[0x02][..], true)]));
    let through_serde: SetWrites = cbor::from_slice(b"\xa1\x63add\x82\x01\x01").unwrap();
    assert!(through_serde.iter().eq([(&[0x01][..], true)]));
    assert_eq!(read(&[0xa0]).unwrap(), SetWrites::default());
    for bad in [
        &b""[..],
        b"\x80",
        b"\xf6",
        b"\xa1\x63add\x01",
        b"\xa1\x63add\xa1\x01\x01",
        b"\xa1\x63sub\x80",
        b"\xa1\x01\x80",
        b"\xa1\x63add\x81",
        b"\xa2\x63add\x80\x63add\x80",
    ] {
        assert!(read(bad).is_err(), "{bad:?}");
    }
    let deep = |levels: usize| [b"\xa1\x63add\x81".to_vec(), vec![0x81; levels], vec![1]].concat();
    assert!(read(&deep(30)).is_ok());
    assert!(read(&deep(31)).is_err());
}
