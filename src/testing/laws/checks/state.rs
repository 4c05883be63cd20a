//! What a state must endure: being written, being copied, being overwritten.

use super::super::bench::{Bench, Run};
use super::super::exhibit::Exhibit;
use super::super::history::History;
use super::super::path::Path;
use super::{Checked, broken, shown};
use crate::event::cbor;

/// A state that is written and read back goes on as if nothing had been.
pub(super) fn split_of_newest(path: &Path<'_>) -> Checked {
    let (bench, last) = (path.bench, path.last());
    let before = path.before(last);
    let mut state = bench.decode(&before.written)?;
    rewritten(&bench.encode(&state)?, &before.written)?;
    let refused = bench.step(&path.case, &mut state, last)?;
    let stored = Run {
        state: bench.encode(&state)?,
        refused: refused.map(|why| (last, why)).into_iter().collect(),
    };
    let newest = path.newest();
    let kept = Run {
        state: newest.written.clone(),
        refused: newest
            .refused
            .clone()
            .map(|why| (last, why))
            .into_iter()
            .collect(),
    };
    if kept != stored {
        return Err(broken(
            format!(
                "a state that is written and read before event {} goes on differently",
                last + 1
            ),
            shown("kept in memory", &kept),
            shown("written and read", &stored),
        ));
    }
    bench.present(&newest.state)?;
    rewritten(
        &bench.encode(&bench.decode(&newest.written)?)?,
        &newest.written,
    )
}

fn rewritten(again: &[u8], written: &[u8]) -> Checked {
    if again == written && cbor::is_canonical(written) {
        return Ok(());
    }
    Err(broken(
        "the state changes by being written and read",
        Exhibit::cbor("written", written),
        Exhibit::cbor("read and written again", again),
    ))
}

/// The state that the newest event was folded into a copy of is as it was.
pub(super) fn rollback_of_newest(path: &Path<'_>) -> Checked {
    let before = path.before(path.last());
    let now = path.bench.encode(&before.state)?;
    unchanged(path.last(), &before.written, &now)
}

fn unchanged(from: usize, written: &[u8], now: &[u8]) -> Checked {
    if written == now {
        return Ok(());
    }
    Err(broken(
        format!(
            "a copy made before event {} changes with the original",
            from + 1
        ),
        Exhibit::cbor("the copy when it was made", written),
        Exhibit::cbor("the copy afterwards", now),
    ))
}

/// A copy of the state, taken anywhere, is not changed by what is folded into the original, and
/// replaying the rest onto it gives the same.
pub(super) fn rollback(bench: &Bench, history: &History) -> Checked {
    let mut path = Path::new(bench, bench.case(history)?)?;
    for _ in 0..history.len() {
        path.push()?;
    }
    let order = path.case.order();
    let every = (order.len() / 8).max(1);
    for from in order.iter().copied().step_by(every) {
        let before = path.before(from);
        unchanged(from, &before.written, &bench.encode(&before.state)?)?;
        let mut copy = bench.copy(&before.state)?;
        bench.go_on(&path.case, &mut copy, &order[from..])?;
        let replayed = bench.encode(&copy)?;
        if replayed != path.newest().written {
            return Err(broken(
                format!(
                    "replaying from event {} on comes to something else",
                    from + 1
                ),
                Exhibit::cbor("folded once", &path.newest().written),
                Exhibit::cbor("rolled back and replayed", &replayed),
            ));
        }
    }
    Ok(())
}

/// How often a round of events is repeated. Most numbers have outgrown one byte by then.
const ROUNDS: usize = 30;

/// The same events over and over, each round by people who saw all before, need no more room.
pub(super) fn growth(bench: &Bench, history: &History) -> Checked {
    let long = history.repeated(2 * ROUNDS);
    let case = bench.case(&long)?;
    let mut state = bench.init()?;
    let order = case.order();
    let (early, late) = order.split_at(ROUNDS * history.len());
    bench.go_on(&case, &mut state, early)?;
    let half = bench.encode(&state)?;
    bench.go_on(&case, &mut state, late)?;
    let whole = bench.encode(&state)?;
    if whole.len() < half.len() + ROUNDS {
        return Ok(());
    }
    let size = |bytes: &[u8], rounds: usize| {
        Exhibit::said(
            format!("after {rounds} rounds of these events"),
            format!("{} bytes of state", bytes.len()),
        )
    };
    Err(broken(
        "what everybody saw and overwrote is still in the state",
        size(&half, ROUNDS),
        size(&whole, 2 * ROUNDS),
    ))
}
