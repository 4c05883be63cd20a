//! What is told of a race, against what the fold did.

use Verdict::{Agree, EarlierWins, LaterWins, Merged};

use super::*;

fn edit() -> impl Strategy<Value = Edit> {
    let removals = prop::collection::vec(prop_oneof![4 => paths(), 1 => Just(Path::new())], 0..2);
    (removals, writes()).prop_map(|(remove, set)| Edit {
        remove,
        set,
        seen: BTreeSet::new(),
    })
}

/// Whether a leaf that an event wrote at a path, or above it, is visible.
fn shows(fields: &Fields, number: u64, path: &[String]) -> bool {
    fields.iter().any(|field| {
        let above = path.get(..field.path.len());
        field.writer == id(number) && above.is_some_and(|above| field.path == above)
    })
}

/// Whether something is visible strictly inside a path.
fn is_branch(fields: &Fields, path: &[String]) -> bool {
    let inside = |field: &Field<'_>| field.path.len() > path.len();
    let mut fields = fields.iter().filter(inside);
    fields.any(|field| field.path[..path.len()] == *path)
}

proptest! {
    #[test]
    fn whoever_lost_at_a_place_shows_nothing_there(one in edit(), other in edit()) {
        let (fields, _) = fold(&[one.clone(), other.clone()]);
        let edits = [&one, &other];
        let [earlier, later] = edits.map(built);
        let footprint = |writes| Resolver::footprint(&FieldMerge, writes);
        for key in footprint(&earlier).shared(&footprint(&later)) {
            let says = [&earlier, &later].map(|writes| FieldMerge.value_at(&key, writes));
            let leaf = |number: usize| {
                let value = edits[number].set.iter().find(|(path, _)| *path == key.path)?.1;
                Some(value.map_or(Value::Map(Vec::new()), Value::from))
            };
            for (number, says) in says.iter().enumerate() {
                if let Some(leaf) = leaf(number) {
                    prop_assert_eq!(says.as_ref().unwrap(), &cbor::to_vec(&leaf).unwrap());
                }
            }
            match FieldMerge.judge_at(&key, &earlier, &later) {
                LaterWins => {
                    prop_assert!(!shows(&fields, 0, &key.path));
                    prop_assert_ne!(&says[0], &says[1]);
                }
                EarlierWins => {
                    prop_assert!(!shows(&fields, 1, &key.path));
                    prop_assert_ne!(&says[0], &says[1]);
                }
                Agree => prop_assert_eq!(&says[0], &says[1]),
                Merged => {
                    for (number, leaf) in [(0, leaf(0)), (1, leaf(1))] {
                        let visible = shows(&fields, number, &key.path);
                        let hidden = is_branch(&fields, &key.path);
                        prop_assert!(leaf.is_none() || visible || hidden);
                    }
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }

    #[test]
    fn the_whole_verdict_is_the_heaviest_of_the_places(one in edit(), other in edit()) {
        let [earlier, later] = [&one, &other].map(built);
        let footprint = |writes| Resolver::footprint(&FieldMerge, writes);
        let shared = footprint(&earlier).shared(&footprint(&later));
        let verdicts: Vec<Verdict> = shared
            .iter()
            .map(|key| FieldMerge.judge_at(key, &earlier, &later))
            .collect();
        let order = [LaterWins, EarlierWins, Merged, Agree];
        let heaviest = order.into_iter().find(|verdict| verdicts.contains(verdict));
        prop_assert_eq!(
            Resolver::judge(&FieldMerge, &earlier, &later),
            heaviest.unwrap_or(Merged)
        );
    }

    #[test]
    fn the_pieces_are_the_visible_leaves_and_their_writers(edits in histories()) {
        let (fields, model) = fold(&edits);
        let pieces = FieldMerge.pieces(&fields).unwrap();
        prop_assert!(pieces.is_sorted_by(|one, other| one.key < other.key));
        let leaf = |piece: Piece| {
            let value: Value = cbor::from_slice(&piece.value).unwrap();
            let value = value.as_integer().map(|number| u8::try_from(number).unwrap());
            (piece.key.path, (piece.from, value))
        };
        let found: BTreeMap<Path, _> = pieces.into_iter().map(leaf).collect();
        let visible = model.visible();
        let expected = model.0.into_iter().filter(|(path, _)| visible.contains_key(path));
        let expected = expected.map(|(path, (number, value))| (path, (vec![id(number)], value)));
        prop_assert_eq!(found, expected.collect::<BTreeMap<_, _>>());
    }
}

fn payload(json: &str) -> FieldWrites {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    FieldMerge
        .decode(&Payload::encode(&value).unwrap())
        .unwrap()
}

#[test]
fn places_are_judged_one_by_one() {
    let judge = |path: &[&str], one: &str, other: &str| {
        let key = Key::branch(path.iter().copied());
        FieldMerge.judge_at(&key, &payload(one), &payload(other))
    };
    let (a1, a2) = (
        r#"{"set": {"a": 1, "b": 1}}"#,
        r#"{"set": {"a": 2, "b": 1}}"#,
    );
    assert_eq!(judge(&["a"], a1, a2), LaterWins);
    assert_eq!(judge(&["b"], a1, a2), Agree);
    let (gone, all_gone) = (r#"{"remove": [["a"]]}"#, r#"{"remove": [[]]}"#);
    assert_eq!(judge(&["a"], a1, gone), LaterWins);
    assert_eq!(judge(&["a"], gone, a1), LaterWins);
    assert_eq!(judge(&["a"], gone, gone), Agree);
    assert_eq!(judge(&["a"], gone, all_gone), Agree);
    assert_eq!(judge(&["a"], a1, all_gone), Merged);
    let inside = r#"{"set": {"a": {"x": 1}}}"#;
    assert_eq!(judge(&["a", "x"], inside, gone), Merged);
    assert_eq!(judge(&["a", "x"], inside, a1), EarlierWins);
    assert_eq!(judge(&["a", "x"], a1, inside), LaterWins);
    assert_eq!(judge(&["a", "x"], r#"{"set": {"a": {}}}"#, inside), Merged);
    assert_eq!(
        judge(&["a", "x"], r#"{"remove": [["a", "x"]]}"#, a1),
        Merged
    );
    let replaces = r#"{"remove": [[], ["a"]], "set": {"a": 1}}"#;
    assert_eq!(judge(&["a"], replaces, a1), Agree);
    assert_eq!(judge(&["a", "x"], replaces, inside), LaterWins);
    let refills = r#"{"remove": [["a"]], "set": {"a": {"x": 1}}}"#;
    assert_eq!(judge(&["a"], r#"{"set": {"a": {}}}"#, refills), Merged);
    assert_eq!(judge(&["a"], a1, refills), LaterWins);
    assert_eq!(judge(&["a"], refills, a1), Merged);
}

#[test]
fn a_payload_is_asked_for_what_it_says_at_a_place() {
    let writes =
        payload(r#"{"set": {"a": {"x": 1, "y": {}}, "b": null}, "remove": [["c"], ["a"]]}"#);
    let says = |path: &[&str]| {
        let value = FieldMerge.value_at(&Key::branch(path.iter().copied()), &writes)?;
        Some(cbor::from_slice::<serde_json::Value>(&value).unwrap())
    };
    assert_eq!(says(&["a", "x"]), Some(serde_json::json!(1)));
    assert_eq!(says(&["a"]), Some(serde_json::json!({"x": 1, "y": {}})));
    assert_eq!(says(&["b"]), Some(serde_json::Value::Null));
    assert_eq!(says(&["c"]), Some(serde_json::Value::Null));
    assert_eq!(says(&["c", "z"]), Some(serde_json::Value::Null));
    assert_eq!(says(&["a", "x", "z"]), None);
    assert_eq!(says(&["d"]), None);
    assert_eq!(FieldMerge.rule_at(&Key::leaf(["a"])), "last write wins");
}
