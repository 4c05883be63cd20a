//! The smallest history found that shows what is wrong with a rule, as a test to paste.
//!
//! A history is taken from a timeline, tried as the laws of [`testing`](crate) try one, and made
//! smaller for as long as it still shows the mistake. What is kept is payloads and who had seen what;
//! names, stamps and event types are those that the printed test gives them. All work is bounded, and
//! runs the rule under a guard only.

mod lawful;
mod search;
mod sketch;
mod source;

use alloc::string::String;
use core::fmt;

pub(in crate::merge) use sketch::{Sketch, Step};

use self::lawful::Bench;
use super::{Guard, Shortcut, Shortcuts};
use crate::event::Digest;
use crate::resolver::Route;

/// A law that a rule breaks, by the name that `anabranch::testing::laws::Law` has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum BrokenLaw {
    /// The same events give the same state.
    Determinism,
    /// Footprints name all that an event reads or writes.
    Footprint,
    /// Where it is claimed, concurrent events commute.
    Commutation,
    /// A copy of a state is a copy.
    Rollback,
    /// A state that is written and read goes on as if nothing had been.
    StateSplit,
}

impl BrokenLaw {
    /// The law that a shortcut relies on.
    pub const fn behind(shortcut: Shortcut) -> Self {
        match shortcut {
            Shortcut::Footprint => Self::Footprint,
            Shortcut::Claim => Self::Commutation,
            Shortcut::Checkpoint => Self::Rollback,
            Shortcut::StoredFold => Self::StateSplit,
        }
    }
}

impl fmt::Display for BrokenLaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Determinism => "determinism",
            Self::Footprint => "footprint",
            Self::Commutation => "commutation",
            Self::Rollback => "rollback",
            Self::StateSplit => "state_split",
        })
    }
}

/// What shows that a rule breaks a law.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Evidence {
    /// The law.
    pub law: BrokenLaw,
    /// How many events the history has.
    pub events: usize,
    /// Whether the mistake was seen in this very history, here and now.
    pub is_shown: bool,
    /// A `#[test]` of this history, with all its payloads. It fails where the mistake shows; whoever
    /// pastes it writes `your_suite()`, the `Suite` of the rule.
    pub test: String,
}

/// Looks in a history for what is wrong: which of some shortcuts fail there, and the smallest
/// history found that shows the first of them.
pub(in crate::merge) fn false_shortcuts(
    sketch: &Sketch,
    suspects: Shortcuts,
    route: &Route,
    guard: &dyn Guard,
) -> (Shortcuts, Option<Evidence>) {
    let mut bench = Bench::new(route, guard);
    let fails = |shortcut: &Shortcut| bench.shows(BrokenLaw::behind(*shortcut), sketch);
    let found: Shortcuts = suspects.iter().filter(fails).collect();
    let first = found.iter().next();
    let evidence = first.map(|shortcut| {
        let law = BrokenLaw::behind(shortcut);
        let smallest = search::shrink(law, sketch.clone(), &mut Bench::new(route, guard));
        source::evidence(law, &smallest, true, route, &[])
    });
    (found, evidence)
}

/// The smallest history found in which a rule comes to something else when it is asked again.
pub(in crate::merge) fn not_deterministic(
    sketch: &Sketch,
    route: &Route,
    guard: &dyn Guard,
) -> Evidence {
    let law = BrokenLaw::Determinism;
    let mut bench = Bench::new(route, guard);
    if bench.shows(law, sketch) {
        let smallest = search::shrink(law, sketch.clone(), &mut Bench::new(route, guard));
        return source::evidence(law, &smallest, true, route, &[]);
    }
    source::evidence(law, sketch, false, route, &[])
}

/// A history that comes to another state elsewhere: whole, as here there is nothing to see.
pub(in crate::merge) fn elsewhere(
    sketch: &Sketch,
    route: &Route,
    here: Digest,
    there: Digest,
) -> Evidence {
    let remarks = [
        alloc::format!("its state has the digest {here} here and {there} at the peer"),
        String::from("try it on both machines, and with other locales, time zones and features"),
    ];
    source::evidence(BrokenLaw::Determinism, sketch, false, route, &remarks)
}
