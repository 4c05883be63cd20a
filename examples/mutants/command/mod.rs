//! The command: builds, sends out the hunts, tells what came of them.

mod arguments;
mod build;
mod job;
mod report;
#[path = "../../../src/mutants/table.rs"]
#[expect(unreachable_pub, reason = "the library shares it with the hunters")]
mod table;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use self::arguments::Arguments;
use self::job::{Hunt, hunt};
use self::table::{MUTANTS, Mutant};

/// What is hunted where there is nothing to be found.
const CONTROL: Mutant = Mutant {
    name: "none",
    what: "no bug at all: every seed passes",
    breaks: "nothing",
};

pub(crate) fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("mutants: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, Box<dyn Error>> {
    let Some(arguments) = Arguments::read()? else {
        print!("{}", arguments::HELP);
        return Ok(true);
    };
    let wanted = |mutant: &&Mutant| {
        arguments.only.is_empty() || arguments.only.iter().any(|name| name == mutant.name)
    };
    let mut mutants = vec![&CONTROL];
    mutants.extend(MUTANTS.iter().filter(wanted));
    let program = build::build()?;
    let hunts = hunt_all(&program, &mutants, &arguments);
    if arguments.json {
        report::lines(&hunts);
    } else {
        report::table(&hunts);
    }
    Ok(hunts.iter().all(Hunt::is_well))
}

/// Hunts them all, some at a time, and returns what came of it in the order of the table.
fn hunt_all(program: &Path, mutants: &[&'static Mutant], arguments: &Arguments) -> Vec<Hunt> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| {
                while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let seeds = if mutant.name == CONTROL.name {
                        arguments.control
                    } else {
                        arguments.seeds
                    };
                    let hunt = hunt(program, mutant, seeds);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push(hunt);
                    report::progress(&done, mutants.len());
                }
            });
        }
    });
    let mut hunts = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let place = |hunt: &Hunt| {
        mutants
            .iter()
            .position(|mutant| mutant.name == hunt.mutant.name)
    };
    hunts.sort_by_key(place);
    hunts
}
