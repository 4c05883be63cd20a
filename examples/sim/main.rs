//! The whole system in one thread, from as many seeds as you like: what goes wrong, how often, and
//! whether everything was equal in the end.
//!
//! `cargo run --release --features testing --example sim -- --help`

mod arguments;
mod telling;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anabranch::testing::sim::{Fault, Finding, Simulation, Sweep};

use crate::arguments::{Arguments, Wish};
use crate::telling::Watch;

/// A fifth of a seed is memory that is taken and given back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A run of fewer seeds may leave a rare fault out.
const ENOUGH: u64 = 1_000;

fn main() -> ExitCode {
    match arguments::read(std::env::args().skip(1)) {
        Ok(Wish::Help) => {
            print!("{}", arguments::HELP);
            ExitCode::SUCCESS
        }
        Ok(Wish::One { seed, trace }) => one(seed, trace),
        Ok(Wish::Many(arguments)) => many(&arguments),
        Err(what) => {
            eprintln!("{what}\n\n{}", arguments::HELP);
            ExitCode::from(2)
        }
    }
}

fn one(seed: u64, is_traced: bool) -> ExitCode {
    let simulation = Simulation::new();
    let outcome = if is_traced {
        let (outcome, trace) = simulation.run_traced(seed);
        print!("{trace}");
        outcome
    } else {
        simulation.run(seed)
    };
    println!(
        "seed {seed}: {} operations, {} steps, {} s simulated, trace {:016x}",
        outcome.operations,
        outcome.steps,
        outcome.simulated_ms / 1_000,
        outcome.trace
    );
    for (fault, times) in outcome.faults.iter().filter(|(_, times)| *times > 0) {
        println!("{times:>8}  {fault}");
    }
    match outcome.failure {
        None => ExitCode::SUCCESS,
        Some(what) => {
            println!("{what}");
            ExitCode::FAILURE
        }
    }
}

fn many(arguments: &Arguments) -> ExitCode {
    // What fails is told at the end; a backtrace of each would bury it.
    std::panic::set_hook(Box::new(|_| ()));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/seeds.txt");
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    let watch = Watch::start();
    let last = arguments.first.saturating_add(arguments.seeds);
    let report = Sweep::new(Simulation::new(), arguments.first..last)
        .with_jobs(arguments.jobs)
        .replaying(&kept)
        .run(|report| watch.tell(report, arguments.seeds));
    telling::wipe();
    for finding in &report.failures {
        keep(&file, &kept, finding);
    }
    let missing: Vec<&str> = report.faults.missing().map(Fault::name).collect();
    let lacks = report.seeds >= ENOUGH && !missing.is_empty();
    if arguments.json {
        println!("{}", watch.json(&report));
    } else {
        watch.table(&report);
        for finding in &report.failures {
            println!("{}", telling::repeat(finding.seed));
        }
        if lacks {
            println!("never happened: {}", missing.join(", "));
        }
    }
    if lacks || !report.failures.is_empty() {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// A seed that found something is replayed by every run from now on.
fn keep(file: &Path, kept: &str, finding: &Finding) {
    let name = finding.seed.to_string();
    if kept
        .lines()
        .any(|line| line.split_whitespace().next() == Some(&name))
    {
        return;
    }
    let what = finding.what.lines().next().unwrap_or_default();
    let what: String = what.chars().take(160).collect();
    let appended = OpenOptions::new()
        .append(true)
        .create(true)
        .open(file)
        .and_then(|mut file| writeln!(file, "{name} {what}"));
    if let Err(error) = appended {
        eprintln!("{}: {error}", file.display());
    }
}
