//! Every built-in rule at the command line, with the payloads that people type.

use serde_json::{Value, json};

use super::program::{Place, ok};

/// Writes into `x/1` under a rule, one payload after the other, and shows it.
fn after(place: &Place, rule: &str, events: &[&str]) -> Value {
    let data = rule.split('(').next().unwrap();
    let rule = format!("*={rule}");
    let at = ["--rule", &rule, "--data", data];
    let line = |event: &&str| format!("x/1 written {event}\n");
    let lines: String = events.iter().map(line).collect();
    ok(&place.run_with(["record", "-"].iter().chain(&at), &lines));
    place.json(["state", "x/1"].iter().chain(&at)).remove(0)
}

#[test]
fn each_rule_takes_its_own_payloads() {
    let place = Place::new();
    let document = "rules(price=last-write,tags=add-wins-set,sold=counter,*=manual)";
    let writes = r#"{"set":{"price":3,"owner":"ada"},"add":{"tags":["a","b"]},"count":{"sold":2}}"#;
    let more = r#"{"discard":{"tags":["a"]},"count":{"sold":-5}}"#;
    let cases: [(&str, &[&str], Value, &str); 8] = [
        (
            "field-merge",
            &[r#"{"set":{"a":1}}"#],
            json!({ "a": 1 }),
            "field-merge@",
        ),
        ("last-write-wins", &["1", "2"], json!(2), "last-write-wins@"),
        (
            "first-write-wins",
            &["1", "2"],
            json!(1),
            "first-write-wins@",
        ),
        ("counter", &["1", "-5"], json!(-4), "counter@"),
        (
            "add-wins-set",
            &[r#"{"add":["x","y"]}"#, r#"{"remove":["x"]}"#],
            json!(["y"]),
            "add-wins-set@",
        ),
        ("multi-value", &["1", "2"], json!([2]), "multi-value@"),
        (
            "manual",
            &[r#"{"value":1}"#],
            json!({ "value": 1 }),
            "manual@",
        ),
        (
            document,
            &[writes, more],
            json!({ "owner": "ada", "price": 3, "sold": -3, "tags": ["b"] }),
            "rules@",
        ),
    ];
    for (rule, events, state, name) in cases {
        let shown = after(&place, rule, events);
        assert_eq!(shown["state"], state, "{rule}");
        assert!(shown["rule"].as_str().unwrap().starts_with(name), "{shown}");
    }
}

#[test]
fn a_document_is_written_field_by_field() {
    let place = Place::new();
    let rule = ["--rule", "*=rules(tags=add-wins-set,sold=counter)"];
    let write = |args: &[&str]| ok(&place.run(["record", "p/1"].iter().chain(args).chain(&rule)));
    write(&[
        "--set", "price=3", "--add", "tags=new", "--add", "tags=7", "--count", "sold=2",
    ]);
    write(&[
        "--discard",
        "tags=7",
        "--count",
        "sold=-1",
        "--remove",
        "price",
    ]);
    let state = place.json(["state", "p/1"].iter().chain(&rule));
    assert_eq!(state[0]["state"], json!({ "sold": 1, "tags": ["new"] }));
}

#[test]
fn a_rule_that_is_none_is_told() {
    let place = Place::new();
    for (rule, said) in [
        ("x", "write TYPE=RULE"),
        ("x=best", "multi-value, manual"),
        ("x=rules(a)", "FIELD=RULE"),
        ("x=rules(a=best)", "add-wins-set"),
        ("x=rules(a=counter,a=manual)", "two rules"),
        ("x=rules(a=counter", "there is no rule"),
    ] {
        let output = place.run(["record", "x/1", "--set", "a=1", "--rule", rule]);
        assert_eq!(output.status.code(), Some(2), "{rule}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(said), "{rule}: {text}");
    }
}
