//! The command line as its users meet it: the real binary, real processes, real sockets.
#![cfg(feature = "cli")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "cli/explain.rs"]
mod explain;
#[path = "cli/live.rs"]
mod live;
#[path = "cli/pinned.rs"]
mod pinned;
#[path = "cli/program.rs"]
mod program;
#[path = "cli/rules.rs"]
mod rules;
#[path = "cli/transfer.rs"]
mod transfer;
#[path = "cli/upkeep.rs"]
mod upkeep;
#[path = "cli/words.rs"]
mod words;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use program::{Place, ok};

#[test]
fn what_is_recorded_is_shown_by_state_tail_and_status() {
    let place = Place::new();
    let recorded = place.json([
        "record",
        "note/1",
        "--set",
        "title=Milk",
        "--meta",
        "by=ada",
    ]);
    assert_eq!(recorded[0]["kind"], "recorded");
    assert_eq!(recorded[0]["durable"], true);
    assert_eq!(recorded[0]["sent"], false);
    let id = recorded[0]["id"].as_str().unwrap();
    ok(&place.run([
        "record",
        "note/1",
        "edited",
        r#"{"set":{"price":{"eur":1.5}},"remove":[["old"]]}"#,
    ]));
    let state = json!({ "price": { "eur": 1.5 }, "title": "Milk" });

    let listed = place.json(["state"]);
    let one = place.json(["state", "note/1"]);
    assert_eq!(listed[0]["state"], state);
    assert_eq!(listed[0]["digest"], one[0]["digest"]);
    assert_eq!(one[0]["kind"], "state");
    assert_eq!(one[0]["rule"], "field-merge@1");
    assert_eq!(one[0]["events"], 2);
    assert_eq!(one[0]["rejected"], json!([]));
    assert_eq!(one[0]["heads"].as_array().unwrap().len(), 1);

    let tail = place.json(["tail"]);
    assert_eq!(tail.len(), 2);
    assert_eq!(tail[0]["kind"], "event");
    assert_eq!(tail[0]["id"], id);
    assert_eq!(tail[0]["type"], "edited");
    assert_eq!(tail[0]["meta"], json!({ "by": "ada" }));
    assert_eq!(tail[0]["payload"], json!({ "set": { "title": "Milk" } }));
    let cursor = tail[0]["cursor"].as_str().unwrap();
    let rest = place.json(["tail", "--from", cursor]);
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0]["id"], tail[1]["id"]);

    let status = place.json(["status"]);
    let replica = id.split(':').next().unwrap();
    assert_eq!(status[0]["kind"], "status");
    assert_eq!(status[0]["replica"], replica);
    assert_eq!(status[0]["vector"], json!({ replica: 2 }));
    assert_eq!(
        (&status[0]["events"], &status[0]["waiting"]),
        (&json!(2), &json!(0))
    );
}

#[test]
fn people_get_aligned_text() {
    let place = Place::new();
    ok(&place.run(["record", "note/1", "--set", "title=Milk"]));
    ok(&place.run(["record", "a/long name", "--set", "n=1"]));
    let text = ok(&place.run(["state"]));
    let columns: Vec<_> = text
        .lines()
        .map(|line| line.find(['{']).or(line.find("state")))
        .collect();
    assert_eq!(columns, [Some(13); 3], "{text}");
    let one = ok(&place.run(["state", "note/1"]));
    assert!(one.contains("rule       field-merge@1"), "{one}");
    let status = ok(&place.run(["status"]));
    assert!(status.contains("events   2"), "{status}");
}

#[test]
fn lines_of_stdin_are_answered_in_order_and_a_bad_one_holds_nobody_up() {
    let place = Place::new();
    let lines = concat!(
        "note/1 title=Milk label=\"two words\"\n",
        "\n",
        "{\"aggregate\":\"note/2\",\"fields\":{\"a\":{\"b\":1}},\"meta\":{\"k\":\"v\"}}\n",
        "nonsense\n",
        "note/3 edited {\"plain\":1}\n",
        "setting/theme chosen \"dark\"\n",
    );
    let args = ["record", "-", "--json", "--rule", "setting=last-write-wins"];
    let output = place.run_with(args, lines);
    assert_eq!(output.status.code(), Some(2));
    let answers = program::lines(&output.stdout);
    let kinds: Vec<_> = answers
        .iter()
        .map(|a| (a["kind"].clone(), a["line"].clone()))
        .collect();
    let expected = [
        ("recorded", 1),
        ("recorded", 3),
        ("refused", 4),
        ("refused", 5),
        ("recorded", 6),
    ];
    assert_eq!(
        kinds,
        expected.map(|(kind, line)| (json!(kind), json!(line)))
    );
    assert_eq!(
        (&answers[2]["code"], &answers[3]["code"]),
        (&json!(2), &json!(3))
    );
    assert!(answers[3]["remedy"].as_str().unwrap().contains("--fields"));
    let states = place.json(["state", "--rule", "setting=last-write-wins"]);
    let states: Vec<_> = states.iter().map(|state| &state["state"]).collect();
    let label = json!({ "label": "two words", "title": "Milk" });
    assert_eq!(
        states,
        [&label, &json!({ "a": { "b": 1 } }), &json!("dark")]
    );
}

#[test]
fn lines_of_one_aggregate_are_written_in_their_order() {
    let place = Place::new();
    let lines: Vec<_> = (0..3000)
        .map(|n| format!("note/{} n={n}\n", n % 50))
        .collect();
    let answers = ok(&place.run_with(["record", "-"], &lines.concat()));
    assert_eq!(answers.lines().count(), 3000);
    let states = place.json(["state"]);
    let latest: BTreeSet<_> = states
        .iter()
        .map(|state| state["state"]["n"].as_u64())
        .collect();
    assert_eq!(latest, (2950..3000).map(Some).collect());
}

#[test]
fn each_kind_of_failure_has_its_exit_code_and_says_what_to_do() {
    let place = Place::new();
    ok(&place.run(["record", "note/1", "--set", "title=Milk"]));
    let cases: [(&[&str], i32, &str); 11] = [
        (&["state", "other"], 1, "`anabranch state` lists all"),
        (&["record", "note/1"], 2, "--set"),
        (&["record", "note", "--set", "a=1"], 2, "write type/name"),
        (
            &["record", "note/1", "edited", "dark"],
            2,
            "a text needs its quotes",
        ),
        (
            &["record", "note/1", "--rule", "note=best"],
            2,
            "field-merge, last-write-wins",
        ),
        (&["tail", "--from", "nonsense"], 2, "expected a cursor"),
        (
            &["tail", "--from", "0000000000000001@7"],
            2,
            "begin without one",
        ),
        (
            &["record", "note/1", "edited", r#"{"title":1}"#],
            3,
            "--fields",
        ),
        (&["state", "--data", "absent"], 4, "--data"),
        (
            &["sync", "ws://127.0.0.1:1"],
            5,
            "check that a hub runs there",
        ),
        (
            &["state", "--hub", "ws://127.0.0.1:1"],
            5,
            "check that a hub runs there",
        ),
    ];
    for (args, code, advice) in cases {
        let output = place.run(args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(advice), "{args:?}: {said}");
    }
    assert!(!place.path("absent").exists(), "looking founds nothing");
    std::fs::write(place.path("file"), "x").unwrap();
    let output = place.run(["record", "note/1", "--set", "a=1", "--data", "file"]);
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn failures_are_json_where_results_are() {
    let place = Place::new();
    let output = place.run(["state", "--data", "absent", "--json"]);
    assert!(output.stdout.is_empty());
    let said: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((&said["kind"], &said["code"]), (&json!("error"), &json!(4)));
    assert!(said["error"].as_str().unwrap().contains("absent"));
    assert!(said["remedy"].is_string());
}

#[test]
fn what_others_wrote_cannot_steer_the_terminal() {
    let place = Place::new();
    let hostile = "\u{1b}[2J\u{9b}31m\u{202e}";
    let line = json!({
        "aggregate": "note/1",
        "type": "edited",
        "fields": { "title": hostile, hostile: 1 },
        "meta": { "by": hostile },
    });
    ok(&place.run_with(["record", "-"], &format!("{line}\n")));
    for args in [
        &["state"][..],
        &["state", "note/1"],
        &["tail"],
        &["status"],
        &["tail", "--json"],
    ] {
        let shown = ok(&place.run(args));
        let unsafe_one = shown
            .chars()
            .find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(unsafe_one, None, "{args:?}: {shown:?}");
    }
    let state = place.json(["state"]);
    assert_eq!(
        state[0]["state"]["title"], hostile,
        "programs get it as it was written"
    );
}

#[test]
fn whole_values_follow_the_rule_that_was_named() {
    let place = Place::new();
    let rule = ["--rule", "*=last-write-wins"];
    for value in ["1", "-2", "\"three\""] {
        ok(&place.run(["record", "x/1", "set", value, rule[0], rule[1]]));
    }
    let state = place.json(["state", "x/1", rule[0], rule[1]]);
    assert_eq!(
        (&state[0]["state"], &state[0]["rule"]),
        (&json!("three"), &json!("last-write-wins@2"))
    );
    let merged = place.json(["state", "x/1"]);
    assert_eq!(
        merged[0]["rejected"].as_array().unwrap().len(),
        3,
        "another rule, another state"
    );
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let place = Place::new();
    let text = "x".repeat(100);
    let lines: Vec<_> = (0..2000)
        .map(|n| format!("note/{n} text={text}\n"))
        .collect();
    ok(&place.run_with(["record", "-"], &lines.concat()));
    let mut tail = place.spawn(["tail"]);
    assert!(tail.next_text().contains("note/"));
    tail.stop_reading();
    assert_eq!(tail.exit_code(), Some(0));
    assert_eq!(tail.errors(), "");
}
