//! Everything about order: footprints, the claim to commute, the engine's own shortcuts.

use std::collections::BTreeMap;

use super::super::bench::{Bench, Case, Fault, Run};
use super::super::draws::Draws;
use super::super::exhibit::Exhibit;
use super::super::history::History;
use super::super::path::Path;
use super::super::shapes::all_arrivals;
use super::{Checked, Stop, broken, follow, numbers, shown};
use crate::merge::{Outcome, Timeline, Unguarded};
use crate::resolver::{ErasedState, Footprint, Key, Piece};

/// So many events are tried in all orders; of more, some orders are drawn.
const FEW: usize = 5;
/// So many events of a longer history are moved, and so many orders of arrival are drawn for it.
const MOVES: usize = 4;
const DRAWN_ORDERS: usize = 2;

/// An event folded behind others that touch none of its keys changes nothing by it, and nothing
/// outside an event's keys changes when it is folded.
pub(super) fn footprint(bench: &Bench, history: &History) -> Checked {
    if history.len() <= FEW {
        return follow(bench, history, footprint_of_newest);
    }
    follow(bench, history, inside_only)?;
    let case = bench.case(history)?;
    let order = case.order();
    let expected = bench.fold(&case, &order)?;
    let mut draws = drawing(history);
    let places = order.iter().map(|at| (*at, last_place(&case, *at)));
    let mut ends: Vec<(usize, usize)> = places.filter(|(at, end)| end > at).collect();
    while ends.len() > MOVES {
        ends.swap_remove(draws.below(ends.len()));
    }
    for (at, end) in ends {
        let moved = [&order[..at], &order[at + 1..=end], &[at], &order[end + 1..]].concat();
        let found = bench.fold(&case, &moved)?;
        if !found.agrees(&expected) {
            return Err(mattered(&order, &expected, &moved, &found, at, end));
        }
    }
    Ok(())
}

fn mattered(
    order: &[usize],
    expected: &Run,
    moved: &[usize],
    found: &Run,
    at: usize,
    end: usize,
) -> Stop {
    broken(
        format!(
            "event {} shares no key with {}, and yet their order matters",
            at + 1,
            numbers(&order[at + 1..=end]),
        ),
        shown(format!("folded as {}", numbers(order)), expected),
        shown(format!("folded as {}", numbers(moved)), found),
    )
}

/// The newest event, and those that can be folded behind it for all that footprints say.
pub(super) fn footprint_of_newest(path: &Path<'_>) -> Checked {
    inside_only(path)?;
    for at in 0..path.last() {
        let case = &path.case;
        let apart = |later| {
            case.history.concurrent(at, later)
                && !case.footprints[at].overlaps(&case.footprints[later])
        };
        if (at + 1..path.len()).all(apart) {
            let found = path.behind(at)?;
            if !path.agrees(&found) {
                let (order, moved) = behind(path, at);
                return Err(mattered(
                    &order,
                    &path.run(),
                    &moved,
                    &found,
                    at,
                    path.last(),
                ));
            }
        }
    }
    Ok(())
}

/// The order of a path, and the one with an event behind all others.
fn behind(path: &Path<'_>, at: usize) -> (Vec<usize>, Vec<usize>) {
    let order: Vec<usize> = (0..path.len()).collect();
    let moved = [&order[..at], &order[at + 1..], &[at]].concat();
    (order, moved)
}

/// Numbers that follow from a history.
fn drawing(history: &History) -> Draws {
    Draws::new(u64::try_from(history.len()).unwrap_or(0))
}

/// The last place that an event may be folded at for all that footprints say.
fn last_place(case: &Case, at: usize) -> usize {
    let apart = |later: &usize| {
        case.history.concurrent(at, *later)
            && !case.footprints[at].overlaps(&case.footprints[*later])
    };
    at + (at + 1..case.events.len()).take_while(apart).count()
}

fn inside_only(path: &Path<'_>) -> Checked {
    let (bench, last) = (path.bench, path.last());
    let footprint = &path.case.footprints[last];
    if **footprint == Footprint::Everything {
        return Ok(());
    }
    let outside = |piece: &&Piece| {
        // A leaf may make way for something written below it.
        let key = Key::branch(piece.key.path.iter().cloned());
        !footprint.overlaps(&Footprint::Keys(vec![key]))
    };
    let before = pieces(bench, &path.before(last).state)?;
    let after = pieces(bench, &path.newest().state)?;
    let (before, after): (Vec<_>, Vec<_>) = (
        before.iter().filter(outside).collect(),
        after.iter().filter(outside).collect(),
    );
    if before == after {
        return Ok(());
    }
    Err(broken(
        format!("event {} changes what lies outside its footprint", last + 1),
        listed("outside, before it", &before),
        listed("outside, after it", &after),
    ))
}

fn pieces(bench: &Bench, state: &ErasedState) -> Result<Vec<Piece>, Fault> {
    super::super::bench::guarded(None, || bench.rule.pieces(state))?
        .map_err(|why| Fault::Unwritable(why.to_string()))
}

fn listed(title: &str, pieces: &[&Piece]) -> Exhibit {
    let line = |piece: &&Piece| {
        let value = super::super::exhibit::one_line(&piece.value);
        format!("{}: {value}", piece.key.path.join("/"))
    };
    Exhibit::listed(title, pieces.iter().map(line).collect())
}

/// Where a rule claims that concurrent events commute, they do: whatever the order in which they are
/// folded, the state is the same, and the same events are refused.
pub(super) fn commutation(bench: &Bench, history: &History) -> Checked {
    if !bench.rule.claims().commutes {
        return Ok(());
    }
    let case = bench.case(history)?;
    let bound = bound(bench, &case)?;
    if history.len() <= FEW {
        return in_all_orders(bench, &case, &bound);
    }
    let order = case.order();
    let expected = bench.fold(&case, &order)?;
    let mut draws = drawing(history);
    for _ in 0..2 {
        let other = drawn_order(history.len(), &bound, &mut draws);
        let found = bench.fold(&case, &other)?;
        differ(&order, &expected, &other, &found)?;
    }
    Ok(())
}

/// The newest event, and those that can be folded behind it. What is folded behind all others is
/// preceded by a shorter history, in which the claim was seen to hold: so this covers all orders.
pub(super) fn commutation_of_newest(path: &Path<'_>) -> Checked {
    for at in 0..path.last() {
        let asked = |at: usize| path.after(at).asked;
        let free = |later| path.case.history.concurrent(at, later) && !asked(later);
        if !asked(at) && (at + 1..path.len()).all(free) {
            let found = path.behind(at)?;
            if !path.agrees(&found) {
                let (order, moved) = behind(path, at);
                return differ(&order, &path.run(), &moved, &found);
            }
        }
    }
    Ok(())
}

/// What must be folded before each event: its past, and where one of two asked for rivals, the
/// engine keeps both in their places.
fn bound(bench: &Bench, case: &Case) -> Result<Vec<Vec<usize>>, Fault> {
    let mut state = bench.init()?;
    let mut asked = Vec::new();
    for at in case.order() {
        asked.push(bench.step_asking(case, &mut state, at)?.1);
    }
    let before = |at: usize| {
        let first = |other: &usize| {
            case.history.steps[at].past.contains(other) || asked[at] || asked[*other]
        };
        (0..at).filter(first).collect()
    };
    Ok((0..case.events.len()).map(before).collect())
}

/// Goes through all sets of events that can have been folded; each must have one state.
fn in_all_orders(bench: &Bench, case: &Case, bound: &[Vec<usize>]) -> Checked {
    type Reached = (Vec<usize>, ErasedState, BTreeMap<usize, String>, Vec<u8>);
    let init = bench.init()?;
    let written = bench.encode(&init)?;
    let mut reached: BTreeMap<usize, Reached> = BTreeMap::new();
    reached.insert(0, (Vec::new(), init, BTreeMap::new(), written));
    for set in 1..1usize << case.events.len() {
        for last in (0..case.events.len()).filter(|at| set >> at & 1 == 1) {
            let rest = set & !(1 << last);
            let ready = bound[last].iter().all(|at| rest >> at & 1 == 1);
            let Some((order, state, refused, _)) = reached.get(&rest).filter(|_| ready) else {
                continue;
            };
            let order = [order.as_slice(), &[last]].concat();
            let (mut state, mut refused) = (bench.copy(state)?, refused.clone());
            if let Some(why) = bench.step(case, &mut state, last)? {
                refused.insert(last, why);
            }
            let written = bench.encode(&state)?;
            if let Some((first, _, known, expected)) = reached.get(&set) {
                let run = |state: &[u8], refused: &BTreeMap<usize, String>| Run {
                    state: state.to_vec(),
                    refused: refused.clone(),
                };
                differ(
                    first,
                    &run(expected, known),
                    &order,
                    &run(&written, &refused),
                )?;
            } else {
                reached.insert(set, (order, state, refused, written));
            }
        }
    }
    Ok(())
}

fn differ(first: &[usize], expected: &Run, second: &[usize], found: &Run) -> Checked {
    if expected.agrees(found) {
        return Ok(());
    }
    Err(broken(
        "the rule claims that concurrent events commute, and yet their order matters",
        shown(format!("folded as {}", numbers(first)), expected),
        shown(format!("folded as {}", numbers(second)), found),
    ))
}

/// One of the orders that keep each event behind what it is bound to.
fn drawn_order(events: usize, bound: &[Vec<usize>], draws: &mut Draws) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    let mut folded = vec![false; events];
    while order.len() < events {
        let ready = |at: &usize| !folded[*at] && bound[*at].iter().all(|other| folded[*other]);
        let ready: Vec<usize> = (0..events).filter(ready).collect();
        let next = ready[draws.below(ready.len())];
        folded[next] = true;
        order.push(next);
    }
    order
}

/// The engine comes to the naive fold, in whatever order, however often and in whatever batches
/// events come.
pub(super) fn delivery(bench: &Bench, history: &History) -> Checked {
    let case = bench.case(history)?;
    let expected = bench.fold(&case, &case.order())?;
    let pasts = history.pasts();
    let mut draws = drawing(history);
    let arrivals = if history.len() < FEW {
        all_arrivals(&pasts)
    } else {
        let bound: Vec<Vec<usize>> = pasts
            .iter()
            .map(|past| past.iter().copied().collect())
            .collect();
        (0..DRAWN_ORDERS)
            .map(|_| drawn_order(history.len(), &bound, &mut draws))
            .collect()
    };
    for arrival in arrivals {
        for eager in [true, false] {
            arrives(bench, &case, &expected, &arrival, eager, &mut draws)?;
        }
    }
    Ok(())
}

/// The same of a whole path: few events in all orders, more in those whose turn it is, so that each
/// order has its turn with some payloads.
pub(super) fn delivery_of_newest(path: &Path<'_>, turn: usize) -> Checked {
    let (arrivals, expected) = (path.arrivals(), path.run());
    let mut draws = Draws::new(u64::try_from(turn).unwrap_or(0));
    let all = arrivals.len();
    let some = if path.len() < FEW {
        all
    } else {
        path.tries().min(all)
    };
    for number in 0..some {
        let number = turn * some + number;
        let arrival = &arrivals[(number + number / all) % all];
        let eager = draws.one_in(2);
        arrives(
            path.bench, &path.case, &expected, arrival, eager, &mut draws,
        )?;
    }
    Ok(())
}

fn arrives(
    bench: &Bench,
    case: &Case,
    expected: &Run,
    arrival: &[usize],
    eager: bool,
    draws: &mut Draws,
) -> Checked {
    let found = arrive(bench, case, arrival, eager, draws)?;
    if found.agrees(expected) {
        return Ok(());
    }
    let batches = if eager { "one by one" } else { "in batches" };
    Err(broken(
        "what is seen depends on how the events came",
        shown("folded in canonical order", expected),
        shown(format!("came as {}, {batches}", numbers(arrival)), &found),
    ))
}

fn arrive(
    bench: &Bench,
    case: &Case,
    arrival: &[usize],
    eager: bool,
    draws: &mut Draws,
) -> Result<Run, Fault> {
    bench.count(arrival.len());
    super::super::bench::guarded(None, || {
        let mut timeline = Timeline::new(bench.aggregate.clone(), Some(bench.route.clone()));
        for (number, at) in arrival.iter().enumerate() {
            timeline.integrate(case.events[*at].clone(), None);
            if eager || draws.one_in(3) {
                timeline.fold(&Unguarded);
            }
            if draws.one_in(2) {
                let again = arrival[draws.below(number + 1)];
                timeline.integrate(case.events[again].clone(), None);
            }
        }
        timeline.fold(&Unguarded);
        let reason = |at: usize| match timeline.outcome(case.events[at].id()) {
            Some(Outcome::Rejected(why)) => Some((at, why.reason().to_owned())),
            _ => None,
        };
        let refused = (0..case.events.len()).filter_map(reason).collect();
        let state = match timeline.state() {
            Ok(state) => bench.encode(state)?,
            Err(why) => return Err(Fault::Panicked(None, why.to_string())),
        };
        Ok(Run { state, refused })
    })?
}
