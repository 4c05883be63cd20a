use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use ciborium::Value;

use super::super::{Document, DocumentEdit, DocumentWrites, Rule, Rules, RulesError};
use crate::event::{EventId, Payload, ReplicaId, Seq, cbor};
use crate::resolver::tests::rehearsal::Rehearsal;
use crate::resolver::{Footprint, Key, Resolver, Route, Verdict};

fn product() -> Rules {
    "price=last-write, owner=first-write, sold=counter, tags=add-wins-set, notes=keep-all, \
     lines.*.tags=add-wins-set, *=manual"
        .parse()
        .unwrap()
}

fn edit() -> DocumentEdit {
    DocumentEdit::new()
}

fn json(text: &str) -> Value {
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    cbor::from_slice(&cbor::to_vec(&value).unwrap()).unwrap()
}

fn payload(text: &str) -> Payload {
    Payload::encode(&json(text)).unwrap()
}

fn read(text: &str) -> DocumentWrites {
    DocumentWrites::read(&payload(text)).unwrap()
}

/// What is shown after these payloads, each with the numbers of those that its writer had seen.
fn fold<const N: usize>(rules: &Rules, events: [(&str, &[usize]); N]) -> (Value, Vec<String>) {
    let turns = (0u64..).zip(events).map(|(writer, (text, seen))| {
        let seen: BTreeSet<usize> = seen.iter().copied().collect();
        ((writer, seen), payload(text))
    });
    let rehearsal = Rehearsal::new(turns);
    let mut state = Rehearsal::start(rules);
    let outcomes = (0..N).map(|at| rehearsal.step(rules, &mut state, at));
    let refused = outcomes
        .filter_map(|outcome| Some(outcome.err()?.to_string()))
        .collect();
    (
        cbor::from_slice(&state.present().unwrap()).unwrap(),
        refused,
    )
}

#[test]
fn each_field_is_settled_by_its_own_rule() {
    let shop = r#"{"set": {"price": {"amount": 30}, "owner": "Ada", "notes": "a", "name": {"de": "Uhr"}},
        "add": {"tags": ["new"], "lines": {"1": {"tags": ["x"]}}}, "count": {"sold": 2}}"#;
    let depot = r#"{"set": {"price": {"amount": 25, "vat": 5}, "owner": "Bob", "notes": "b",
        "name": {"de": "Armbanduhr", "en": "watch"}}, "add": {"tags": ["sale"]}, "count": {"sold": 3}}"#;
    let (shown, refused) = fold(&product(), [(shop, &[]), (depot, &[])]);
    let expected = json(
        r#"{"price": {"amount": 25, "vat": 5}, "owner": "Ada", "notes": ["a", "b"], "sold": 5,
            "tags": ["new", "sale"], "lines": {"1": {"tags": ["x"]}},
            "name": {"de": {"open": ["Uhr", "Armbanduhr"]}, "en": "watch"}}"#,
    );
    assert_eq!((shown, refused), (expected, Vec::new()));
}

#[test]
fn what_a_field_does_not_take_is_refused_with_a_reason_and_changes_nothing() {
    let long = "[".repeat(30) + &"]".repeat(30);
    for (text, reason) in [
        (
            r#"{"set": {"sold": 3}}"#,
            "set sold: a field of rule counter takes count",
        ),
        (
            r#"{"count": {"price": 3}}"#,
            "count price: a field of rule last-write takes set",
        ),
        (
            r#"{"count": {"sold": 0.5}}"#,
            "count sold: a field of rule counter takes a step, an integer of 64 bits",
        ),
        (
            r#"{"count": {"sold": {}}}"#,
            "count sold: a field of rule counter takes a step, an integer of 64 bits",
        ),
        (
            r#"{"add": {"notes": ["x"]}}"#,
            "add notes: a field of rule keep-all takes set",
        ),
        (
            r#"{"discard": {"name": ["x"]}}"#,
            "discard name: a field of rule manual takes set and resolve",
        ),
        (
            r#"{"resolve": {"owner": 1}}"#,
            "resolve owner: a field of rule first-write takes set",
        ),
        (
            r#"{"count": {"tags": 1}}"#,
            "count tags: a field of rule add-wins-set takes set, add and discard",
        ),
        (
            r#"{"set": {"lines": {"1": {"tags": "x"}}}}"#,
            "set lines.1.tags: a field of rule add-wins-set takes an array of elements",
        ),
        (
            r#"{"remove": [["price", "amount"]]}"#,
            "remove price.amount: price, a field of rule last-write, is one value",
        ),
        (
            &alloc::format!(r#"{{"set": {{"name": {long}}}}}"#),
            "set name: CBOR is nested deeper than 32 levels",
        ),
    ] {
        let both = r#"{"set": {"price": 1}}"#;
        let (shown, refused) = fold(&product(), [(both, &[]), (text, &[])]);
        assert_eq!(refused, [reason]);
        assert_eq!(shown, json(r#"{"price": 1}"#));
        assert_eq!(
            Resolver::footprint(&product(), &read(text)),
            Footprint::NOTHING
        );
    }
    let number = Value::Map(Vec::from([(Value::from(1), Value::from(1))]));
    let set = Value::Map(Vec::from([(Value::from("set"), number)]));
    let writes = DocumentWrites::read(&Payload::encode(&set).unwrap()).unwrap();
    assert_eq!(Resolver::footprint(&product(), &writes), Footprint::NOTHING);
}

#[test]
fn an_open_field_is_settled_by_a_decision_and_by_nothing_else() {
    let two: [(&str, &[usize]); 2] = [
        (r#"{"set": {"name": "a"}}"#, &[]),
        (r#"{"set": {"name": "b"}}"#, &[]),
    ];
    let after = |text: &'static str| fold(&product(), [two[0], two[1], (text, &[0, 1])]);
    let (shown, refused) = after(r#"{"set": {"name": "c", "price": 1}}"#);
    assert_eq!(shown, json(r#"{"name": {"open": ["a", "b"]}}"#));
    assert_eq!(
        refused,
        ["set name: 2 values are open, a person has to resolve them first"]
    );
    let (_, refused) = after(r#"{"remove": [["name"]]}"#);
    assert_eq!(
        refused,
        ["remove name: 2 values are open, a person has to resolve them first"]
    );
    let settled = (json(r#"{"name": "c"}"#), Vec::new());
    assert_eq!(after(r#"{"resolve": {"name": "c"}}"#), settled);
    // Whoever removes what holds it has no use for it.
    assert_eq!(after(r#"{"remove": [[]]}"#), (json("{}"), Vec::new()));
}

#[test]
fn a_set_is_replaced_as_far_as_it_was_seen() {
    let (shown, _) = fold(
        &product(),
        [
            (r#"{"add": {"tags": ["a", "b"]}}"#, &[]),
            (r#"{"add": {"tags": ["c"]}}"#, &[]),
            (r#"{"set": {"tags": ["b", "d"]}}"#, &[0]),
        ],
    );
    assert_eq!(shown, json(r#"{"tags": ["b", "c", "d"]}"#));
    let (shown, _) = fold(
        &product(),
        [
            (r#"{"add": {"tags": ["a"]}}"#, &[]),
            (r#"{"set": {"tags": []}}"#, &[0]),
        ],
    );
    assert_eq!(shown, json("{}"));
    // Discarded first, then added.
    let (shown, _) = fold(
        &product(),
        [
            (r#"{"add": {"tags": ["a", "b"]}}"#, &[]),
            (
                r#"{"add": {"tags": ["a"]}, "discard": {"tags": ["a", "b"]}}"#,
                &[0],
            ),
        ],
    );
    assert_eq!(shown, json(r#"{"tags": ["a"]}"#));
}

#[test]
fn a_counter_that_is_counted_while_it_is_removed_stays_whole() {
    let step = r#"{"count": {"sold": 2}}"#;
    let gone = r#"{"remove": [["sold"]]}"#;
    let (shown, _) = fold(&product(), [(step, &[]), (step, &[]), (gone, &[0])]);
    assert_eq!(shown, json(r#"{"sold": 4}"#));
    let (shown, _) = fold(&product(), [(step, &[]), (step, &[0]), (gone, &[1])]);
    assert_eq!(shown, json("{}"));
    let (shown, _) = fold(&product(), [(r#"{"count": {"sold": 0}}"#, &[])]);
    assert_eq!(shown, json("{}"));
}

#[test]
fn what_says_nothing_takes_nothing_away() {
    let leaf = r#"{"set": {"lines": {"1": 5}}}"#;
    let shown = json(r#"{"lines": {"1": 5}}"#);
    for nothing in [
        r#"{"add": {"lines": {"1": {"tags": []}}}}"#,
        r#"{"discard": {"lines": {"1": {"tags": ["x"]}}}}"#,
        r#"{"set": {}}"#,
    ] {
        let (found, refused) = fold(&product(), [(leaf, &[]), (nothing, &[0])]);
        assert_eq!((found, refused), (shown.clone(), Vec::new()), "{nothing}");
    }
    let (found, _) = fold(
        &product(),
        [
            (leaf, &[]),
            (r#"{"set": {"lines": {"1": {"tags": []}}}}"#, &[0]),
        ],
    );
    assert_eq!(found, json("{}"));
}

#[test]
fn a_late_add_to_a_set_spares_what_lies_inside() {
    let rules = Rules::new("test", 1).otherwise(Rule::AddWinsSet);
    let rules = rules.field("a.n", Rule::Counter).unwrap();
    let step = r#"{"count": {"a": {"n": 2}}}"#;
    let add = r#"{"add": {"a": ["x"]}}"#;
    let footprint = |text| Resolver::footprint(&rules, &read(text));
    assert!(!footprint(step).overlaps(&footprint(add)));
    let seen: &[usize] = &[0];
    let (one, _) = fold(&rules, [(step, &[]), (add, seen), (step, seen)]);
    let (other, _) = fold(&rules, [(step, &[]), (step, seen), (add, seen)]);
    assert_eq!(one, json(r#"{"a": {"n": 4}}"#));
    assert_eq!(one, other);
}

#[test]
fn a_payload_of_another_form_cannot_be_read() {
    for good in [
        "{}",
        r#"{"set": {}, "add": {}, "count": {}}"#,
        r#"{"remove": [[]]}"#,
    ] {
        assert!(DocumentWrites::read(&payload(good)).is_ok(), "{good}");
    }
    for bad in [
        "[]",
        "null",
        r#"{"set": 1}"#,
        r#"{"add": []}"#,
        r#"{"put": {}}"#,
        r#"{"remove": {}}"#,
        r#"{"remove": ["a"]}"#,
        r#"{"remove": [[1]]}"#,
    ] {
        assert!(DocumentWrites::read(&payload(bad)).is_err(), "{bad}");
    }
    // {"set": {"b": 1, "a": 24 in two bytes too many}}, of indefinite length.
    let bytes = b"\xbf\x63set\xa2\x61b\x01\x61a\x19\x00\x18\xff".to_vec();
    let writes = DocumentWrites::read(&Payload::from_bytes(bytes.into()).unwrap()).unwrap();
    assert_eq!(writes, read(r#"{"set": {"a": 24, "b": 1}}"#));
}

#[test]
fn an_edit_says_what_its_calls_do() {
    let built = edit()
        .set(["price"], &30)
        .unwrap()
        .set(["name", "de"], "Uhr")
        .unwrap()
        .resolve(["owner"], "Ada")
        .unwrap()
        .add(["tags"], "new")
        .unwrap()
        .add(["tags"], &7)
        .unwrap()
        .add(["tags"], "new")
        .unwrap()
        .discard(["lines", "1", "tags"], "x")
        .unwrap()
        .count(["sold"], 3)
        .unwrap()
        .count(["sold"], -1)
        .unwrap()
        .remove(["draft"]);
    let same = r#"{"set": {"price": 30, "name": {"de": "Uhr"}}, "resolve": {"owner": "Ada"},
        "add": {"tags": ["new", 7]}, "discard": {"lines": {"1": {"tags": ["x"]}}},
        "count": {"sold": 2}, "remove": [["draft"]]}"#;
    assert_eq!(Payload::encode(&built).unwrap(), payload(same));
    assert!(!built.is_empty());
    assert!(edit().is_empty());
    assert!(!edit().remove(Vec::<String>::new()).is_empty());
    assert!(edit().add(Vec::<String>::new(), "x").is_err());
    assert!(edit().set(Vec::<String>::new(), "x").is_err());
    assert!(
        edit()
            .count(["n"], i64::MAX)
            .unwrap()
            .count(["n"], 1)
            .is_err()
    );
}

#[test]
fn concurrent_edits_of_different_fields_share_no_key() {
    let footprint = |text| Resolver::footprint(&product(), &read(text));
    let apart = [
        r#"{"set": {"price": 1}}"#,
        r#"{"set": {"notes": "a"}}"#,
        r#"{"count": {"sold": 1}}"#,
        r#"{"add": {"tags": ["a"]}}"#,
        r#"{"discard": {"tags": ["b", 7]}}"#,
        r#"{"resolve": {"name": {"de": 1}}}"#,
        r#"{"set": {"name": {"en": 1}}}"#,
        r#"{"remove": [["lines", "1"]]}"#,
        r#"{"add": {"lines": {"2": {"tags": ["a"]}}}}"#,
        r#"{"set": {"lines": {"2": {"text": "x"}}}}"#,
    ];
    for (at, one) in apart.iter().enumerate() {
        for other in &apart[..at] {
            assert!(!footprint(one).overlaps(&footprint(other)), "{one} {other}");
        }
        assert!(footprint(one).overlaps(&footprint(r#"{"remove": [[]]}"#)));
    }
    let elements = Vec::from([Key::leaf(["tags", "b"]), Key::leaf(["tags", "<7>"])]);
    assert_eq!(footprint(apart[4]), Footprint::Keys(elements));
    let replaced = footprint(r#"{"set": {"tags": []}}"#);
    assert!(replaced.overlaps(&footprint(apart[3])));
}

#[test]
fn a_race_is_judged_by_the_rule_of_its_field() {
    let one = read(
        r#"{"set": {"price": 1, "owner": "a", "notes": "a", "name": "a"}, "count": {"sold": 1},
            "add": {"tags": ["x", "y"]}}"#,
    );
    let other = read(
        r#"{"set": {"price": 2, "owner": "b", "notes": "b", "name": "b"}, "count": {"sold": 1},
            "discard": {"tags": ["x"]}, "add": {"tags": ["y"]}}"#,
    );
    let rules = product();
    for (path, words, verdict) in [
        (&["price"][..], "last write wins", Verdict::LaterWins),
        (&["owner"], "first write wins", Verdict::EarlierWins),
        (&["sold"], "counter", Verdict::Merged),
        (&["tags", "x"], "add-wins set", Verdict::EarlierWins),
        (&["tags", "y"], "add-wins set", Verdict::Agree),
        (&["notes"], "all values are kept", Verdict::BothKept),
        (&["name"], "a person decides", Verdict::Open),
    ] {
        let key = Key::leaf(path.iter().copied());
        assert_eq!(rules.judge_at(&key, &one, &other), verdict, "{path:?}");
        assert_eq!(rules.rule_at(&key), words);
    }
    assert_eq!(rules.rule_at(&Key::branch(["lines"])), "a rule per field");
    assert_eq!(
        rules.rule_at(&Key::branch(["price", "amount"])),
        "last write wins"
    );
    // Who replaces a set removes what is not in it; an add beats that, too.
    let replaced = read(r#"{"set": {"tags": ["y", "z"]}}"#);
    let at = |path: &[&str], earlier, later| {
        rules.judge_at(&Key::leaf(path.iter().copied()), earlier, later)
    };
    assert_eq!(at(&["tags", "x"], &replaced, &one), Verdict::LaterWins);
    assert_eq!(at(&["tags", "x"], &replaced, &other), Verdict::Agree);
    assert_eq!(at(&["tags", "y"], &one, &replaced), Verdict::Agree);
    assert_eq!(
        Resolver::judge(&rules, &replaced, &replaced),
        Verdict::Agree
    );
    // What a person has to decide is told of the whole, then what was lost.
    assert_eq!(Resolver::judge(&rules, &one, &other), Verdict::Open);
    let price = read(r#"{"set": {"price": 3}, "count": {"sold": 1}}"#);
    assert_eq!(Resolver::judge(&rules, &one, &price), Verdict::LaterWins);
    let apart = read(r#"{"set": {"size": 3}}"#);
    assert_eq!(Resolver::judge(&rules, &one, &apart), Verdict::Merged);
}

#[test]
fn what_a_payload_says_at_a_key_can_be_asked() {
    let writes = read(
        r#"{"set": {"price": {"amount": 1}, "name": {"de": "a"}}, "count": {"sold": 2},
            "add": {"tags": ["x"]}, "discard": {"tags": ["x", "y"]}, "remove": [["draft"]]}"#,
    );
    let said = |path: &[&str]| {
        let key = Key::leaf(path.iter().copied());
        let value = product().value_at(&key, &writes)?;
        Some(cbor::from_slice::<Value>(&value).unwrap())
    };
    assert_eq!(said(&["price"]), Some(json(r#"{"amount": 1}"#)));
    assert_eq!(said(&["name"]), Some(json(r#"{"de": "a"}"#)));
    assert_eq!(said(&["name", "de"]), Some(json(r#""a""#)));
    assert_eq!(said(&["sold"]), Some(json("2")));
    assert_eq!(said(&["tags"]), Some(json(r#"["x"]"#)));
    assert_eq!(said(&["tags", "x"]), Some(json(r#""x""#)));
    assert_eq!(said(&["tags", "y"]), Some(Value::Null));
    assert_eq!(said(&["tags", "z"]), None);
    assert_eq!(said(&["draft"]), Some(Value::Null));
    assert_eq!(said(&["draft", "inside"]), Some(Value::Null));
    assert_eq!(said(&["other"]), None);
}

#[test]
fn a_state_does_not_grow_with_what_was_overwritten() {
    let rules = product();
    let text = r#"{"set": {"price": 1, "owner": 1, "notes": 1, "name": 1}, "count": {"sold": 1},
        "discard": {"tags": ["a"]}, "add": {"tags": ["b"]}, "remove": [["lines"]]}"#;
    let lines =
        r#"{"add": {"lines": {"1": {"tags": ["a"]}}, "tags": ["a"]}, "set": {"owner": null}}"#;
    let mut state = Document::default();
    for number in 0..500u64 {
        let writes = read(if number % 2 == 0 { lines } else { text });
        let id = EventId::new(ReplicaId::new(number % 3, 0), Seq::new(number + 1).unwrap());
        state.write(&writes, &rules.book, id, &|_| true);
    }
    assert!(cbor::to_vec(&state).unwrap().len() < 160);
}

#[test]
fn equal_rules_have_equal_states_and_others_have_not() {
    let of = |text: &str| Route::new(text.parse::<Rules>().unwrap()).fingerprint();
    let one = of("a=counter,b.*=manual,*=keep-all");
    assert_eq!(one, of(" b.* = manual , *=keep-all,a=counter"));
    let built = Rules::new("rules", 1).otherwise(Rule::KeepAll);
    let built = built.field(["b", "*"], Rule::Manual).unwrap();
    let built = built.field("a", Rule::Counter).unwrap();
    assert_eq!(one, Route::new(built).fingerprint());
    for other in [
        "a=counter,b.*=manual",
        "a=counter,b.c=manual,*=keep-all",
        "a=manual,b.*=manual,*=keep-all",
        "a.b=counter,b.*=manual,*=keep-all",
    ] {
        assert_ne!(one, of(other), "{other}");
    }
}

#[test]
fn rules_in_one_line_are_read_or_refused_at_the_part_that_is_wrong() {
    let refused = |text: &str| text.parse::<Rules>().unwrap_err().to_string();
    assert_eq!(
        refused("price=last-write,tags"),
        r#""tags" is not FIELD=RULE, for example price=last-write"#
    );
    assert_eq!(
        refused("price=newest"),
        "\"price=newest\" names no rule: take one of last-write, first-write, counter, \
         add-wins-set, keep-all, manual"
    );
    assert_eq!(
        refused("*=manual,*=counter"),
        r#""*=counter" is the second rule for all other fields"#
    );
    assert_eq!(
        refused("a=manual,a.b=counter"),
        "\"a.b=counter\": field a.b lies within field a, which is settled as a whole"
    );
    assert_eq!(
        refused("a=manual,a=counter"),
        "\"a=counter\": field a is given two rules"
    );
    assert_eq!(
        refused("=manual"),
        "\"=manual\": field pattern \"\" has an empty segment"
    );
    let none = RulesError::NotAssigned {
        part: String::new(),
    };
    assert_eq!("".parse::<Rules>(), Err(none));
}

#[test]
fn rules_commute_if_that_of_every_field_does() {
    for rule in Rule::ALL {
        let commutes = |rules: Rules| Resolver::claims(&rules).commutes;
        let expected = matches!(rule, Rule::AddWinsSet | Rule::KeepAll);
        assert_eq!(commutes(Rules::new("test", 1).otherwise(rule)), expected);
        let named = Rules::new("test", 1).otherwise(Rule::KeepAll);
        assert_eq!(
            commutes(named.field("a", rule).unwrap()),
            expected,
            "{rule}"
        );
    }
}

#[test]
fn an_image_of_empty_places_is_none() {
    let image = |node: &[u8]| [&b"\x82\x80\xa1\x61a"[..], node].concat();
    let read =
        |node| cbor::from_slice::<Document>(&cbor::to_vec(&Value::Bytes(image(node))).unwrap());
    // A counter without steps, a field that keeps no value, a branch with nothing inside.
    for node in [&b"\x82\x02\x81\x00"[..], b"\x82\x04\x80", b"\xa0"] {
        assert!(read(node).is_err(), "{node:?}");
    }
}

#[test]
fn no_bytes_of_a_stored_state_make_it_another_document() {
    let (rules, text) = (
        product(),
        r#"{"set": {"price": 1, "owner": 1, "notes": 1, "name": {"de": 1}}, "count": {"sold": 1},
            "add": {"tags": ["b"]}}"#,
    );
    let rehearsal = Rehearsal::new([((1, BTreeSet::new()), payload(text))]);
    let state = rehearsal.fold(&rules, [0]);
    let image: Value = cbor::from_slice(&cbor::to_vec(&state).unwrap()).unwrap();
    let image = image.into_bytes().unwrap();
    let decode = |bytes: &[u8]| {
        cbor::from_slice::<Document>(&cbor::to_vec(&Value::Bytes(bytes.to_vec())).unwrap())
    };
    assert_eq!(decode(&image).unwrap(), state);
    assert!((0..image.len()).all(|end| decode(&image[..end]).is_err()));
    for at in 0..image.len() {
        for bit in 0..8 {
            let mut bytes = image.clone();
            bytes[at] ^= 1 << bit;
            // What can be read is another state, and can be shown.
            if let Ok(other) = decode(&bytes) {
                assert_ne!(other, state);
                other.present().unwrap();
            }
        }
    }
}
