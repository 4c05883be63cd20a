//! What each law demands of one history, or of the newest event of one.
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
use super::path::Path;
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
    /// The rule failed, which is some law's business.
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
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
        Law::Rollback => state::rollback(bench, history),
        Law::Growth => state::growth(bench, history),
        Law::Footprint => order::footprint(bench, history),
        Law::Commutation => order::commutation(bench, history),
        Law::Delivery => order::delivery(bench, history),
        Law::Sequence => meaning::sequence(setup, bench, history),
        Law::Resolution => meaning::resolution(setup, bench, history),
        Law::Totality | Law::StateSplit | Law::Loss | Law::Invariants => {
            follow(bench, history, |path| of_newest(law, setup, path))
        }
    };
    seen(law, checked)
}

/// Whether the rule keeps a law at the newest event of a path, where it kept it before; `turn`
/// chooses among what is not tried in full.
pub(super) fn finding_at_newest(
    law: Law,
    setup: &Setup,
    path: &Path<'_>,
    turn: usize,
) -> Option<Finding> {
    let checked = match law {
        Law::Delivery => order::delivery_of_newest(path, turn),
        _ => of_newest(law, setup, path),
    };
    seen(law, checked)
}

fn of_newest(law: Law, setup: &Setup, path: &Path<'_>) -> Checked {
    match law {
        Law::Determinism => purity::determinism_of_newest(path),
        Law::Purity => purity::purity_of_newest(path),
        Law::Totality => purity::totality_of_newest(path),
        Law::StateSplit => state::split_of_newest(path),
        Law::Rollback => state::rollback_of_newest(path),
        Law::Footprint => order::footprint_of_newest(path),
        Law::Commutation => order::commutation_of_newest(path),
        Law::Sequence => meaning::sequence_of_newest(setup, path),
        Law::Loss => meaning::loss_of_newest(path),
        Law::Invariants => meaning::invariants_of_newest(setup, path),
        // These take a history as a whole.
        Law::Delivery | Law::Growth | Law::Resolution => Ok(()),
    }
}

/// What a fault of the rule means for a law.
pub(super) fn fault(law: Law, fault: Fault) -> Option<Finding> {
    seen(law, Err(fault.into()))
}

fn seen(law: Law, checked: Checked) -> Option<Finding> {
    let (what, left, right) = match (law, checked.err()?) {
        (_, Stop::Broken(finding)) => return Some(*finding),
        (Law::Totality, Stop::Fault(Fault::Panicked(at, said))) => {
            let place = at.map(|at| format!(" at event {}", at + 1));
            (
                format!("the rule panics{}", place.unwrap_or_default()),
                Exhibit::said("expected", "a state or a rejection"),
                Exhibit::said("found", format!("panic: {said}")),
            )
        }
        (Law::StateSplit, Stop::Fault(Fault::Unwritable(why))) => (
            "the state cannot be written".to_owned(),
            Exhibit::said("expected", "canonical CBOR"),
            Exhibit::said("found", why),
        ),
        (Law::StateSplit, Stop::Fault(Fault::Unreadable(bytes, why))) => (
            "a state cannot be read back".to_owned(),
            Exhibit::cbor("written", &bytes),
            Exhibit::said("read", why),
        ),
        (_, Stop::Fault(_)) => return None,
    };
    Some(Finding { what, left, right })
}

/// Folds a history event by event, with a look at each.
fn follow(bench: &Bench, history: &History, mut look: impl FnMut(&Path<'_>) -> Checked) -> Checked {
    let mut path = Path::new(bench, bench.case(history)?)?;
    for _ in 0..history.len() {
        path.push()?;
        look(&path)?;
    }
    Ok(())
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
