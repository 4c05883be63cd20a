//! Events that are well formed and yet invalid, judged by their past alone.

use std::collections::BTreeSet;

use anabranch::event::{ChainTag, Event, EventParts, Head, Heads, ReplicaId, Timestamp};
use anabranch::merge::{Aggregates, Integration, Outcome, Timeline, Unguarded};
use anabranch::resolver::Route;

use crate::authors::{Authors, Line, aggregate};
use crate::journal::{Journal, entries};
use crate::random::registry;

const ALICE: ReplicaId = ReplicaId::new(1, 0);
const BOB: ReplicaId = ReplicaId::new(2, 0);
/// The first millisecond at which a stamp must follow its past exactly.
const FAR: u64 = 1 << 47;

fn all(authors: &Authors) -> BTreeSet<usize> {
    (0..authors.commits.len()).collect()
}

/// Whether the last commit's last event is refused, where it comes last and where it waits for the
/// others.
fn refused(authors: &Authors) -> Option<String> {
    let last = authors.commits.last().unwrap();
    let event = last.events().last().unwrap();
    let reason = |order: Vec<usize>| {
        let mut aggregates = Aggregates::new(registry());
        for number in order {
            aggregates.receive(&authors.commits[number]);
            aggregates.fold_all();
        }
        let timeline = aggregates.timeline(event.aggregate()).unwrap();
        let named = timeline
            .heads()
            .iter()
            .any(|(head, _)| head.id == event.id());
        match timeline.outcome(event.id()) {
            Some(Outcome::Rejected(rejection)) => {
                assert!(!named, "an invalid event is no head");
                assert!(
                    timeline
                        .latest()
                        .is_none_or(|latest| latest < Timestamp::MAX)
                );
                Some(rejection.reason().to_owned())
            }
            _ => None,
        }
    };
    let order: Vec<usize> = (0..authors.commits.len()).collect();
    let backwards = order.iter().rev().copied().collect();
    let found = reason(order);
    assert_eq!(reason(backwards), found);
    found
}

fn stamp(bits: u64) -> Timestamp {
    Timestamp::from_bits(bits)
}

fn at(authors: &mut Authors, replica: ReplicaId, timestamp: Timestamp) {
    let known = all(authors);
    authors.write_at(replica, &known, &[Line::new(0, 4)], timestamp, |_| ());
}

#[test]
fn a_stamp_must_be_greater_than_those_it_follows() {
    for (bits, valid) in [(9, false), (10, false), (11, true)] {
        let mut authors = Authors::default();
        at(&mut authors, ALICE, stamp(10));
        at(&mut authors, BOB, stamp(bits));
        assert_eq!(refused(&authors).is_none(), valid, "{bits}");
    }
}

#[test]
fn a_far_stamp_follows_exactly_and_can_be_followed() {
    let first = Timestamp::at_millis(FAR);
    let last = stamp(first.to_bits() - 1);
    for (timestamp, valid) in [(first, true), (stamp(first.to_bits() + 1), false)] {
        let mut authors = Authors::default();
        at(&mut authors, ALICE, last);
        at(&mut authors, BOB, timestamp);
        assert_eq!(refused(&authors).is_none(), valid);
        if valid {
            at(&mut authors, ALICE, stamp(timestamp.to_bits() + 1));
            assert_eq!(refused(&authors), None);
            at(&mut authors, ALICE, stamp(timestamp.to_bits() + 3));
            assert!(refused(&authors).is_some());
        }
    }
    let mut authors = Authors::default();
    at(&mut authors, ALICE, Timestamp::MAX);
    assert!(refused(&authors).is_some(), "it follows nothing");
}

#[test]
fn the_last_stamp_there_is_does_not_make_an_aggregate_unwritable() {
    let mut authors = Authors::default();
    at(&mut authors, ALICE, stamp(10));
    authors.write_at(
        BOB,
        &all(&authors),
        &[Line::new(0, 4)],
        Timestamp::MAX,
        |_| (),
    );
    authors.shunned.insert(authors.commits[1].id());
    assert!(refused(&authors).is_some());
    at(&mut authors, ALICE, stamp(11));
    assert_eq!(refused(&authors), None);
}

#[test]
fn events_of_one_commit_share_a_stamp_and_what_it_was_checked_against() {
    for (bits, valid) in [(0, true), (1, false)] {
        let mut authors = Authors::default();
        at(&mut authors, ALICE, Timestamp::at_millis(FAR - 1));
        at(
            &mut authors,
            BOB,
            stamp(Timestamp::at_millis(FAR).to_bits() - 1),
        );
        let lines = [Line::new(0, 4), Line::new(0, 4), Line::new(0, 4)];
        let timestamp = stamp(Timestamp::at_millis(FAR).to_bits() + bits);
        authors.write_at(BOB, &all(&authors), &lines, timestamp, |_| ());
        assert_eq!(refused(&authors).is_none(), valid);
    }
}

fn naming(head: impl Fn(&Authors) -> Head) -> Option<String> {
    let mut authors = Authors::default();
    authors.write(
        ALICE,
        &BTreeSet::new(),
        &[Line::new(0, 4), Line::new(1, 4)],
        10,
    );
    let head = head(&authors);
    let name = |parts: &mut EventParts| parts.heads = Heads::new(vec![head]).unwrap();
    authors.write_at(
        BOB,
        &BTreeSet::from([0]),
        &[Line::new(0, 4)],
        stamp(20),
        name,
    );
    refused(&authors)
}

#[test]
fn a_head_must_be_of_the_same_aggregate_and_of_the_branch_that_is_here() {
    let event = |authors: &Authors, at: usize| authors.commits[0].events()[at].id();
    assert_eq!(naming(|authors| authors.head(event(authors, 0))), None);
    assert!(
        naming(|authors| authors.head(event(authors, 1)))
            .unwrap()
            .contains("no event of this")
    );
    let other = |authors: &Authors| {
        let head = authors.head(event(authors, 0));
        Head {
            tag: ChainTag::from_bits(head.tag.to_bits() ^ 1),
            ..head
        }
    };
    assert!(naming(other).unwrap().contains("another branch"));
}

#[test]
fn what_names_an_invalid_event_is_invalid() {
    let mut authors = Authors::default();
    at(&mut authors, ALICE, stamp(10));
    at(&mut authors, BOB, stamp(10));
    at(&mut authors, ALICE, stamp(30));
    assert!(refused(&authors).unwrap().contains("which is invalid"));
}

#[test]
fn an_invalid_event_that_sorts_before_its_causes_changes_nothing() {
    let mut authors = Authors::default();
    at(&mut authors, ALICE, stamp(10));
    at(&mut authors, BOB, stamp(1));
    authors.shunned.insert(authors.commits[1].id());
    at(&mut authors, ALICE, stamp(11));
    let mut aggregates = Aggregates::new(registry());
    authors.commits.iter().for_each(|commit| {
        aggregates.receive(commit);
    });
    let state = aggregates.state::<Journal>(&aggregate(0)).unwrap();
    let ids: Vec<_> = entries(state).iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [authors.commits[0].id(), authors.commits[2].id()]);
    assert_eq!(aggregates.timeline(&aggregate(0)).unwrap().rejections(), 1);
}

#[test]
fn a_local_write_that_would_be_invalid_or_refused_is_told_so() {
    let mut authors = Authors::default();
    at(&mut authors, ALICE, stamp(10));
    let mut timeline = Timeline::new(aggregate(0), Some(Route::new(Journal)));
    let event = authors.commits[0].events()[0].clone();
    let tag = authors.head(event.id()).tag;
    assert_eq!(
        timeline.integrate(event, tag),
        Integration::Added {
            late: false,
            raced: false
        }
    );
    timeline.fold(&Unguarded);
    let mut trial = |lines: &[u8], bits: u64| {
        let lines: Vec<Line> = lines.iter().map(|payload| Line::new(0, *payload)).collect();
        let number = authors.write_at(BOB, &BTreeSet::from([0]), &lines, stamp(bits), |_| ());
        let events: Vec<Event> = authors.commits[number].events().to_vec();
        timeline
            .trial(&events, &Unguarded)
            .map_err(|error| error.index)
    };
    // The sum of what was admitted is 4, and a sum of 3 modulo 4 is refused.
    assert_eq!(trial(&[4], 11), Ok(()));
    assert_eq!(trial(&[4], 10), Err(0));
    assert_eq!(trial(&[3], 11), Err(0));
    assert_eq!(trial(&[1, 1], 11), Ok(()));
    assert_eq!(trial(&[1, 1, 1], 11), Err(2));
    assert_eq!(timeline.events().count(), 1);
}
