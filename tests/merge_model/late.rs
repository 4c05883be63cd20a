//! Late events: whatever shortcut is taken, the state is that of a fold which never went back.

use std::collections::{BTreeMap, BTreeSet};

use anabranch::event::{
    AggregateId, ChainTag, CommitSpan, Event, EventId, EventParts, EventType, Head, Heads,
    Metadata, Payload, ReplicaId, Timestamp,
};
use anabranch::merge::{Costs, Timeline, Unguarded};
use anabranch::resolver::{
    Claims, Context, Footprint, Key, Rejection, Resolver, ResolverId, Route,
};
use proptest::prelude::*;

use crate::authors::{aggregate, seq};

/// What one event says: which cell it is for, and how it behaves.
type Note = (u8, u8);

/// Cells that remember the order of what was written to them.
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

/// One write of a history: who, what, whom to learn from before, by how much its clock is off, and
/// how long it is held back.
#[derive(Clone, Debug)]
struct Write {
    writer: u8,
    note: Note,
    learn: Option<u8>,
    skew: u8,
    held: u8,
}

fn writes() -> impl Strategy<Value = Vec<Write>> {
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
fn events(writes: &[Write]) -> Vec<Event> {
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
        events.push(event(id, stamp, named, &write.note));
        let below = heads.iter().flat_map(|at| pasts[*at].clone());
        let past = below.chain(heads.iter().copied()).collect();
        pasts.push(past);
        *mine = BTreeSet::from([at]);
    }
    events
}

fn event(id: EventId, timestamp: Timestamp, heads: Vec<EventId>, note: &Note) -> Event {
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
        payload: Payload::encode(note).unwrap(),
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

fn route(resolver: impl Resolver) -> Timeline {
    Timeline::new(aggregate(0), Some(Route::new(resolver)))
}

/// Folds events as they come, now and then, and once in canonical order, and compares.
fn check(mut eager: Timeline, mut straight: Timeline, writes: &[Write], pause: usize) -> Costs {
    let events = events(writes);
    for (number, event) in arrivals(&events, writes).into_iter().enumerate() {
        eager.integrate(event.clone(), None);
        if number % pause == 0 {
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
    eager.costs()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_fold_that_takes_shortcuts_equals_one_that_never_has_to(
        writes in writes(),
        pause in 1usize..12,
    ) {
        check(route(Cells), route(Cells), &writes, pause);
    }

    #[test]
    fn events_that_commute_are_applied_where_they_come_unless_somebody_asked_for_rivals(
        writes in writes(),
        pause in 1usize..12,
    ) {
        check(route(Votes), route(Votes), &writes, pause);
    }
}

/// Writer 0 writes `depth + rest` events, one after the other, to cells in turn; another one who has
/// seen the first `rest` of them writes one event to a cell.
fn offline_for(depth: u64, rest: u64, cell: u8) -> (Timeline, Event) {
    let mut timeline = route(Cells);
    let writer = ReplicaId::new(0, 0);
    for number in 1..=depth + rest {
        let id = EventId::new(writer, seq(number));
        let named = (number > 1).then(|| EventId::new(writer, seq(number - 1)));
        let note = ((number % 20) as u8, 1);
        let stamp = Timestamp::from_bits(number * 10);
        timeline.integrate(event(id, stamp, named.into_iter().collect(), &note), None);
    }
    timeline.fold(&Unguarded);
    let late = EventId::new(ReplicaId::new(1, 0), seq(1));
    let seen = EventId::new(writer, seq(rest));
    let late = event(
        late,
        Timestamp::from_bits(rest * 10 + 5),
        vec![seen],
        &(cell, 1),
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
        timeline.integrate(event(early, stamp, vec![named], &(21, 1)), None);
        timeline.fold(&Unguarded);
        let next = EventId::new(ReplicaId::new(0, 0), seq(4_010 + number));
        let stamp = Timestamp::from_bits(50_000 + number);
        timeline.integrate(event(next, stamp, vec![last], &(3, 1)), None);
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
