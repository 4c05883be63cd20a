//! A rule that panics, or does not know an event, stops its own aggregate and nothing else.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anabranch::event::{AggregateId, EventType, ReplicaId};
use anabranch::merge::{
    Aggregates, Guard, Outcome, Panic, StateError, Timeline, Unguarded, Unresolved, tags,
};
use anabranch::resolver::{Context, Registry, Resolver, ResolverId, Route};

use crate::authors::{Authors, Line, aggregate};
use crate::journal::Journal;

/// Lists payloads; panics halfway through a 13 as long as it is armed. Counts its steps.
struct Bomb(Arc<AtomicBool>, Arc<AtomicUsize>);

impl Bomb {
    fn new(armed: &Arc<AtomicBool>) -> Self {
        Self(Arc::clone(armed), Arc::default())
    }
}

impl Resolver for Bomb {
    type State = Vec<u8>;
    type Payload = u8;

    fn id(&self) -> ResolverId {
        ResolverId::new("bomb", 1)
    }

    fn init(&self, _: &AggregateId) -> Vec<u8> {
        Vec::new()
    }

    fn apply(&self, state: &mut Vec<u8>, payload: &u8, _: &Context<'_, u8>) {
        state.push(*payload);
        self.1.fetch_add(1, Ordering::Relaxed);
        assert!(*payload != 13 || !self.0.load(Ordering::Relaxed), "boom");
    }
}

pub(crate) struct Catching;

impl Guard for Catching {
    fn run(&self, work: &mut dyn FnMut()) -> Result<(), Panic> {
        catch_unwind(AssertUnwindSafe(work)).map_err(|thrown| {
            let message = thrown.downcast_ref::<&str>().copied().unwrap_or_default();
            Panic {
                message: message.into(),
            }
        })
    }
}

fn state(timeline: &Timeline) -> &[u8] {
    timeline
        .last_good()
        .unwrap()
        .downcast_ref::<Vec<u8>>()
        .unwrap()
}

/// Events of one aggregate, each after all before it, and one at the front that nobody saw.
fn history(payloads: &[u8]) -> Authors {
    let mut authors = Authors::default();
    for (number, payload) in payloads.iter().enumerate() {
        let line = Line::new(0, *payload);
        authors.write(ReplicaId::new(1, 0), &(0..number).collect(), &[line], 100);
    }
    authors.write(
        ReplicaId::new(2, 0),
        &BTreeSet::new(),
        &[Line::new(0, 9)],
        1,
    );
    authors
}

fn add(timeline: &mut Timeline, authors: &Authors, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        let event = authors.commits[number].events()[0].clone();
        let head = authors.head(event.id());
        timeline.integrate(event, head.tag);
    }
}

#[test]
fn a_panic_leaves_the_state_before_it_and_is_tried_again() {
    let armed = Arc::new(AtomicBool::new(true));
    let route = Some(Route::new(Bomb::new(&armed)));
    let mut timeline = Timeline::new(aggregate(0), route);
    let authors = history(&[1, 2, 13, 3]);
    add(&mut timeline, &authors, 0..4);
    let bomb = authors.commits[2].id();
    assert_eq!(timeline.fold(&Catching).applied, 2);
    let unresolved = Unresolved::Panicked {
        event: Some(bomb),
        message: "boom".into(),
    };
    assert_eq!(timeline.state().unwrap_err(), &unresolved);
    assert_eq!((timeline.digest(), timeline.to_fold()), (None, None));
    assert_eq!(state(&timeline), [1, 2]);
    assert_eq!(timeline.outcome(bomb), None);

    // A late event is folded in before it all the same.
    add(&mut timeline, &authors, [4]);
    timeline.fold(&Catching);
    assert_eq!(timeline.condition(), Some(&unresolved));
    assert_eq!(state(&timeline), [9, 1, 2]);

    // Nothing new, no attempt; on request there is one.
    armed.store(false, Ordering::Relaxed);
    assert_eq!(timeline.fold(&Catching).applied, 0);
    timeline.retry();
    assert_eq!(timeline.fold(&Catching).applied, 2);
    assert_eq!(timeline.condition(), None);
    assert_eq!(state(&timeline), [9, 1, 2, 13, 3]);
}

#[test]
fn a_second_attempt_that_panics_keeps_the_state_and_repeats_nothing() {
    let steps = Arc::new(AtomicUsize::new(0));
    let bomb = Bomb(Arc::new(AtomicBool::new(true)), Arc::clone(&steps));
    let mut timeline = Timeline::new(aggregate(0), Some(Route::new(bomb)));
    let authors = history(&[1, 13, 2, 3]);
    let mut counted = Vec::new();
    for number in 0..4 {
        add(&mut timeline, &authors, [number]);
        timeline.fold(&Catching);
        assert_eq!(state(&timeline), [1]);
        counted.push(steps.swap(0, Ordering::Relaxed));
    }
    // The first panic spoils the state, so the event before it is folded again; no later one does.
    assert_eq!(counted, [1, 2, 1, 1]);
    assert_eq!(
        timeline.condition().map(ToString::to_string).unwrap(),
        format!("the resolver panicked at {}: boom", authors.commits[1].id())
    );
}

#[test]
fn a_panic_without_the_history_asks_for_it() {
    let armed = Arc::new(AtomicBool::new(true));
    let route = || Some(Route::new(Bomb::new(&armed)));
    let mut timeline = Timeline::new(aggregate(0), route());
    let authors = history(&[1, 2, 13]);
    add(&mut timeline, &authors, 0..2);
    timeline.fold(&Catching);
    assert!(timeline.drop_history());
    add(&mut timeline, &authors, [2]);
    timeline.fold(&Catching);
    assert!(timeline.wants_history());
    assert!(timeline.last_good().is_none());
    timeline.retry();
    timeline.fold(&Catching);
    assert!(timeline.wants_history());

    let events = (0..3).map(|number| {
        let event = authors.commits[number].events()[0].clone();
        let tag = Some(authors.head(event.id()).tag);
        (event, tag)
    });
    let mut timeline = Timeline::with_history(aggregate(0), route(), events);
    timeline.fold(&Catching);
    assert_eq!(state(&timeline), [1, 2]);
    assert!(!timeline.wants_history());
}

#[test]
fn other_aggregates_go_on_and_a_write_that_panics_is_refused() {
    let armed = Arc::new(AtomicBool::new(true));
    let registry = Registry::new().with("journal", Bomb::new(&armed)).unwrap();
    let mut aggregates = Aggregates::guarded(registry, Catching);
    let mut authors = Authors::default();
    let writer = ReplicaId::new(1, 0);
    authors.write(
        writer,
        &BTreeSet::new(),
        &[Line::new(0, 13), Line::new(1, 5)],
        1,
    );
    aggregates.receive(&authors.commits[0]);
    assert!(matches!(
        aggregates.state::<Bomb>(&aggregate(0)),
        Err(StateError::Unresolved(Unresolved::Panicked { .. }))
    ));
    assert_eq!(aggregates.state::<Bomb>(&aggregate(1)).unwrap(), &[5]);

    authors.write(
        writer,
        &BTreeSet::from([0]),
        &[Line::new(1, 6), Line::new(1, 13)],
        1,
    );
    let timeline = aggregates.timeline(&aggregate(1)).unwrap();
    let refusal = timeline
        .trial(authors.commits[1].events(), &Catching)
        .unwrap_err();
    assert_eq!(refusal.index, 1);
    assert!(refusal.rejection.reason().contains("boom"));
    assert_eq!(state(timeline), [5]);
}

#[test]
fn an_unknown_event_type_stops_at_the_event_and_what_lies_before_goes_on() {
    let mut authors = Authors::default();
    let writer = |number| ReplicaId::new(number, 0);
    let none = BTreeSet::new();
    authors.write(writer(1), &none, &[Line::new(0, 4)], 10);
    let stamp = anabranch::event::Timestamp::from_bits(20);
    authors.write_at(writer(2), &none, &[Line::new(0, 4)], stamp, |parts| {
        parts.event_type = EventType::new("unknown").unwrap();
    });
    authors.write(writer(3), &none, &[Line::new(0, 8)], 30);
    authors.write(writer(4), &none, &[Line::new(0, 12)], 5);
    let mut timeline = Timeline::new(aggregate(0), Some(Route::new(Journal)));
    add(&mut timeline, &authors, 0..3);
    assert_eq!(timeline.fold(&Unguarded).applied, 1);
    assert!(matches!(
        timeline.condition(),
        Some(Unresolved::UnknownEventType { .. })
    ));
    add(&mut timeline, &authors, [3]);
    let outcome = timeline.fold(&Unguarded);
    assert_eq!((outcome.applied, outcome.late), (1, true));
    assert_eq!(
        timeline.outcome(authors.commits[0].id()),
        Some(Outcome::Applied)
    );
    let unknown = authors.commits[1].events();
    assert!(
        timeline.trial(unknown, &Unguarded).is_ok(),
        "no state to judge with"
    );
    let fresh = {
        let mut timeline = Timeline::new(aggregate(0), Some(Route::new(Journal)));
        timeline.fold(&Unguarded);
        timeline
    };
    assert!(fresh.trial(unknown, &Unguarded).is_err());
}

#[test]
fn without_a_rule_events_are_kept_and_heads_are_known() {
    let authors = history(&[1, 2, 3]);
    let mut timeline = Timeline::new(aggregate(0), None);
    add(&mut timeline, &authors, 0..4);
    timeline.fold(&Unguarded);
    assert_eq!(timeline.state().unwrap_err(), &Unresolved::NoResolver);
    assert_eq!((timeline.len(), timeline.heads().len()), (4, 2));
    assert!(tags(&authors.commits[0], None).eq([None]));
    assert!(
        timeline
            .trial(authors.commits[0].events(), &Unguarded)
            .is_ok()
    );
}
