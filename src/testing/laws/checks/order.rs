//! Everything about order: footprints, the claim to commute, the engine's own shortcuts.

use std::collections::BTreeMap;

use super::super::bench::{Bench, Case, Fault, Run};
use super::super::draws::Draws;
use super::super::exhibit::Exhibit;
use super::super::history::{History, aggregate};
use super::super::shapes::all_arrivals;
use super::{Checked, broken, numbers, shown};
use crate::merge::{Outcome, Timeline, Unguarded};
use crate::resolver::{ErasedState, Footprint, Key, Piece};

/// So many events are tried in all orders; of more, some orders are drawn.
const FEW: usize = 5;

/// An event folded behind others that touch none of its keys changes nothing by it, and nothing
/// outside an event's keys changes when it is folded.
pub(super) fn footprint(bench: &Bench, history: &History) -> Checked {
    let case = bench.case(history)?;
    let order = case.order();
    inside_only(bench, &case)?;
    let expected = bench.fold(&case, &order)?;
    let mut draws = drawing(history);
    let mut tried = 0;
    for at in 0..order.len() {
        let end = last_place(&case, at);
        if end == at || (order.len() > FEW && (tried >= 4 || draws.one_in(2))) {
            continue;
        }
        tried += 1;
        let places = if order.len() > FEW {
            end..=end
        } else {
            at + 1..=end
        };
        for place in places {
            let moved = [
                &order[..at],
                &order[at + 1..=place],
                &[at],
                &order[place + 1..],
            ]
            .concat();
            let found = bench.fold(&case, &moved)?;
            if !found.agrees(&expected) {
                return Err(broken(
                    format!(
                        "event {} shares no key with {}, and yet their order matters",
                        at + 1,
                        numbers(&order[at + 1..=place]),
                    ),
                    shown(format!("folded as {}", numbers(&order)), &expected),
                    shown(format!("folded as {}", numbers(&moved)), &found),
                ));
            }
        }
    }
    Ok(())
}

/// Numbers that follow from a history.
fn drawing(history: &History) -> Draws {
    Draws::new(u64::try_from(history.len()).unwrap_or(0))
}

/// The last place that an event may be folded at for all that footprints say.
fn last_place(case: &Case<'_>, at: usize) -> usize {
    let apart = |later: &usize| {
        case.history.concurrent(at, *later)
            && !case.footprints[at].overlaps(&case.footprints[*later])
    };
    at + (at + 1..case.events.len()).take_while(apart).count()
}

fn inside_only(bench: &Bench, case: &Case<'_>) -> Checked {
    let mut state = bench.init()?;
    for at in case.order() {
        let before = pieces(bench, &state)?;
        bench.step(case, &mut state, at)?;
        let after = pieces(bench, &state)?;
        let outside = |piece: &&Piece| {
            // A leaf may make way for something written below it.
            let key = Key::branch(piece.key.path.iter().cloned());
            !case.footprints[at].overlaps(&Footprint::Keys(vec![key]))
        };
        let (before, after): (Vec<_>, Vec<_>) = (
            before.iter().filter(outside).collect(),
            after.iter().filter(outside).collect(),
        );
        if before != after {
            return Err(broken(
                format!("event {} changes what lies outside its footprint", at + 1),
                listed("outside, before it", &before),
                listed("outside, after it", &after),
            ));
        }
    }
    Ok(())
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
    Exhibit {
        title: title.to_owned(),
        lines: pieces.iter().map(line).collect(),
    }
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

/// What must be folded before each event: its past, and where one of two asked for rivals, the
/// engine keeps both in their places.
fn bound(bench: &Bench, case: &Case<'_>) -> Result<Vec<Vec<usize>>, Fault> {
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
fn in_all_orders(bench: &Bench, case: &Case<'_>, bound: &[Vec<usize>]) -> Checked {
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
    let pasts: Vec<_> = history.steps.iter().map(|step| step.past.clone()).collect();
    let mut draws = drawing(history);
    let arrivals = if history.len() < FEW {
        all_arrivals(&pasts)
    } else {
        let bound: Vec<Vec<usize>> = pasts
            .iter()
            .map(|past| past.iter().copied().collect())
            .collect();
        (0..2)
            .map(|_| drawn_order(history.len(), &bound, &mut draws))
            .collect()
    };
    for arrival in arrivals {
        for eager in [true, false] {
            let found = arrive(bench, &case, &arrival, eager, &mut draws)?;
            if !found.agrees(&expected) {
                let batches = if eager { "one by one" } else { "in batches" };
                return Err(broken(
                    "what is seen depends on how the events came",
                    shown("folded in canonical order", &expected),
                    shown(format!("came as {}, {batches}", numbers(&arrival)), &found),
                ));
            }
        }
    }
    Ok(())
}

fn arrive(
    bench: &Bench,
    case: &Case<'_>,
    arrival: &[usize],
    eager: bool,
    draws: &mut Draws,
) -> Result<Run, Fault> {
    bench.count(3 * arrival.len());
    super::super::bench::guarded(None, || {
        let mut timeline = Timeline::new(aggregate(), Some(bench.route.clone()));
        for (number, at) in arrival.iter().enumerate() {
            timeline.integrate(case.events[*at].clone(), None);
            if eager || draws.one_in(3) {
                timeline.fold(&Unguarded);
            }
            let again = arrival[draws.below(number + 1)];
            timeline.integrate(case.events[again].clone(), None);
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
