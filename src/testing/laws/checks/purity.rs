//! Determinism, purity and totality: what a rule is before it is asked what it means.

use std::collections::BTreeMap;

use super::super::bench::{Bench, Case, Fault, Run};
use super::super::exhibit::Exhibit;
use super::super::history::{History, aggregate};
use super::{Checked, Effort, broken, numbers, shown};

/// How often a fold is repeated to catch a rule that reads a coarse clock or rare chance.
const REPEATS: usize = 3_000;

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
    if history.len() <= 2 {
        let elsewhere = in_another_thread(bench, history)?;
        same(&first, &elsewhere, "folded in another thread")?;
    }
    Ok(())
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
        let foreseen = disturb(bench, &case, &state, at)?;
        let after = bench.encode(&state)?;
        if before != after {
            return Err(broken(
                format!("asking about event {} changes the state", at + 1),
                Exhibit::cbor("before", &before),
                Exhibit::cbor("after", &after),
            ));
        }
        let found = bench.step(&case, &mut state, at)?;
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
        refused.extend(found.map(|why| (at, why)));
    }
    let noisy = Run {
        state: bench.encode(&state)?,
        refused,
    };
    if quiet == noisy {
        return Ok(());
    }
    Err(broken(
        "the rule remembers what it was asked, or what it folded for others",
        shown("folded alone", &quiet),
        shown("with questions in between", &noisy),
    ))
}

/// Asks what may be asked at any time, and folds something else; what an event's fate will be.
fn disturb(
    bench: &Bench,
    case: &Case<'_>,
    state: &crate::resolver::ErasedState,
    at: usize,
) -> Result<Option<String>, Fault> {
    let foreseen = bench.admit(case, state, at)?;
    let mut copy = bench.copy(state)?;
    bench.step(case, &mut copy, at)?;
    let mut other = bench.rule.init(&aggregate());
    for at in (0..=at).rev() {
        bench.step(case, &mut other, at)?;
    }
    bench.present(state)?;
    Ok(foreseen)
}

/// No event that can be read makes the rule panic, whatever came before it.
pub(super) fn totality(bench: &Bench, history: &History) -> Checked {
    let fault = match bench.case(history) {
        Err(fault) => Some(fault),
        Ok(case) => total(bench, &case).err(),
    };
    match fault {
        Some(Fault::Panicked(at, said)) => {
            let place = at.map(|at| numbers(&[at]));
            let place = place.map_or_else(String::new, |number| format!(" at event {number}"));
            Err(broken(
                format!("the rule panics{place}"),
                Exhibit::said("expected", "a state or a rejection"),
                Exhibit::said("found", format!("panic: {said}")),
            ))
        }
        _ => Ok(()),
    }
}

fn total(bench: &Bench, case: &Case<'_>) -> Result<(), Fault> {
    let mut state = bench.init()?;
    for at in case.order() {
        bench.admit(case, &state, at)?;
        bench.step(case, &mut state, at)?;
        bench.encode(&state)?;
        bench.present(&state)?;
    }
    super::super::bench::guarded(None, || bench.rule.pieces(&state))?.ok();
    let pairs = (0..case.events.len()).flat_map(|later| (0..later).map(move |at| (at, later)));
    for (earlier, later) in pairs {
        if case.history.concurrent(earlier, later) {
            bench.decide(case, earlier, later)?;
        }
    }
    Ok(())
}
