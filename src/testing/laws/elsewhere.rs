//! The same rule in another process, where everything is different that a program can make so.
//!
//! A program starts itself again, a test for that one test; the second run folds the same histories,
//! writes down what they come to, and ends; the first compares. Which file to write to, the second is
//! told as the name of a test to leave out, of which there is none.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

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
/// So much is allocated there first, for other addresses.
const SHIFT: usize = 1 << 20;

/// Compares with another process, or is that process; what differs.
pub(super) fn elsewhere(setup: &Setup, test: &str) -> Option<Failure> {
    // The name of a test begins behind the name of its crate.
    let name = test.split_once("::").map_or(test, |(_, name)| name);
    let histories = some_small(&setup.words);
    if let Some(file) = asked() {
        if is_for(&file, name) {
            answer(setup, &histories, &file);
        }
        return None;
    }
    let here: Vec<String> = histories.iter().map(|it| told(setup, it)).collect();
    let there = ask(name, here.len())?;
    let compared = histories.into_iter().zip(here.iter().zip(&there));
    let (history, (here, there)) = compared
        .into_iter()
        .find(|(_, (here, there))| here != there)?;
    let exhibit = |title: &str, told: &str| {
        let (state, refused) = told.split_once(' ').unwrap_or((told, NONE));
        let exhibit = match unhex(state) {
            Some(bytes) => Exhibit::cbor(title, &bytes),
            None => Exhibit::said(title, told),
        };
        if refused == NONE {
            return exhibit;
        }
        exhibit.and(format!("refused: {refused}"))
    };
    let finding = Finding {
        what: "the same events come to something else in another process".to_owned(),
        left: exhibit("here", here),
        right: exhibit("in another process", there),
    };
    Some(Failure::new(Law::Determinism, setup, history, finding))
}

/// The file to write to, where this is the second process.
fn asked() -> Option<PathBuf> {
    let mut arguments = std::env::args();
    arguments
        .find(|argument| argument.contains(ASKED))
        .map(PathBuf::from)
}

fn file_name(process: u32, name: &str) -> String {
    format!("{ASKED}{process}-{}", name.replace("::", "-"))
}

/// Whether a file is for the answer of this name.
fn is_for(file: &Path, name: &str) -> bool {
    let told = file.file_name().and_then(|told| told.to_str());
    let process = told
        .and_then(|told| told.strip_prefix(ASKED)?.split_once('-')?.0.parse().ok())
        .unwrap_or(0);
    told == Some(&file_name(process, name))
}

/// Answers in another directory, later, from another thread and place of memory, the last question
/// first; then nothing else is to be done.
fn answer(setup: &Setup, histories: &[History], file: &Path) -> ! {
    // Where there is no such directory, there is one difference less.
    let _ = std::env::set_current_dir(std::env::temp_dir());
    let shift = vec![1u8; SHIFT];
    let (_open, nothing) = mpsc::channel::<()>();
    // A clock that counts seconds has gone on by then.
    let _ = nothing.recv_timeout(Duration::from_millis(1_100));
    let fold = || -> Vec<String> { histories.iter().rev().map(|it| told(setup, it)).collect() };
    let mut there = std::thread::scope(|scope| scope.spawn(fold).join())
        .expect("folds whose panics are caught");
    there.reverse();
    drop(shift);
    std::fs::write(file, there.join("\n")).expect("a file that the first process can read");
    std::process::exit(0)
}

/// What another process says of so many histories; nothing where none can be started.
fn ask(name: &str, questions: usize) -> Option<Vec<String>> {
    let program = std::env::current_exe().ok()?;
    let file = std::env::temp_dir().join(file_name(std::process::id(), name));
    // One test may have several places.
    let test = name.split_once('#').map_or(name, |(test, _)| test);
    // Some programs start in their own environment only.
    let mut said = Vec::new();
    for bare in [true, false] {
        let mut command = Command::new(&program);
        if bare {
            command.env_clear();
        }
        command
            .args([test, "--exact", "--test-threads=1", "--skip"])
            .arg(&file)
            .envs(MOVED)
            .output()
            .ok()?;
        let answer = std::fs::read_to_string(&file).unwrap_or_default();
        // What is left in a directory for such things does no harm.
        let _ = std::fs::remove_file(&file);
        said = answer.lines().map(str::to_owned).collect();
        if said.len() == questions {
            return Some(said);
        }
    }
    panic!(
        "another process says {} of {questions} things about {name}: it knows no such test, or does \
         not come by here",
        said.len()
    );
}

/// What the environment of the second process says.
const MOVED: [(&str, &str); 6] = [
    ("TZ", "Pacific/Chatham"),
    ("LC_ALL", "tr_TR.UTF-8"),
    ("LANG", "tr_TR.UTF-8"),
    ("HOME", "/"),
    ("USER", "elsewhere"),
    ("HOSTNAME", "elsewhere"),
];

/// How nothing refused is written.
const NONE: &str = "{}";

/// The state of a history in hexadecimal and what was refused, or that there is none.
fn told(setup: &Setup, history: &History) -> String {
    let bench = Bench::new(setup.route.clone());
    let run = bench.case(history);
    let run = run.and_then(|case| bench.fold(&case, &case.order()));
    run.map_or_else(
        |_| "no-state".to_owned(),
        |run| format!("{} {:?}", hex(&run.state), run.refused),
    )
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    let pair = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_for_one_name_only() {
        let file = PathBuf::from("/tmp").join(file_name(17, "a::b"));
        assert!(is_for(&file, "a::b"));
        assert!(!is_for(&file, "b"));
        assert!(!is_for(&file, "a::b2"));
        assert!(!is_for(Path::new("/tmp/other"), "other"));
    }
}
