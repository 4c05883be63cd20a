//! What each law demands of one history.
//!
//! A check is given a history and says whether the rule keeps the law there; that is all it knows.
//! A fault of the rule that is another law's business stops it without a finding.

mod meaning;
mod order;
mod purity;
mod state;

use super::bench::{Bench, Fault, Run};
use super::exhibit::Exhibit;
use super::history::History;
use super::law::Law;
use super::suite::Setup;

/// A law that is broken, as seen in one history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// What happened, in one sentence.
    pub(super) what: String,
    /// One side.
    pub(super) left: Exhibit,
    /// The other side, which should say the same.
    pub(super) right: Exhibit,
}

/// Why a check ended early.
pub(super) enum Stop {
    Broken(Box<Finding>),
    /// The rule failed in a way that is another law's business.
    Fault,
}

impl From<Fault> for Stop {
    fn from(_: Fault) -> Self {
        Self::Fault
    }
}

type Checked = Result<(), Stop>;

/// How often what may differ from time to time is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// Once more.
    Once,
    /// Until it differs, within reason.
    Often,
}

/// Whether the rule keeps a law in a history, and what is seen if not.
pub(super) fn finding(
    law: Law,
    setup: &Setup,
    bench: &Bench,
    history: &History,
    effort: Effort,
) -> Option<Finding> {
    let checked = match law {
        Law::Determinism => purity::determinism(bench, history, effort),
        Law::Purity => purity::purity(bench, history),
        Law::Totality => purity::totality(bench, history),
        Law::StateSplit => state::split(bench, history),
        Law::Rollback => state::rollback(bench, history),
        Law::Growth => state::growth(bench, history),
        Law::Footprint => order::footprint(bench, history),
        Law::Commutation => order::commutation(bench, history),
        Law::Delivery => order::delivery(bench, history),
        Law::Sequence => meaning::sequence(setup, bench, history),
        Law::Loss => meaning::loss(bench, history),
        Law::Resolution => meaning::resolution(setup, bench, history),
        Law::Invariants => meaning::invariants(setup, bench, history),
    };
    match checked {
        Err(Stop::Broken(finding)) => Some(*finding),
        _ => None,
    }
}

fn broken(what: impl Into<String>, left: Exhibit, right: Exhibit) -> Stop {
    Stop::Broken(Box::new(Finding {
        what: what.into(),
        left,
        right,
    }))
}

/// A run as it is shown: the state and what was refused.
fn shown(title: impl Into<String>, run: &Run) -> Exhibit {
    let exhibit = Exhibit::cbor(title, &run.state);
    run.refused.iter().fold(exhibit, |exhibit, (at, why)| {
        exhibit.and(format!("event {} refused: {why}", at + 1))
    })
}

/// Numbers of events as people count them.
fn numbers(order: &[usize]) -> String {
    let numbers: Vec<String> = order.iter().map(|at| (at + 1).to_string()).collect();
    numbers.join(", ")
}
