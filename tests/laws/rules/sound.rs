//! Rules that are sound and unusual: none is accused.

use std::collections::{BTreeMap, BTreeSet};

use anabranch::event::EventId;
use anabranch::resolver::{Claims, Footprint, Key, Rejection, Verdict};
use anabranch::testing::laws::{Alphabet, Suite};
use anabranch::{Context, FoldFn};
use proptest::prelude::*;

use super::{Sound, larger, numbers};

/// All of them.
pub fn rules() -> Vec<Sound> {
    vec![
        maximum_of_any_numbers(),
        a_journal_that_keeps_all(),
        a_set_that_only_grows(),
        a_claim_to_commute_but_for_those_who_ask_for_rivals(),
        stock_that_refuses_to_go_below_zero(),
        stamps_of_peoples_own(),
        a_rule_that_refuses_everything(),
        a_rule_that_keeps_nothing(),
        a_swap_that_names_both_places(),
        switches_that_cancel_each_other(),
        a_bid_that_looks_at_its_rivals(),
        the_last_three_values(),
    ]
}

fn maximum_of_any_numbers() -> Sound {
    let step = |high: &mut u64, new: &u64| *high = *new.max(high);
    let rule = FoldFn::reducer("high", 1, |_| 0, step)
        .with_judge(|earlier, later| larger(*earlier, *later))
        .with_claims(Claims::commuting());
    let suite = Suite::new(rule, any::<u64>())
        .with_reducer(|all: &[u64]| all.iter().copied().max().unwrap_or(0));
    Sound::new("maximum_of_any_numbers", suite)
}

fn a_journal_that_keeps_all() -> Sound {
    let rule = FoldFn::reducer(
        "journal",
        1,
        |_| Vec::new(),
        |all: &mut Vec<u64>, new: &u64| all.push(*new),
    )
    .with_judge(|_, _| Verdict::BothKept);
    let suite = Suite::new(rule, numbers())
        .keeping_all()
        .with_reducer(<[u64]>::to_vec);
    Sound::new("a_journal_that_keeps_all", suite)
}

fn a_set_that_only_grows() -> Sound {
    let rule = FoldFn::reducer(
        "seen",
        1,
        |_| BTreeSet::new(),
        |seen: &mut BTreeSet<String>, name: &String| {
            seen.insert(name.clone());
        },
    )
    .with_footprint(|name| Footprint::Keys(vec![Key::leaf([name.as_str()])]))
    .with_judge(|_, _| Verdict::Agree)
    .with_claims(Claims::commuting());
    Sound::new("a_set_that_only_grows", Suite::new(rule, "[a-c]{1,2}"))
}

fn a_claim_to_commute_but_for_those_who_ask_for_rivals() -> Sound {
    let apply = |votes: &mut BTreeMap<EventId, u64>, vote: &u64, cx: &Context<'_, u64>| {
        votes.retain(|id, _| !cx.saw(*id));
        let before = if *vote == 3 {
            cx.rivals().len() + 10 * votes.len()
        } else {
            0
        };
        votes.insert(
            cx.id(),
            vote.wrapping_add(u64::try_from(before).unwrap_or(0)),
        );
    };
    let rule = FoldFn::new("votes", 1, |_| BTreeMap::new(), apply)
        .with_judge(|_, _| Verdict::BothKept)
        .with_claims(Claims::commuting());
    Sound::new(
        "a_claim_to_commute_but_for_those_who_ask_for_rivals",
        Suite::new(rule, numbers()),
    )
}

fn stock_that_refuses_to_go_below_zero() -> Sound {
    let rule = FoldFn::reducer(
        "stock",
        1,
        |_| 1i64,
        |left: &mut i64, step: &i64| *left += step,
    )
    .with_admit(|left, step, _| match left.checked_add(*step) {
        Some(0..) => Ok(()),
        _ => Err(Rejection::new(format!("only {left} left"))),
    })
    .with_judge(|_, _| Verdict::Merged);
    let suite = Suite::new(rule, Alphabet::of(&[-1i64, 1, -2]))
        .with_invariant("stock is not negative", |left| *left >= 0);
    Sound::new("stock_that_refuses_to_go_below_zero", suite)
}

fn stamps_of_peoples_own() -> Sound {
    type Stamped = (u64, u64);
    let rule = FoldFn::reducer(
        "stamped",
        1,
        |_| (0, 0),
        |state: &mut Stamped, new: &Stamped| {
            *state = *new.max(state);
        },
    )
    .with_judge(
        |earlier: &Stamped, later: &Stamped| match earlier.cmp(later) {
            core::cmp::Ordering::Less => Verdict::LaterWins,
            core::cmp::Ordering::Equal => Verdict::Agree,
            core::cmp::Ordering::Greater => Verdict::EarlierWins,
        },
    )
    .with_claims(Claims::commuting());
    Sound::new(
        "stamps_of_peoples_own",
        Suite::new(rule, (0u64..4, 0u64..4)),
    )
}

fn a_rule_that_refuses_everything() -> Sound {
    let rule = FoldFn::reducer("closed", 1, |_| 0, |_: &mut u64, _: &u64| {})
        .with_admit(|_, _, _| Err(Rejection::new("closed")))
        .with_claims(Claims::commuting());
    Sound::new(
        "a_rule_that_refuses_everything",
        Suite::new(rule, numbers()),
    )
}

fn a_rule_that_keeps_nothing() -> Sound {
    let rule = FoldFn::reducer("void", 1, |_| (), |(): &mut (), _: &u64| {})
        .with_footprint(|_| Footprint::NOTHING)
        .with_claims(Claims::commuting());
    Sound::new("a_rule_that_keeps_nothing", Suite::new(rule, numbers()))
}

fn a_swap_that_names_both_places() -> Sound {
    type Places = BTreeMap<String, u64>;
    let start = |_: &_| ["a", "b", "c"].map(|name| (name.to_owned(), 1u64)).into();
    let rule = FoldFn::reducer(
        "swap",
        1,
        start,
        |places: &mut Places, (one, other): &(String, String)| {
            let (first, second) = (places.get(one).copied(), places.get(other).copied());
            if let (Some(first), Some(second)) = (first, second) {
                places.insert(one.clone(), second.wrapping_add(1) % 7);
                places.insert(other.clone(), first);
            }
        },
    )
    .with_footprint(|(one, other)| {
        Footprint::Keys([one, other].map(|name| Key::leaf([name.as_str()])).into())
    })
    .with_judge(|_, _| Verdict::Merged);
    let suite = Suite::new(rule, Alphabet::of(&[("a", "b"), ("b", "c"), ("c", "a")]));
    Sound::new("a_swap_that_names_both_places", suite)
}

fn switches_that_cancel_each_other() -> Sound {
    let rule = FoldFn::reducer(
        "switches",
        1,
        |_| 0u64,
        |on: &mut u64, which: &u64| *on ^= which,
    )
    .with_judge(|_, _| Verdict::Merged)
    .with_claims(Claims::commuting());
    Sound::new(
        "switches_that_cancel_each_other",
        Suite::new(rule, numbers()),
    )
}

fn a_bid_that_looks_at_its_rivals() -> Sound {
    let apply = |best: &mut u64, bid: &u64, cx: &Context<'_, u64>| {
        if cx.rivals().iter().all(|rival| rival.payload <= *bid) {
            *best = *bid;
        }
    };
    let rule = FoldFn::new("bid", 1, |_| 0u64, apply)
        .with_judge(|earlier, later| larger(*earlier, *later));
    Sound::new(
        "a_bid_that_looks_at_its_rivals",
        Suite::new(rule, numbers()),
    )
}

fn the_last_three_values() -> Sound {
    let rule = FoldFn::reducer(
        "recent",
        1,
        |_| Vec::new(),
        |recent: &mut Vec<u64>, new: &u64| {
            recent.push(*new);
            if recent.len() > 3 {
                recent.remove(0);
            }
        },
    )
    .with_judge(|_, _| Verdict::BothKept);
    Sound::new("the_last_three_values", Suite::new(rule, numbers()))
}
