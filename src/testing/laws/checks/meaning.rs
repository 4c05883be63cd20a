//! What a rule means to people: what it says of losers, of decisions, of what may never be.

use std::collections::BTreeSet;

use super::super::bench::Bench;
use super::super::exhibit::Exhibit;
use super::super::history::{History, Word};
use super::super::path::Path;
use super::super::suite::{Reducer, Setup};
use super::{Checked, broken, follow};
use crate::event::Payload;
use crate::resolver::{Decision, Verdict};

/// Where nobody writes concurrently, the state is what the plain reducer makes of the payloads. A
/// history with concurrency is tried in a row, and then as it is.
pub(super) fn sequence(setup: &Setup, bench: &Bench, history: &History) -> Checked {
    let check = |path: &Path<'_>| sequence_of_newest(setup, path);
    follow(bench, &history.in_a_row(), check)?;
    follow(bench, history, check)
}

/// The newest event of somebody who had seen everything.
pub(super) fn sequence_of_newest(setup: &Setup, path: &Path<'_>) -> Checked {
    let Some(reducer) = &setup.reducer else {
        return Ok(());
    };
    let history = &path.case.history;
    if !history.saw_all(path.last()) {
        return Ok(());
    }
    let events = &path.case.events[..path.len()];
    let payloads: Vec<Payload> = events.iter().map(|it| it.payload().clone()).collect();
    let Some(expected) = reducer(&payloads) else {
        return Ok(());
    };
    let found = path.bench.present(&path.newest().state)?;
    if !(0..path.len()).all(|at| history.saw_all(at)) {
        return heeded(setup, path, reducer.as_ref(), payloads, &expected, &found);
    }
    if found == expected {
        return Ok(());
    }
    Err(broken(
        "without concurrency the rule differs from the plain reducer",
        Exhibit::cbor("the reducer", &expected),
        Exhibit::cbor("the rule", &found),
    ))
}

/// What somebody writes who saw everything is lost only where the reducer loses it. It counts as lost
/// where it changes nothing, and something else in its place changes nothing either, though the
/// reducer tells all three apart.
fn heeded(
    setup: &Setup,
    path: &Path<'_>,
    reducer: &Reducer,
    mut payloads: Vec<Payload>,
    expected: &[u8],
    found: &[u8],
) -> Checked {
    let (bench, last) = (path.bench, path.last());
    let before = path.bench.present(&path.before(last).state)?;
    let without = reducer(&payloads[..last]);
    if found != before || path.newest().refused.is_some() || without.as_deref() == Some(expected) {
        return Ok(());
    }
    for word in &setup.words {
        payloads[last] = word.payload.clone();
        let instead = reducer(&payloads);
        if instead.is_none() || instead == without || instead.as_deref() == Some(expected) {
            continue;
        }
        let mut other = path.history();
        other.steps[last].word = word.clone();
        let case = bench.case(&other)?;
        let mut state = bench.copy(&path.before(last).state)?;
        let refused = bench.step(&case, &mut state, last)?;
        if refused.is_none() && bench.present(&state)? == before {
            return Err(broken(
                format!(
                    "event {}, of somebody who saw all others, is lost, and so is {} in its place",
                    last + 1,
                    word.text
                ),
                Exhibit::cbor("the reducer, one after the other", expected),
                Exhibit::cbor("the rule, with it and without", found),
            ));
        }
    }
    Ok(())
}

/// Of two concurrent events of which one leaves no trace beside the other, the verdict says so. The
/// two are the newest of a path.
pub(super) fn loss_of_newest(path: &Path<'_>) -> Checked {
    let (bench, case, other) = (path.bench, &path.case, path.last());
    let Some(one) = other.checked_sub(1) else {
        return Ok(());
    };
    let races = case.history.concurrent(one, other)
        && case.footprints[one].overlaps(&case.footprints[other]);
    let refused = |at: usize| path.after(at).refused.is_some();
    if !races || refused(one) || refused(other) {
        // What is refused is told as refused.
        return Ok(());
    }
    let mut alone = bench.copy(&path.before(one).state)?;
    if bench.step_without(case, &mut alone, other, one)?.is_some() {
        return Ok(());
    }
    let nothing = bench.present(&path.before(one).state)?;
    let first = bench.present(&path.after(one).state)?;
    let second = bench.present(&alone)?;
    let both = bench.present(&path.newest().state)?;
    let decisions = bench.decide(case, one, other)?;
    let same = case.events[one].payload() == case.events[other].payload();
    let lost =
        |alone: &Vec<u8>, rest: &Vec<u8>| nothing != *alone && *rest == both && *alone != both;
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
    // Of two who say the same it is all one who is said to have lost.
    let told = |decision: &Decision| {
        let one_lost = matches!(decision.verdict, Verdict::LaterWins | Verdict::EarlierWins);
        decision.verdict == said || (same && one_lost)
    };
    decisions.iter().any(told) || decisions.iter().all(nothing_lost)
}

/// Null in CBOR: nothing is to be there.
const NULL: &[u8] = &[0xf6];

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
pub(super) fn invariants_of_newest(setup: &Setup, path: &Path<'_>) -> Checked {
    let last = path.last() + 1;
    for (name, holds) in &setup.invariants {
        let holds = || holds(&path.newest().state);
        if !super::super::bench::guarded(Some(path.last()), holds)? {
            let before = &path.before(path.last()).written;
            return Err(broken(
                format!("after event {last} it no longer holds that {name}"),
                Exhibit::cbor(format!("before event {last}"), before),
                Exhibit::cbor(format!("after event {last}"), &path.newest().written),
            ));
        }
    }
    Ok(())
}
