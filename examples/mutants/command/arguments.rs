use super::table::MUTANTS;

pub(crate) const HELP: &str = "\
Plants bugs, one after the other, and tells whether the simulation finds them.

Usage: cargo run --release --features testing --example mutants -- [OPTIONS]

  --only NAME    hunt this bug only; may be said several times
  --seeds N      give up after so many seeds (20000)
  --control N    seeds without any bug (1000)
  --jobs N       hunts at a time (2)
  --json         one line of JSON for each bug instead of the table
  --help         this text

Exits with 1 if a bug was not found, or if something was found where there is none.
";

/// What is wanted.
pub(crate) struct Arguments {
    pub(crate) only: Vec<String>,
    pub(crate) seeds: u64,
    pub(crate) control: u64,
    pub(crate) jobs: u64,
    pub(crate) json: bool,
}

impl Arguments {
    /// Nothing where help is wanted.
    pub(crate) fn read() -> Result<Option<Self>, String> {
        let mut read = Self {
            only: Vec::new(),
            seeds: 20_000,
            control: 1_000,
            jobs: 2,
            json: false,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--json" => read.json = true,
                "--only" => read.only.push(known(value()?)?),
                "--seeds" => read.seeds = number(&value()?)?,
                "--control" => read.control = number(&value()?)?,
                "--jobs" => read.jobs = number(&value()?)?,
                other => return Err(format!("no option {other}: see --help")),
            }
        }
        Ok(Some(read))
    }
}

fn known(name: String) -> Result<String, String> {
    if MUTANTS.iter().any(|mutant| mutant.name == name) {
        return Ok(name);
    }
    Err(format!("no bug is called {name}: see src/mutants/table.rs"))
}

fn number(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("{text} is no number of at least 1"))
}
