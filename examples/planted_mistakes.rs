//! What the law harness finds: planted mistakes, each with the law that caught it; the built-in rules and
//! sound unusual ones, which are not accused. Ends with 1 if anything is otherwise.
//!
//! `cargo run --release --features testing --example planted_mistakes [-- --json | --show NAME]`
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "planted mistakes, and how long it takes to find them"
)]

use std::process::ExitCode;
use std::time::Instant;

use anabranch::testing::laws::{Failure, Law, Trial};

#[expect(
    dead_code,
    unreachable_pub,
    reason = "shared with the tests of the laws"
)]
#[path = "../tests/laws/rules/mod.rs"]
mod rules;

use rules::{Mistake, Sound};

/// What became of one mistake.
struct Row {
    mistake: Mistake,
    failure: Option<Failure>,
    seconds: f64,
}

impl Row {
    fn of(mistake: Mistake) -> Self {
        let start = Instant::now();
        let failure = mistake.found();
        Self {
            mistake,
            failure,
            seconds: start.elapsed().as_secs_f64(),
        }
    }

    fn is_found(&self) -> bool {
        let caught = self.failure.as_ref().map(|failure| failure.law);
        caught == Some(self.mistake.law)
    }
}

/// What became of one sound rule: the trials of all laws that concern it.
struct Kept {
    kind: &'static str,
    name: &'static str,
    trials: Vec<Trial>,
    seconds: f64,
}

impl Kept {
    fn of(kind: &'static str, rule: &Sound) -> Self {
        let start = Instant::now();
        let trials = rule.suite.all().trials;
        Self {
            kind,
            name: rule.name,
            trials,
            seconds: start.elapsed().as_secs_f64(),
        }
    }

    fn broken(&self) -> Vec<Law> {
        let broken = self.trials.iter().filter(|trial| trial.failure.is_some());
        broken.map(|trial| trial.law).collect()
    }

    fn histories(&self) -> u64 {
        self.trials.iter().map(|trial| trial.histories).sum()
    }
}

fn main() -> ExitCode {
    // Where this is the second process of a comparison, it answers here and ends.
    let elsewhere = rules::elsewhere::mistakes().into_iter().map(Row::of);
    let elsewhere: Vec<Row> = elsewhere.collect();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => table(elsewhere),
        ["--json"] => json(elsewhere),
        ["--show", name] => show(name, elsewhere),
        _ => {
            eprintln!("planted_mistakes [--json | --show NAME]");
            ExitCode::from(2)
        }
    }
}

fn rows(elsewhere: Vec<Row>) -> impl Iterator<Item = Row> {
    let others = rules::mistakes().into_iter().filter(|it| !it.elsewhere);
    others.map(Row::of).chain(elsewhere)
}

fn sound() -> impl Iterator<Item = Kept> {
    let built_in = rules::built_in::rules();
    let built_in = built_in.into_iter().map(|rule| Kept::of("built in", &rule));
    let unusual = rules::sound::rules().into_iter();
    built_in.chain(unusual.map(|rule| Kept::of("unusual", &rule)))
}

fn table(elsewhere: Vec<Row>) -> ExitCode {
    println!(
        "{:49} {:12} {:>6} {:>7}  what is wrong",
        "mistake", "caught by", "events", "seconds"
    );
    let (mut planted, mut found, mut slowest) = (0, 0, 0.0f64);
    for row in rows(elsewhere) {
        let (law, events) = match &row.failure {
            Some(failure) => (failure.law.name(), failure.history.len().to_string()),
            None => ("NOTHING", String::new()),
        };
        let wrong = if row.is_found() {
            ""
        } else {
            "  <- not as it should be"
        };
        println!(
            "{:49} {law:12} {events:>6} {:>7.2}  {}{wrong}",
            row.mistake.name, row.seconds, row.mistake.sin
        );
        planted += 1;
        found += usize::from(row.is_found());
        slowest = slowest.max(row.seconds);
    }
    println!(
        "\n{:49} {:12} {:>11} {:>7}",
        "sound rule", "", "histories", "seconds"
    );
    let (mut rules, mut kept) = (0, 0);
    for rule in sound() {
        let broken = rule.broken();
        let said = match broken.as_slice() {
            [] => format!("{} laws kept", rule.trials.len()),
            broken => format!("ACCUSED of {broken:?}"),
        };
        println!(
            "{:49} {:12} {:>11} {:>7.2}  {said}",
            rule.name,
            rule.kind,
            rule.histories(),
            rule.seconds
        );
        rules += 1;
        kept += usize::from(broken.is_empty());
    }
    println!(
        "\n{found} of {planted} mistakes found by the law that names them, each within {slowest:.1} s; \
         {kept} of {rules} sound rules not accused"
    );
    ended(found == planted && kept == rules)
}

fn ended(well: bool) -> ExitCode {
    if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn json(elsewhere: Vec<Row>) -> ExitCode {
    let mut well = true;
    let mistakes: Vec<_> = rows(elsewhere)
        .map(|row| {
            well &= row.is_found();
            serde_json::json!({
                "mistake": row.mistake.name,
                "sin": row.mistake.sin,
                "law": row.mistake.law.name(),
                "caught_by": row.failure.as_ref().map(|failure| failure.law.name()),
                "events": row.failure.as_ref().map(|failure| failure.history.len()),
                "seconds": row.seconds,
            })
        })
        .collect();
    let sound: Vec<_> = sound()
        .map(|rule| {
            well &= rule.broken().is_empty();
            let trial = |trial: &Trial| {
                let broken = trial.failure.is_some();
                serde_json::json!({
                    "law": trial.law.name(),
                    "broken": broken,
                    "histories": trial.histories,
                    "complete_to": trial.complete_to,
                    "coverage": trial.coverage(),
                })
            };
            serde_json::json!({
                "rule": rule.name,
                "kind": rule.kind,
                "seconds": rule.seconds,
                "laws": rule.trials.iter().map(trial).collect::<Vec<_>>(),
            })
        })
        .collect();
    println!(
        "{:#}",
        serde_json::json!({ "mistakes": mistakes, "sound": sound })
    );
    ended(well)
}

fn show(name: &str, elsewhere: Vec<Row>) -> ExitCode {
    let mut others = rules::mistakes().into_iter();
    let row = match elsewhere.into_iter().find(|row| row.mistake.name == name) {
        Some(row) => Some(row),
        None => others.find(|it| it.name == name).map(Row::of),
    };
    let Some(row) = row else {
        eprintln!("there is no mistake {name}");
        return ExitCode::from(2);
    };
    let Some(failure) = &row.failure else {
        println!("{name} slips through");
        return ExitCode::FAILURE;
    };
    println!("{name}: {}.\n\n{failure}", row.mistake.sin);
    ended(row.is_found())
}
