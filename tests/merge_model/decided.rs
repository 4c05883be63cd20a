//! A race that was left to a person tells who decided: the first event that had seen both.

use anabranch::event::{Event, EventId, Payload, ReplicaId, Timestamp};
use anabranch::merge::{RaceQuery, Timeline, Unguarded};
use anabranch::resolver::{Manual, Verdict};

use crate::authors::seq;
use crate::offline::{event, timeline};

fn id(writer: u64) -> EventId {
    EventId::new(ReplicaId::new(writer, 0), seq(1))
}

fn write(writer: u64, seen: &[u64], value: u8) -> Event {
    let payload = Payload::encode(&Manual::write(&value).unwrap()).unwrap();
    said(writer, seen, payload)
}

fn decision(writer: u64, seen: &[u64], value: u8) -> Event {
    let payload = Payload::encode(&Manual::resolution(&value).unwrap()).unwrap();
    said(writer, seen, payload)
}

/// The number of a writer is its event's place.
fn said(writer: u64, seen: &[u64], payload: Payload) -> Event {
    let heads = seen.iter().map(|writer| id(*writer)).collect();
    event(
        id(writer),
        Timestamp::from_bits(writer * 10),
        heads,
        payload,
    )
}

/// Of each race who wrote the two, and who decided.
fn told(timeline: &mut Timeline) -> Vec<(u64, u64, Option<u64>)> {
    timeline.fold(&Unguarded);
    let races = timeline.races(&RaceQuery::default(), &Unguarded).races;
    let writer = |id: EventId| id.replica.device();
    let of_race = |race: &anabranch::merge::ExplainedRace| {
        let place = &race.contested[0];
        assert_eq!(place.verdict, Verdict::Open);
        let decided = place.decided_by.as_ref();
        let decided = decided.map(|party| writer(party.event.id()));
        (
            writer(race.earlier.event.id()),
            writer(race.later.event.id()),
            decided,
        )
    };
    races.iter().map(of_race).collect()
}

#[test]
fn an_open_race_tells_who_decided_having_seen_both() {
    let mut timeline = timeline(Manual);
    timeline.integrate(write(1, &[], 12), None);
    timeline.integrate(write(2, &[], 15), None);
    assert_eq!(told(&mut timeline), [(1, 2, None)]);
    // It knows of one of the two only: no decision between them, and open with the other.
    timeline.integrate(decision(3, &[1], 13), None);
    assert_eq!(told(&mut timeline), [(1, 2, None), (2, 3, None)]);
    timeline.integrate(decision(4, &[2, 3], 14), None);
    timeline.integrate(decision(5, &[4], 16), None);
    assert_eq!(told(&mut timeline), [(1, 2, Some(4)), (2, 3, Some(4))]);
}

#[test]
fn two_decisions_that_did_not_know_of_each_other_are_open_between_them() {
    let mut timeline = timeline(Manual);
    timeline.integrate(write(1, &[], 12), None);
    timeline.integrate(write(2, &[], 15), None);
    timeline.integrate(decision(4, &[1, 2], 14), None);
    timeline.integrate(decision(3, &[1, 2], 13), None);
    assert_eq!(told(&mut timeline), [(1, 2, Some(3)), (3, 4, None)]);
}
