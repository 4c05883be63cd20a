//! Several processes at once: a hub that comes and goes, writers that are killed, the demo.
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::program::{Place, Running, lines, ok};

/// A hub at any free port, or at the one it had before; and its address.
fn hub(place: &Place, listen: &str) -> (Running, String) {
    let hub = place.spawn(["serve", "--json", "--data", "hub", "--listen", listen]);
    let listening = hub.until("the hub to listen", |line| line["kind"] == "listening");
    (hub, listening["address"].as_str().unwrap().to_owned())
}

fn stop(mut hub: Running, signal: &str) {
    hub.signal(signal);
    hub.until("the hub to stop", |line| line["kind"] == "stopped");
    assert_eq!(hub.exit_code(), Some(0));
}

fn watch(place: &Place, name: &str, address: &str) -> Running {
    let args = [
        "watch",
        "--record",
        "--json",
        "--data",
        name,
        "--connect",
        address,
    ];
    let watch = place.spawn(args);
    connected(&watch, "live");
    watch
}

fn connected(watch: &Running, status: &str) {
    watch.until(status, |line| {
        line["kind"] == "connection" && line["status"] == status
    });
}

fn shows(watch: &Running, state: &Value) {
    let is_it = |line: &Value| line["kind"] == "change" && line["state"] == *state;
    watch.until(&state.to_string(), is_it);
}

#[test]
fn what_one_records_the_other_watches_and_a_hub_that_was_away_brings_them_together() {
    let place = Place::new();
    let (running, address) = hub(&place, "127.0.0.1:0");
    let mut ada = watch(&place, "ada", &address);
    let mut ben = watch(&place, "ben", &address);
    ada.type_line("note/1 title=Milk");
    shows(&ben, &json!({ "title": "Milk" }));

    stop(running, "-TERM");
    connected(&ada, "waiting");
    connected(&ben, "waiting");
    ada.type_line("note/1 milk=2");
    ada.until("the acknowledgement", |line| {
        line["kind"] == "recorded" && line["durable"] == true
    });
    shows(&ada, &json!({ "milk": 2, "title": "Milk" }));
    ben.type_line("note/1 bread=1");
    shows(&ben, &json!({ "bread": 1, "title": "Milk" }));

    let listen = address
        .trim_start_matches("ws://")
        .trim_end_matches("/sync");
    let (running, _) = hub(&place, listen);
    let both = json!({ "bread": 1, "milk": 2, "title": "Milk" });
    shows(&ada, &both);
    shows(&ben, &both);

    for watch in [&mut ada, &mut ben] {
        watch.signal("-INT");
        assert_eq!(watch.exit_code(), Some(0));
    }
    stop(running, "-INT");
    let digest = |name: &str| place.json(["state", "note/1", "--data", name])[0]["digest"].clone();
    assert_eq!(digest("ada"), digest("ben"));
    assert_eq!(digest("ada"), digest("hub"));
}

#[test]
fn a_directory_in_use_names_its_holder_and_the_way_out() {
    let place = Place::new();
    let (_hub, address) = hub(&place, "127.0.0.1:0");
    let ada = watch(&place, "ada", &address);
    let output = place.run(["record", "note/1", "--set", "a=1", "--data", "ada"]);
    assert_eq!(output.status.code(), Some(4));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("process {}", ada.id())), "{said}");
    assert!(
        said.contains("watch --record") && said.contains("--hub"),
        "{said}"
    );
}

#[test]
fn a_writer_killed_in_a_burst_has_every_acknowledged_event_once() {
    let place = Place::new();
    let (_hub, address) = hub(&place, "127.0.0.1:0");
    let ben = watch(&place, "ben", &address);
    let args = [
        "record",
        "-",
        "--json",
        "--data",
        "ada",
        "--connect",
        &address,
    ];
    let mut ada = place.spawn(args);
    ada.type_on(|number| format!("burst/{} n={number}", number % 7));
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 300 {
        let line = ada.until("an acknowledgement", |line| line["kind"] == "recorded");
        assert_eq!(line["durable"], true);
        acknowledged.push(line["id"].clone());
    }
    ada.kill();
    let rest = ada.rest();
    acknowledged.extend(rest.iter().map(|line| line["id"].clone()));

    let report = place.json(["sync", &address, "--data", "ada"]);
    assert_eq!(
        (&report[0]["kind"], &report[0]["caught_up"]),
        (&json!("sync"), &json!(true))
    );
    for source in [&["tail", "--data", "ada"][..], &["tail", "--hub", &address]] {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for event in place.json(source) {
            *counts.entry(event["id"].to_string()).or_default() += 1;
        }
        let once = acknowledged
            .iter()
            .filter(|id| counts.get(&id.to_string()) == Some(&1));
        assert_eq!(once.count(), acknowledged.len(), "{source:?}");
        assert!(counts.values().all(|count| *count == 1), "{source:?}");
    }
    drop(ben);
}

#[test]
fn a_hub_is_worked_on_without_a_directory() {
    let place = Place::new();
    let (running, address) = hub(&place, "127.0.0.1:0");
    let watch = place.spawn(["watch", "note", "--json", "--hub", &address]);
    connected(&watch, "live");
    let recorded = place.json(["record", "note/1", "--set", "title=Milk", "--hub", &address]);
    assert_eq!(recorded[0]["sent"], true);
    shows(&watch, &json!({ "title": "Milk" }));
    let mut typing = place.spawn(["record", "-", "--json", "--hub", &address]);
    typing.type_line("note/1 amount=2");
    let answer = typing.until("the answer", |line| line["kind"] == "recorded");
    assert_eq!(answer["sent"], true);
    shows(&watch, &json!({ "amount": 2, "title": "Milk" }));
    let state = place.json(["state", "note/1", "--hub", &address]);
    assert_eq!(state[0]["state"], json!({ "amount": 2, "title": "Milk" }));
    let follow = place.spawn(["tail", "--follow", "--json", "--hub", &address]);
    let is_event = |line: &Value| line["kind"] == "event" && line["id"] == answer["id"];
    follow.until("the event", is_event);
    assert_eq!(
        ok(&place.run(["tail", "--hub", &address])).lines().count(),
        2
    );
    stop(running, "-TERM");
    assert_eq!(
        place.run(["state", "--hub", &address]).status.code(),
        Some(5)
    );
}

#[test]
fn a_sync_in_one_direction_moves_only_that_way() {
    let place = Place::new();
    let (_hub, address) = hub(&place, "127.0.0.1:0");
    ok(&place.run(["record", "note/1", "--set", "a=1", "--data", "ada"]));
    let pulled = place.json(["sync", &address, "--pull-only", "--data", "ada"]);
    assert_eq!(
        (&pulled[0]["pushed"], &pulled[0]["pulled"]),
        (&json!(0), &json!(0))
    );
    let pushed = place.json(["sync", &address, "--push-only", "--data", "ada"]);
    assert_eq!(
        (&pushed[0]["pushed"], &pushed[0]["pulled"]),
        (&json!(1), &json!(0))
    );
    let pulled = place.json(["sync", &address, "--data", "ben"]);
    assert_eq!(
        (&pulled[0]["pushed"], &pulled[0]["pulled"]),
        (&json!(0), &json!(1))
    );
}

#[test]
fn the_demo_ends_with_four_equal_replicas_and_leaves_nothing_behind() {
    let place = Place::new();
    let output = place.run(["demo", "--json"]);
    ok(&output);
    let told = lines(&output.stdout);
    let ending = told.last().unwrap();
    assert_eq!(ending["kind"], "ending");
    assert_eq!(ending["equal"], true);
    let replicas = ending["replicas"].as_array().unwrap();
    assert_eq!(replicas.len(), 4);
    assert!(
        replicas
            .iter()
            .all(|replica| replica["digest"] == replicas[0]["digest"])
    );
    let aggregates = ending["aggregates"].as_array().unwrap();
    let outcome = |name: &str| {
        let found = aggregates
            .iter()
            .find(|aggregate| aggregate["aggregate"] == name)
            .unwrap();
        (found["outcome"].clone(), found["settled"].clone())
    };
    assert_eq!(
        outcome("note/shopping"),
        (
            json!({ "bread": 1, "eggs": 12, "milk": 2 }),
            json!(["overruled: ada eggs=10"])
        )
    );
    assert_eq!(
        outcome("setting/theme"),
        (json!("light"), json!(["overruled: ada \"dark\""]))
    );
    assert_eq!(
        outcome("seats/friday"),
        (
            json!({ "held": { "ada": 1, "ben": 2 }, "left": 1 }),
            json!(["rejected: cleo name=\"cleo\" seats=2 (only 1 seats left)"])
        )
    );
    assert_eq!(outcome("votes/cake"), (json!(3), json!([])));
    assert_eq!(
        outcome("tags/trip"),
        (json!(["beach", "museum"]), json!(["overruled: ada beach"]))
    );
    assert_eq!(outcome("price/ticket"), (json!({ "value": 13 }), json!([])));
    let rules = aggregates
        .iter()
        .map(|aggregate| aggregate["rule"].as_str());
    assert_eq!(rules.collect::<BTreeSet<_>>().len(), 6, "{aggregates:?}");
    let explained = told
        .iter()
        .find(|line| line["kind"] == "explanation")
        .unwrap();
    assert_eq!(explained["aggregate"], "price/ticket");
    assert_eq!(
        explained["pieces"][0]["from"][0]["meta"],
        json!({ "by": "cleo" })
    );
    assert_eq!(explained["races"][0]["contested"][0]["verdict"], "open");
    assert_eq!(outcome("meter/kitchen").0.as_object().unwrap().len(), 200);
    assert!(ending["elapsed_ms"].as_u64().unwrap() < 10_000, "{ending}");
    assert_eq!(
        std::fs::read_dir(place.path("")).unwrap().count(),
        0,
        "the folder is gone"
    );
}
