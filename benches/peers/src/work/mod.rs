//! The rows of the table, a file each.

mod bulk;
mod bytes;
mod live;
mod reconnect;

use std::time::Duration;

use crate::Done;
use crate::arguments::Arguments;
use crate::contest::Rounds;
use crate::progress::Progress;
use crate::table::Row;

/// What a row is run with.
pub(crate) struct Bench<'a> {
    pub(crate) arguments: &'a Arguments,
    pub(crate) progress: Progress,
    pub(crate) rows: Vec<Row>,
}

type Work = fn(&mut Bench<'_>) -> Done<()>;

/// Each row: its name, what it is about, and how it is run.
pub(crate) const ROWS: &[(&str, &str, Work)] = &[
    ("W1", "bulk merge at one receiver", bulk::run),
    (
        "W1a",
        "the same under rules that claim less",
        bulk::run_rules,
    ),
    ("W1b", "the same over 100 hot keys", bulk::run_hot),
    ("W2", "bytes of a batch", bytes::run),
    ("W3", "live, one event per message", live::run),
    ("W3b", "bytes of such a message", live::run_bytes),
    ("W4", "reconnect", reconnect::run),
];

/// Runs what is wanted.
pub(crate) fn run(arguments: &Arguments) -> Done<Vec<Row>> {
    let mut bench = Bench {
        arguments,
        progress: Progress::new(),
        rows: Vec::new(),
    };
    for (id, what, work) in ROWS {
        if arguments.wants(id) {
            bench.progress.row(&format!("{id} {what}"));
            work(&mut bench)?;
        }
    }
    bench.progress.ends();
    Ok(bench.rows)
}

impl Bench<'_> {
    pub(crate) fn rounds(&self, seconds: u64) -> Rounds {
        Rounds {
            count: self.arguments.rounds,
            budget: Duration::from_secs(seconds),
        }
    }

    /// The peers, unless they are left out.
    pub(crate) fn peers(&self) -> Vec<Box<dyn crate::peers::Peer>> {
        if self.arguments.ours {
            Vec::new()
        } else {
            crate::peers::all()
        }
    }

    pub(crate) fn quick(&self) -> bool {
        self.arguments.quick
    }
}
