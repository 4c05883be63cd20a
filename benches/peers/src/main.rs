//! The workloads of `anabranch` beside other libraries, in one run.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml` prints the whole table; `--help`
//! says what else it does. Nothing here is part of the library.

mod arguments;
mod contest;
mod inputs;
mod limit;
mod measure;
mod ours;
mod peers;
mod progress;
mod table;
mod work;

use std::error::Error;
use std::process::ExitCode;

use crate::arguments::Arguments;

/// All of them allocate by the same means.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What was done, or why it could not be.
pub(crate) type Done<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let outcome = Arguments::read().and_then(|arguments| match arguments {
        Some(arguments) => run(&arguments),
        None => Ok(()),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Done<()> {
    let rows = work::run(arguments)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        println!("{}", table::text(&rows));
    }
    Ok(())
}
