//! Mistakes are found by the law that names them, with a small budget; sound rules are not accused.

use anabranch::testing::laws::{Budget, Law};

use crate::rules::{
    Mistake, Sound, built_in, claimed, keys, late, meaning, panicking, reading, sound, stateful,
};

/// Each is broken first by the law that names it, and shown in a history of no more events.
fn each_is_found(mistakes: Vec<Mistake>, events_max: usize) {
    for mistake in mistakes.into_iter().map(Mistake::quickly) {
        let name = mistake.name;
        let Some(failure) = mistake.found() else {
            panic!("{name} slips through");
        };
        assert_eq!(
            failure.law, mistake.law,
            "{name}: {}\n{failure}",
            mistake.sin
        );
        assert!(failure.history.len() <= events_max, "{name}\n{failure}");
    }
}

#[test]
fn what_reads_more_than_its_arguments_is_found() {
    each_is_found(reading::mistakes(), 3);
}

#[test]
fn what_panics_on_what_anybody_may_write_is_found() {
    each_is_found(panicking::mistakes(), 2);
}

#[test]
fn a_state_that_does_not_endure_is_found() {
    each_is_found(stateful::mistakes(), 2);
}

#[test]
fn a_footprint_that_is_too_small_is_found() {
    each_is_found(keys::mistakes(), 3);
}

#[test]
fn a_false_claim_is_found() {
    each_is_found(claimed::mistakes(), 5);
}

#[test]
fn what_is_not_meant_is_found() {
    each_is_found(meaning::mistakes(), 3);
}

#[test]
fn what_only_the_fifth_event_shows_is_found() {
    each_is_found(late::mistakes(), 5);
}

#[test]
fn the_engine_shows_false_claims_and_footprints_too() {
    for name in [
        "footprint_of_nothing",
        "last_to_be_folded_wins",
        "sum_of_floats",
    ] {
        let mistakes = keys::mistakes().into_iter().chain(claimed::mistakes());
        let mistake = mistakes.map(Mistake::quickly).find(|it| it.name == name);
        let report = mistake.unwrap().suite.law(Law::Delivery);
        assert_eq!(report.broken(), [Law::Delivery], "{name}");
    }
}

fn none_is_accused(rules: Vec<Sound>) {
    for rule in rules {
        let report = rule.suite.within(Budget::new(2_000)).all();
        assert!(report.is_kept(), "{}\n{report}", rule.name);
    }
}

#[test]
fn no_sound_rule_is_accused() {
    none_is_accused(sound::rules());
}

#[test]
fn no_built_in_rule_is_accused() {
    none_is_accused(built_in::rules());
}

#[test]
fn there_are_as_many_mistakes_as_are_counted() {
    assert!(crate::rules::mistakes().len() >= 40);
    assert!(sound::rules().len() >= 10);
}
