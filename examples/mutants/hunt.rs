//! The hunt for one bug, in the build that has them all: `mutants NAME SEEDS`.
//!
//! Prints `at N` now and then, and `found N WHAT` or `survived N` at the end.

use std::io::Write;
use std::process::ExitCode;

use anabranch::mutants;
use anabranch::testing::sim::Simulation;

pub(crate) fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (name, seeds) = (arguments.next(), arguments.next());
    let Some(seeds) = seeds.and_then(|seeds| seeds.parse().ok()) else {
        eprintln!("run the command without `--cfg mutant`: it builds and calls this one");
        return ExitCode::FAILURE;
    };
    let name = name.filter(|name| name != "none");
    if !mutants::choose(name.as_deref()) {
        eprintln!("there is no bug {name:?}");
        return ExitCode::FAILURE;
    }
    // What is found is told below.
    std::panic::set_hook(Box::new(|_| {}));
    hunt(seeds);
    ExitCode::SUCCESS
}

fn hunt(seeds: u64) {
    let simulation = Simulation::new();
    for seed in 0..seeds {
        if seed % 16 == 0 {
            say(&format!("at {seed}"));
        }
        if let Some(what) = simulation.run(seed).failure {
            let first = what.lines().next().unwrap_or_default();
            return say(&format!("found {} {first}", seed + 1));
        }
    }
    say(&format!("survived {seeds}"));
}

/// Whoever does not listen any more does not want to know.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}
