//! What a state must endure: being written, being copied, being overwritten.

use super::super::bench::{Bench, Fault, Run};
use super::super::exhibit::Exhibit;
use super::super::history::History;
use super::{Checked, Stop, broken, shown};
use crate::event::cbor;

/// A state that is written and read back goes on as if nothing had been.
pub(super) fn split(bench: &Bench, history: &History) -> Checked {
    let case = bench.case(history)?;
    let order = case.order();
    let straight = readable(bench.fold(&case, &order))?;
    let mut refused = std::collections::BTreeMap::new();
    let mut bytes = bench.encode(&bench.init()?)?;
    for at in order {
        let mut state = readable(bench.decode(&bytes))?;
        let again = bench.encode(&state)?;
        if again != bytes {
            return Err(broken(
                format!(
                    "the state before event {} changes by being written and read",
                    at + 1
                ),
                Exhibit::cbor("written", &bytes),
                Exhibit::cbor("read and written again", &again),
            ));
        }
        if let Some(why) = bench.step(&case, &mut state, at)? {
            refused.insert(at, why);
        }
        bytes = readable(bench.encode(&state))?;
    }
    let stored = Run {
        state: bytes,
        refused,
    };
    if straight != stored {
        return Err(broken(
            "a state that was written and read between events goes on differently",
            shown("kept in memory", &straight),
            shown("written and read", &stored),
        ));
    }
    let again = bench.encode(&readable(bench.decode(&stored.state))?)?;
    if again != stored.state || !cbor::is_canonical(&again) {
        return Err(broken(
            "the state changes by being written and read",
            Exhibit::cbor("written", &stored.state),
            Exhibit::cbor("read and written again", &again),
        ));
    }
    Ok(())
}

/// A state that cannot be written or read is this law's business.
fn readable<T>(tried: Result<T, Fault>) -> Result<T, Stop> {
    tried.map_err(|fault| match fault {
        Fault::Unwritable(why) => broken(
            "the state cannot be written",
            Exhibit::said("expected", "canonical CBOR"),
            Exhibit::said("found", why),
        ),
        Fault::Unreadable(bytes, why) => broken(
            "a state cannot be read back",
            Exhibit::cbor("written", &bytes),
            Exhibit::said("read", why),
        ),
        fault @ Fault::Panicked(..) => fault.into(),
    })
}

/// A copy of the state, taken anywhere, is not changed by what is folded into the original, and
/// replaying the rest onto it gives the same.
pub(super) fn rollback(bench: &Bench, history: &History) -> Checked {
    let case = bench.case(history)?;
    let order = case.order();
    let mut state = bench.init()?;
    let mut kept = Vec::new();
    let every = (order.len() / 8).max(1);
    for at in &order {
        if at % every == 0 {
            let copy = bench.copy(&state)?;
            let written = bench.encode(&copy)?;
            kept.push((*at, copy, written));
        }
        bench.step(&case, &mut state, *at)?;
    }
    let straight = bench.encode(&state)?;
    for (from, mut copy, written) in kept {
        let now = bench.encode(&copy)?;
        if now != written {
            return Err(broken(
                format!(
                    "a copy made before event {} changes with the original",
                    from + 1
                ),
                Exhibit::cbor("the copy when it was made", &written),
                Exhibit::cbor("the copy afterwards", &now),
            ));
        }
        bench.go_on(&case, &mut copy, &order[from..])?;
        let replayed = bench.encode(&copy)?;
        if replayed != straight {
            return Err(broken(
                format!(
                    "replaying from event {} on comes to something else",
                    from + 1
                ),
                Exhibit::cbor("folded once", &straight),
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
