//! Rules that claim that concurrent events commute, and are wrong.

use std::collections::{BTreeMap, BTreeSet};

use anabranch::event::EventId;
use anabranch::resolver::{Claims, Rejection, Resolver};
use anabranch::testing::laws::{Alphabet, Law, Suite};
use anabranch::{Context, FoldFn};

use super::{Mistake, numbers};

/// Claims that two events refute, or three, or only what was refused.
pub fn mistakes() -> Vec<Mistake> {
    vec![
        floats(),
        last_write(),
        set(),
        capacity(),
        means(),
        rivals(),
        stock(),
        taken(),
        saturating(),
        truncated(),
        ties(),
        tombstones(),
        reset(),
        text(),
        rarely(),
    ]
}

/// With the claim.
fn claims<S, P>(name: &'static str, sin: &'static str, suite: FoldFn<S, P>, of: Alphabet) -> Mistake
where
    FoldFn<S, P>: Resolver,
{
    let rule = suite.with_claims(Claims::commuting());
    Mistake::new(Law::Commutation, name, sin, Suite::new(rule, of))
}

fn floats() -> Mistake {
    let rule = FoldFn::reducer("sum", 1, |_| 0f64, |sum: &mut f64, step: &f64| *sum += step);
    claims(
        "sum_of_floats",
        "floats are added in any order, as if that were exact",
        rule,
        Alphabet::of(&[0.1, 0.2, 0.3]),
    )
}

fn last_write() -> Mistake {
    let rule = FoldFn::reducer("name", 1, |_| 0, |name: &mut u64, new: &u64| *name = *new);
    claims(
        "last_to_be_folded_wins",
        "the last write wins, whichever is folded last",
        rule,
        numbers(),
    )
}

fn set() -> Mistake {
    let step = |set: &mut BTreeSet<u64>, (add, item): &(bool, u64)| {
        if *add {
            set.insert(*item);
        } else {
            set.remove(item);
        }
    };
    claims(
        "set_that_loses_concurrent_adds",
        "a removal also takes away what its writer did not know of",
        FoldFn::reducer("set", 1, |_| BTreeSet::new(), step),
        Alphabet::of(&[(true, 1u64), (false, 1)]),
    )
}

fn capacity() -> Mistake {
    let step = |guests: &mut BTreeSet<u64>, name: &u64| {
        guests.insert(*name);
    };
    let rule =
        FoldFn::reducer("guests", 1, |_| BTreeSet::new(), step).with_admit(|guests, _, _| {
            match guests.len() {
                0..2 => Ok(()),
                _ => Err(Rejection::new("full")),
            }
        });
    claims(
        "capacity_for_named_guests",
        "the first to be folded get the seats",
        rule,
        numbers(),
    )
}

/// Two commute, three do not.
fn means() -> Mistake {
    let step = |mean: &mut Option<f64>, new: &f64| {
        *mean = Some(mean.map_or(*new, |old| f64::midpoint(old, *new)));
    };
    claims(
        "running_mean",
        "a mean of halves: right for any two, wrong for three",
        FoldFn::reducer("mean", 1, |_| None, step),
        Alphabet::of(&[1.0, 2.0]),
    )
}

fn rivals() -> Mistake {
    let apply = |kept: &mut Vec<(EventId, u64)>, new: &u64, cx: &Context<'_, u64>| {
        kept.retain(|(id, _)| !cx.saw(*id));
        kept.push((cx.id(), *new));
    };
    claims(
        "conflicts_in_order_of_folding",
        "a list of conflicting values stands in the order in which they were folded",
        FoldFn::new("kept", 1, |_| Vec::new(), apply),
        numbers(),
    )
}

fn stock() -> Mistake {
    let rule = FoldFn::reducer(
        "stock",
        1,
        |_| 1i64,
        |left: &mut i64, step: &i64| {
            *left = left.saturating_add(*step);
        },
    )
    .with_admit(|left, step, _| match left.saturating_add(*step) {
        ..0 => Err(Rejection::new("none left")),
        _ => Ok(()),
    });
    claims(
        "refusal_that_depends_on_order",
        "a sale before the delivery is refused, after it not",
        rule,
        Alphabet::of(&[-1i64, 1]),
    )
}

/// The state is the same either way; who was refused is not.
fn taken() -> Mistake {
    let step = |names: &mut BTreeSet<u64>, name: &u64| {
        names.insert(*name);
    };
    let rule = FoldFn::reducer("names", 1, |_| BTreeSet::new(), step).with_admit(
        |names: &BTreeSet<u64>, name: &u64, _| {
            if names.contains(name) {
                return Err(Rejection::new("taken"));
            }
            Ok(())
        },
    );
    claims(
        "same_state_other_refusals",
        "of two who want one name the first to be folded gets it: the state is the same, who was refused is not",
        rule,
        numbers(),
    )
}

fn saturating() -> Mistake {
    let step = |sum: &mut i8, step: &i8| *sum = sum.saturating_add(*step);
    claims(
        "sum_that_saturates",
        "sums stop at the greatest number: right for any two from nothing, wrong for three",
        FoldFn::reducer("sum", 1, |_| 0i8, step),
        Alphabet::of(&[100i8, -100]),
    )
}

fn truncated() -> Mistake {
    let step = |first: &mut BTreeSet<u64>, new: &u64| {
        if first.len() < 2 {
            first.insert(*new);
        }
    };
    claims(
        "list_that_keeps_the_first_to_come",
        "a list takes no more than two: right for any two, wrong for three",
        FoldFn::reducer("first", 1, |_| BTreeSet::new(), step),
        numbers(),
    )
}

fn ties() -> Mistake {
    type Stamped = (u64, u64);
    let step = |state: &mut Stamped, new: &Stamped| {
        if new.0 >= state.0 {
            *state = *new;
        }
    };
    claims(
        "tie_broken_by_folding",
        "of two values with one stamp the last to be folded is kept",
        FoldFn::reducer("stamped", 1, |_| (0, 0), step),
        Alphabet::of(&[(1u64, 1u64), (1, 2), (2, 3)]),
    )
}

fn tombstones() -> Mistake {
    type Marks = BTreeMap<u64, bool>;
    let step = |marks: &mut Marks, (alive, item): &(bool, u64)| {
        if marks.len() > 2 {
            marks.retain(|_, alive| *alive);
        }
        let mark = marks.entry(*item).or_insert(true);
        *mark &= *alive;
    };
    claims(
        "tombstones_dropped_too_early",
        "removals win, until their tombstones are cleared away while an add is still to come",
        FoldFn::reducer("marks", 1, |_| Marks::new(), step),
        Alphabet::of(&[(true, 1u64), (false, 1), (false, 2), (false, 3)]),
    )
}

fn reset() -> Mistake {
    let step = |high: &mut u64, new: &u64| match new {
        0 => *high = 0,
        _ => *high = *new.max(high),
    };
    claims(
        "maximum_with_a_reset",
        "a maximum commutes, setting it back does not",
        FoldFn::reducer("high", 1, |_| 0, step),
        Alphabet::of(&[2u64, 0]),
    )
}

fn text() -> Mistake {
    let step = |text: &mut String, (at, what): &(usize, String)| {
        let at = text
            .char_indices()
            .nth(*at)
            .map_or(text.len(), |(at, _)| at);
        text.insert_str(at, what);
        let end = text.char_indices().nth(6).map_or(text.len(), |(at, _)| at);
        text.truncate(end);
    };
    claims(
        "insertion_by_position",
        "text is inserted at a position that others move meanwhile",
        FoldFn::reducer("text", 1, |_| String::new(), step),
        Alphabet::of(&[(0usize, "a"), (1, "b")]),
    )
}

/// Only the fifth event tells.
fn rarely() -> Mistake {
    type Seen = (u64, u64);
    let step = |(count, last): &mut Seen, new: &u64| {
        *count = (*count + 1).min(5);
        *last = if *count == 5 { *new } else { 0 };
    };
    let mistake = claims(
        "wrong_for_five_only",
        "what is shown is the newest once there are five: four events show nothing",
        FoldFn::reducer("fifth", 1, |_| (0, 0), step),
        Alphabet::of(&[1u64, 2]),
    );
    Mistake {
        enough: 120_000,
        ..mistake
    }
}
