use std::any::Any;

use super::faults::FaultCounts;

/// What became of one seed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// How many things users did and went wrong.
    pub operations: u64,
    /// Inputs that replicas were given, and what else happened.
    pub steps: u64,
    /// Milliseconds that passed in the simulated world.
    pub simulated_ms: u64,
    /// How often each fault took effect.
    pub faults: FaultCounts,
    /// A number that two runs share only if everything that happened in them is the same, to the byte.
    pub trace: u64,
    /// What was found wrong.
    pub failure: Option<String>,
}

/// What a panic said.
pub(super) fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| String::from("a panic without words"))
}
