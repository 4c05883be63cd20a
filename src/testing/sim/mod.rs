//! The whole system in one thread, from one seed.
//!
//! Real engines and sessions run over modelled disks, links and clocks; users write, read, subscribe
//! and resolve, and things go wrong. Then everything heals, must fall silent within a bound, and must
//! be equal everywhere. There is no sleeping, no real time and no thread in a run: everything that
//! happens follows from the seed, so a failure can be repeated.
//!
//! ```
//! use anabranch::testing::sim::Simulation;
//!
//! let outcome = Simulation::new().run(7);
//! assert_eq!(outcome.failure, None);
//! ```
//!
//! # With your rules
//! ```
//! use anabranch::event::Payload;
//! use anabranch::testing::sim::{Cast, Simulation, Sweep};
//! use anabranch::{FoldFn, Registry};
//!
//! let seats = FoldFn::new("seats", 1, |_| 0u64, |taken, more: &u64, _| *taken += more);
//! let cast = Cast::new(Registry::new().with("flight", seats)?)
//!     .writing(["flight/7", "flight/8"], |draws| Payload::encode(&draws.below(4)).unwrap());
//! let report = Sweep::new(Simulation::with_cast(cast), 0..10).with_jobs(2).run(|_| ());
//! assert!(report.failures.is_empty(), "{report}");
//! # Ok::<(), anabranch::resolver::RegistryError>(())
//! ```
//! A seed that fails does so again: [`Simulation::run_traced`] tells everything that happened in it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a run fails by panicking, which is caught at its end"
)]
#![expect(
    clippy::indexing_slicing,
    reason = "so does one that looks for a replica that is not there"
)]
#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "the numbers of a simulated world are small"
)]

mod cast;
mod checks;
mod clocks;
mod disk;
mod draws;
mod faults;
mod network;
mod outcome;
mod plan;
mod sweep;
#[cfg(test)]
mod tests;
mod trace;
mod users;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

pub use cast::Cast;
pub use draws::Draws;
pub use faults::{Fault, FaultCounts};
pub use outcome::Outcome;
pub use sweep::{Finding, Sweep, SweepReport};

use self::world::World;

/// A system that can be simulated: run it with a seed.
#[derive(Clone, Debug, Default)]
pub struct Simulation {
    cast: Arc<Cast>,
}

impl Simulation {
    /// A handful of replicas under some of the built-in rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same under your rules.
    pub fn with_cast(cast: Cast) -> Self {
        Self {
            cast: Arc::new(cast),
        }
    }

    /// Lives through what follows from `seed`: chaos, then peace, then everything must be equal. A
    /// check that fails ends the run and is told in [`Outcome::failure`].
    pub fn run(&self, seed: u64) -> Outcome {
        self.live(seed, false).0
    }

    /// The same, with a line for everything that happened.
    pub fn run_traced(&self, seed: u64) -> (Outcome, String) {
        self.live(seed, true)
    }

    fn live(&self, seed: u64, is_traced: bool) -> (Outcome, String) {
        let mut world = World::new(Arc::clone(&self.cast), seed, is_traced);
        let end = catch_unwind(AssertUnwindSafe(|| world.live()));
        let outcome = Outcome {
            seed,
            operations: world.operations,
            steps: world.tally.steps,
            simulated_ms: world.now,
            faults: world.counts,
            trace: world.trace.sum(),
            failure: end.err().map(|panic| outcome::said(panic.as_ref())),
        };
        (outcome, world.trace.into_text())
    }
}
