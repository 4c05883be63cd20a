use std::io::Write;
use std::time::{Duration, Instant};

use anabranch::testing::sim::SweepReport;

/// The line that repeats a seed.
pub(crate) fn repeat(seed: u64) -> String {
    format!("cargo run --release --features testing --example sim -- --seed {seed} --trace")
}

/// Wipes the line of the progress.
pub(crate) fn wipe() {
    eprint!("\r{:60}\r", "");
}

/// How long it takes in the real world.
pub(crate) struct Watch {
    start: Instant,
}

impl Watch {
    #[expect(
        clippy::disallowed_methods,
        reason = "a program that tells how long it took"
    )]
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    fn took(&self) -> Duration {
        self.start.elapsed()
    }

    /// One line that is written over.
    pub(crate) fn tell(&self, report: &SweepReport, seeds: u64) {
        let (done, found) = (report.seeds, report.failures.len());
        let seconds = self.took().as_secs();
        eprint!("\r{done} of {seeds} seeds, {found} found something, {seconds} s ");
        let _ = std::io::stderr().flush();
    }

    /// Simulated time for each second that passed.
    fn ratio(&self, report: &SweepReport) -> u64 {
        let ms = u64::try_from(self.took().as_millis()).unwrap_or(u64::MAX);
        report.simulated_ms / ms.max(1)
    }

    pub(crate) fn table(&self, report: &SweepReport) {
        print!("{report}");
        println!();
        println!(
            "{:>12}  s of real time, in each of which {} s were simulated",
            self.took().as_secs(),
            self.ratio(report)
        );
    }

    pub(crate) fn json(&self, report: &SweepReport) -> serde_json::Value {
        let faults = report.faults.iter();
        let faults = faults.map(|(fault, times)| (fault.name().into(), times.into()));
        let failures = report.failures.iter().map(|finding| {
            serde_json::json!({
                "seed": finding.seed,
                "what": finding.what,
                "repeat": repeat(finding.seed),
            })
        });
        serde_json::json!({
            "seeds": report.seeds,
            "run_twice": report.twice,
            "operations": report.operations,
            "steps": report.steps,
            "simulated_ms": report.simulated_ms,
            "real_ms": u64::try_from(self.took().as_millis()).unwrap_or(u64::MAX),
            "simulated_to_real": self.ratio(report),
            "faults": faults.collect::<serde_json::Map<_, _>>(),
            "failures": failures.collect::<Vec<_>>(),
        })
    }
}
