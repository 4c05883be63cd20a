//! The command line.

use std::path::PathBuf;

use serde::Serialize;

use crate::Done;

const HELP: &str = "\
The workloads of anabranch beside other libraries, in one run.

usage: anabranch-peers [options]

  --quick           smaller sizes, fewer rounds: a look in under two minutes
  --smoke           tiny sizes: whether everything runs
  --only W1,W3      these rows alone
  --rounds N        rounds of each contest (5; with --quick 2)
  --idle-hub N      events on the disk of the idle hub in W10 (as many as the largest size; 10000000
                    take a gigabyte and some minutes)
  --ours            leave the peers out: what a change of ours does
  --json            the table as JSON
  --markdown        the table as Markdown, of the others the best alone
  --html FILE       where the report goes (report.html, if all rows are run)
  --svg FILE        where the chart goes (report.svg beside this program's manifest, if all
                    rows are run without --quick)
  --list            the rows there are
  --help            this text
";

/// How much is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scale {
    /// Everything.
    Whole,
    /// A look.
    Quick,
    /// Whether it runs at all; no figure means anything.
    Smoke,
}

/// How the table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Json,
    Markdown,
}

/// What is to be run, and how.
pub(crate) struct Arguments {
    pub(crate) scale: Scale,
    pub(crate) only: Vec<String>,
    pub(crate) rounds: usize,
    pub(crate) form: Form,
    /// Events of the idle hub, where that is not as many as the largest size.
    pub(crate) idle_hub: Option<usize>,
    /// No peers.
    pub(crate) ours: bool,
    pub(crate) html: Option<PathBuf>,
    pub(crate) svg: Option<PathBuf>,
}

impl Arguments {
    /// What the command line says; nothing if all it wanted was to be told something.
    pub(crate) fn read(words: Vec<String>) -> Done<Option<Self>> {
        let mut arguments = Self {
            scale: Scale::Whole,
            only: Vec::new(),
            rounds: 0,
            form: Form::Text,
            idle_hub: None,
            ours: false,
            html: None,
            svg: None,
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => arguments.scale = Scale::Quick,
                "--smoke" => arguments.scale = Scale::Smoke,
                "--json" => arguments.form = Form::Json,
                "--markdown" => arguments.form = Form::Markdown,
                "--ours" => arguments.ours = true,
                "--rounds" => arguments.rounds = words.next().ok_or("--rounds N")?.parse()?,
                "--idle-hub" => {
                    arguments.idle_hub = Some(words.next().ok_or("--idle-hub N")?.parse()?);
                }
                "--only" => {
                    let list = words.next().ok_or("--only W1,W3")?;
                    arguments.only = list.split(',').map(str::to_uppercase).collect();
                }
                "--html" => arguments.html = Some(words.next().ok_or("--html FILE")?.into()),
                "--svg" => arguments.svg = Some(words.next().ok_or("--svg FILE")?.into()),
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
            arguments.rounds = match arguments.scale {
                Scale::Whole => 5,
                Scale::Quick | Scale::Smoke => 2,
            };
        }
        Ok(Some(arguments))
    }

    /// Whether a row is wanted.
    pub(crate) fn wants(&self, id: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only.eq_ignore_ascii_case(id))
    }
}
