//! A real history: fourteen years of edits to a public record set by 161 people, replayed.
//!
//! `cargo run --release --all-features --example history -- [FOLDER]` reads `legislators.jsonl.gz` and
//! what is known of it from the folder (or from the one that `ANABRANCH_DATA` names, or from
//! `../shared/data`). It folds the history in the merge core in eleven orders of delivery, lists its
//! races, scores the built-in rules against what people chose, sends it all through three replicas
//! and a hub, and checks that the outcome is always the known one. Exits with 1 and a message where
//! it is not.
//!
//! - `--conflicts` does no more than races and rules, and tells every conflict that a person settled.
//! - `--keep DIR` does no more than write the history into a data directory, so that `anabranch
//!   explain` can be asked why a value is what it is.

mod ancestry;
mod authors;
mod conflicts;
mod data;
mod in_memory;
mod keep;
mod known;
mod races;
mod recast;
mod scores;
mod shown;
mod whole_path;
mod words;

use std::error::Error;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("history: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Shows how far long work has come, to those who look on.
fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r  {text:60}");
    }
}

/// The next line of those who look on.
fn progress_ends() {
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::read()?;
    let folder = arguments.folder;
    eprintln!("reading {}", folder.display());
    let history = data::history(&folder)?;
    if let Some(directory) = arguments.keep {
        return keep::run(&history, &directory);
    }
    let known = known::known(&folder)?;
    if arguments.conflicts {
        races::run(&history, &known)?;
        conflicts::run(&history, &known, true)?;
        return scores::run(&history, &known);
    }
    let expected = data::expected(&folder)?;
    in_memory::run(&history, &expected)?;
    ancestry::lost(&history);
    races::run(&history, &known)?;
    conflicts::run(&history, &known, false)?;
    scores::run(&history, &known)?;
    whole_path::run(&history, &expected)
}

/// What is wanted.
struct Arguments {
    folder: PathBuf,
    conflicts: bool,
    keep: Option<PathBuf>,
}

impl Arguments {
    #[expect(
        clippy::disallowed_methods,
        reason = "an example is told by its environment where data is"
    )]
    fn read() -> Result<Self, String> {
        let (mut folder, mut conflicts, mut keep) = (None, false, None);
        let mut arguments = std::env::args_os().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("--conflicts") => conflicts = true,
                Some("--keep") => keep = Some(arguments.next().ok_or("--keep needs a directory")?),
                Some(other) if other.starts_with('-') => {
                    return Err(format!(
                        "no option {other}: there are --conflicts and --keep DIR"
                    ));
                }
                _ => folder = Some(argument),
            }
        }
        let named = folder.or_else(|| std::env::var_os("ANABRANCH_DATA"));
        Ok(Self {
            folder: named.map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from),
            conflicts,
            keep: keep.map(PathBuf::from),
        })
    }
}
