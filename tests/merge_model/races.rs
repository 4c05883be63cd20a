//! Races against a model that looks at every pair.

use std::borrow::Cow;
use std::cell::Cell;

use anabranch::event::{AggregateId, Event, EventId, Payload, PayloadError};
use anabranch::merge::{
    ExplainedRace, Outcome, RaceCounts, RaceCursor, RaceQuery, Side, Timeline, Unguarded,
    WhichRaces,
};
use anabranch::resolver::{
    Context, Footprint, Key, Piece, Rejection, Resolver, ResolverId, Route, Verdict,
};
use proptest::prelude::*;

use crate::forms::{History, ready};
use crate::model::Model;
use crate::random::{Step, play, steps, within};

thread_local! {
    /// How often the rule was asked for a footprint.
    pub(crate) static ASKED: Cell<usize> = const { Cell::new(0) };
}

/// A rule that touches all kinds of keys and decides in all ways; its state is nothing.
pub(crate) struct Decider;

impl Resolver for Decider {
    type State = ();
    type Payload = u8;

    fn id(&self) -> ResolverId {
        ResolverId::new("decider", 1)
    }

    fn init(&self, _: &AggregateId) {}

    fn admit(&self, (): &(), payload: &u8, _: &Context<'_, u8>) -> Result<(), Rejection> {
        if refuses(*payload) {
            Err(Rejection::new("no"))
        } else {
            Ok(())
        }
    }

    fn apply(&self, (): &mut (), _: &u8, _: &Context<'_, u8>) {}

    fn footprint(&self, payload: &u8) -> Footprint {
        ASKED.with(|asked| asked.set(asked.get() + 1));
        keys(*payload).map_or(Footprint::Everything, Footprint::Keys)
    }

    fn judge_at(&self, key: &Key, earlier: &u8, later: &u8) -> Verdict {
        verdict(key, *earlier, *later)
    }

    fn value_at(&self, key: &Key, payload: &u8) -> Option<Vec<u8>> {
        value(key, *payload)
    }

    fn rule_at(&self, key: &Key) -> Cow<'static, str> {
        key.path.join("/").into()
    }

    /// Pieces of all kinds of keys, of which it does not tell where they come from.
    fn pieces(&self, (): &()) -> Result<Vec<Piece>, PayloadError> {
        let piece = |key| Piece {
            key,
            value: Vec::new(),
            from: Vec::new(),
            open: false,
        };
        Ok((0..128).step_by(5).map(|at| piece(key(at))).collect())
    }

    fn decode(&self, payload: &Payload) -> Result<u8, PayloadError> {
        match payload.decode()? {
            240.. => Err(payload.decode::<String>().unwrap_err()),
            payload => Ok(payload),
        }
    }
}

fn refuses(payload: u8) -> bool {
    payload % 7 == 3 || payload >= 240
}

fn key(number: u8) -> Key {
    Key {
        path: (0..number % 4)
            .map(|at| (number >> (2 + at) & 1).to_string())
            .collect(),
        branch: number & 64 != 0,
    }
}

/// Nothing means everything.
pub(crate) fn keys(payload: u8) -> Option<Vec<Key>> {
    match payload {
        0..10 => None,
        10..20 | 240.. => Some(Vec::new()),
        _ => Some(
            (0..=payload % 3)
                .map(|at| key(payload.wrapping_mul(at * 2 + 1)))
                .collect(),
        ),
    }
}

fn verdict(key: &Key, earlier: u8, later: u8) -> Verdict {
    let place = u8::try_from(key.path.len()).unwrap();
    match (earlier % 8 + later % 8 + place) % 8 {
        0 => Verdict::LaterWins,
        1 => Verdict::EarlierWins,
        2 => Verdict::Merged,
        3 => Verdict::BothKept,
        4 => Verdict::Open,
        _ => Verdict::Agree,
    }
}

fn value(key: &Key, payload: u8) -> Option<Vec<u8>> {
    let silent = (usize::from(payload) + key.path.len()).is_multiple_of(3);
    (!silent).then(|| vec![payload])
}

pub(crate) fn overlap(one: &Key, other: &Key) -> bool {
    let within = |inner: &Key, outer: &Key| {
        inner.path == outer.path || outer.branch && inner.path.starts_with(&outer.path)
    };
    within(one, other) || within(other, one)
}

/// The narrower one of each pair that overlaps, each once.
fn places(one: u8, other: u8) -> Vec<Key> {
    let all = |payload| keys(payload).unwrap_or_else(|| vec![Key::branch(Vec::<String>::new())]);
    let mut places = Vec::new();
    for (one, other) in all(one)
        .iter()
        .flat_map(|key| all(other).into_iter().map(move |o| (key.clone(), o)))
    {
        if overlap(&one, &other) {
            let narrow = |key: &Key| (key.path.len(), !key.branch);
            places.push(if narrow(&one) < narrow(&other) {
                other
            } else {
                one
            });
        }
    }
    places.sort();
    places.dedup();
    places
}

/// What is to be told of a pair, as plain values.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    ids: (EventId, EventId),
    outcomes: (Option<Outcome>, Option<Outcome>),
    contested: Vec<Place>,
    late: bool,
    rewrote: bool,
}

type Place = (
    Key,
    Verdict,
    String,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<Side>,
);

fn told(race: &ExplainedRace) -> Told {
    assert!(!race.more_contested);
    let place = |place: &anabranch::merge::Contested| {
        let (key, rule) = (place.key.clone(), place.rule.clone());
        let values = (place.earlier_value.clone(), place.later_value.clone());
        (
            key,
            place.verdict,
            rule,
            values.0,
            values.1,
            place.overruled,
        )
    };
    Told {
        ids: (race.earlier.id(), race.later.id()),
        outcomes: (race.earlier.outcome.clone(), race.later.outcome.clone()),
        contested: race.contested.iter().map(place).collect(),
        late: race.late,
        rewrote: race.rewrote,
    }
}

fn is_agreed(race: &Told) -> bool {
    race.contested.iter().all(|place| place.1 == Verdict::Agree)
}

fn read(event: &Event) -> u8 {
    event.payload().decode().unwrap()
}

/// Every pair, by the later one, then by the earlier one.
fn expected(model: &Model, id: &AggregateId, arrived: &[EventId]) -> Vec<Told> {
    let counted = model.counted(id);
    let mut races = Vec::new();
    for (at, later) in counted.iter().enumerate() {
        for earlier in &counted[..at] {
            let places = places(read(earlier), read(later));
            if !model.saw(later, earlier.id()) && !places.is_empty() {
                races.push(pair(earlier, later, places, arrived));
            }
        }
    }
    races
}

fn pair(earlier: &Event, later: &Event, places: Vec<Key>, arrived: &[EventId]) -> Told {
    let (one, other) = (read(earlier), read(later));
    let refused = (refuses(one), refuses(other));
    let outcome = |refused: bool| {
        let rejected = Outcome::Rejected(Rejection::new("no"));
        Some(if refused { rejected } else { Outcome::Applied })
    };
    let arrival = |event: &Event| arrived.iter().position(|id| *id == event.id());
    let late = arrival(earlier) > arrival(later);
    let mut changed = false;
    let mut contested = Vec::new();
    for key in places {
        let verdict = verdict(&key, one, other);
        let told = (value(&key, one), value(&key, other));
        changed |= refused.1
            || !matches!(verdict, Verdict::Agree | Verdict::LaterWins)
            || verdict == Verdict::LaterWins && told == (None, None);
        let overruled = match (refused, verdict) {
            ((true, true), _) => None,
            ((true, false), _) | (_, Verdict::LaterWins) if !refused.1 => Some(Side::Earlier),
            ((false, true), _) | (_, Verdict::EarlierWins) if !refused.0 => Some(Side::Later),
            _ => None,
        };
        let whole = key == Key::everything();
        let bytes = |event: &Event| whole.then(|| event.payload().as_bytes().to_vec());
        contested.push((
            key.clone(),
            verdict,
            key.path.join("/"),
            told.0.or_else(|| bytes(earlier)),
            told.1.or_else(|| bytes(later)),
            overruled,
        ));
    }
    Told {
        ids: (earlier.id(), later.id()),
        outcomes: (outcome(refused.0), outcome(refused.1)),
        contested,
        late,
        rewrote: late && !refused.0 && changed,
    }
}

pub(crate) fn folded(id: &AggregateId, history: impl IntoIterator<Item = History>) -> Timeline {
    let mut timeline = Timeline::new(id.clone(), Some(Route::new(Decider)));
    for part in history {
        for (event, tag) in part {
            timeline.integrate(event, tag);
        }
        timeline.fold(&Unguarded);
    }
    timeline
}

fn all(timeline: &mut Timeline, which: WhichRaces) -> Vec<Told> {
    let page = timeline.races(&RaceQuery::first(usize::MAX, which), &Unguarded);
    assert_eq!(page.next, None);
    page.races.iter().map(told).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_race_is_told_once_whatever_the_order_of_arrival(
        replicas in 1usize..=8,
        steps in steps(8),
        shuffle in prop::collection::vec(any::<prop::sample::Index>(), 100),
        limit in 1usize..4,
        looks in 1usize..5,
    ) {
        let steps: Vec<Step> = steps.into_iter().map(|step| within(step, replicas)).collect();
        let authors = play(replicas, &steps);
        let mut order: Vec<usize> = (0..authors.commits.len()).collect();
        for (at, index) in shuffle.iter().enumerate().take(order.len()) {
            let other = index.index(order.len());
            order.swap(at, other);
        }
        let history = ready(&authors, &order);
        let model = Model::new(&authors.commits);
        for id in model.aggregates() {
            let own: History = history.iter().filter(|(event, _)| *event.aggregate() == id).cloned().collect();
            let arrived: Vec<EventId> = own.iter().map(|(event, _)| event.id()).collect();
            let parts = own.chunks(own.len().div_ceil(looks)).map(<[_]>::to_vec);
            let mut timeline = folded(&id, parts);
            let expected = expected(&model, &id, &arrived);
            prop_assert_eq!(all(&mut timeline, WhichRaces::All), &expected[..]);
            let changing: Vec<Told> = expected.iter().filter(|race| !is_agreed(race)).cloned().collect();
            prop_assert_eq!(all(&mut timeline, WhichRaces::Changing), &changing[..]);
            prop_assert_eq!(paged(&mut timeline, limit, WhichRaces::All), &expected[..]);
            prop_assert_eq!(paged(&mut timeline, limit, WhichRaces::Changing), &changing[..]);
            prop_assert_eq!(timeline.race_counts(usize::MAX, &Unguarded), counted(&expected));
        }
    }
}

fn paged(timeline: &mut Timeline, limit: usize, which: WhichRaces) -> Vec<Told> {
    let mut query = RaceQuery::first(limit, which);
    let mut races = Vec::new();
    loop {
        let page = timeline.races(&query, &Unguarded);
        assert_eq!(timeline.explain(&query, &Unguarded).races, page.races);
        races.extend(page.races.iter().map(told));
        let Some(next) = page.next else { break };
        assert_eq!(page.races.len(), limit, "only the last page is short");
        let text = next.to_string();
        assert_eq!(text.parse::<RaceCursor>().unwrap(), next);
        query = query.after(next);
    }
    races
}

fn counted(races: &[Told]) -> RaceCounts {
    let number = |races: usize| u64::try_from(races).unwrap();
    let with = |verdict| {
        let decided = |race: &&Told| race.contested.iter().any(|place| place.1 == verdict);
        number(races.iter().filter(decided).count())
    };
    let mut counts = RaceCounts::default();
    counts.pairs = number(races.len());
    counts.changing = number(races.iter().filter(|race| !is_agreed(race)).count());
    counts.later_wins = with(Verdict::LaterWins);
    counts.earlier_wins = with(Verdict::EarlierWins);
    counts.merged = with(Verdict::Merged);
    counts.both_kept = with(Verdict::BothKept);
    counts.agree = with(Verdict::Agree);
    counts.open = with(Verdict::Open);
    counts
}
