//! Hybrid logical time: stamps that follow causality and stay near the wall clock.
//!
//! The invariant kept here: a stamp is greater than every stamp of the clock before it and than the
//! greatest in the pasts of the aggregates it is written to; and no other node can push a clock
//! further ahead of its own wall clock than [`DRIFT_MS_MAX`](crate::limits::DRIFT_MS_MAX).
//!
//! No wall clock is read here. Each call takes the reading (`now_ms`, milliseconds since 1970) from
//! outside, and a reading may be anything: years off, standing still, running backwards.

mod hybrid;
mod now;

pub use hybrid::{Adoption, ClockError, HybridClock, first_hop_skew};
pub use now::Now;
