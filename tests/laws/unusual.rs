//! Rules that are sound and unusual: none is accused.
#![expect(clippy::as_conversions, reason = "small numbers")]

use std::collections::{BTreeMap, BTreeSet};

use anabranch::event::EventId;
use anabranch::resolver::{Claims, Footprint, Key, Rejection, Resolver, Verdict};
use anabranch::testing::laws::{Alphabet, Suite};
use anabranch::{Context, FoldFn, resolver_laws};
use proptest::prelude::*;

fn kept<R: Resolver>(suite: &Suite<R>) {
    suite.check().assert_kept();
}

fn numbers() -> Alphabet {
    Alphabet::of(&[1u64, 2, 3])
}

fn larger(earlier: u64, later: u64) -> Verdict {
    match earlier.cmp(&later) {
        core::cmp::Ordering::Less => Verdict::LaterWins,
        core::cmp::Ordering::Equal => Verdict::Agree,
        core::cmp::Ordering::Greater => Verdict::EarlierWins,
    }
}

fn maximum() -> FoldFn<u64, u64> {
    FoldFn::reducer(
        "high",
        1,
        |_| 0,
        |high: &mut u64, new: &u64| *high = *new.max(high),
    )
    .with_judge(|earlier, later| larger(*earlier, *later))
    .with_claims(Claims::commuting())
}

resolver_laws!(a_maximum_of_any_numbers, maximum(), any::<u64>(); |suite| {
    suite.with_reducer(|all: &[u64]| all.iter().copied().max().unwrap_or(0))
});

#[test]
fn a_journal_that_keeps_all_is_not_accused() {
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
    kept(&suite);
}

#[test]
fn a_set_that_only_grows_is_not_accused() {
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
    kept(&Suite::new(rule, "[a-c]{1,2}"));
}

#[test]
fn a_claim_to_commute_but_for_those_who_ask_for_rivals_is_not_accused() {
    let apply = |votes: &mut BTreeMap<EventId, u64>, vote: &u64, cx: &Context<'_, u64>| {
        votes.retain(|id, _| !cx.saw(*id));
        let before = if *vote == 3 {
            cx.rivals().len() + 10 * votes.len()
        } else {
            0
        };
        votes.insert(cx.id(), vote.wrapping_add(before as u64));
    };
    let rule = FoldFn::new("votes", 1, |_| BTreeMap::new(), apply)
        .with_judge(|_, _| Verdict::BothKept)
        .with_claims(Claims::commuting());
    kept(&Suite::new(rule, numbers()));
}

#[test]
fn stock_that_refuses_to_go_below_zero_is_not_accused() {
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
    kept(&suite);
}

#[test]
fn stamps_of_peoples_own_are_not_accused() {
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
    kept(&Suite::new(rule, (0u64..4, 0u64..4)));
}

#[test]
fn a_rule_that_refuses_everything_is_not_accused() {
    let rule = FoldFn::reducer("closed", 1, |_| 0, |_: &mut u64, _: &u64| {})
        .with_admit(|_, _, _| Err(Rejection::new("closed")))
        .with_claims(Claims::commuting());
    kept(&Suite::new(rule, numbers()));
}

#[test]
fn a_rule_that_keeps_nothing_is_not_accused() {
    let rule = FoldFn::reducer("void", 1, |_| (), |(): &mut (), _: &u64| {})
        .with_footprint(|_| Footprint::NOTHING)
        .with_claims(Claims::commuting());
    kept(&Suite::new(rule, numbers()));
}

#[test]
fn a_swap_that_names_both_places_is_not_accused() {
    type Places = BTreeMap<String, u64>;
    let start = |_: &_| {
        ["a", "b", "c"]
            .map(|name| (name.to_owned(), name.len() as u64))
            .into()
    };
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
    for law in [
        anabranch::testing::laws::Law::Footprint,
        anabranch::testing::laws::Law::Delivery,
        anabranch::testing::laws::Law::Rollback,
    ] {
        suite.check_law(law).assert_kept();
    }
}

#[test]
fn switches_that_cancel_each_other_are_not_accused() {
    let rule = FoldFn::reducer(
        "switches",
        1,
        |_| 0u64,
        |on: &mut u64, which: &u64| *on ^= which,
    )
    .with_judge(|_, _| Verdict::Merged)
    .with_claims(Claims::commuting());
    kept(&Suite::new(rule, numbers()));
}

#[test]
fn a_bid_that_looks_at_its_rivals_is_not_accused() {
    let apply = |best: &mut u64, bid: &u64, cx: &Context<'_, u64>| {
        if cx.rivals().iter().all(|rival| rival.payload <= *bid) {
            *best = *bid;
        }
    };
    let rule = FoldFn::new("bid", 1, |_| 0u64, apply)
        .with_judge(|earlier, later| larger(*earlier, *later));
    kept(&Suite::new(rule, numbers()));
}

#[test]
fn the_last_three_values_are_not_accused() {
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
    kept(&Suite::new(rule, numbers()));
}
