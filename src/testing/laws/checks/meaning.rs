//! What a rule means to people: what it says of losers, of decisions, of what may never be.

use std::collections::BTreeSet;

use super::super::bench::{Bench, Case, Fault};
use super::super::exhibit::Exhibit;
use super::super::history::{History, Word};
use super::super::suite::Setup;
use super::{Checked, broken};
use crate::event::Payload;
use crate::resolver::{Decision, ErasedState, Verdict};

/// Where nobody writes concurrently, the state is what the plain reducer makes of the payloads.
pub(super) fn sequence(setup: &Setup, bench: &Bench, history: &History) -> Checked {
    let Some(reducer) = &setup.reducer else {
        return Ok(());
    };
    let row = history.in_a_row();
    let case = bench.case(&row)?;
    let payloads: Vec<Payload> = case.events.iter().map(|it| it.payload().clone()).collect();
    let Some(expected) = reducer(&payloads) else {
        return Ok(());
    };
    let mut state = bench.init()?;
    bench.go_on(&case, &mut state, &case.order())?;
    let found = bench.present(&state)?;
    if found == expected {
        return Ok(());
    }
    Err(broken(
        "without concurrency the rule differs from the plain reducer",
        Exhibit::cbor("the reducer", &expected),
        Exhibit::cbor("the rule", &found),
    ))
}

/// Of two concurrent events of which one leaves no trace beside the other, the verdict says so.
pub(super) fn loss(bench: &Bench, history: &History) -> Checked {
    let Some(one) = history.len().checked_sub(2) else {
        return Ok(());
    };
    let other = one + 1;
    if !history.concurrent(one, other) {
        return Ok(());
    }
    let case = bench.case(history)?;
    if !case.footprints[one].overlaps(&case.footprints[other]) {
        return Ok(());
    }
    let mut before = bench.init()?;
    bench.go_on(&case, &mut before, &(0..one).collect::<Vec<_>>())?;
    let after = |order: &[usize]| after(bench, &case, &before, order);
    let nothing = after(&[])?;
    let (Some(first), Some(second), Some(both)) =
        (after(&[one])?, after(&[other])?, after(&[one, other])?)
    else {
        // What is refused is told as refused.
        return Ok(());
    };
    let decisions = bench.decide(&case, one, other)?;
    let same = case.events[one].payload() == case.events[other].payload();
    let lost = |alone: &Vec<u8>, rest: &Vec<u8>| {
        nothing.as_ref() != Some(alone) && *rest == both && *alone != both
    };
    for (is_lost, number, alone, said) in [
        (lost(&first, &second), one, &first, Verdict::LaterWins),
        (lost(&second, &first), other, &second, Verdict::EarlierWins),
    ] {
        if is_lost && !excused(&decisions, said, same) {
            let verdicts: Vec<Verdict> = decisions.iter().map(|it| it.verdict).collect();
            let number = number + 1;
            return Err(broken(
                format!("event {number} is gone without a trace, and no verdict says so"),
                Exhibit::cbor("as it is", &both).and(format!("verdicts: {verdicts:?}")),
                Exhibit::cbor(format!("event {number} without the other"), alone)
                    .and(format!("expected: {said:?}")),
            ));
        }
    }
    Ok(())
}

/// Whether a verdict tells of the loss, or there was nothing of its own to lose: the event only took
/// away what it knew, or the other says the same.
fn excused(decisions: &[Decision], said: Verdict, same: bool) -> bool {
    let nothing_lost = |decision: &Decision| {
        let own = match said {
            Verdict::LaterWins => &decision.earlier,
            _ => &decision.later,
        };
        let agrees = decision.verdict == Verdict::Agree
            && (same || (own.is_some() && decision.earlier == decision.later));
        agrees || own.as_deref() == Some(NULL)
    };
    decisions.iter().any(|decision| decision.verdict == said) || decisions.iter().all(nothing_lost)
}

/// Null in CBOR: nothing is to be there.
const NULL: &[u8] = &[0xf6];

/// What is shown after these events; nothing if one of them is refused.
fn after(
    bench: &Bench,
    case: &Case<'_>,
    before: &ErasedState,
    order: &[usize],
) -> Result<Option<Vec<u8>>, Fault> {
    let mut state = bench.copy(before)?;
    let refused = bench.go_on(case, &mut state, order)?;
    let shown = bench.present(&state)?;
    Ok(Some(shown).filter(|_| refused.is_empty()))
}

/// A resolution by somebody who saw everything leaves nothing open, and so does one after two
/// concurrent ones, which come to the same in whatever order they arrive.
pub(super) fn resolution(setup: &Setup, bench: &Bench, history: &History) -> Checked {
    for word in &setup.resolutions {
        closed(bench, &resolved(history, &[], word))?;
        for other in &setup.resolutions {
            let raced = resolved(history, &[word, other], word);
            closed(bench, &raced)?;
            super::order::delivery(bench, &raced)?;
        }
    }
    Ok(())
}

/// A history, then concurrent resolutions, then one by somebody who saw all of them.
fn resolved(history: &History, raced: &[&Word], last: &Word) -> History {
    let mut longer = history.clone();
    let all: BTreeSet<usize> = (0..history.len()).collect();
    let writers = history
        .steps
        .iter()
        .map(|step| step.writer + 1)
        .max()
        .unwrap_or(0);
    for (number, word) in raced.iter().enumerate() {
        longer.push(writers + number, &all, (*word).clone());
    }
    let all: BTreeSet<usize> = (0..longer.len()).collect();
    longer.push(0, &all, last.clone());
    longer
}

fn closed(bench: &Bench, history: &History) -> Checked {
    let case = bench.case(history)?;
    let mut state = bench.init()?;
    bench.go_on(&case, &mut state, &case.order())?;
    let pieces = super::super::bench::guarded(None, || bench.rule.pieces(&state))?;
    let open = pieces.is_ok_and(|pieces| pieces.iter().any(|piece| piece.open));
    if !open {
        return Ok(());
    }
    Err(broken(
        "a resolution by somebody who saw everything leaves something open",
        Exhibit::said("expected", "nothing is open"),
        Exhibit::cbor("found open", &bench.present(&state)?),
    ))
}

/// Whatever is declared to hold always holds in every state that can be reached.
pub(super) fn invariants(setup: &Setup, bench: &Bench, history: &History) -> Checked {
    if setup.invariants.is_empty() {
        return Ok(());
    }
    let case = bench.case(history)?;
    let mut state = bench.init()?;
    for at in case.order() {
        let before = bench.encode(&state)?;
        bench.step(&case, &mut state, at)?;
        for (name, holds) in &setup.invariants {
            if !holds(&state) {
                return Err(broken(
                    format!("after event {} it no longer holds that {name}", at + 1),
                    Exhibit::cbor(format!("before event {}", at + 1), &before),
                    Exhibit::cbor(format!("after event {}", at + 1), &bench.encode(&state)?),
                ));
            }
        }
    }
    Ok(())
}
