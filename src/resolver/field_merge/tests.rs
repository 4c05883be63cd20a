//! Against a model: a flat list of slots, with the rules as the module's page states them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use ciborium::Value;
use proptest::prelude::*;

use super::*;
use crate::event::{EventId, ReplicaId, Seq, cbor};

mod verdicts;

type Path = Vec<String>;

/// Leaf or empty map (nothing) at each path; written by the event with this number.
#[derive(Default)]
struct Model(BTreeMap<Path, (u64, Option<u8>)>);

#[derive(Clone, Debug)]
struct Edit {
    remove: Vec<Path>,
    set: Vec<(Path, Option<u8>)>,
    seen: BTreeSet<u64>,
}

impl Model {
    fn fold(&mut self, number: u64, edit: &Edit) {
        for path in &edit.remove {
            self.0.retain(|at, (writer, _)| {
                at != path && !(at.starts_with(path) && edit.seen.contains(writer))
            });
        }
        for (path, value) in &edit.set {
            self.0.retain(|at, (writer, _)| {
                let related = at.starts_with(path) || path.starts_with(at);
                at == path || !(related && edit.seen.contains(writer))
            });
            self.0.insert(path.clone(), (number, *value));
        }
    }

    fn visible(&self) -> BTreeMap<Path, Option<u8>> {
        let hidden = |path: &Path| self.0.keys().any(|at| at != path && at.starts_with(path));
        let shown = self.0.iter().filter(|(path, _)| !hidden(path));
        shown
            .map(|(path, (_, value))| (path.clone(), *value))
            .collect()
    }
}

fn id(number: u64) -> EventId {
    EventId::new(ReplicaId::new(number % 3, 0), Seq::new(number + 1).unwrap())
}

fn read(edit: &FieldEdit) -> FieldWrites {
    FieldMerge.decode(&Payload::encode(edit).unwrap()).unwrap()
}

fn built(edit: &Edit) -> FieldWrites {
    let mut built = FieldEdit::new();
    for path in &edit.remove {
        built = built.remove(path.iter().map(String::as_str));
    }
    for (path, value) in &edit.set {
        let value = value.map_or(Value::Map(Vec::new()), Value::from);
        built = built.set(path.iter().map(String::as_str), &value).unwrap();
    }
    read(&built)
}

fn fold(edits: &[Edit]) -> (Fields, Model) {
    let (mut fields, mut model) = (Fields::default(), Model::default());
    for (number, edit) in (0u64..).zip(edits) {
        let saw = |writer: EventId| edit.seen.contains(&(writer.seq.get() - 1));
        fields.write(&built(edit), id(number), &saw);
        model.fold(number, edit);
    }
    (fields, model)
}

fn paths() -> impl Strategy<Value = Path> {
    prop::collection::vec(
        prop::sample::select(vec!["b", "aa", "c"]).prop_map(String::from),
        1..4,
    )
}

/// Paths of which none begins with another: what one payload can write.
fn writes() -> impl Strategy<Value = Vec<(Path, Option<u8>)>> {
    prop::collection::vec((paths(), prop::option::of(0u8..3)), 0..4).prop_map(|all| {
        let mut kept: Vec<(Path, Option<u8>)> = Vec::new();
        for (path, value) in all {
            if !kept
                .iter()
                .any(|(at, _)| at.starts_with(&path) || path.starts_with(at))
            {
                kept.push((path, value));
            }
        }
        kept
    })
}

fn histories() -> impl Strategy<Value = Vec<Edit>> {
    let removals = prop::collection::vec(prop_oneof![4 => paths(), 1 => Just(Path::new())], 0..2);
    let edit = (
        removals,
        writes(),
        prop::collection::btree_set(0u64..12, 0..12),
    )
        .prop_map(|(remove, set, seen)| Edit { remove, set, seen });
    prop::collection::vec(edit, 0..12)
}

proptest! {
    #[test]
    fn the_visible_leaves_are_those_of_the_model(edits in histories()) {
        let (fields, model) = fold(&edits);
        let leaf = |field: Field<'_>| {
            let path: Path = field.path.iter().map(|segment| String::from(*segment)).collect();
            let value: Value = cbor::from_slice(field.value).unwrap();
            (path, value.as_integer().map(|number| u8::try_from(number).unwrap()))
        };
        let shown: BTreeMap<Path, Option<u8>> = fields.iter().map(leaf).collect();
        prop_assert_eq!(&shown, &model.visible());
        prop_assert_eq!(fields.len(), shown.len());
        prop_assert_eq!(fields.is_empty(), shown.is_empty());
    }

    #[test]
    fn a_state_survives_its_encoding_and_both_forms_are_canonical(edits in histories()) {
        let (fields, _) = fold(&edits);
        let bytes = cbor::to_vec(&fields).unwrap();
        prop_assert!(cbor::is_canonical(&bytes));
        let again: Fields = cbor::from_slice(&bytes).unwrap();
        prop_assert_eq!(&again, &fields);
        prop_assert_eq!(cbor::to_vec(&again).unwrap(), bytes);
        prop_assert!(cbor::is_canonical(&fields.present()));
    }

    #[test]
    fn events_with_disjoint_footprints_commute(
        edits in histories(),
        one in writes(),
        other in writes(),
        gone in paths(),
        seen in prop::collection::btree_set(0u64..14, 0..14),
    ) {
        let one = Edit { remove: vec![gone], set: one, seen: seen.clone() };
        let other = Edit { remove: Vec::new(), set: other, seen };
        let footprint = |edit: &Edit| Resolver::footprint(&FieldMerge, &built(edit));
        prop_assume!(!footprint(&one).overlaps(&footprint(&other)));
        let (fields, _) = fold(&edits);
        let after = |order: [(&Edit, u64); 2]| {
            let mut fields = fields.clone();
            for (edit, number) in order {
                let saw = |writer: EventId| edit.seen.contains(&(writer.seq.get() - 1));
                fields.write(&built(edit), id(number), &saw);
            }
            fields
        };
        prop_assert_eq!(after([(&one, 12), (&other, 13)]), after([(&other, 13), (&one, 12)]));
    }
}

fn shown(fields: &Fields) -> Value {
    cbor::from_slice(&fields.present()).unwrap()
}

fn write(fields: &mut Fields, number: u64, edit: &FieldEdit, seen: &[u64]) {
    fields.write(&read(edit), id(number), &|writer| {
        seen.contains(&(writer.seq.get() - 1))
    });
}

fn json(text: &str) -> Value {
    cbor::from_slice(
        &cbor::to_vec(&serde_json::from_str::<serde_json::Value>(text).unwrap()).unwrap(),
    )
    .unwrap()
}

#[test]
fn removing_a_branch_spares_a_concurrent_write_inside() {
    let mut fields = Fields::default();
    let edit = FieldEdit::new()
        .set(["a", "x"], &1)
        .unwrap()
        .set(["a", "y"], &1)
        .unwrap();
    write(&mut fields, 0, &edit, &[]);
    write(
        &mut fields,
        1,
        &FieldEdit::new().set(["a", "x"], &2).unwrap(),
        &[0],
    );
    write(&mut fields, 2, &FieldEdit::new().remove(["a"]), &[0]);
    assert_eq!(shown(&fields), json(r#"{"a": {"x": 2}}"#));
}

#[test]
fn a_branch_hides_a_concurrent_leaf_until_it_is_gone() {
    let mut fields = Fields::default();
    write(
        &mut fields,
        0,
        &FieldEdit::new().set(["a", "x"], &1).unwrap(),
        &[],
    );
    write(
        &mut fields,
        1,
        &FieldEdit::new().set(["a"], &7).unwrap(),
        &[],
    );
    assert_eq!(shown(&fields), json(r#"{"a": {"x": 1}}"#));
    assert_eq!(fields.leaf(["a"]), None);
    write(
        &mut fields,
        2,
        &FieldEdit::new().remove(["a", "x"]),
        &[0, 1],
    );
    assert_eq!(shown(&fields), json(r#"{"a": 7}"#));
}

#[test]
fn an_empty_map_and_null_are_values_and_a_removed_field_is_absent() {
    let mut fields = Fields::default();
    let edit = FieldEdit::new()
        .set(["a"], &json("{}"))
        .unwrap()
        .set(["n"], &())
        .unwrap();
    write(&mut fields, 0, &edit.set(["x"], "y").unwrap(), &[]);
    assert_eq!(shown(&fields), json(r#"{"a": {}, "n": null, "x": "y"}"#));
    write(
        &mut fields,
        1,
        &FieldEdit::new().set(["a", "b"], &1).unwrap().remove(["x"]),
        &[0],
    );
    assert_eq!(shown(&fields), json(r#"{"a": {"b": 1}, "n": null}"#));
    assert_eq!(fields.value::<u8, _>(["a", "b"]).unwrap(), Some(1));
    assert_eq!(fields.value::<u8, _>(["x"]).unwrap(), None);
}

#[test]
fn a_state_does_not_grow_with_overwrites() {
    let mut fields = Fields::default();
    for number in 0..500u64 {
        let seen: Vec<u64> = (0..number).collect();
        let edit = FieldEdit::new()
            .set(["a", "b"], &1)
            .unwrap()
            .set(["c"], &"x")
            .unwrap();
        write(&mut fields, number, &edit, &seen);
        write(
            &mut fields,
            number,
            &FieldEdit::new().remove(["c"]),
            &[number],
        );
    }
    assert!(cbor::to_vec(&fields).unwrap().len() < 64);
}

#[test]
fn a_payload_of_another_shape_is_refused() {
    let decode = |value: &Value| FieldMerge.decode(&Payload::encode(value).unwrap());
    for good in [
        "{}",
        r#"{"set": {}}"#,
        r#"{"set": {"a": {"b": [1, {"c": 2}], "d": {}}}}"#,
        r#"{"remove": [[]]}"#,
    ] {
        assert!(decode(&json(good)).is_ok(), "{good}");
    }
    for bad in [
        "[]",
        "null",
        r#"{"set": 1}"#,
        r#"{"get": {}}"#,
        r#"{"remove": ["a"]}"#,
        r#"{"remove": [[1]]}"#,
        r#"{"remove": {}}"#,
    ] {
        assert!(decode(&json(bad)).is_err(), "{bad}");
    }
    let number_key = Value::Map(vec![(Value::from(1), Value::from(1))]);
    let set = Value::Map(vec![(Value::from("set"), number_key.clone())]);
    assert!(decode(&set).is_err());
    assert!(FieldEdit::new().set(["a"], &number_key).is_err());
    assert!(FieldEdit::new().set(Vec::<String>::new(), &1).is_err());
}

#[test]
fn a_payload_need_not_be_canonical_but_must_not_hold_a_key_twice() {
    // {"set": {"b": 1, "a": 24 in two bytes too many}}
    let bytes = b"\xbf\x63set\xa2\x61b\x01\x61a\x19\x00\x18\xff".to_vec();
    let writes = FieldMerge
        .decode(&Payload::from_bytes(bytes.into()).unwrap())
        .unwrap();
    let expected = FieldEdit::new()
        .set(["a"], &24)
        .unwrap()
        .set(["b"], &1)
        .unwrap();
    assert_eq!(writes, read(&expected));
    let twice = b"\xa1\x63set\xa2\x61a\x01\x61a\x02".to_vec();
    assert!(
        FieldMerge
            .decode(&Payload::from_bytes(twice.into()).unwrap())
            .is_err()
    );
}
