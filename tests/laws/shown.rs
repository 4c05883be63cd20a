//! What people are shown when a rule breaks a law.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anabranch::FoldFn;
use anabranch::resolver::{Claims, Resolver};
use anabranch::testing::laws::{Alphabet, Budget, Law, Suite};

fn last_write() -> FoldFn<u8, u8> {
    FoldFn::reducer("last", 1, |_| 0, |last: &mut u8, new: &u8| *last = *new)
        .with_claims(Claims::commuting())
}

const SHOWN: &str = "\
last@1 breaks the law of commutation: a rule that claims that concurrent events commute is right, refusals included.
Here, the rule claims that concurrent events commute, and yet their order matters.

   A     B
   1     |       2
   |     2       1

    folded as 2, 1     folded as 1, 2
 -> 2               |  1

As a test:

#[test]
fn last_keeps_commutation() {
    use anabranch::testing::laws::{History, Law};

    let history = History::new()
        .event(\"A\", [], \"02\") // 2
        .event(\"B\", [], \"01\"); // 1
    suite().assert_keeps(Law::Commutation, &history);
}
";

fn suite() -> Suite<impl Resolver> {
    Suite::new(last_write(), Alphabet::of(&[1u8, 2])).made_by("suite()")
}

#[test]
fn a_failure_is_the_smallest_history_drawn_with_both_outcomes_and_a_test() {
    let report = suite().check_law(Law::Commutation);
    let failure = report.failures().next().unwrap();
    assert_eq!(failure.to_string().trim_end(), SHOWN.trim_end());
}

/// Tests as they are printed, pasted here; each fails, as it should.
mod pasted {
    use super::{purse, suite};

    #[test]
    #[should_panic(expected = "last@1 breaks the law of commutation")]
    fn last_keeps_commutation() {
        use anabranch::testing::laws::{History, Law};

        let history = History::new()
            .event("A", [], "02") // 2
            .event("B", [], "01"); // 1
        suite().assert_keeps(Law::Commutation, &history);
    }

    #[test]
    #[should_panic(expected = "purse@1 breaks the law of invariants")]
    fn purse_keeps_invariants() {
        use anabranch::testing::laws::{History, Law};

        let history = History::new()
            .event("A", [], "21") // -2
            .event("A", [1], "21"); // -2
        purse::suite().assert_keeps(Law::Invariants, &history);
    }

    #[test]
    #[should_panic(expected = "purse@1 breaks the law of sequence")]
    fn purse_keeps_sequence() {
        use anabranch::testing::laws::{History, Law};

        let history = History::new()
            .event("A", [], "21") // -2
            .event("A", [1], "21"); // -2
        purse::suite().assert_keeps(Law::Sequence, &history);
    }
}

/// What `resolver_laws!` makes, but for the tests, which would fail.
mod purse {
    use super::*;

    pub(super) fn suite() -> Suite<impl Resolver> {
        let rule = FoldFn::reducer(
            "purse",
            1,
            |_| 3i64,
            |left: &mut i64, step: &i64| {
                *left = left.saturating_add(*step);
            },
        );
        Suite::new(rule, Alphabet::of(&[-2i64, 1]))
            .made_by("purse::suite()")
            .with_reducer(|steps: &[i64]| steps.iter().fold(3i64, |sum, step| (sum + step).max(0)))
            .with_invariant("nobody owes anything", |left| *left >= 0)
    }
}

/// What the suite was told goes along: a pasted test calls what makes the suite.
#[test]
fn what_is_printed_is_what_was_pasted() {
    let here = include_str!("shown.rs");
    let reports = [
        suite().check_law(Law::Commutation),
        purse::suite().check_law(Law::Invariants),
        purse::suite().check_law(Law::Sequence),
    ];
    for report in reports {
        let test = report.failures().next().unwrap().to_test();
        for line in test.lines() {
            assert!(here.contains(line.trim()), "{line}\n{report}");
        }
    }
}

#[test]
fn a_long_history_is_made_as_short_as_a_mistake_allows() {
    // Seven writes by anybody, in any order, and the eighth is forgotten by a replay.
    let rule = FoldFn::reducer(
        "sum",
        1,
        |_| 0u64,
        |sum: &mut u64, step: &u64| {
            *sum = if *sum >= 7 {
                *step
            } else {
                sum.saturating_add(*step)
            };
        },
    )
    .with_claims(Claims::commuting());
    let suite = Suite::new(rule, Alphabet::of(&[1u64, 2])).with_budget(Budget::new(10_000));
    let report = suite.check_law(Law::Commutation);
    let history = &report.failures().next().unwrap().history;
    assert!(history.len() <= 6, "{report}");
}

#[test]
fn a_mistake_that_takes_fifty_events_is_found_at_random_and_shown_in_fifty() {
    let rule = FoldFn::reducer(
        "fifty",
        1,
        |_| 0u8,
        |count: &mut u8, _: &u8| {
            *count += 1;
            assert!(*count < 50, "too many");
        },
    );
    let suite = Suite::new(rule, Alphabet::of(&[1u8])).with_budget(Budget::new(12_000));
    let report = suite.check_law(Law::Totality);
    assert_eq!(report.failures().next().unwrap().history.len(), 50);
}

#[test]
fn the_same_search_finds_the_same() {
    let found = || {
        let suite = Suite::new(last_write(), 0u8..).with_budget(Budget::new(5_000).with_seed(3));
        suite.check().to_string()
    };
    assert_eq!(found(), found());
}

#[test]
fn small_histories_of_a_small_alphabet_are_tried_in_full() {
    let step = |sum: &mut u64, step: &u64| *sum = sum.wrapping_add(*step);
    let rule = || FoldFn::reducer("sum", 1, |_| 0u64, step);
    let trial = |budget| {
        let suite = Suite::new(rule(), Alphabet::of(&[1u64, 2])).with_budget(budget);
        suite.check_law(Law::Rollback).trials.remove(0)
    };
    // 1, 2, 7, 40 and 357 histories of 1 to 5 events, with two payloads.
    let small = |most: usize| {
        (1..=most)
            .map(|at| [2, 8, 56, 640, 11_424][at - 1])
            .sum::<u64>()
    };
    for budget in [Budget::new(100_000), Budget::complete()] {
        let whole = trial(budget);
        assert_eq!((whole.complete_to, whole.complete), (5, small(5)));
        assert!(whole.partly.is_empty());
        assert!(whole.random > 0);
        assert_eq!(whole.histories, small(5) + whole.random);
    }
    // What was not tried is told.
    let part = trial(Budget::new(8_000));
    assert_eq!((part.complete_to, part.complete), (4, small(4)));
    assert_eq!(
        (part.partly[0].events, part.partly[0].of),
        (5, Some(11_424))
    );
    let told = part.coverage();
    assert!(
        told.starts_with("all 706 histories of up to 4 events with 2 payloads, "),
        "{told}"
    );
    assert!(told.contains(" of 11,424 of 5 events, "), "{told}");
}

#[test]
fn a_complete_search_tries_every_arrival_with_every_payload() {
    let arrived = |budget| {
        let folds = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&folds);
        let step = move |sum: &mut u8, step: &u8| {
            counted.fetch_add(1, Ordering::Relaxed);
            *sum = sum.wrapping_add(*step);
        };
        let rule = FoldFn::reducer("sum", 1, |_| 0u8, step);
        let suite = Suite::new(rule, Alphabet::of(&[1u8, 2])).with_budget(budget);
        assert_eq!(suite.check_law(Law::Delivery).trials[0].complete_to, 5);
        folds.load(Ordering::Relaxed)
    };
    // 6,105 arrivals of five events, each with 32 choices of payloads.
    let arrivals = 6_105 * 32;
    let (some, all) = (arrived(Budget::new(1_000_000)), arrived(Budget::complete()));
    assert!(some < 5 * arrivals && 5 * arrivals < all, "{some}, {all}");
}

#[test]
fn a_rule_that_panics_does_not_flood_the_terminal() {
    // The hook that is there before the first trial hears of what panics outside of trials only.
    let suite = Suite::new(
        FoldFn::reducer(
            "odd",
            1,
            |_| 0u8,
            |_: &mut u8, new: &u8| assert!(*new > 1, "odd"),
        ),
        Alphabet::of(&[1u8, 2]),
    );
    let report = suite.with_budget(Budget::new(500)).check_law(Law::Totality);
    let failure = report.failures().next().unwrap();
    assert!(failure.to_string().contains("panic: odd"), "{failure}");
}
