//! The same rule in another process, with another hash seed, time zone and locale.
//!
//! A test starts its own program again, for that one test; the second run folds the same histories
//! and writes down what they come to, and the first compares. Which file to write to, the second is
//! told as the name of a test to leave out, of which there is none.

use std::process::Command;

use super::bench::Bench;
use super::checks::Finding;
use super::exhibit::{Exhibit, hex};
use super::history::History;
use super::law::Law;
use super::report::Failure;
use super::search::some_small;
use super::suite::Setup;

/// How the name of the file begins.
const ASKED: &str = "anabranch-laws-elsewhere-";

/// Compares with another process, or is that process; what differs.
pub(super) fn elsewhere(setup: &Setup, test: &str) -> Option<Failure> {
    let histories = some_small(&setup.words);
    let here: Vec<String> = histories.iter().map(|it| told(setup, it)).collect();
    if let Some(file) = asked() {
        std::fs::write(file, here.join("\n")).expect("a file that the first process can read");
        return None;
    }
    let there = ask(test)?;
    assert_eq!(
        here.len(),
        there.len(),
        "another process knows no test {test}, or it does not come by here"
    );
    let compared = histories.into_iter().zip(here.iter().zip(&there));
    let (history, (here, there)) = compared
        .into_iter()
        .find(|(_, (here, there))| here != there)?;
    let exhibit = |title: &str, hex: &str| match unhex(hex) {
        Some(bytes) => Exhibit::cbor(title, &bytes),
        None => Exhibit::said(title, hex),
    };
    let finding = Finding {
        what: "the same events come to something else in another process".to_owned(),
        left: exhibit("here", here),
        right: exhibit("in another process", there),
    };
    Some(Failure::new(Law::Determinism, setup, history, finding))
}

/// The file to write to, where this is the second process.
fn asked() -> Option<String> {
    std::env::args().find(|argument| argument.contains(ASKED))
}

/// What the same test says in another process; nothing where none can be started.
fn ask(test: &str) -> Option<Vec<String>> {
    let program = std::env::current_exe().ok()?;
    // The name of a test begins behind the name of its crate.
    let name = test.split_once("::").map_or(test, |(_, name)| name);
    let unique = format!("{ASKED}{}-{}", std::process::id(), name.replace("::", "-"));
    let file = std::env::temp_dir().join(unique);
    Command::new(program)
        .args([name, "--exact", "--test-threads=1", "--skip"])
        .arg(&file)
        .envs([("TZ", "Pacific/Chatham"), ("LC_ALL", "tr_TR.UTF-8")])
        .output()
        .ok()?;
    let said = std::fs::read_to_string(&file).unwrap_or_default();
    // What is left in a directory for such things does no harm.
    let _ = std::fs::remove_file(&file);
    Some(said.lines().map(str::to_owned).collect())
}

/// The state of a history in hexadecimal, or that there is none.
fn told(setup: &Setup, history: &History) -> String {
    let bench = Bench::new(setup.route.clone());
    let run = bench.case(history);
    let run = run.and_then(|case| bench.fold(&case, &case.order()));
    run.map_or_else(|_| "no state".to_owned(), |run| hex(&run.state))
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    let pair = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.map(pair).collect()
}
