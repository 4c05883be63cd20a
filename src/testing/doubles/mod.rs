//! Stand-ins that fail, wait and remember on command, for tests of what is built on this crate.
//!
//! A [`FaultyStore`] and a [`FaultyTransport`] wrap a real one and put faults where a script says; a
//! [`ManualClock`] moves when it is told to; a [`Recorder`] keeps what its rule was asked. Without a
//! script each behaves as what it wraps, to the last promise of the conformance suites.
//!
//! Nothing here draws lots: what happens follows from the script and the calls.
#![expect(
    clippy::expect_used,
    reason = "a double runs in tests, and a lock of its own is never poisoned"
)]

mod faulty_store;
mod faulty_transport;
mod manual_clock;
mod recorder;

pub use faulty_store::{FaultyStore, Made, Operation, StoreFault, StoreFaults, When};
pub use faulty_transport::{Direction, FaultyTransport, LinkFault, LinkFaults, Passed};
pub use manual_clock::ManualClock;
pub use recorder::{Asked, Recorder};
