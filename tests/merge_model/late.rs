//! Late events: whatever shortcut is taken, the state is that of a fold which never went back.

use std::collections::BTreeMap;

use anabranch::event::{AggregateId, Event, EventId, Payload, ReplicaId, Timestamp};
use anabranch::merge::{Timeline, Unguarded};
use anabranch::resolver::{Claims, Context, Footprint, Key, Rejection, Resolver, ResolverId};
use proptest::prelude::*;

use crate::authors::seq;
use crate::offline::{Note, check, event, timeline, writes};

/// Cells that remember the order of what was written to them.
#[derive(Clone)]
struct Cells;

impl Resolver for Cells {
    type State = BTreeMap<u8, u64>;
    type Payload = Note;

    fn id(&self) -> ResolverId {
        ResolverId::new("cells", 1)
    }

    fn init(&self, _: &AggregateId) -> BTreeMap<u8, u64> {
        BTreeMap::new()
    }

    fn admit(
        &self,
        state: &BTreeMap<u8, u64>,
        (cell, amount): &Note,
        _: &Context<'_, Note>,
    ) -> Result<(), Rejection> {
        let held: u64 = touched(*cell).filter_map(|cell| state.get(&cell)).sum();
        if (held + u64::from(*amount)) % 5 == 4 {
            return Err(Rejection::new("no"));
        }
        Ok(())
    }

    fn apply(&self, state: &mut BTreeMap<u8, u64>, note: &Note, cx: &Context<'_, Note>) {
        let (cell, amount) = *note;
        // Some ask for rivals, some do not.
        let rivals = if amount % 4 == 0 {
            cx.rivals().len()
        } else {
            0
        };
        for cell in touched(cell) {
            let held = state.entry(cell).or_default();
            *held = (*held * 31 + u64::from(amount) + rivals as u64 * 7) % 1_000_003;
        }
    }

    fn footprint(&self, (cell, _): &Note) -> Footprint {
        match cell {
            EVERYTHING.. => Footprint::Everything,
            200..EVERYTHING => Footprint::Keys(vec![Key::branch([branch(cell % CELLS)])]),
            _ => Footprint::Keys(vec![Key::leaf([branch(cell % CELLS), name(cell % CELLS)])]),
        }
    }
}

const CELLS: u8 = 24;
/// An event for this one is for all of them.
const EVERYTHING: u8 = 250;

fn name(cell: u8) -> String {
    cell.to_string()
}

fn branch(cell: u8) -> String {
    (cell / 4).to_string()
}

fn touched(cell: u8) -> Box<dyn Iterator<Item = u8>> {
    match cell {
        EVERYTHING.. => Box::new(0..CELLS),
        200..EVERYTHING => {
            let first = cell % CELLS / 4 * 4;
            Box::new(first..first + 4)
        }
        _ => Box::new(core::iter::once(cell % CELLS)),
    }
}

/// A rule that says truly that concurrent events commute, unless they ask for rivals.
#[derive(Clone)]
struct Votes;

impl Resolver for Votes {
    type State = BTreeMap<EventId, u64>;
    type Payload = Note;

    fn id(&self) -> ResolverId {
        ResolverId::new("votes", 1)
    }

    fn init(&self, _: &AggregateId) -> Self::State {
        BTreeMap::new()
    }

    fn apply(&self, state: &mut Self::State, (_, amount): &Note, cx: &Context<'_, Note>) {
        // What its writer had seen goes; what stays depends on nobody's order.
        state.retain(|id, _| !cx.saw(*id));
        // Whoever asks for rivals depends on all that comes before it.
        let before = if *amount >= 235 {
            1_000 * cx.rivals().len() + 1_000_000 * state.len()
        } else {
            0
        };
        state.insert(cx.id(), u64::from(*amount) + before as u64);
    }

    fn claims(&self) -> Claims {
        Claims::commuting()
    }
}

fn encoded(note: Note) -> Payload {
    Payload::encode(&note).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_fold_that_takes_shortcuts_equals_one_that_never_has_to(
        writes in writes(),
        pause in 1usize..12,
    ) {
        check(&Cells, &encoded, &writes, pause);
    }

    #[test]
    fn events_that_commute_are_applied_where_they_come_unless_somebody_asked_for_rivals(
        writes in writes(),
        pause in 1usize..12,
    ) {
        check(&Votes, &encoded, &writes, pause);
    }
}

/// Writer 0 writes `depth + rest` events, one after the other, to cells in turn; another one who has
/// seen the first `rest` of them writes one event to a cell.
fn offline_for(depth: u64, rest: u64, cell: u8) -> (Timeline, Event) {
    let mut timeline = timeline(Cells);
    let writer = ReplicaId::new(0, 0);
    for number in 1..=depth + rest {
        let id = EventId::new(writer, seq(number));
        let named = (number > 1).then(|| EventId::new(writer, seq(number - 1)));
        let note = ((number % 20) as u8, 1);
        let stamp = Timestamp::from_bits(number * 10);
        timeline.integrate(
            event(id, stamp, named.into_iter().collect(), encoded(note)),
            None,
        );
    }
    timeline.fold(&Unguarded);
    let late = EventId::new(ReplicaId::new(1, 0), seq(1));
    let seen = EventId::new(writer, seq(rest));
    let late = event(
        late,
        Timestamp::from_bits(rest * 10 + 5),
        vec![seen],
        encoded((cell, 1)),
    );
    (timeline, late)
}

#[test]
fn a_late_event_whose_keys_nothing_touched_since_costs_one_apply_however_late() {
    let (mut timeline, late) = offline_for(2_000, 10_000, 22);
    let before = timeline.costs();
    timeline.integrate(late, None);
    let outcome = timeline.fold(&Unguarded);
    let after = timeline.costs();
    assert!(outcome.late && !outcome.raced);
    assert_eq!(after.applies - before.applies, 1);
    assert_eq!((after.in_place, after.rollbacks), (1, 0));
    assert!(
        after.footprints - before.footprints <= 2_000 + 10,
        "what came since is indexed once: {after:?}"
    );
}

/// Its writer has seen nothing, so it may race with any event since the first.
#[test]
fn a_late_event_of_a_stranger_costs_no_more_as_history_grows() {
    for rest in [4_000, 16_000] {
        let (mut timeline, _) = offline_for(0, rest, 0);
        let mut named = EventId::new(ReplicaId::new(0, 0), seq(rest));
        let mut goes_on = |timeline: &mut Timeline, number: u64| {
            let id = EventId::new(ReplicaId::new(0, 0), seq(number));
            let stamp = Timestamp::from_bits(number * 10);
            let note = encoded(((number % 20) as u8, 1));
            timeline.integrate(event(id, stamp, vec![named], note), None);
            timeline.fold(&Unguarded);
            named = id;
        };
        for number in rest + 1..=2 * rest {
            let before = timeline.costs().footprints;
            goes_on(&mut timeline, number);
            assert!(timeline.costs().footprints - before <= 3);
        }
        for (writer, cell) in [(1, 22), (2, 3)] {
            let before = timeline.costs();
            let id = EventId::new(ReplicaId::new(writer, 0), seq(1));
            let stamp = Timestamp::from_bits(20 * rest - 5_000);
            timeline.integrate(event(id, stamp, Vec::new(), encoded((cell, 1))), None);
            let outcome = timeline.fold(&Unguarded);
            let footprints = timeline.costs().footprints - before.footprints;
            assert_eq!((outcome.late, outcome.raced), (true, cell == 3));
            assert!(footprints <= 1_100, "{rest}: {footprints}");
        }
    }
}

/// Nobody asks for races, so what lies behind it is all that matters.
#[test]
fn a_late_event_that_nobody_watches_costs_what_lies_behind_it() {
    let (mut timeline, _) = offline_for(500, 10_000, 0);
    let id = EventId::new(ReplicaId::new(1, 0), seq(1));
    let stamp = Timestamp::from_bits(10_000 * 10 + 5);
    timeline.integrate(event(id, stamp, Vec::new(), encoded((22, 1))), None);
    timeline.catch_up(&Unguarded);
    let costs = timeline.costs();
    assert_eq!((costs.in_place, costs.footprints), (1, 501));
}

/// The first late one is near the end, the second one further back, before the only event that meets it.
#[test]
fn what_is_known_of_the_end_is_not_taken_for_what_is_before_it() {
    let writer = ReplicaId::new(0, 0);
    let mut events: Vec<Event> = Vec::new();
    for number in 1..=200u64 {
        let named = events.last().map(Event::id).into_iter().collect();
        let cell = if number == 100 {
            21
        } else {
            (number % 20) as u8
        };
        let stamp = Timestamp::from_bits(number * 10);
        let id = EventId::new(writer, seq(number));
        events.push(event(id, stamp, named, encoded((cell, 1))));
    }
    for (stranger, cell, stamp) in [(1, 22, 1_805), (2, 21, 505)] {
        let id = EventId::new(ReplicaId::new(stranger, 0), seq(1));
        let stamp = Timestamp::from_bits(stamp);
        events.push(event(id, stamp, Vec::new(), encoded((cell, 2))));
    }
    let mut eager = timeline(Cells);
    for (number, event) in events.iter().enumerate() {
        eager.integrate(event.clone(), None);
        if number >= 199 {
            eager.catch_up(&Unguarded);
        }
    }
    let mut straight = timeline(Cells);
    events.sort_by_key(Event::order_key);
    for event in events {
        straight.integrate(event, None);
    }
    straight.fold(&Unguarded);
    assert_eq!(eager.digest().unwrap(), straight.digest().unwrap());
    let costs = eager.costs();
    assert_eq!((costs.in_place, costs.rollbacks), (1, 1));
}

#[test]
fn a_late_event_that_meets_others_costs_at_most_about_twice_its_lateness() {
    for depth in [1, 10, 100, 1_000, 5_000] {
        let (mut timeline, late) = offline_for(depth, 10_000 - depth, EVERYTHING);
        let before = timeline.costs();
        timeline.integrate(late, None);
        assert!(timeline.fold(&Unguarded).late);
        let applies = timeline.costs().applies - before.applies;
        assert!(
            (depth..=2 * depth + 64).contains(&applies),
            "{depth} deep: {applies} applies"
        );
    }
}

#[test]
fn few_checkpoints_are_kept_and_they_cost_less_than_the_events() {
    let (timeline, _) = offline_for(0, 20_000, 0);
    let costs = timeline.costs();
    assert_eq!(costs.applies, 20_000);
    assert!(
        costs.checkpoints <= 2 * 20_000_u32.ilog2() as usize,
        "{costs:?}"
    );
    assert!(costs.cloned_bytes <= 20_000 * 128, "{costs:?}");
    assert_eq!(costs.footprints, 0, "no concurrency, no index");
}

#[test]
fn a_stream_of_early_and_late_events_in_turn_costs_no_more_than_it_must() {
    // Early ones that meet nothing, put before 4,000 events; late ones at the end.
    let (mut timeline, _) = offline_for(4_000, 10, 0);
    let before = timeline.costs().applies;
    let root = EventId::new(ReplicaId::new(0, 0), seq(10));
    let mut last = EventId::new(ReplicaId::new(0, 0), seq(4_010));
    for number in 1..=1_000u64 {
        let early = EventId::new(ReplicaId::new(1, 0), seq(number));
        let named = match number {
            1 => root,
            _ => EventId::new(ReplicaId::new(1, 0), seq(number - 1)),
        };
        let stamp = Timestamp::from_bits(100 + number);
        timeline.integrate(event(early, stamp, vec![named], encoded((21, 1))), None);
        timeline.fold(&Unguarded);
        let next = EventId::new(ReplicaId::new(0, 0), seq(4_010 + number));
        let stamp = Timestamp::from_bits(50_000 + number);
        timeline.integrate(event(next, stamp, vec![last], encoded((3, 1))), None);
        timeline.fold(&Unguarded);
        last = next;
    }
    let applies = timeline.costs().applies - before;
    let logarithm = u64::from(4_000_u32.ilog2());
    assert!(
        applies <= 2_000 * (1 + logarithm),
        "{applies} applies for 2,000 events"
    );
    assert_eq!(timeline.costs().rollbacks, 0);
}
