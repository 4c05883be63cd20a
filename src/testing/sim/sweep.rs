use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::{FaultCounts, Outcome, Simulation};

/// Of so many seeds one is run twice.
const TWICE: u64 = 100;
/// After so many seeds the progress is told.
const TOLD: u64 = 64;

/// Many seeds, on several threads; each run itself knows none.
///
/// ```
/// use anabranch::testing::sim::{Simulation, Sweep};
///
/// let report = Sweep::new(Simulation::new(), 0..4).with_jobs(2).run(|_| ());
/// assert!(report.failures.is_empty(), "{report}");
/// ```
#[derive(Clone, Debug)]
pub struct Sweep {
    simulation: Simulation,
    kept: Vec<u64>,
    seeds: Range<u64>,
    jobs: usize,
}

/// A seed that found something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The seed.
    pub seed: u64,
    /// What it found.
    pub what: String,
}

/// What became of many seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepReport {
    /// How many were run.
    pub seeds: u64,
    /// How many of them were run twice, and gave the same trace or are among the failures.
    pub twice: u64,
    /// How many things users did and went wrong.
    pub operations: u64,
    /// Inputs that replicas were given, and what else happened.
    pub steps: u64,
    /// Milliseconds that passed in the simulated worlds.
    pub simulated_ms: u64,
    /// How often each fault took effect.
    pub faults: FaultCounts,
    /// Seeds that found something, ascending.
    pub failures: Vec<Finding>,
}

impl Sweep {
    /// These seeds, one after the other.
    pub fn new(simulation: Simulation, seeds: Range<u64>) -> Self {
        Self {
            simulation,
            kept: Vec::new(),
            seeds,
            jobs: 1,
        }
    }

    /// So many threads; at least one.
    #[must_use]
    pub fn with_jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// Runs first what found something before: seeds, one at the beginning of each line of a text. Lines
    /// that begin otherwise are remarks.
    #[must_use]
    pub fn replaying(mut self, text: &str) -> Self {
        let first = |line: &str| line.split_whitespace().next()?.parse::<u64>().ok();
        self.kept.extend(text.lines().filter_map(first));
        self
    }

    /// Runs them all. One of a hundred is run twice, and must do the same to the byte. `progress` is
    /// given what has become of them so far, now and then.
    pub fn run(self, progress: impl Fn(&SweepReport) + Sync) -> SweepReport {
        let Self {
            simulation,
            kept,
            seeds,
            jobs,
        } = self;
        let count = kept.len() + (seeds.end - seeds.start.min(seeds.end)) as usize;
        let seed = |at: usize| match kept.get(at) {
            Some(seed) => *seed,
            None => seeds.start + (at - kept.len()) as u64,
        };
        let next = AtomicUsize::new(0);
        let report = Mutex::new(SweepReport::default());
        thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        if at >= count {
                            return;
                        }
                        let seed = seed(at);
                        let outcome = simulation.run(seed);
                        let again = seed.is_multiple_of(TWICE).then(|| simulation.run(seed));
                        let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
                        report.add(&outcome, again.as_ref());
                        if report.seeds.is_multiple_of(TOLD) {
                            progress(&report);
                        }
                    }
                });
            }
        });
        let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.failures.sort_by_key(|finding| finding.seed);
        report
    }
}

impl SweepReport {
    fn add(&mut self, outcome: &Outcome, again: Option<&Outcome>) {
        let seed = outcome.seed;
        self.seeds += 1;
        self.operations += outcome.operations;
        self.steps += outcome.steps;
        self.simulated_ms += outcome.simulated_ms;
        self.faults.add(&outcome.faults);
        let mut found = outcome.failure.clone();
        if let Some(again) = again {
            self.twice += 1;
            if again != outcome {
                let what = String::from("the same seed did something else when it was run again");
                found = found.or(Some(what));
            }
        }
        self.failures
            .extend(found.map(|what| Finding { seed, what }));
    }

    /// Days that passed in the simulated worlds.
    pub fn simulated_days(&self) -> u64 {
        self.simulated_ms / 86_400_000
    }
}

/// A table for people.
impl fmt::Display for SweepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (years, days) = (self.simulated_days() / 365, self.simulated_days() % 365);
        writeln!(f, "{:>12}  seeds", self.seeds)?;
        writeln!(
            f,
            "{:>12}  of them run twice, with the same trace",
            self.twice
        )?;
        writeln!(f, "{:>12}  operations", self.operations)?;
        writeln!(f, "{:>12}  steps", self.steps)?;
        writeln!(
            f,
            "{:>12}  simulated ({years} years, {days} days)",
            self.hours()
        )?;
        writeln!(f)?;
        for (fault, times) in self.faults.iter() {
            writeln!(f, "{times:>12}  {fault}")?;
        }
        for finding in &self.failures {
            writeln!(f, "\nseed {}: {}", finding.seed, finding.what)?;
        }
        Ok(())
    }
}

impl SweepReport {
    fn hours(&self) -> String {
        format!("{} h", self.simulated_ms / 3_600_000)
    }
}
