//! What is exported comes back: ids, heads, bytes, and what waits.

use std::path::Path;

use anabranch::event::{Commit, Payload};
use anabranch::resolver::{FieldEdit, FieldMerge, Registry};
use anabranch::{Draft, LastWriteWins, Replica};
use futures::StreamExt;
use serde_json::{Value, json};

use super::program::{Place, lines, ok};

fn edit(aggregate: &str, field: &str, value: u64) -> Draft {
    let edit = FieldEdit::new().set([field], &value).unwrap();
    Draft::new(aggregate, "edited", &edit).unwrap()
}

async fn open(path: &Path) -> Replica {
    let rules = Registry::new().with_default(FieldMerge);
    Replica::open_fjall(path, rules).await.unwrap()
}

async fn commits(replica: &Replica) -> Vec<Commit> {
    replica.commits().map(Result::unwrap).collect().await
}

/// Two writers who saw each other, commits of several events, bytes that JSON cannot say, metadata
/// that would steer a terminal, and a commit that waits for one that is not there.
async fn history(place: &Place) {
    let ada = open(&place.path("ada")).await;
    let ben = Replica::in_memory(Registry::new().with_default(FieldMerge))
        .await
        .unwrap();
    ada.record(edit("note/1", "a", 1)).await.unwrap();
    ada.sync(&ben).await.unwrap();
    ada.record_all(vec![edit("note/1", "b", 2), edit("note/2", "c", 3)])
        .await
        .unwrap();
    let said = edit("note/1", "a", 4).with_metadata("by", "\u{1b}[2J\u{202e}");
    ben.record(said.unwrap()).await.unwrap();
    ada.sync(&ben).await.unwrap();
    ada.record(edit("note/1", "d", 5)).await.unwrap();
    let odd = Payload::from_bytes(vec![0xa1, 0x01, 0x42, 0x00, 0xff].into()).unwrap();
    let cleo = Replica::in_memory(Registry::new().with_default(LastWriteWins));
    let cleo = cleo.await.unwrap();
    cleo.record(Draft::raw("odd/1", "told", odd).unwrap())
        .await
        .unwrap();
    cleo.record(edit("note/5", "n", 1)).await.unwrap();
    for commit in commits(&cleo).await.into_iter().rev() {
        // The second one waits until the first is here.
        ada.ingest(vec![commit]).await.unwrap();
    }
    for n in 0..3 {
        ben.record(edit("note/4", "n", n)).await.unwrap();
    }
    let waiting = commits(&ben).await.pop().unwrap();
    assert_eq!(ada.ingest(vec![waiting]).await.unwrap().waiting, 1);
    ada.close().await.unwrap();
}

#[tokio::test]
async fn an_export_that_is_imported_and_exported_again_is_the_same_to_the_byte() {
    let place = Place::new();
    history(&place).await;
    let lines_of = |name: &str| ok(&place.run(["export", "--data", name]));
    let export = lines_of("ada");
    assert!(export.contains("\"cbor\":\"a1014200ff\""), "{export}");
    std::fs::write(place.path("ada.jsonl"), &export).unwrap();
    let imported = place.json(["import", "ada.jsonl", "--data", "copy"]);
    let expected = json!({
        "kind": "imported",
        "lineage": place.json(["status", "--data", "ada"])[0]["lineage"],
        "commits": 7,
        "taken": 8,
        "duplicates": 0,
        "left_out": 0,
        "waiting": 1,
        "whole": true,
    });
    assert_eq!(imported, [expected]);
    assert_eq!(lines_of("copy"), export);
    let states = |name: &str| place.json(["state", "--data", name]);
    assert_eq!(states("copy"), states("ada"));
    assert_eq!(states("copy").len(), 4);

    let again = place.run_with(["import", "--data", "copy", "--json"], &export);
    ok(&again);
    let again = &lines(&again.stdout)[0];
    assert_eq!(
        (&again["taken"], &again["duplicates"]),
        (&json!(0), &json!(8))
    );
    assert_eq!(lines_of("copy"), export, "what is here is not taken twice");
}

#[tokio::test]
async fn a_line_that_cannot_be_taken_is_named_and_holds_nobody_up() {
    let place = Place::new();
    history(&place).await;
    let export = ok(&place.run(["export", "--data", "ada"]));
    let good: Vec<&str> = export.lines().collect();
    let mut bad = good.clone();
    let changed = good[1].replace("edited", "changed");
    bad[1] = &changed;
    bad.insert(3, "nonsense");
    let text = format!("{}\n", bad.join("\n"));
    let output = place.run_with(["import", "--data", "copy", "--json"], &text);
    assert_eq!(output.status.code(), Some(2));
    let told = lines(&output.stdout);
    let refused = |at: usize| (told[at]["kind"].clone(), told[at]["line"].clone());
    assert_eq!(refused(0), (json!("refused"), json!(2)));
    assert_eq!(refused(1), (json!("refused"), json!(4)));
    assert!(told[0]["error"].as_str().unwrap().contains("was changed"));
    assert_eq!(
        (&told[2]["left_out"], &told[2]["whole"]),
        (&json!(2), &json!(false))
    );
    assert_eq!(told[2]["taken"], 7, "all others are here");
    let status = &place.json(["status", "--data", "copy"])[0];
    let waiting = status["waiting_commits"].as_array().unwrap();
    assert_eq!(
        waiting.len(),
        4,
        "what follows upon the first waits, and says so: {status}"
    );

    ok(&place.run_with(["import", "--data", "copy"], &export));
    let shown = |name: &str| place.json(["state", "--data", name]);
    assert_eq!(shown("copy"), shown("ada"), "the missing line heals it");
}

#[tokio::test]
async fn an_export_of_another_log_or_of_nothing_is_refused_and_changes_nothing() {
    let place = Place::new();
    history(&place).await;
    let export = ok(&place.run(["export", "--data", "ada"]));
    ok(&place.run(["record", "note/1", "--set", "a=1", "--data", "other"]));
    let before = ok(&place.run(["export", "--data", "other"]));
    let output = place.run_with(["import", "--data", "other"], &export);
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("lineage") && said.contains("empty directory"),
        "{said}"
    );
    assert_eq!(ok(&place.run(["export", "--data", "other"])), before);

    for (text, code) in [
        ("", 2),
        ("{\"aggregate\":\"note/1\",\"set\":{\"a\":1}}\n", 2),
        (export.split_once('\n').unwrap().1, 2),
        (&export.replacen("\"format\":1", "\"format\":2", 1), 2),
    ] {
        let output = place.run_with(["import", "--data", "new"], text);
        assert_eq!(output.status.code(), Some(code), "{text}");
    }
    assert!(
        !place.path("new").exists() || place.json(["status", "--data", "new"])[0]["events"] == 0
    );

    let cut = export.lines().take(3).collect::<Vec<_>>().join("\n");
    let output = place.run_with(["import", "--data", "cut"], &cut);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("ends early")
    );
}

#[tokio::test]
async fn commits_of_one_writer_that_differ_are_refused_one_by_one() {
    let place = Place::new();
    let ada = open(&place.path("ada")).await;
    ada.record(edit("note/1", "a", 1)).await.unwrap();
    ada.close().await.unwrap();
    let copy = |to: &str| {
        std::fs::create_dir(place.path(to)).unwrap();
        for entry in std::fs::read_dir(place.path("ada")).unwrap() {
            copied(&entry.unwrap().path(), &place.path(to));
        }
    };
    copy("clone");
    for (name, value) in [("ada", 2), ("clone", 3)] {
        let replica = open(&place.path(name)).await;
        replica.record(edit("note/1", "a", value)).await.unwrap();
        replica.record(edit("note/2", "b", value)).await.unwrap();
        replica.close().await.unwrap();
    }
    let export = ok(&place.run(["export", "--data", "clone"]));
    let output = place.run_with(["import", "--data", "ada", "--json"], &export);
    assert_eq!(output.status.code(), Some(3));
    let told = lines(&output.stdout);
    let numbers: Vec<&Value> = told.iter().map(|line| &line["line"]).collect();
    assert_eq!(numbers, [&json!(3), &json!(4), &Value::Null]);
    assert!(told[0]["error"].as_str().unwrap().contains("contradicts"));
    let report = &told[2];
    assert_eq!(
        (&report["taken"], &report["duplicates"]),
        (&json!(0), &json!(1))
    );
}

/// Copies a file or a folder into a folder.
fn copied(from: &Path, into: &Path) {
    let to = into.join(from.file_name().unwrap());
    if from.is_dir() {
        std::fs::create_dir(&to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            copied(&entry.unwrap().path(), &to);
        }
    } else {
        std::fs::copy(from, to).unwrap();
    }
}

#[tokio::test]
async fn an_export_of_some_aggregates_says_so_and_what_depends_on_the_rest_waits() {
    let place = Place::new();
    history(&place).await;
    let export = ok(&place.run(["export", "note/1", "--data", "ada"]));
    let log: Value = serde_json::from_str(export.lines().next().unwrap()).unwrap();
    assert_eq!(log["only"], json!(["note/1"]));
    assert_eq!(
        export.lines().count(),
        6,
        "the log, four commits, the end: {export}"
    );
    let imported = place.run_with(["import", "--data", "some", "--json"], &export);
    ok(&imported);
    assert_eq!(lines(&imported.stdout)[0]["whole"], false);
}
