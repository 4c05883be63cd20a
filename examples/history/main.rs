//! A real history: fourteen years of edits to a public record set by 161 people, replayed.
//!
//! `cargo run --release --example history -- [FOLDER]` reads `legislators.jsonl.gz` and
//! `legislators.final.tsv.gz` from the folder (or from the one that `ANABRANCH_DATA` names, or from
//! `../shared/data`), folds them in the merge core in eleven orders of delivery, and checks that the
//! outcome is always the known one. Exits with 1 and a message where it is not.

mod data;
mod in_memory;
mod whole_path;

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
        eprint!("\r  {text}");
    }
}

/// The next line of those who look on.
fn progress_ends() {
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let folder = folder();
    eprintln!("reading {}", folder.display());
    let expected = data::expected(&folder)?;
    let history = data::history(&folder)?;
    in_memory::run(&history, &expected)?;
    whole_path::run(&history, &expected)
}

#[expect(
    clippy::disallowed_methods,
    reason = "an example is told by its environment where data is"
)]
fn folder() -> PathBuf {
    let argument = std::env::args_os().nth(1);
    let named = argument.or_else(|| std::env::var_os("ANABRANCH_DATA"));
    named.map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from)
}
