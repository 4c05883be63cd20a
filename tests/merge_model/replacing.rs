//! Events that were written again under a new incarnation count once.

use std::collections::BTreeSet;

use anabranch::event::{EventId, OrderKey, ReplicaId, Timestamp};
use anabranch::merge::{Integration, Outcome, Timeline, Unguarded};
use anabranch::resolver::Route;

use crate::authors::{Authors, Line, aggregate, seq};
use crate::journal::{self, Entry, Journal, Lists};

fn life(incarnation: u64) -> ReplicaId {
    ReplicaId::new(1, incarnation)
}

fn again(authors: &mut Authors, incarnation: u64, replaced: EventId, clock: u64) -> EventId {
    let line = Line {
        replaces: Some(replaced),
        ..Line::new(0, 4)
    };
    let number = authors.write(life(incarnation), &BTreeSet::new(), &[line], clock);
    authors.commits[number].id()
}

/// The timeline after these commits in this order, looked at after each.
fn folded(authors: &Authors, order: impl IntoIterator<Item = usize>) -> Timeline {
    let mut timeline = Timeline::new(aggregate(0), Some(Route::new(Journal)));
    for number in order {
        let event = authors.commits[number].events()[0].clone();
        let tag = authors.head(event.id()).tag;
        timeline.integrate(event, tag);
        timeline.fold(&Unguarded);
    }
    timeline
}

fn entries(timeline: &Timeline) -> Vec<EventId> {
    let state = timeline.state().unwrap().downcast_ref::<Lists>().unwrap();
    journal::entries(state)
        .iter()
        .map(|entry| entry.id)
        .collect()
}

#[test]
fn the_replacement_stands_and_the_replaced_one_is_skipped_whichever_comes_first() {
    let mut authors = Authors::default();
    authors.write(life(1), &BTreeSet::new(), &[Line::new(0, 4)], 50);
    let original = authors.commits[0].id();
    let copy = again(&mut authors, 2, original, 10);
    for order in [[0, 1], [1, 0]] {
        let timeline = folded(&authors, order);
        assert_eq!(entries(&timeline), [copy]);
        assert_eq!(timeline.outcome(original), Some(Outcome::Replaced(copy)));
        assert_eq!(timeline.outcome(copy), Some(Outcome::Applied));
        let heads: Vec<_> = timeline.heads().iter().map(|(head, _)| head.id).collect();
        assert_eq!(heads, [copy], "nobody else may ever get what was replaced");
        assert_eq!(timeline.latest().map(Timestamp::to_bits), Some(10));
        assert_eq!(timeline.last().map(OrderKey::id), Some(copy));
        assert!(timeline.to_fold().is_some());
    }
}

#[test]
fn of_several_replacements_the_first_in_order_counts_even_if_nobody_has_the_original() {
    let mut authors = Authors::default();
    authors.write(life(1), &BTreeSet::new(), &[Line::new(0, 4)], 50);
    let original = authors.commits[0].id();
    let later = again(&mut authors, 2, original, 30);
    let first = again(&mut authors, 3, original, 20);
    for order in [
        vec![1, 2],
        vec![2, 1],
        vec![0, 1, 2],
        vec![1, 0, 2],
        vec![2, 1, 0],
    ] {
        let timeline = folded(&authors, order);
        assert_eq!(entries(&timeline), [first]);
        assert_eq!(timeline.outcome(later), Some(Outcome::Replaced(first)));
    }
    // What stands for one that does not count does not count either.
    let copy_of_later = again(&mut authors, 4, later, 5);
    let timeline = folded(&authors, 0..4);
    assert_eq!(entries(&timeline), [first]);
    assert_eq!(
        timeline.outcome(copy_of_later),
        Some(Outcome::Replaced(first))
    );
    // What stands for the one that counts does.
    let copy_of_first = again(&mut authors, 5, first, 90);
    let timeline = folded(&authors, 0..5);
    assert_eq!(entries(&timeline), [copy_of_first]);
}

#[test]
fn a_ring_of_replacements_ends() {
    let mut authors = Authors::default();
    let one = again(&mut authors, 1, EventId::new(life(2), seq(1)), 10);
    let other = again(&mut authors, 2, one, 20);
    for order in [[0, 1], [1, 0]] {
        let timeline = folded(&authors, order);
        assert_eq!(entries(&timeline), []);
        assert_eq!(timeline.outcome(one), Some(Outcome::Replaced(other)));
    }
}

#[test]
fn a_replacement_and_what_it_names_need_the_history() {
    let mut authors = Authors::default();
    authors.write(life(1), &BTreeSet::new(), &[Line::new(0, 4)], 50);
    let original = authors.commits[0].id();
    again(&mut authors, 2, original, 10);
    let event = |number: usize| authors.commits[number].events()[0].clone();
    let mut timeline = folded(&authors, []);
    timeline.fold(&Unguarded);
    assert!(timeline.drop_history());
    assert!(!timeline.needs_history(&event(0)));
    assert!(timeline.needs_history(&event(1)));

    let mut timeline = folded(&authors, [1]);
    assert!(timeline.drop_history());
    assert_eq!(
        timeline.integrate(event(0), None),
        Integration::HistoryMissing
    );
}

#[test]
fn what_a_replaced_event_named_is_a_head_again_and_its_stamp_makes_nothing_late() {
    let mut authors = Authors::default();
    authors.write(life(1), &BTreeSet::new(), &[Line::new(0, 4)], 10);
    authors.write(life(1), &BTreeSet::from([0]), &[Line::new(0, 4)], 900);
    authors.write(life(1), &BTreeSet::from([0, 1]), &[Line::new(0, 4)], 910);
    let [first, second, third] = [0, 1, 2].map(|number: usize| authors.commits[number].id());
    let copies = [second, third].map(|refused| again(&mut authors, 2, refused, 20));
    let mut timeline = folded(&authors, 0..5);
    let heads: Vec<_> = timeline.heads().iter().map(|(head, _)| head.id).collect();
    // The copies were written by someone who had seen nothing, and do not see each other.
    assert_eq!(heads, [first, copies[0], copies[1]]);
    assert_eq!(entries(&timeline), [first, copies[0], copies[1]]);

    authors.write(
        ReplicaId::new(9, 9),
        &BTreeSet::from([0, 3, 4]),
        &[Line::new(0, 4)],
        30,
    );
    let next = authors.commits[5].events()[0].clone();
    let tag = authors.head(next.id()).tag;
    let ordinary = Integration::Added {
        late: false,
        raced: false,
    };
    assert_eq!(timeline.integrate(next, tag), ordinary);
    let outcome = timeline.fold(&Unguarded);
    assert_eq!((outcome.applied, outcome.late), (1, false));
}

#[test]
fn a_replaced_event_that_somebody_names_stays_part_of_the_past() {
    let mut authors = Authors::default();
    authors.write(life(1), &BTreeSet::new(), &[Line::new(0, 4)], 10);
    let refused = authors.commits[0].id();
    authors.write(
        ReplicaId::new(9, 9),
        &BTreeSet::from([0]),
        &[Line::new(0, 4)],
        20,
    );
    let reader = authors.commits[1].id();
    let copy = again(&mut authors, 2, refused, 30);
    for order in [[0, 1, 2], [0, 2, 1], [2, 0, 1]] {
        let timeline = folded(&authors, order);
        let heads: Vec<_> = timeline.heads().iter().map(|(head, _)| head.id).collect();
        assert_eq!(heads, [copy, reader]);
        assert!(timeline.vector().contains(refused));
    }
}

#[test]
fn a_fold_stands_for_a_history_with_skipped_events_in_it() {
    let mut authors = Authors::default();
    authors.write(life(1), &BTreeSet::new(), &[Line::new(0, 4)], 10);
    authors.write(life(1), &BTreeSet::from([0]), &[Line::new(0, 4)], 20);
    let refused = authors.commits[1].id();
    let reader = ReplicaId::new(2, 0);
    authors.write(reader, &BTreeSet::from([0, 1]), &[Line::new(0, 4)], 30);
    again(&mut authors, 2, refused, 40);
    // A second copy, which does not count but is a head that others may name.
    again(&mut authors, 3, refused, 50);
    // And an event that was refused, replaced and seen by nobody.
    authors.write(life(1), &BTreeSet::from([0, 1]), &[Line::new(0, 4)], 60);
    let unseen = authors.commits[5].id();
    again(&mut authors, 2, unseen, 70);

    let mut lean = folded(&authors, 0..7);
    assert!(lean.drop_history());
    for commit in &authors.commits {
        let event = commit.events()[0].clone();
        assert_eq!(lean.integrate(event, None), Integration::HistoryMissing);
    }
    let seen = BTreeSet::from([0, 1, 2, 3, 4, 6]);
    authors.write(reader, &seen, &[Line::new(0, 4)], 80);
    let last = authors.commits[7].events()[0].clone();
    let tag = authors.head(last.id()).tag;
    assert!(!lean.needs_history(&last));
    lean.integrate(last, tag);
    lean.fold(&Unguarded);
    let full = folded(&authors, 0..8);
    let every = |timeline: &Timeline| -> Vec<Entry> {
        let state = timeline.state().unwrap();
        journal::entries(state.downcast_ref::<Lists>().unwrap())
    };
    assert_eq!(every(&lean), every(&full));
    assert!(
        every(&full).last().unwrap().seen.contains(&refused),
        "through its reader"
    );
    assert!(!every(&full).last().unwrap().seen.contains(&unseen));
}
