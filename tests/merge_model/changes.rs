//! What a fold says of itself: what may have changed, what was late, what raced, what is refused.

use std::collections::BTreeSet;

use anabranch::event::{EventId, ReplicaId};
use anabranch::limits::{CHANGE_EVENTS_MAX, TOUCH_HEADS_MAX};
use anabranch::merge::{FoldOutcome, Integration, Outcome, Timeline, Unguarded};
use anabranch::resolver::{Footprint, Key, Route};

use crate::authors::{Authors, Line, aggregate};
use crate::journal::Journal;

/// Payloads that are never refused, by the key they refer to.
const ZERO: u8 = 12;
const ONE: u8 = 4;
const TWO: u8 = 8;
const EVERYTHING: u8 = 200;

struct Bench {
    authors: Authors,
    timeline: Timeline,
}

impl Bench {
    /// An aggregate with one event, folded.
    fn new() -> Self {
        let timeline = Timeline::new(aggregate(0), Some(Route::new(Journal)));
        let mut bench = Self {
            authors: Authors::default(),
            timeline,
        };
        assert_eq!(bench.add(0, &[], ZERO, 0).keys, Footprint::Everything);
        bench
    }

    fn write(&mut self, writer: u64, known: &[usize], payload: u8, clock: u64) -> EventId {
        let known: BTreeSet<usize> = known.iter().copied().collect();
        let line = Line::new(0, payload);
        let number = self
            .authors
            .write(ReplicaId::new(writer, 0), &known, &[line], clock);
        self.authors.commits[number].id()
    }

    fn integrate(&mut self, id: EventId) -> Integration {
        let commits = &mut self.authors.commits.iter();
        let event = commits.find(|commit| commit.id() == id).unwrap().events()[0].clone();
        self.timeline.integrate(event, self.authors.head(id).tag)
    }

    fn add(&mut self, writer: u64, known: &[usize], payload: u8, clock: u64) -> FoldOutcome {
        let id = self.write(writer, known, payload, clock);
        self.integrate(id);
        self.timeline.fold(&Unguarded)
    }
}

fn keys<const N: usize>(names: [&str; N]) -> Footprint {
    Footprint::Keys(names.into_iter().map(|name| Key::leaf([name])).collect())
}

#[test]
fn an_event_after_everything_changes_its_own_keys() {
    let mut bench = Bench::new();
    let outcome = bench.add(1, &[0], ONE, 10);
    assert_eq!(outcome.keys, keys(["1"]));
    assert_eq!(
        (outcome.applied, outcome.late, outcome.raced),
        (1, false, false)
    );
    let nothing = bench.timeline.fold(&Unguarded);
    assert_eq!((nothing.applied, nothing.keys), (0, keys([])));
    assert_eq!(
        bench.add(1, &[0, 1], EVERYTHING, 20).keys,
        Footprint::Everything
    );
}

#[test]
fn concurrent_events_race_where_their_keys_meet() {
    for (payload, clock, raced) in [
        (TWO, 20, false),
        (TWO, 5, false),
        (ONE, 20, true),
        (ONE, 5, true),
    ] {
        let mut bench = Bench::new();
        bench.add(1, &[0], ONE, 10);
        let id = bench.write(2, &[0], payload, clock);
        assert_eq!(
            bench.integrate(id),
            Integration::Added {
                late: clock < 10,
                raced: true
            }
        );
        let outcome = bench.timeline.fold(&Unguarded);
        assert_eq!((outcome.raced, outcome.late), (raced, clock < 10));
        assert_eq!(outcome.keys, keys([if raced { "1" } else { "2" }]));
    }
}

#[test]
fn an_event_races_with_what_lies_behind_the_heads_it_did_not_see() {
    let mut bench = Bench::new();
    bench.add(1, &[0], ONE, 10);
    bench.add(1, &[0, 1], TWO, 20);
    assert!(
        bench.add(2, &[0], ONE, 30).raced,
        "with the first of the two"
    );
    let mut bench = Bench::new();
    bench.add(1, &[0], ONE, 10);
    bench.add(1, &[0, 1], TWO, 20);
    assert!(
        !bench.add(2, &[0, 1], ONE, 30).raced,
        "it saw the first of the two"
    );
}

#[test]
fn a_late_event_changes_what_depends_on_it() {
    let mut bench = Bench::new();
    bench.add(1, &[0], ONE, 10);
    bench.add(1, &[0, 1], TWO, 20);
    assert_eq!(bench.add(2, &[0], TWO, 5).keys, keys(["2"]));
    bench.add(1, &[0, 1, 2, 3], EVERYTHING, 30);
    assert_eq!(bench.add(3, &[0], TWO, 5).keys, Footprint::Everything);
}

#[test]
fn many_concurrent_events_race_only_with_their_own_keys_and_too_many_count_as_everything() {
    let mut bench = Bench::new();
    for writer in 1..=u64::try_from(TOUCH_HEADS_MAX).unwrap() + 1 {
        let id = bench.write(writer, &[0], ONE, 10);
        bench.integrate(id);
    }
    assert!(bench.timeline.fold(&Unguarded).raced);
    assert!(!bench.add(0, &[0], TWO, 20).raced);

    let mut bench = Bench::new();
    for number in 0..CHANGE_EVENTS_MAX {
        let known: Vec<usize> = (0..=number).collect();
        let id = bench.write(1, &known[number..], ONE, 10);
        bench.integrate(id);
    }
    assert_eq!(bench.timeline.fold(&Unguarded).keys, keys(["1"]));
    for number in 0..=CHANGE_EVENTS_MAX {
        let id = bench.write(1, &[CHANGE_EVENTS_MAX + number], ONE, 10);
        bench.integrate(id);
    }
    assert_eq!(bench.timeline.fold(&Unguarded).keys, Footprint::Everything);
}

#[test]
fn a_refusal_is_told_once_for_as_long_as_it_stands() {
    let mut bench = Bench::new();
    let refused = |outcome: &FoldOutcome| -> Vec<EventId> {
        outcome.rejected.iter().map(|(id, _)| *id).collect()
    };
    bench.add(1, &[0], 9, 10);
    let two = bench.write(1, &[0, 1], 6, 20);
    bench.integrate(two);
    // 12 + 9 + 6 is 3 modulo 4.
    assert_eq!(refused(&bench.timeline.fold(&Unguarded)), [two]);
    assert_eq!(refused(&bench.add(2, &[0], 24, 5)), []);
    assert_eq!(bench.timeline.rejections(), 1);
    assert_eq!(refused(&bench.add(3, &[0], 9, 6)), []);
    assert_eq!(bench.timeline.rejections(), 0);
    assert_eq!(bench.timeline.outcome(two), Some(Outcome::Applied));
    let outcome = bench.add(4, &[0], 3, 7);
    assert_eq!(refused(&outcome), [two]);
    assert_eq!(bench.timeline.rejections(), 1);
}

#[test]
fn an_event_that_merges_all_branches_is_no_race() {
    let mut bench = Bench::new();
    bench.add(1, &[0], ONE, 10);
    bench.add(2, &[0], ONE, 10);
    let id = bench.write(3, &[0, 1, 2], ONE, 10);
    assert_eq!(
        bench.integrate(id),
        Integration::Added {
            late: false,
            raced: false
        }
    );
    assert!(!bench.timeline.fold(&Unguarded).raced);
}
