//! Writers who are offline now and then, and what they wrote as it comes: the histories that late events
//! are tried on, with any rule.

use std::collections::{BTreeMap, BTreeSet};

use anabranch::event::{
    ChainTag, CommitSpan, Event, EventId, EventParts, EventType, Head, Heads, Metadata, Payload,
    ReplicaId, Timestamp,
};
use anabranch::merge::{Timeline, Unguarded};
use anabranch::resolver::{Resolver, Route};
use proptest::prelude::*;

use crate::authors::{aggregate, seq};

/// What one event is about, and a number that says the rest.
pub(crate) type Note = (u8, u8);

/// One write of a history: who, what, whom to learn from before, by how much its clock is off, and
/// how long it is held back.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    writer: u8,
    note: Note,
    learn: Option<u8>,
    skew: u8,
    held: u8,
}

pub(crate) fn writes() -> impl Strategy<Value = Vec<Write>> {
    let learn = prop_oneof![3 => Just(None), 2 => (0u8..4).prop_map(Some)];
    let held = prop_oneof![4 => Just(0u8), 1 => any::<u8>()];
    let cell = prop_oneof![40 => 0u8..200, 4 => 200u8..250, 1 => 250u8..];
    let write = (0u8..4, (cell, any::<u8>()), learn, 0u8..40, held).prop_map(
        |(writer, note, learn, skew, held)| Write {
            writer,
            note,
            learn,
            skew,
            held,
        },
    );
    prop::collection::vec(write, 1..260)
}

/// The events of a history, in an order that extends causality.
fn events(writes: &[Write], payload: &dyn Fn(Note) -> Payload) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut heads_of: BTreeMap<u8, BTreeSet<usize>> = BTreeMap::new();
    let mut pasts: Vec<BTreeSet<usize>> = Vec::new();
    for (at, write) in writes.iter().enumerate() {
        let learned = write.learn.and_then(|other| heads_of.get(&other).cloned());
        let mine = heads_of.entry(write.writer).or_default();
        mine.extend(learned.into_iter().flatten());
        let seen = |at: &usize| mine.iter().any(|other| pasts[*other].contains(at));
        let heads: Vec<usize> = mine.iter().copied().filter(|at| !seen(at)).collect();
        let stamp = heads.iter().map(|at| events[*at].timestamp().to_bits() + 1);
        let clock = 10 * at as u64 + u64::from(write.skew) * 7;
        let stamp = Timestamp::from_bits(stamp.max().unwrap_or(0).max(clock));
        let own = events
            .iter()
            .filter(|event| event.id().replica.device() == u64::from(write.writer));
        let id = EventId::new(
            ReplicaId::new(write.writer.into(), 0),
            seq(own.count() as u64 + 1),
        );
        let named = heads.iter().map(|at| events[*at].id()).collect();
        events.push(event(id, stamp, named, payload(write.note)));
        let below = heads.iter().flat_map(|at| pasts[*at].clone());
        let past = below.chain(heads.iter().copied()).collect();
        pasts.push(past);
        *mine = BTreeSet::from([at]);
    }
    events
}

pub(crate) fn event(
    id: EventId,
    timestamp: Timestamp,
    heads: Vec<EventId>,
    payload: Payload,
) -> Event {
    let head = |id| Head {
        id,
        tag: ChainTag::from_bits(0),
    };
    Event::assemble(EventParts {
        id,
        commit: CommitSpan::new(id.seq, 1).unwrap(),
        timestamp,
        written_ms: 0,
        aggregate: aggregate(0),
        event_type: EventType::new("noted").unwrap(),
        heads: Heads::new(heads.into_iter().map(head).collect()).unwrap(),
        replaces: None,
        metadata: Metadata::new(),
        payload,
    })
    .unwrap()
}

/// The order in which they come: as written, but for those held back and what needs these.
fn arrivals<'a>(events: &'a [Event], writes: &[Write]) -> Vec<&'a Event> {
    let mut due: Vec<usize> = (0..events.len()).collect();
    due.sort_by_key(|at| at + usize::from(writes[*at].held));
    let mut here = BTreeSet::new();
    let mut order = Vec::new();
    while !due.is_empty() {
        due.retain(|at| {
            let event = &events[*at];
            let ready = event.heads().iter().all(|head| here.contains(&head.id));
            if ready {
                here.insert(event.id());
                order.push(event);
            }
            !ready
        });
    }
    order
}

pub(crate) fn timeline(resolver: impl Resolver) -> Timeline {
    Timeline::new(aggregate(0), Some(Route::new(resolver)))
}

/// Folds events as they come, now and then, and once in canonical order, and compares.
pub(crate) fn check<R: Resolver + Clone>(
    rule: &R,
    payload: &dyn Fn(Note) -> Payload,
    writes: &[Write],
    pause: usize,
) {
    let (mut eager, mut straight) = (timeline(rule.clone()), timeline(rule.clone()));
    let events = events(writes, payload);
    for (number, event) in arrivals(&events, writes).into_iter().enumerate() {
        eager.integrate(event.clone(), None);
        // Where nobody asks for races, less is known of what touched which keys.
        if number % pause == 0 && pause.is_multiple_of(2) {
            eager.catch_up(&Unguarded);
        } else if number % pause == 0 {
            eager.fold(&Unguarded);
        }
    }
    let mut order: Vec<&Event> = events.iter().collect();
    order.sort_by_key(|event| event.order_key());
    for event in order {
        straight.integrate(event.clone(), None);
    }
    eager.fold(&Unguarded);
    straight.fold(&Unguarded);
    assert_eq!(straight.costs().applies, events.len() as u64);
    assert_eq!(eager.digest().unwrap(), straight.digest().unwrap());
    assert_eq!(eager.rejections(), straight.rejections());
    for event in &events {
        assert_eq!(eager.outcome(event.id()), straight.outcome(event.id()));
    }
}
