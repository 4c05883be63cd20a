//! The workloads of `anabranch` beside other libraries, in one run.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml` prints the whole table and draws
//! it; `--help` says what else it does. Nothing here is part of the library.

mod arguments;
#[allow(dead_code, reason = "the example uses the rest")]
#[path = "../../../examples/history/authors.rs"]
mod authors;
mod child;
mod contest;
// The reading of the real history is that of the example, whose modules know each other by name.
#[allow(dead_code, reason = "the example uses the rest")]
#[path = "../../../examples/history/data.rs"]
mod data;
mod inputs;
mod limit;
mod measure;
mod ours;
mod peers;
mod progress;
mod report;
mod table;
#[allow(dead_code, reason = "the example uses the rest")]
#[path = "../../../examples/history/words.rs"]
mod words;
mod work;

use std::error::Error;
use std::process::ExitCode;

use crate::arguments::{Arguments, Form};

/// All of them allocate by the same means.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What was done, or why it could not be.
pub(crate) type Done<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.split_first() {
        Some((first, rest)) if first == "child" => child::run(rest),
        _ => Arguments::read(words).and_then(|arguments| match arguments {
            Some(arguments) => run(&arguments),
            None => Ok(()),
        }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Done<()> {
    let (rows, failures) = work::run(arguments);
    let report = report::Report::new(arguments, rows);
    match arguments.form {
        Form::Text => println!("{}", report.text()),
        Form::Json => println!("{}", serde_json::to_string_pretty(&report)?),
        Form::Markdown => print!("{}", report.markdown()),
    }
    report.write(arguments)?;
    match failures.as_slice() {
        [] => Ok(()),
        failures => Err(failures.join("\n       ").into()),
    }
}
