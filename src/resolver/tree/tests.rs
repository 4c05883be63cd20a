//! The stored form of the two states that stand on a tree, byte by byte. What trees do is tested
//! against the models of the rules that own them.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use ciborium::Value;
use serde::de::DeserializeOwned;

use crate::event::cbor::{self, Reader, Writer};
use crate::event::{Payload, ReplicaId};
use crate::resolver::tests::rehearsal::Rehearsal;
use crate::resolver::{Document, FieldMerge, Fields, Resolver, Rules};

/// The state after one event of each of two replicas that knew nothing of each other.
fn state<R: Resolver>(rule: &R, one: &str, other: &str) -> R::State {
    let turns = (0u64..).zip([one, other]).map(|(replica, text)| {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        let value: Value = cbor::from_slice(&cbor::to_vec(&value).unwrap()).unwrap();
        ((replica, BTreeSet::new()), Payload::encode(&value).unwrap())
    });
    let rehearsal = Rehearsal::new(turns);
    let mut state = Rehearsal::start(rule);
    rehearsal.step(rule, &mut state, 0).unwrap();
    rehearsal.step(rule, &mut state, 1).unwrap();
    state
}

/// What stands in the byte string that a state is stored as.
fn image_of(state: &impl serde::Serialize) -> Vec<u8> {
    let bytes = cbor::to_vec(state).unwrap();
    Reader::new(&bytes).bytes().unwrap().to_vec()
}

fn read<S: DeserializeOwned>(image: &[u8]) -> Option<S> {
    let mut writer = Writer::new();
    writer.bytes(image);
    cbor::from_slice(writer.as_bytes()).ok()
}

/// An image that names these replicas.
fn image(replicas: &[u64], node: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.array(2).array(replicas.len());
    for replica in replicas {
        writer.bytes(&ReplicaId::new(*replica, 0).to_bytes());
    }
    writer.raw(node);
    writer.into_bytes()
}

fn fields() -> Fields {
    let one = r#"{"set": {"a": {"x": 1}, "bb": [2]}}"#;
    state(&FieldMerge, one, r#"{"set": {"a": 3}}"#)
}

fn document() -> Document {
    let rules = "f=first-write, c=counter, s=add-wins-set, k=keep-all, m=manual";
    let one = r#"{"set": {"l": 1, "f": 2, "k": 3, "m": 4, "dd": {"x": 5}}, "add": {"s": [6]}, "count": {"c": 7}}"#;
    let other = r#"{"set": {"l": 8, "f": 9, "k": 10, "m": 11, "dd": 12}, "add": {"s": [6]}}"#;
    state(&rules.parse::<Rules>().unwrap(), one, other)
}

const FIELDS: &[u8] = b"\xa2\
    \x61a\x84\x01\x01\x03\
        \xa1\x61x\x83\x00\x01\x01\
    \x62bb\x83\x00\x01\x81\x02";

const DOCUMENT: &[u8] = b"\xa7\
    \x61c\x82\x02\x83\x07\x00\x01\
    \x61f\x82\x01\x83\x00\x01\x02\
    \x61k\x82\x04\x86\x00\x01\x03\x01\x01\x0a\
    \x61l\x82\x00\x83\x01\x01\x08\
    \x61m\x82\x05\x86\x00\x01\x04\x01\x01\x0b\
    \x61s\x82\x03\xa1\x06\x84\x00\x01\x01\x01\
    \x62dd\x83\x00\x83\x01\x01\x0c\
        \xa1\x61x\x82\x00\x83\x00\x01\x05";

#[test]
fn states_are_stored_as_these_bytes() {
    assert_eq!(image_of(&fields()), image(&[0, 1], FIELDS));
    assert_eq!(image_of(&document()), image(&[0, 1], DOCUMENT));
    assert_eq!(image_of(&Fields::default()), image(&[], b"\xa0"));
    assert_eq!(image_of(&Document::default()), image(&[], b"\xa0"));
}

#[test]
fn what_was_stored_is_read_back() {
    assert_eq!(read(&image(&[0, 1], FIELDS)), Some(fields()));
    assert_eq!(read(&image(&[0, 1], DOCUMENT)), Some(document()));
}

#[test]
fn an_image_that_no_state_has_is_refused() {
    let one_field = b"\xa1\x61a\x83\x00\x01\x01";
    assert!(read::<Fields>(&image(&[0], one_field)).is_some());
    for (replicas, node) in [
        (&[][..], &one_field[..]),
        (&[1, 0], one_field),
        (&[0], b"\xa1\x61a\x82\x00\x01"),
        (&[0], b"\xa1\x61a\x85\x00\x01\x01\xa0\xa0"),
        (&[0], b"\xa1\x61a\x83\x00\x00\x01"),
        (&[0], b"\xa1\x61a\xa0"),
        (&[0], b"\xa1\x61a\x01"),
        (&[0], b"\xa1\x01\x83\x00\x01\x01"),
        (&[0], b"\xa0\xa0"),
    ] {
        assert!(
            read::<Fields>(&image(replicas, node)).is_none(),
            "{node:x?}"
        );
    }
    for node in [
        &b"\xa1\x61a\x82\x00\xf6"[..],
        b"\xa1\x61a\x82\x03\xa0",
        b"\xa1\x61a\x82\x06\x83\x00\x01\x01",
        b"\xa1\x61a\x81\x00",
        b"\xa1\x61a\xa0",
    ] {
        assert!(read::<Document>(&image(&[0], node)).is_none(), "{node:x?}");
    }
}

#[test]
fn an_image_is_read_as_deep_as_a_payload_nests_and_no_deeper() {
    let deep = |levels: usize| {
        let node = [b"\xa1\x61a".repeat(levels), vec![0x83, 0x00, 0x01, 0x01]].concat();
        read::<Fields>(&image(&[0], &node))
    };
    assert_eq!(deep(32).unwrap().len(), 1);
    assert_eq!(deep(33), None);
    assert_eq!(deep(100_000), None);
}

#[test]
fn whatever_byte_is_changed_what_is_read_is_a_state_or_refused() {
    fn survives<S: DeserializeOwned + serde::Serialize + PartialEq + core::fmt::Debug>(
        image: &[u8],
    ) {
        if let Some(state) = read::<S>(image) {
            assert_eq!(read(&image_of(&state)), Some(state));
        }
    }
    for (node, whole) in [FIELDS, DOCUMENT].map(|node| (node, image(&[0, 1], node))) {
        for at in whole.len() - node.len()..whole.len() {
            for byte in [0x00, 0x01, 0x61, 0x80, 0x82, 0x83, 0xa0, 0xa1, 0xf6, 0xff] {
                let mut changed = whole.clone();
                changed[at] = byte;
                survives::<Fields>(&changed);
                survives::<Document>(&changed);
            }
        }
    }
}
