//! The rows of the table, a file each.

mod append;
mod bulk;
mod bytes;
mod disk;
mod fanout;
mod kinds;
mod late;
mod latency;
mod live;
mod memory;
mod open;
mod real;
mod reconnect;
mod stream;

use std::time::Duration;

use crate::Done;
use crate::arguments::{Arguments, Scale};
use crate::contest::Rounds;
use crate::progress::Progress;
use crate::table::Row;

/// What a row is run with.
pub(crate) struct Bench<'a> {
    pub(crate) arguments: &'a Arguments,
    pub(crate) progress: Progress,
    pub(crate) rows: Vec<Row>,
    pub(crate) stores: disk::Stores,
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
    ("W5", "a late event", late::run),
    ("W6", "durable append", append::run),
    ("W7", "writer to reader, one event at a time", latency::run),
    ("W8", "writer to reader, as much as goes", stream::run),
    ("W9", "fan-out", fanout::run),
    ("W10", "memory", memory::run),
    ("W11", "open a store", open::run),
    ("W12", "a real history", real::run),
    ("W13", "counters and sets", kinds::run),
    ("W14", "read the log from disk", open::run_replay),
];

/// Runs what is wanted; the rows, and what could not be measured and why.
pub(crate) fn run(arguments: &Arguments) -> (Vec<Row>, Vec<String>) {
    let mut bench = Bench {
        arguments,
        progress: Progress::new(),
        rows: Vec::new(),
        stores: disk::Stores::default(),
    };
    let mut failures = Vec::new();
    for (id, what, work) in ROWS {
        if arguments.wants(id) {
            bench.progress.row(&format!("{id} {what}"));
            // The other rows are worth having all the same.
            if let Err(error) = work(&mut bench) {
                failures.push(format!("{id}: {error}"));
            }
        }
    }
    bench.progress.ends();
    (bench.rows, failures)
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

    /// Sizes at which growth is looked at.
    pub(crate) fn sizes(&self) -> &'static [usize] {
        self.pick(&[10_000, 100_000, 1_000_000], &[10_000, 100_000], &[1_000])
    }

    /// One of three, by how much is wanted.
    pub(crate) fn pick<T>(&self, whole: T, quick: T, smoke: T) -> T {
        match self.arguments.scale {
            Scale::Whole => whole,
            Scale::Quick => quick,
            Scale::Smoke => smoke,
        }
    }

    pub(crate) fn quick(&self) -> bool {
        self.arguments.scale != Scale::Whole
    }
}
