//! The command line.

use crate::Done;

const HELP: &str = "\
The workloads of anabranch beside other libraries, in one run.

usage: anabranch-peers [options]

  --quick           smaller sizes, fewer rounds: a look in under two minutes
  --only W1,W3      these rows alone
  --rounds N        rounds of each contest (5; with --quick 3)
  --ours            leave the peers out: what a change of ours does
  --json            the table as JSON
  --list            the rows there are
  --help            this text
";

/// What is to be run, and how.
pub(crate) struct Arguments {
    pub(crate) quick: bool,
    pub(crate) only: Vec<String>,
    pub(crate) rounds: usize,
    pub(crate) json: bool,
    /// No peers.
    pub(crate) ours: bool,
}

impl Arguments {
    /// What the command line says; nothing if all it wanted was to be told something.
    pub(crate) fn read() -> Done<Option<Self>> {
        let mut arguments = Self {
            quick: false,
            only: Vec::new(),
            rounds: 0,
            json: false,
            ours: false,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => arguments.quick = true,
                "--json" => arguments.json = true,
                "--ours" => arguments.ours = true,
                "--rounds" => arguments.rounds = words.next().ok_or("--rounds N")?.parse()?,
                "--only" => {
                    let list = words.next().ok_or("--only W1,W3")?;
                    arguments.only = list.split(',').map(str::to_uppercase).collect();
                }
                "--list" => {
                    for (id, what, _) in crate::work::ROWS {
                        println!("{id:<4} {what}");
                    }
                    return Ok(None);
                }
                "--help" | "-h" => {
                    print!("{HELP}");
                    return Ok(None);
                }
                other => return Err(format!("unknown argument {other}; see --help").into()),
            }
        }
        let known = |id: &String| {
            crate::work::ROWS
                .iter()
                .any(|row| row.0.eq_ignore_ascii_case(id))
        };
        if let Some(unknown) = arguments.only.iter().find(|id| !known(id)) {
            return Err(format!("there is no row {unknown}; see --list").into());
        }
        if arguments.rounds == 0 {
            arguments.rounds = if arguments.quick { 3 } else { 5 };
        }
        Ok(Some(arguments))
    }

    /// Whether a row is wanted.
    pub(crate) fn wants(&self, id: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only.eq_ignore_ascii_case(id))
    }
}
