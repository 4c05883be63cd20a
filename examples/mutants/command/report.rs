use std::io::IsTerminal;

use super::CONTROL;
use super::job::Hunt;

/// Shows how far the hunts have come, to those who look on.
pub(crate) fn progress(done: &[Hunt], all: usize) {
    let Some(last) = done.last() else { return };
    let count = done.len();
    if std::io::stderr().is_terminal() {
        eprint!("\r  {count} of {all}: {:60}", last.mutant.name);
        if count == all {
            eprintln!();
        }
    }
}

/// One line of JSON for each hunt.
pub(crate) fn lines(hunts: &[Hunt]) {
    for hunt in hunts {
        let line = serde_json::json!({
            "mutant": hunt.mutant.name,
            "what": hunt.mutant.what,
            "breaks": hunt.mutant.breaks,
            "seeds": hunt.seeds,
            "found": hunt.found,
            "seconds": hunt.seconds,
        });
        println!("{line}");
    }
}

/// The table, and what it amounts to.
pub(crate) fn table(hunts: &[Hunt]) {
    println!("| planted bug | what it is | seeds | seconds | what was found |");
    println!("|---|---|---|---|---|");
    for hunt in hunts {
        let found = match (&hunt.found, hunt.is_well()) {
            (Some(found), true) => short(found),
            (None, true) => "nothing, as it should be".into(),
            (Some(found), false) => format!("**found without a bug**: {found}"),
            (None, false) => "**survived**".into(),
        };
        println!(
            "| `{}` | {} | {} | {:.1} | {found} |",
            hunt.mutant.name, hunt.mutant.what, hunt.seeds, hunt.seconds
        );
    }
    let bugs = || hunts.iter().filter(|hunt| hunt.mutant.name != CONTROL.name);
    let mut seeds: Vec<u64> = bugs()
        .filter(|hunt| hunt.is_well())
        .map(|hunt| hunt.seeds)
        .collect();
    seeds.sort_unstable();
    let median = seeds.get(seeds.len() / 2).copied().unwrap_or_default();
    let most = seeds.last().copied().unwrap_or_default();
    println!(
        "\n{} of {} bugs found; seeds needed: {median} in the median, {most} at most.",
        seeds.len(),
        bugs().count(),
    );
}

/// The first words of what a check said: ids differ from run to run of a changed crate.
fn short(found: &str) -> String {
    let text: String = found.chars().take(100).collect();
    text.replace('|', "/")
}
