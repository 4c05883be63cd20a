/// What `--help` prints.
pub(crate) const HELP: &str = "\
Whole replicas in one thread, from seeds: users, faults, then everything must be equal everywhere.

  cargo run --release --features testing --example sim -- [OPTIONS]

  --seeds N    so many seeds (1,000)
  --first N    from this one on (0)
  --jobs N     on so many threads (2)
  --json       one line of JSON instead of the table
  --seed N     this one alone, and what went wrong in it
  --trace      with --seed: everything that happened
  --help       this

Seeds of tests/sim/seeds.txt are run first, and those that find something are added to it. One seed of a
hundred is run twice and must do the same. Exits with 1 if a seed found something, or if in at least
1,000 seeds some fault never happened.
";

pub(crate) struct Arguments {
    pub(crate) seeds: u64,
    pub(crate) first: u64,
    pub(crate) jobs: usize,
    pub(crate) json: bool,
}

pub(crate) enum Wish {
    Help,
    One { seed: u64, trace: bool },
    Many(Arguments),
}

pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Wish, String> {
    let mut many = Arguments {
        seeds: 1_000,
        first: 0,
        jobs: 2,
        json: false,
    };
    let (mut one, mut trace) = (None, false);
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().map(|value| value.replace(['_', ','], ""));
            let value = value.and_then(|value| value.parse::<u64>().ok());
            value.ok_or_else(|| format!("{word} needs a number"))
        };
        match word.as_str() {
            "--seeds" => many.seeds = number()?,
            "--first" => many.first = number()?,
            "--jobs" => many.jobs = usize::try_from(number()?).unwrap_or(usize::MAX),
            "--seed" => one = Some(number()?),
            "--json" => many.json = true,
            "--trace" => trace = true,
            "--help" | "-h" => return Ok(Wish::Help),
            other => return Err(format!("{other} is no option")),
        }
    }
    Ok(match one {
        Some(seed) => Wish::One { seed, trace },
        None => Wish::Many(many),
    })
}
