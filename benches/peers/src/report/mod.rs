//! What came out: as text, as JSON, as a page and as a chart.

mod growth;
mod markdown;
mod page;
mod panel;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use self::growth::Growth;
use crate::Done;
use crate::arguments::{Arguments, Scale};
use crate::table::{self, Row};

/// Everything there is to say about one run.
#[derive(Serialize)]
pub(crate) struct Report {
    machine: String,
    scale: Scale,
    rounds: usize,
    pub(crate) rows: Vec<Row>,
    growth: Vec<Growth>,
}

impl Report {
    pub(crate) fn new(arguments: &Arguments, rows: Vec<Row>) -> Self {
        Self {
            machine: machine(),
            scale: arguments.scale,
            rounds: arguments.rounds,
            growth: growth::of(&rows),
            rows,
        }
    }

    /// As it is shown on a terminal.
    pub(crate) fn text(&self) -> String {
        let mut out = format!("{}\n", self.what());
        out.push_str(&table::text(&self.rows));
        if !self.growth.is_empty() {
            out.push_str("\nHow cost grows (exponent of the number of events)\n");
            for growth in &self.growth {
                let _ = writeln!(out, "  {growth}");
            }
        }
        let aimed: Vec<f64> = self.rows.iter().filter_map(Row::miss).collect();
        let met = aimed.iter().filter(|miss| **miss <= 1.0).count();
        let _ = writeln!(out, "\n{met} of {} targets are met", aimed.len());
        out
    }

    /// As a page of text shows it.
    pub(crate) fn markdown(&self) -> String {
        let mut out = format!("{}.\n\n{}\n", self.what(), markdown::table(&self.rows));
        if !self.growth.is_empty() {
            out.push_str("| how cost grows | exponent of the number of events |\n|---|---|\n");
            for growth in &self.growth {
                out.push_str(&growth.line());
            }
        }
        out
    }

    /// How it was measured.
    fn what(&self) -> String {
        let quick = match self.scale {
            Scale::Whole => "",
            Scale::Quick => ", quick",
            Scale::Smoke => ", sizes that say nothing",
        };
        let rounds = self.rounds;
        format!(
            "{}; medians of up to {rounds} rounds in turns{quick}; compute is processor time, \
             everything else wall time",
            self.machine
        )
    }

    /// Writes the page and the chart, where they are wanted.
    pub(crate) fn write(&self, arguments: &Arguments) -> Done<()> {
        let is_whole = arguments.only.is_empty() && !arguments.ours && self.scale != Scale::Smoke;
        let page = arguments.html.clone();
        if let Some(path) = page.or_else(|| is_whole.then(|| PathBuf::from("report.html"))) {
            std::fs::write(&path, page::html(self))?;
            eprintln!("wrote {}", path.display());
        }
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("report.svg");
        let chart = arguments.svg.clone();
        if let Some(path) =
            chart.or_else(|| (is_whole && self.scale == Scale::Whole).then_some(beside))
        {
            std::fs::write(&path, panel::chart(&self.rows, &self.machine))?;
            eprintln!("wrote {}", path.display());
        }
        Ok(())
    }
}

/// The processor and how many of its cores there are.
fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("a processor", |model| {
        model.trim_start_matches([' ', '\t', ':'])
    });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {cores} cores")
}
