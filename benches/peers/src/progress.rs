//! What is going on, on stderr.

use std::io::{IsTerminal, Write};
use std::time::Instant;

/// One line that says what is being done; on a terminal it is overwritten, elsewhere each row of
/// the table is told once.
pub(crate) struct Progress {
    began: Instant,
    row: String,
    is_terminal: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            row: String::new(),
            is_terminal: std::io::stderr().is_terminal(),
        }
    }

    pub(crate) fn row(&mut self, row: &str) {
        row.clone_into(&mut self.row);
        if !self.is_terminal {
            eprintln!("[{:>4} s] {row}", self.seconds());
        }
    }

    pub(crate) fn step(&self, step: &str) {
        if self.is_terminal {
            eprint!("\r\x1b[K[{:>4} s] {}: {step}", self.seconds(), self.row);
            let _ = std::io::stderr().flush();
        }
    }

    pub(crate) fn ends(&self) {
        if self.is_terminal {
            eprint!("\r\x1b[K");
        }
        eprintln!("[{:>4} s] done", self.seconds());
    }

    pub(crate) fn seconds(&self) -> u64 {
        self.began.elapsed().as_secs()
    }
}
