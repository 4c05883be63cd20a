//! What an explanation says beside the races.

use std::collections::BTreeSet;

use anabranch::event::{ChainTag, Commit, Event, EventId, EventType, Heads, Payload, ReplicaId};
use anabranch::limits::{REFUSED_MAX, SOURCES_MAX};
use anabranch::merge::{Explanation, Outcome, Party, RaceQuery, Sources, Timeline, Unguarded};
use anabranch::resolver::{FieldEdit, FieldMerge, Key, Route};
use proptest::prelude::*;

use crate::authors::{Authors, Line, aggregate};
use crate::forms::{History, ready};
use crate::journal::Journal;
use crate::model::Model;
use crate::races::{folded, keys, overlap};
use crate::random::{Step, play, steps, within};

fn explain(timeline: &mut Timeline) -> Explanation {
    timeline.explain(&RaceQuery::default(), &Unguarded)
}

fn ids<'a>(parties: impl IntoIterator<Item = &'a Party>) -> Vec<EventId> {
    parties.into_iter().map(Party::id).collect()
}

/// The last applied events that touch a key, and whether there are more.
fn touching(timeline: &Timeline, key: &Key) -> (Vec<EventId>, bool) {
    let touches = |event: &Event| {
        let touched = keys(event.payload().decode().unwrap());
        touched.is_none_or(|touched| touched.iter().any(|touched| overlap(touched, key)))
    };
    let applied = |event: &&Event| timeline.outcome(event.id()) == Some(Outcome::Applied);
    let events: Vec<&Event> = timeline.events().filter(applied).collect();
    let touching = events.into_iter().filter(|event| touches(event));
    let mut all: Vec<EventId> = touching.map(Event::id).collect();
    let earlier = all.len().saturating_sub(SOURCES_MAX);
    (all.split_off(earlier), earlier > 0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn everything_that_was_refused_skipped_or_touched_last_is_told(
        replicas in 1usize..=4,
        steps in steps(4),
    ) {
        let steps: Vec<Step> = steps.into_iter().map(|step| within(step, replicas)).collect();
        let authors = play(replicas, &steps);
        let order: Vec<usize> = (0..authors.commits.len()).rev().collect();
        let history = ready(&authors, &order);
        for id in Model::new(&authors.commits).aggregates() {
            let of_id = |(event, _): &&(Event, _)| *event.aggregate() == id;
            let own: History = history.iter().filter(of_id).cloned().collect();
            let mut timeline = folded(&id, [own]);
            let told = explain(&mut timeline);
            prop_assert_eq!((&told.aggregate, &told.condition), (&id, &None));
            prop_assert_eq!((told.events, told.rejections), (timeline.len(), timeline.rejections()));
            let heads: Vec<EventId> = timeline.heads().iter().map(|(head, _)| head.id).collect();
            prop_assert_eq!(&told.heads, &heads);
            let (mut refused, mut replaced) = (Vec::new(), Vec::new());
            for event in timeline.events() {
                match timeline.outcome(event.id()).unwrap() {
                    Outcome::Rejected(why) => refused.push((event.id(), why)),
                    Outcome::Replaced(by) => replaced.push((event.id(), by)),
                    Outcome::Applied => {}
                }
            }
            let found = told.refused.iter().map(|(party, why)| (party.id(), why.clone()));
            prop_assert_eq!(found.collect::<Vec<_>>(), refused);
            let found = told.replaced.iter().map(|(party, by)| (party.id(), *by));
            prop_assert_eq!(found.collect::<Vec<_>>(), replaced);
            prop_assert_eq!(told.pieces.len(), 26);
            for piece in &told.pieces {
                let Sources::LastTouches { parties, more } = &piece.from else {
                    panic!("the rule told a source");
                };
                prop_assert_eq!((ids(parties), *more), touching(&timeline, &piece.key), "{:?}", piece.key);
                prop_assert_eq!(&piece.rule, &piece.key.path.join("/"));
            }
        }
    }
}

fn write(authors: &mut Authors, writer: u64, payload: u8) {
    let known: BTreeSet<usize> = (0..authors.commits.len()).collect();
    authors.write(
        ReplicaId::new(writer, 0),
        &known,
        &[Line::new(0, payload)],
        0,
    );
}

#[test]
fn of_many_refused_events_the_last_ones_are_told() {
    let mut authors = Authors::default();
    for _ in 0..REFUSED_MAX + 10 {
        write(&mut authors, 1, 3);
    }
    let order: Vec<usize> = (0..authors.commits.len()).collect();
    let told = explain(&mut folded(&aggregate(0), [ready(&authors, &order)]));
    let expected = authors.commits[10..].iter().map(Commit::id);
    assert_eq!(
        ids(told.refused.iter().map(|(party, _)| party)),
        expected.collect::<Vec<_>>()
    );
    assert_eq!(told.rejections, 266);
    let none = Sources::LastTouches {
        parties: Vec::new(),
        more: false,
    };
    assert!(told.pieces.iter().all(|piece| piece.from == none));
}

#[test]
fn what_a_rule_tells_of_its_sources_is_taken_from_it() {
    let mut authors = Authors::default();
    let edits = [
        FieldEdit::new()
            .set(["a"], &1)
            .unwrap()
            .set(["b"], &1)
            .unwrap(),
        FieldEdit::new().set(["b"], &2).unwrap(),
    ];
    let mut timeline = Timeline::new(aggregate(0), Some(Route::new(FieldMerge)));
    for edit in &edits {
        write(&mut authors, 1, 0);
        let mut parts = authors.commits.last().unwrap().events()[0].parts().clone();
        parts.payload = Payload::encode(edit).unwrap();
        parts.heads = Heads::default();
        let tag = ChainTag::from_bits(0);
        timeline.integrate(Event::assemble(parts).unwrap(), tag);
    }
    timeline.fold(&Unguarded);
    let (first, second) = (authors.commits[0].id(), authors.commits[1].id());
    let told = explain(&mut timeline);
    let pieces: Vec<_> = told
        .pieces
        .iter()
        .map(|piece| (&piece.key, &piece.value[..]))
        .collect();
    assert_eq!(
        pieces,
        [(&Key::leaf(["a"]), &[1][..]), (&Key::leaf(["b"]), &[2][..])]
    );
    for (piece, writer) in told.pieces.iter().zip([first, second]) {
        assert!(matches!(piece.from, Sources::Told { more: 0, .. }));
        assert_eq!(ids(piece.from.parties()), [writer]);
        assert_eq!(piece.rule, "last write wins");
    }
    assert!(timeline.drop_history());
    let told = explain(&mut timeline);
    assert!(
        told.pieces
            .iter()
            .all(|piece| matches!(piece.from, Sources::Told { more: 1, .. }))
    );
}

#[test]
fn an_aggregate_that_has_no_rule_or_no_state_is_told_as_far_as_it_goes() {
    let mut authors = Authors::default();
    write(&mut authors, 1, 4);
    let event = &authors.commits[0].events()[0];
    let mut timeline = Timeline::new(aggregate(0), None);
    timeline.integrate(event.clone(), authors.head(event.id()).tag);
    timeline.fold(&Unguarded);
    let told = explain(&mut timeline);
    assert_eq!((told.rule, told.pieces.len(), told.events), (None, 0, 1));
    assert_eq!(told.condition.as_ref(), timeline.condition());
    assert!(told.condition.is_some());
    let mut parts = event.parts().clone();
    parts.event_type = EventType::new("unknown").unwrap();
    let mut timeline = Timeline::new(aggregate(0), Some(Route::new(Journal)));
    timeline.integrate(Event::assemble(parts).unwrap(), None);
    timeline.fold(&Unguarded);
    let told = explain(&mut timeline);
    assert_eq!(told.condition.as_ref(), timeline.condition());
    assert_eq!(told.pieces.len(), 1, "of the state before the event");
}
