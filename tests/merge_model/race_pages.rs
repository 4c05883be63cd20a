//! What a page of races costs, and what it says of a rule that fails when it is asked.

use std::cell::Cell;
use std::collections::BTreeSet;

use anabranch::event::{AggregateId, ReplicaId};
use anabranch::limits::{KEY_SEGMENTS_MAX, RACE_LOOKS_MAX};
use anabranch::merge::{RaceQuery, Timeline, Unguarded, WhichRaces};
use anabranch::resolver::{Context, Footprint, Key, Resolver, ResolverId, Route, Verdict};

use crate::authors::{Authors, Line, aggregate};
use crate::forms::ready;
use crate::panics::Catching;
use crate::races::{ASKED, folded, keys};

/// How often the rule is asked for a footprint to list a page.
fn asked(timeline: &mut Timeline, query: &RaceQuery) -> (usize, usize) {
    ASKED.with(|asked| asked.set(0));
    let races = timeline.races(query, &Unguarded).races.len();
    (races, ASKED.with(Cell::get))
}

/// Writes one commit after another; returns its number.
struct Writing(Authors);

/// Payloads that touch one leaf, the second of which agrees with itself, and one that touches
/// everything.
const LEAF: u8 = 21;
const AGREEING: u8 = 30;
const EVERYTHING: u8 = 0;

impl Writing {
    fn new() -> Self {
        assert_eq!(keys(LEAF).unwrap().len(), 1);
        Self(Authors::default())
    }

    fn write(&mut self, writer: u64, known: impl IntoIterator<Item = usize>, payload: u8) -> usize {
        let known: BTreeSet<usize> = known.into_iter().collect();
        self.0.write(
            ReplicaId::new(writer, 0),
            &known,
            &[Line::new(0, payload)],
            0,
        )
    }

    /// Two concurrent events after all commits before, and one that saw both.
    fn diamond(&mut self, payload: u8) {
        let so_far = self.0.commits.len();
        self.write(1, 0..so_far, payload);
        self.write(2, 0..so_far, payload);
        self.write(1, 0..so_far + 2, payload);
    }

    fn timeline(&self) -> Timeline {
        let order: Vec<usize> = (0..self.0.commits.len()).collect();
        folded(&aggregate(0), [ready(&self.0, &order)])
    }
}

#[test]
fn a_history_without_concurrency_asks_the_rule_nothing() {
    let mut writing = Writing::new();
    for number in 0..100 {
        writing.write(number % 3, 0..writing.0.commits.len(), EVERYTHING);
    }
    let mut timeline = writing.timeline();
    assert_eq!(asked(&mut timeline, &RaceQuery::default()), (0, 0));
}

#[test]
fn a_page_asks_about_the_stretches_that_it_lists() {
    let mut writing = Writing::new();
    for _ in 0..40 {
        writing.diamond(EVERYTHING);
    }
    let mut timeline = writing.timeline();
    let query = RaceQuery::first(3, WhichRaces::All);
    // Three races, and the fourth to know that there is one: two events for each, and those that
    // share a stretch with them; the earlier one of each once more.
    let (races, footprints) = asked(&mut timeline, &query);
    assert_eq!(races, 3);
    assert!(footprints <= 4 * 4, "{footprints}");
    let all = timeline.races(&RaceQuery::first(100, WhichRaces::All), &Unguarded);
    assert_eq!(all.races.len(), 40);
    let (races, footprints) = asked(&mut timeline, &query.after(all.races[35].cursor()));
    assert_eq!(races, 3);
    assert!(footprints <= 5 * 4, "{footprints}");
}

#[test]
fn what_was_seen_through_a_skipped_event_makes_no_longer_stretch() {
    let mut writing = Writing::new();
    let first = writing.write(1, [], EVERYTHING);
    let original = writing.write(2, [first], EVERYTHING);
    let again = Line {
        replaces: Some(writing.0.commits[original].id()),
        ..Line::new(0, EVERYTHING)
    };
    // It has not seen the first one, unlike the one that it stands for.
    let life = ReplicaId::new(2, 1);
    writing.0.write(life, &BTreeSet::new(), &[again], 5);
    for number in 0..50 {
        let so_far = writing.0.commits.len();
        writing.write(3 + number % 3, 0..so_far, EVERYTHING);
    }
    let mut timeline = writing.timeline();
    assert_eq!(asked(&mut timeline, &RaceQuery::default()), (1, 3));
}

#[test]
fn an_event_that_saw_nothing_of_many_merges_is_told_each_of_them_once() {
    let mut writing = Writing::new();
    for _ in 0..60 {
        writing.diamond(LEAF);
    }
    let clock = u64::MAX >> 20;
    let line = [Line::new(0, LEAF)];
    writing
        .0
        .write(ReplicaId::new(9, 0), &BTreeSet::new(), &line, clock);
    let mut timeline = writing.timeline();
    let counts = timeline.race_counts(usize::MAX, &Unguarded);
    assert_eq!((counts.pairs, counts.more), (60 + 180, false));
    let counts = timeline.race_counts(100, &Unguarded);
    assert_eq!((counts.pairs, counts.more), (100, true));
}

#[test]
fn a_page_ends_where_it_has_looked_at_many_pairs_that_say_the_same() {
    let mut writing = Writing::new();
    let writers = 150u64;
    for writer in 0..writers {
        writing.write(writer, [], AGREEING);
    }
    let mut timeline = writing.timeline();
    let mut query = RaceQuery::first(10, WhichRaces::Changing);
    let pairs = usize::try_from(writers * (writers - 1) / 2).unwrap();
    assert!(pairs > RACE_LOOKS_MAX);
    let mut pages = 0;
    loop {
        let page = timeline.races(&query, &Unguarded);
        assert_eq!(page.races, []);
        pages += 1;
        let Some(next) = page.next else { break };
        query = query.after(next);
    }
    assert_eq!(pages, pairs.div_ceil(RACE_LOOKS_MAX));
}

impl Writing {
    /// An event that touches everything, perhaps in the place of another one.
    fn everything(
        &mut self,
        writer: (u64, u64),
        known: &[usize],
        clock: u64,
        replaced: Option<usize>,
    ) -> usize {
        let line = Line {
            replaces: replaced.map(|number| self.0.commits[number].id()),
            ..Line::new(0, EVERYTHING)
        };
        let known = known.iter().copied().collect();
        self.0
            .write(ReplicaId::new(writer.0, writer.1), &known, &[line], clock)
    }

    fn is_a_race(&self, earlier: usize, later: usize) -> bool {
        let ids = [earlier, later].map(|number| self.0.commits[number].id());
        let query = RaceQuery::first(100, WhichRaces::All);
        let races = self.timeline().races(&query, &Unguarded).races;
        races
            .iter()
            .any(|race| [race.earlier.id(), race.later.id()] == ids)
    }
}

/// Nobody who keeps the protocol leaves an event of their own out of what they have seen; of one who
/// does not, an event counts as seen by whoever saw a later one, but what it saw does not.
#[test]
fn a_writer_who_passes_over_an_own_event_hides_no_race() {
    for replaced in [false, true] {
        let mut writing = Writing::new();
        let first = writing.everything((1, 0), &[], 0, None);
        let saw_it = writing.everything((2, 0), &[first], 1, None);
        let odd = writing.everything((2, 0), &[], 2, None);
        if replaced {
            writing.everything((2, 1), &[first, saw_it], 3, Some(odd));
        }
        let last = writing.everything((2, 0), &[odd], 10, None);
        assert!(writing.is_a_race(first, last), "replaced: {replaced}");
        assert!(!writing.is_a_race(saw_it, last), "replaced: {replaced}");
    }
}

#[test]
fn what_such_a_writer_saw_is_not_seen_through_a_skipped_event_either() {
    let mut writing = Writing::new();
    let first = writing.everything((1, 0), &[], 0, None);
    let saw_it = writing.everything((2, 0), &[first], 1, None);
    let odd = writing.everything((2, 0), &[], 2, None);
    let original = writing.everything((3, 0), &[odd], 3, None);
    let again = writing.everything((3, 1), &[odd], 4, Some(original));
    let last = writing.everything((4, 0), &[odd, original, again], 10, None);
    assert!(writing.is_a_race(first, last));
    assert!(!writing.is_a_race(saw_it, last));
}

/// Touches long keys that differ at their end; panics when it is asked about some payloads.
struct Touchy;

const WITHOUT_FOOTPRINT: u8 = 1;
const WITHOUT_VERDICT: u8 = 2;

impl Resolver for Touchy {
    type State = ();
    type Payload = u8;

    fn id(&self) -> ResolverId {
        ResolverId::new("touchy", 1)
    }

    fn init(&self, _: &AggregateId) {}

    fn apply(&self, (): &mut (), _: &u8, _: &Context<'_, u8>) {}

    fn footprint(&self, payload: &u8) -> Footprint {
        assert_ne!(*payload, WITHOUT_FOOTPRINT, "no footprint");
        let mut path = vec![String::from("x"); KEY_SEGMENTS_MAX];
        path.push((payload / 10).to_string());
        Footprint::Keys(vec![Key::leaf(path)])
    }

    fn judge_at(&self, _: &Key, earlier: &u8, later: &u8) -> Verdict {
        assert!(![*earlier, *later].contains(&WITHOUT_VERDICT), "no verdict");
        Verdict::Agree
    }
}

/// The races between writers who saw nothing, by their payloads, with how many places each has.
fn between(payloads: &[u8]) -> Vec<((u8, u8), usize)> {
    let mut writing = Writing::new();
    for (writer, payload) in (1..).zip(payloads) {
        writing.write(writer, [], *payload);
    }
    let mut timeline = Timeline::new(aggregate(0), Some(Route::new(Touchy)));
    for commit in &writing.0.commits {
        timeline.integrate(commit.events()[0].clone(), writing.0.head(commit.id()).tag);
        timeline.fold(&Catching);
    }
    let query = RaceQuery::first(100, WhichRaces::Changing);
    let changing = timeline.races(&query, &Catching).races;
    let page = timeline.races(&RaceQuery::first(100, WhichRaces::All), &Catching);
    let agreed = page.races.iter().filter(|race| race.is_agreed()).count();
    assert_eq!(changing.len() + agreed, page.races.len());
    let payload = |party: &anabranch::merge::Party| party.event.payload().decode().unwrap();
    let race = |race: &anabranch::merge::ExplainedRace| {
        assert_eq!(race.more_contested, race.contested.is_empty());
        assert_ne!(race.is_agreed(), race.more_contested);
        (
            (payload(&race.earlier), payload(&race.later)),
            race.contested.len(),
        )
    };
    page.races.iter().map(race).collect()
}

#[test]
fn keys_that_differ_beyond_what_an_index_looks_at_are_told_apart() {
    assert_eq!(between(&[13, 23, 14]), [((13, 14), 1)]);
}

#[test]
fn where_the_rule_panics_an_event_touches_everything_and_a_race_has_no_places() {
    assert_eq!(
        between(&[13, WITHOUT_FOOTPRINT]),
        [((13, WITHOUT_FOOTPRINT), 1)]
    );
    assert_eq!(between(&[3, WITHOUT_VERDICT]), [((3, WITHOUT_VERDICT), 0)]);
}

#[test]
fn without_a_rule_or_without_the_history_no_race_is_told() {
    let mut writing = Writing::new();
    writing.diamond(EVERYTHING);
    let mut timeline = writing.timeline();
    assert_eq!(
        timeline
            .races(&RaceQuery::default(), &Unguarded)
            .races
            .len(),
        1
    );
    assert!(timeline.drop_history());
    assert_eq!(timeline.races(&RaceQuery::default(), &Unguarded).races, []);
    let mut timeline = Timeline::new(aggregate(0), None);
    for commit in &writing.0.commits {
        timeline.integrate(commit.events()[0].clone(), None);
    }
    timeline.fold(&Unguarded);
    assert_eq!(timeline.races(&RaceQuery::default(), &Unguarded).races, []);
}
