//! Determinism, purity and totality: what a rule is before it is asked what it means.

use std::collections::BTreeMap;

use super::super::bench::{Bench, Case, Fault, Run};
use super::super::exhibit::Exhibit;
use super::super::history::History;
use super::super::path::Path;
use super::{Checked, Effort, broken, shown};
use crate::resolver::{Decision, ErasedState};

/// How often a fold is repeated to catch a rule that reads a coarse clock or rare chance.
const REPEATS: usize = 3_000;
/// The questions about so few events are all asked again.
const FEW: usize = 3;

/// The same again, and in another thread, gives the same.
pub(super) fn determinism(bench: &Bench, history: &History, effort: Effort) -> Checked {
    let case = bench.case(history)?;
    let order = case.order();
    let first = bench.fold(&case, &order)?;
    let repeats = match effort {
        Effort::Once => 1,
        Effort::Often => REPEATS,
    };
    for _ in 0..repeats {
        let again = bench.fold(&case, &order)?;
        same(&first, &again, "folded again")?;
    }
    if history.len() <= FEW {
        let (one, other) = (answers(bench, history)?, answers(bench, history)?);
        if one != other {
            return Err(broken(
                "the rule is asked the same again and answers differently",
                Exhibit::listed("at first", one),
                Exhibit::listed("asked again", other),
            ));
        }
    }
    if history.len() < FEW {
        let elsewhere = in_another_thread(bench, history)?;
        same(&first, &elsewhere, "folded in another thread")?;
    }
    Ok(())
}

/// What the rule says of events and of each two of them, without folding them.
fn answers(bench: &Bench, history: &History) -> Result<Vec<String>, Fault> {
    let case = bench.case(history)?;
    let footprint =
        |(at, footprint): (usize, &_)| format!("event {} touches {footprint:?}", at + 1);
    let mut answers: Vec<String> = case.footprints.iter().enumerate().map(footprint).collect();
    for later in 0..history.len() {
        for earlier in 0..later {
            let decisions: Vec<Decision> = bench.decide(&case, earlier, later)?;
            let of = format!("of {} and {}", earlier + 1, later + 1);
            answers.extend(decisions.iter().map(|it| format!("{of}: {it:?}")));
        }
    }
    answers.push(format!("{:?}", bench.rule.claims()));
    Ok(answers)
}

/// The newest event folded once more gives the same.
pub(super) fn determinism_of_newest(path: &Path<'_>) -> Checked {
    let (bench, last) = (path.bench, path.last());
    let mut state = bench.copy(&path.before(last).state)?;
    let refused = bench.step(&path.case, &mut state, last)?;
    let state = bench.encode(&state)?;
    if state == path.newest().written && refused == path.newest().refused {
        return Ok(());
    }
    let first = path.run();
    let mut again = Run {
        state,
        refused: first.refused.clone(),
    };
    again.refused.remove(&last);
    again.refused.extend(refused.map(|why| (last, why)));
    same(&first, &again, "folded again")
}

fn same(first: &Run, again: &Run, how: &str) -> Checked {
    if first == again {
        return Ok(());
    }
    Err(broken(
        format!("the same events, {how}, come to something else"),
        shown("at first", first),
        shown(how, again),
    ))
}

fn in_another_thread(bench: &Bench, history: &History) -> Result<Run, Fault> {
    let route = bench.route.clone();
    let fold = move || {
        let bench = Bench::new(route);
        let case = bench.case(history)?;
        bench.fold(&case, &case.order())
    };
    bench.count(2 * history.len());
    std::thread::scope(|scope| scope.spawn(fold).join())
        .unwrap_or_else(|_| Err(Fault::Panicked(None, "in another thread".to_owned())))
}

/// What was asked in between, and what else was folded in between, changes nothing.
pub(super) fn purity(bench: &Bench, history: &History) -> Checked {
    let case = bench.case(history)?;
    let order = case.order();
    let quiet = bench.fold(&case, &order)?;
    let mut state = bench.init()?;
    let mut refused = BTreeMap::new();
    for at in order {
        let before = bench.encode(&state)?;
        let everything: Vec<usize> = (0..=at).rev().collect();
        let found = disturbed(bench, &case, &mut state, at, &before, &everything)?;
        refused.extend(found.map(|why| (at, why)));
    }
    let noisy = Run {
        state: bench.encode(&state)?,
        refused,
    };
    undisturbed(&quiet, &noisy)
}

/// The same of the newest event.
pub(super) fn purity_of_newest(path: &Path<'_>) -> Checked {
    let (bench, last) = (path.bench, path.last());
    let mut state = bench.copy(&path.before(last).state)?;
    let before = &path.before(last).written;
    let found = disturbed(bench, &path.case, &mut state, last, before, &[last])?;
    let written = bench.encode(&state)?;
    if written == path.newest().written && found == path.newest().refused {
        return Ok(());
    }
    let quiet = path.run();
    let mut noisy = Run {
        state: written,
        refused: quiet.refused.clone(),
    };
    noisy.refused.remove(&last);
    noisy.refused.extend(found.map(|why| (last, why)));
    undisturbed(&quiet, &noisy)
}

fn undisturbed(quiet: &Run, noisy: &Run) -> Checked {
    if quiet == noisy {
        return Ok(());
    }
    Err(broken(
        "the rule remembers what it was asked, or what it folded for others",
        shown("folded alone", quiet),
        shown("with questions in between", noisy),
    ))
}

/// Folds an event, after asking what may be asked at any time and folding something else; why it was
/// refused.
fn disturbed(
    bench: &Bench,
    case: &Case,
    state: &mut ErasedState,
    at: usize,
    before: &[u8],
    others: &[usize],
) -> Result<Option<String>, super::Stop> {
    let foreseen = bench.admit(case, state, at)?;
    let mut copy = bench.copy(state)?;
    bench.step(case, &mut copy, at)?;
    let mut other = bench.init()?;
    bench.go_on(case, &mut other, others)?;
    bench.present(state)?;
    let after = bench.encode(state)?;
    if before != after {
        return Err(broken(
            format!("asking about event {} changes the state", at + 1),
            Exhibit::cbor("before", before),
            Exhibit::cbor("after", &after),
        ));
    }
    let found = bench.step(case, state, at)?;
    if foreseen != found {
        let said = |why: &Option<String>| why.clone().unwrap_or_else(|| "admitted".to_owned());
        return Err(broken(
            format!(
                "asked twice about event {}, the rule answers differently",
                at + 1
            ),
            Exhibit::said("asked first", said(&foreseen)),
            Exhibit::said("asked again", said(&found)),
        ));
    }
    Ok(found)
}

/// No event that can be read makes the rule panic, whatever came before it. Folding it did not, as it
/// is on the path.
pub(super) fn totality_of_newest(path: &Path<'_>) -> Checked {
    let (bench, last) = (path.bench, path.last());
    let at_newest = |fault| match fault {
        Fault::Panicked(_, said) => Fault::Panicked(Some(last), said),
        other => other,
    };
    bench.admit(&path.case, &path.before(last).state, last)?;
    let state = &path.newest().state;
    bench.present(state).map_err(at_newest)?;
    super::super::bench::guarded(Some(last), || bench.rule.pieces(state))?.ok();
    for earlier in (0..last).filter(|at| path.case.history.concurrent(*at, last)) {
        bench.decide(&path.case, earlier, last).map_err(at_newest)?;
    }
    Ok(())
}
