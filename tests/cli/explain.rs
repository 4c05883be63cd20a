//! Why is this the value, and who has to decide: told to somebody who knows nothing else.

use serde_json::{Value, json};

use super::program::{Place, lines, ok};

/// Two directories that exchange what they have when told to.
struct Pair {
    place: Place,
    rule: String,
}

impl Pair {
    fn new(rule: &str) -> Self {
        let pair = Self {
            place: Place::new(),
            rule: format!("*={rule}"),
        };
        ok(&pair
            .place
            .run(["record", "first/1", "--set", "n=1", "--data", "ada"]));
        pair.meet();
        pair
    }

    fn args<'a>(&'a self, name: &'a str, args: &[&'a str]) -> Vec<&'a str> {
        args.iter()
            .copied()
            .chain(["--data", name, "--rule", &self.rule])
            .collect()
    }

    fn write(&self, name: &str, aggregate: &str, payload: &str) {
        let by = format!("by={name}");
        let args = ["record", aggregate, "written", payload, "--meta", &by];
        ok(&self.place.run(self.args(name, &args)));
    }

    fn meet(&self) {
        for (from, to) in [("ada", "ben"), ("ben", "ada")] {
            if self.place.path(from).exists() {
                let export = ok(&self.place.run(self.args(from, &["export"])));
                ok(&self.place.run_with(self.args(to, &["import"]), &export));
            }
        }
    }

    fn json(&self, name: &str, args: &[&str]) -> Value {
        self.place.json(self.args(name, args)).remove(0)
    }

    fn text(&self, name: &str, args: &[&str]) -> String {
        ok(&self.place.run(self.args(name, args)))
    }

    fn fails(&self, name: &str, args: &[&str]) -> (Option<i32>, String) {
        let output = self.place.run(self.args(name, args));
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }
}

fn fields(fields: &Value) -> String {
    json!({ "set": fields }).to_string()
}

#[test]
fn a_value_is_told_with_its_writer_its_rule_and_what_it_overruled() {
    let pair = Pair::new("field-merge");
    pair.write(
        "ada",
        "note/1",
        &fields(&json!({ "title": "Milk", "n": 1 })),
    );
    pair.write(
        "ben",
        "note/1",
        &fields(&json!({ "title": "Oat milk", "m": 2 })),
    );
    pair.meet();
    let text = pair.text("ada", &["explain", "note/1"]);
    for said in [
        "title = \"Oat milk\"\n  last write wins: written by ben (",
        "n = 1\n  last write wins: written by ada (",
        "1 race: two wrote to the same place, and neither knew of the other.",
        "write of title \"Milk\" was overruled by ben's\n",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(
        !text.contains("arrived here after"),
        "the second came second: {text}"
    );
    let late = pair.json("ben", &["explain", "note/1"]);
    let sentences = &late["races"][0]["sentences"];
    let said = sentences[1].as_str().unwrap();
    assert!(said.contains(" arrived here after ben's "), "{late}");
    assert!(
        said.ends_with("changed nothing there that had been shown."),
        "{late}"
    );

    let one = pair.json("ada", &["explain", "note/1"]);
    let other = pair.json("ben", &["explain", "note/1"]);
    assert_eq!(one["pieces"], other["pieces"], "it is told alike on both");
    assert_eq!(one["pieces"][2]["path"], json!(["title"]));
    assert_eq!(one["pieces"][2]["from"][0]["meta"], json!({ "by": "ben" }));
    let race = &one["races"][0];
    assert_eq!(race["contested"][0]["verdict"], "later_wins");
    assert_eq!(race["contested"][0]["overruled"], "earlier");
    assert_eq!(race["contested"][0]["earlier_value"], "Milk");
    assert_eq!(
        (&race["late"], &other["races"][0]["late"]),
        (&json!(false), &json!(true))
    );

    let narrow = pair.text("ada", &["explain", "note/1", "n"]);
    assert!(
        narrow.contains("n = 1") && !narrow.contains("title ="),
        "{narrow}"
    );
    assert!(narrow.contains("At n, nobody wrote"), "{narrow}");
    let narrow = pair.json("ada", &["explain", "note/1", "title"]);
    assert_eq!(narrow["pieces"].as_array().unwrap().len(), 1);
    assert_eq!(narrow["races"].as_array().unwrap().len(), 1);
    for (args, said) in [
        (
            ["explain", "note/1", "nothing"],
            "nothing was ever written to nothing",
        ),
        (["explain", "note/2", "n"], "no event of note/2"),
    ] {
        let (code, text) = pair.fails("ada", &args);
        assert_eq!(code, Some(1));
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn what_is_gone_is_told_with_who_took_it_away() {
    let pair = Pair::new("field-merge");
    pair.write(
        "ada",
        "note/1",
        &fields(&json!({ "title": "Milk", "n": 1 })),
    );
    pair.write("ada", "note/1", r#"{"remove":[["n"]]}"#);
    let text = pair.text("ada", &["explain", "note/1", "n"]);
    let said = "Nothing is to be seen.\n  last touched by ada (";
    assert!(
        text.contains(said) && text.contains(r#"{"remove":[["n"]]}"#),
        "{text}"
    );
    assert!(text.contains("before that by ada ("), "{text}");
    let json = pair.json("ada", &["explain", "note/1", "n"]);
    assert_eq!(json["last_touches"].as_array().unwrap().len(), 2);
    let json = pair.json("ada", &["explain", "note/1", "title"]);
    assert_eq!(json["last_touches"], json!([]));
}

#[test]
fn races_come_page_by_page_and_those_that_changed_nothing_are_counted() {
    let pair = Pair::new("last-write-wins");
    for n in ["1", "2", "3"] {
        pair.write("ada", "x/1", n);
    }
    for n in ["4", "3"] {
        pair.write("ben", "x/1", n);
    }
    pair.meet();
    let all = pair.json("ada", &["explain", "x/1", "--all"]);
    assert_eq!(all["races"].as_array().unwrap().len(), 6);
    assert_eq!(all["race_counts"]["races"], 6);
    assert_eq!(all["race_counts"]["changing"], 5);
    let text = pair.text("ada", &["explain", "x/1", "--limit", "3"]);
    assert!(text.contains("6 races: two wrote"), "{text}");
    assert!(
        text.contains("In 1 of them both said the same (--all lists them)"),
        "{text}"
    );
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut args = vec!["explain", "x/1", "--limit", "2"];
        let cursor = after.clone().unwrap_or_default();
        if after.is_some() {
            args.extend(["--after", &cursor]);
        }
        let page = pair.json("ada", &args);
        let races = page["races"].as_array().unwrap().clone();
        assert!(races.len() <= 2);
        found.extend(races);
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    let narrow = pair.json("ada", &["explain", "x/1", "", "--limit", "2"]);
    assert_eq!(narrow["races"].as_array().unwrap()[..], found[..2]);
    assert!(narrow["next"].is_string(), "the path leads to a page, too");
    let changing = |race: &&Value| race["contested"][0]["verdict"] != "agree";
    let expected: Vec<&Value> = all["races"]
        .as_array()
        .unwrap()
        .iter()
        .filter(changing)
        .collect();
    assert_eq!(found.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn races_at_one_place_come_page_by_page_too() {
    let pair = Pair::new("field-merge");
    pair.write("ada", "x/1", &fields(&json!({ "a": 0, "b": 0 })));
    for (field, value) in [("a", 1), ("b", 1), ("b", 2), ("b", 3)] {
        pair.write("ben", "x/1", &fields(&json!({ field: value })));
    }
    pair.meet();
    let page = |after: &[&str]| {
        let args = ["explain", "x/1", "b", "--limit", "2"];
        let page = pair.json("ada", &[&args, after].concat());
        let races = page["races"].as_array().unwrap().iter();
        let values = races.map(|race| race["contested"][0]["later_value"].clone());
        (values.collect::<Vec<_>>(), page["next"].clone())
    };
    let (first, next) = page(&[]);
    assert_eq!(first, [1, 2]);
    let (rest, next) = page(&["--after", next.as_str().unwrap()]);
    assert_eq!((rest, next), (vec![json!(3)], Value::Null));
}

#[test]
fn what_a_person_has_to_settle_is_shown_and_settled_on_the_ground_of_that() {
    let pair = Pair::new("manual");
    pair.write("ada", "price/7", r#"{"value":12}"#);
    pair.write("ben", "price/7", r#"{"value":"fifteen"}"#);
    pair.meet();
    let explained = pair.text("ada", &["explain", "price/7"]);
    assert!(
        explained.contains("anabranch resolve price/7"),
        "{explained}"
    );
    let shown = pair.text("ada", &["resolve", "price/7"]);
    assert!(
        shown.contains("  1  12\n     by ada (") && shown.contains("  2  \"fifteen\""),
        "{shown}"
    );
    let open = pair.json("ada", &["resolve", "price/7"]);
    assert_eq!(open["open"][0]["values"][1]["value"], "fifteen");
    let seen = open["seen"].as_str().unwrap();
    assert!(
        shown.contains(&format!("resolve price/7 --seen {seen} --take 1")),
        "{shown}"
    );

    let (code, text) = pair.fails("ada", &["resolve", "price/7", "--take", "1"]);
    assert_eq!(code, Some(3), "{text}");
    let (code, text) = pair.fails(
        "ada",
        &["resolve", "price/7", "--seen", seen, "--take", "3"],
    );
    assert_eq!((code, text.contains("1 to 2")), (Some(2), true), "{text}");
    let settled = pair.json(
        "ada",
        &["resolve", "price/7", "--seen", seen, "--take", "2"],
    );
    assert_eq!(
        (&settled["kind"], &settled["value"]),
        (&json!("resolved"), &json!("fifteen"))
    );
    assert_eq!(
        pair.json("ada", &["state", "price/7"])["state"],
        json!({ "value": "fifteen" })
    );
    let (code, text) = pair.fails(
        "ada",
        &["resolve", "price/7", "--seen", seen, "--take", "2"],
    );
    assert_eq!(
        (code, text.contains("has changed since")),
        (Some(3), true),
        "{text}"
    );

    pair.write("ben", "price/8", r#"{"value":1}"#);
    pair.meet();
    let state = pair.json("ben", &["state", "price/7"]);
    assert_eq!(
        state["state"],
        json!({ "value": "fifteen" }),
        "it is settled everywhere"
    );
    assert!(
        pair.text("ben", &["resolve", "price/7"])
            .contains("nothing is open")
    );
}

#[test]
fn one_field_of_a_document_is_settled_by_its_path() {
    let pair = Pair::new("rules(owner=manual,size=manual)");
    pair.write(
        "ada",
        "toy/1",
        &fields(&json!({ "owner": "ada", "size": 1, "n": 1 })),
    );
    pair.write(
        "ben",
        "toy/1",
        &fields(&json!({ "owner": "ben", "size": 2, "n": 2 })),
    );
    pair.meet();
    let open = pair.json("ben", &["resolve", "toy/1"]);
    let paths: Vec<&Value> = open["open"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| &o["path"])
        .collect();
    assert_eq!(paths, [&json!(["owner"]), &json!(["size"])]);
    let seen = open["seen"].as_str().unwrap();
    let (code, text) = pair.fails("ben", &["resolve", "toy/1", "--seen", seen, "--take", "1"]);
    assert_eq!((code, text.contains("name one")), (Some(2), true), "{text}");
    let args = [
        "resolve", "toy/1", "owner", "--seen", seen, "--value", "\"cleo\"",
    ];
    pair.json("ben", &args);
    let state = pair.json("ben", &["state", "toy/1"]);
    assert_eq!(
        state["state"],
        json!({ "n": 2, "owner": "cleo", "size": { "open": [1, 2] } })
    );
}

#[test]
fn the_lanes_of_a_log_part_where_people_do() {
    let pair = Pair::new("last-write-wins");
    pair.write("ada", "x/1", "1");
    pair.meet();
    pair.write("ada", "x/1", "2");
    pair.write("ben", "x/1", "3");
    pair.meet();
    pair.write("ben", "x/1", "4");
    let text = pair.text("ben", &["log", "x/1"]);
    let drawn: Vec<&str> = text
        .lines()
        .map(|line| line.split("  20").next().unwrap().trim_end())
        .collect();
    assert_eq!(drawn[2..], ["●", "├──╮", "●  │", "│  ●", "├─▶◉"], "{text}");
    let short = pair.text("ben", &["log", "x/1", "--last", "1"]);
    assert!(short.contains("... 3 earlier events"), "{short}");
    let args = pair.args("ben", &["log", "x/1", "--json"]);
    let events = lines(&pair.place.run(args).stdout);
    let heads: Vec<&Value> = events.iter().map(|event| &event["is_head"]).collect();
    assert_eq!(heads, [false, false, false, true]);
    assert_eq!(events[3]["heads"].as_array().unwrap().len(), 2);
    assert_eq!(events[0]["outcome"], json!({ "kind": "applied" }));
}

#[test]
fn many_values_have_a_line_each_and_what_both_said_alike_is_counted() {
    let pair = Pair::new("field-merge");
    let all: serde_json::Map<String, Value> = (0..13)
        .map(|number| (format!("f{number:02}"), json!(number)))
        .collect();
    let mut other = all.clone();
    other.insert("f00".to_owned(), json!("else"));
    pair.write("ada", "note/1", &fields(&Value::Object(all)));
    pair.write("ben", "note/1", &fields(&Value::Object(other)));
    pair.meet();
    let text = pair.text("ada", &["explain", "note/1"]);
    assert_eq!(
        text.matches("By last write wins, written by:").count(),
        1,
        "{text}"
    );
    let rows = text
        .lines()
        .filter(|line| line.starts_with("  f") && line.contains("  ben ("));
    assert_eq!(rows.count(), 13, "{text}");
    let sentences: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(sentences.matches("was overruled by").count(), 1, "{text}");
    assert!(
        sentences.contains("At 12 other places they say the same."),
        "{text}"
    );
    let all = pair.text("ada", &["explain", "note/1", "--all"]);
    assert_eq!(all.matches("say the same.").count(), 12, "{all}");
}
