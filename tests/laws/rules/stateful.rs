//! Rules whose state does not endure: being written, being copied, being overwritten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use anabranch::event::EventId;
use anabranch::testing::laws::{Alphabet, Law, Suite};
use anabranch::{Context, FoldFn};
use serde::{Deserialize, Serialize};

use super::{Mistake, numbers};

/// What is forgotten, shared, or kept for ever.
pub fn mistakes() -> Vec<Mistake> {
    vec![
        forgotten(),
        rounded(),
        counted_reads(),
        shared(),
        history(),
        tombstones(),
        attempts(),
        seen_by(),
    ]
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Peak {
    peak: u64,
    #[serde(skip)]
    sum: u64,
}

fn forgotten() -> Mistake {
    let step = |state: &mut Peak, step: &u64| {
        state.sum = state.sum.wrapping_add(*step);
        state.peak = state.peak.max(state.sum);
    };
    let rule = FoldFn::reducer("peak", 1, |_| Peak::default(), step);
    Mistake::new(
        Law::StateSplit,
        "field_that_is_not_written",
        "a field that the rule goes on from is skipped by serde",
        Suite::new(rule, numbers()),
    )
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(into = "u64", from = "u64")]
struct Cents {
    halves: u64,
}

impl From<u64> for Cents {
    fn from(cents: u64) -> Self {
        Self { halves: 2 * cents }
    }
}

impl From<Cents> for u64 {
    fn from(cents: Cents) -> Self {
        cents.halves / 2
    }
}

fn rounded() -> Mistake {
    let step = |sum: &mut Cents, halves: &u64| sum.halves = (sum.halves + halves % 9) % 1_000;
    let rule = FoldFn::reducer("cents", 1, |_| Cents::default(), step);
    Mistake::new(
        Law::StateSplit,
        "rounding_on_writing",
        "the state is kept more exactly than it is written",
        Suite::new(rule, numbers()),
    )
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(from = "(u64, u64)")]
struct Read {
    value: u64,
    loads: u64,
}

impl From<(u64, u64)> for Read {
    fn from((value, loads): (u64, u64)) -> Self {
        Self {
            value,
            loads: loads + 1,
        }
    }
}

fn counted_reads() -> Mistake {
    let step = |state: &mut Read, new: &u64| state.value = *new;
    let rule = FoldFn::reducer("loads", 1, |_| Read::default(), step);
    Mistake::new(
        Law::StateSplit,
        "bookkeeping_of_loads",
        "the state counts how often it was loaded",
        Suite::new(rule, numbers()),
    )
}

#[derive(Clone)]
struct Shared(Arc<Mutex<u64>>);

impl Serialize for Shared {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.lock().expect("a sound lock").serialize(to)
    }
}

impl<'de> Deserialize<'de> for Shared {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        u64::deserialize(from).map(|sum| Self(Arc::new(Mutex::new(sum))))
    }
}

fn shared() -> Mistake {
    let start = |_: &_| Shared(Arc::default());
    let step = |sum: &mut Shared, step: &u64| {
        let mut sum = sum.0.lock().expect("a sound lock");
        *sum = sum.wrapping_add(*step);
    };
    let rule = FoldFn::reducer("shared", 1, start, step);
    Mistake::new(
        Law::Rollback,
        "copies_that_share_memory",
        "a copy of the state changes with the original",
        Suite::new(rule, numbers()),
    )
    .also(&[Law::Determinism, Law::Purity, Law::StateSplit])
}

fn history() -> Mistake {
    let step = |all: &mut Vec<u64>, new: &u64| all.push(*new);
    let rule = FoldFn::reducer("last", 1, |_| Vec::new(), step);
    Mistake::new(
        Law::Growth,
        "history_in_the_state",
        "the last value is looked up in a list of all of them",
        Suite::new(rule, numbers()),
    )
}

fn tombstones() -> Mistake {
    type Tombs = (BTreeMap<EventId, u64>, BTreeSet<EventId>);
    let apply = |(alive, dead): &mut Tombs, new: &u64, cx: &Context<'_, u64>| {
        dead.extend(alive.keys().filter(|id| cx.saw(**id)));
        alive.retain(|id, _| !dead.contains(id));
        alive.insert(cx.id(), *new);
    };
    let rule = FoldFn::new("tombs", 1, |_| Tombs::default(), apply);
    Mistake::new(
        Law::Growth,
        "tombstones_for_ever",
        "what was removed leaves a tombstone that nobody removes",
        Suite::new(rule, numbers()),
    )
}

fn attempts() -> Mistake {
    type Desk = (u64, Vec<EventId>);
    let apply = |(left, failed): &mut Desk, wanted: &u64, cx: &Context<'_, u64>| match left
        .checked_sub(*wanted)
    {
        Some(rest) => *left = rest,
        None => failed.push(cx.id()),
    };
    let rule = FoldFn::new("desk", 1, |_| (5, Vec::new()), apply);
    Mistake::new(
        Law::Growth,
        "list_of_failed_attempts",
        "what should be refused is admitted and noted in the state",
        Suite::new(rule, Alphabet::of(&[2u64, 3])),
    )
}

fn seen_by() -> Mistake {
    let apply = |audit: &mut String, new: &u64, cx: &Context<'_, u64>| {
        let line = format!("{:?} wrote {new};", cx.id().seq);
        audit.push_str(&line);
    };
    let rule = FoldFn::new("audit", 1, |_| String::new(), apply);
    Mistake::new(
        Law::Growth,
        "log_in_a_text",
        "a text in the state is written on and on",
        Suite::new(rule, numbers()),
    )
}
