//! Does the simulation find bugs? One after the other is planted, until it finds them.
//!
//! `cargo run --release --features testing --example mutants` builds itself once more, with every
//! bug of `src/mutants/table.rs` in it, in `target/mutants`; then it plants each of them in turn and
//! runs seed after seed until a check of the simulation fails. It prints how many seeds that took and
//! what the check said. First the same build runs without any bug, and no check may fail. Exits with 1
//! if a bug was not found, or something was found where there is none.
//!
//! - `--only NAME` hunts this bug only; may be said several times.
//! - `--seeds N` gives up after so many seeds (20,000).
//! - `--jobs N` runs so many hunts at a time (2).
//! - `--json` prints one line of JSON for each bug instead of the table.

#[cfg(not(mutant))]
mod command;
#[cfg(mutant)]
mod hunt;

use std::process::ExitCode;

#[cfg(not(mutant))]
fn main() -> ExitCode {
    command::main()
}

#[cfg(mutant)]
fn main() -> ExitCode {
    hunt::main()
}
