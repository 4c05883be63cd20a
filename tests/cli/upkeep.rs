//! A directory that is looked after: verified, compacted, asked how it is.

use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use serde_json::json;

use super::program::{Place, lines, ok};

/// Flips a bit in the last row of a table, behind the store's back.
fn damage(place: &Place, table: &str) {
    let db = Database::builder(place.path("anabranch-data").join("data"))
        .open()
        .unwrap();
    let rows = db.keyspace(table, KeyspaceCreateOptions::default).unwrap();
    let (key, value) = rows.iter().next_back().unwrap().into_inner().unwrap();
    let mut value = value.to_vec();
    *value.last_mut().unwrap() ^= 1;
    rows.insert(key, value).unwrap();
    db.persist(PersistMode::SyncAll).unwrap();
}

#[test]
fn what_is_damaged_is_named_and_has_its_own_exit_code() {
    let place = Place::new();
    for n in 0..3 {
        ok(&place.run(["record", "note/1", "--set", &format!("n={n}")]));
    }
    let whole = place.json(["verify"]).remove(0);
    assert_eq!(
        (&whole["kind"], &whole["whole"]),
        (&json!("verified"), &json!(true))
    );
    assert_eq!(
        (&whole["entries"], &whole["events"]),
        (&json!(3), &json!(3))
    );
    assert!(ok(&place.run(["verify"])).ends_with("everything is as it was written\n"));

    damage(&place, "log");
    let output = place.run(["verify", "--json"]);
    assert_eq!(output.status.code(), Some(6));
    let report = &lines(&output.stdout)[0];
    assert_eq!(report["whole"], false);
    assert_eq!(report["faults"][0]["position"], 2);
    assert_eq!(report["faults"][0]["reason"], "its checksum is wrong");
    let output = place.run(["verify"]);
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("\nfault  log entry 2: ")
    );
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("sync it from a peer")
    );

    damage(&place, "notes");
    let output = place.run(["verify"]);
    assert_eq!(output.status.code(), Some(6), "nor can it be opened");
    let output = place.run(["status"]);
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn compacting_tells_how_much_there_was_and_is() {
    let place = Place::new();
    ok(&place.run(["record", "note/1", "--set", "n=1"]));
    let before = place.json(["state"]);
    let compacted = place.json(["compact"]).remove(0);
    assert_eq!(compacted["kind"], "compacted");
    assert!(compacted["bytes_before"].is_u64() && compacted["bytes_after"].is_u64());
    assert_eq!(place.json(["state"]), before);
    for command in ["verify", "compact"] {
        let output = place.run([command, "--data", "absent"]);
        assert_eq!(output.status.code(), Some(4), "looking founds nothing");
    }
}

#[test]
fn what_a_peer_lacks_is_told() {
    let place = Place::new();
    ok(&place.run(["record", "note/1", "--set", "n=1", "--data", "ada"]));
    let hub = place.spawn([
        "serve",
        "--json",
        "--data",
        "hub",
        "--listen",
        "127.0.0.1:0",
    ]);
    let listening = hub.until("the hub to listen", |line| line["kind"] == "listening");
    let address = listening["address"].as_str().unwrap();
    ok(&place.run(["sync", address, "--data", "ada"]));
    let told = || place.json(["status", "--all", "--data", "ada"]).remove(0);
    let status = told();
    assert_eq!(
        (&status["well"], &status["unresolved"]),
        (&json!(true), &json!([]))
    );
    let peer = &status["peers"][0];
    assert_eq!(peer["replica"], listening["replica"]);
    assert_eq!((&peer["ahead"], &peer["behind"]), (&json!(0), &json!(0)));
    assert!(peer["read_to"].is_string(), "{peer}");
    for n in 2..4 {
        ok(&place.run([
            "record",
            "note/1",
            "--set",
            &format!("n={n}"),
            "--data",
            "ada",
        ]));
    }
    assert_eq!(told()["peers"][0]["ahead"], 2);
    let text = ok(&place.run(["status", "--data", "ada"]));
    assert!(
        text.contains("it lacks 2 events") && text.contains("health   well"),
        "{text}"
    );
}
