use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::sync::Arc;

use super::*;
use crate::clock::Now;
use crate::engine::{Birth, Effect, Filter, Input, Outside, WatchId};
use crate::event::{EventType, Metadata, Payload, ReplicaId, Seq};
use crate::log::{Epoch, Opening};
use crate::merge::{Standing, Unguarded};
use crate::protocol::Lineage;
use crate::resolver::{Context, Registry, Rejection, Resolver, ResolverId};

const OUTSIDE: Outside = Outside {
    now: Now {
        wall_ms: 1,
        mono_ms: 1,
    },
    entropy: 1,
};

fn engine(registry: Registry, cache_bytes: usize) -> Engine {
    let birth = Birth {
        epoch: Epoch::from_bits(1),
        device: 1,
        incarnation: 1,
        lineage: Lineage::from_bits(1),
    };
    let (opening, guard) = (Opening::default(), Arc::new(Unguarded));
    Engine::open(opening, &birth, registry, guard, cache_bytes, OUTSIDE)
}

fn commit(payload: u64) -> Commit {
    let id = EventId::new(ReplicaId::new(1, 1), Seq::FIRST);
    let event = Event::assemble(EventParts {
        id,
        commit: CommitSpan::new(Seq::FIRST, 1).unwrap(),
        timestamp: Timestamp::at_millis(1),
        written_ms: 1,
        aggregate: "task/1".parse().unwrap(),
        event_type: EventType::new("written").unwrap(),
        heads: Heads::default(),
        replaces: None,
        metadata: Metadata::new(),
        payload: Payload::encode(&payload).unwrap(),
    });
    Commit::new(alloc::vec![event.unwrap()]).unwrap()
}

#[test]
fn a_write_whose_id_is_taken_fails_and_is_not_dropped_without_a_word() {
    let mut engine = engine(Registry::new(), 0);
    let mut item = WriteItem::default();
    engine.accept_own(commit(1), &[], &mut item).unwrap();
    let again = engine.accept_own(commit(2), &[], &mut item);
    let commit = commit(2).id();
    assert_eq!(again, Err(Failure::Forked { commit }));
    assert_eq!(item.entries.len(), 1);
}

fn next(random: &mut u64) -> usize {
    *random = random
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1);
    usize::try_from(*random >> 33).unwrap()
}

/// Against a map from places to drafts.
#[test]
fn drafts_are_put_together_by_the_places_of_their_aggregates() {
    let mut random = 7;
    for round in 0..400 {
        let most = 1 + next(&mut random) % 12;
        let places: Vec<usize> = (0..round % 20).map(|_| next(&mut random) % most).collect();
        let mut plain: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (draft, at) in places.iter().enumerate() {
            plain.entry(*at).or_default().push(draft);
        }
        let mut touched = Touched::by(&places);
        let firsts = touched.each.iter().map(|one| one.first);
        assert!(firsts.is_sorted());
        assert_eq!(touched.each.len(), plain.len());
        for one in &touched.each {
            let drafts: Vec<usize> = core::iter::once(one.first)
                .chain(one.rest.clone())
                .collect();
            assert_eq!(plain.get(&one.at), Some(&drafts));
        }
        for (draft, at) in places.iter().enumerate() {
            assert_eq!(touched.of(draft).map(|one| one.at), Some(*at));
        }
    }
}

/// Keeps what is not too much, and takes no number twice in a row.
struct Wary;

impl Resolver for Wary {
    type State = Vec<u64>;
    type Payload = u64;

    fn id(&self) -> ResolverId {
        ResolverId::new("wary", 1)
    }

    fn init(&self, _: &AggregateId) -> Vec<u64> {
        Vec::new()
    }

    fn admit(&self, state: &Vec<u64>, n: &u64, _: &Context<'_, u64>) -> Result<(), Rejection> {
        let is_taken = state.last() != Some(n) && *n != 9;
        is_taken.then_some(()).ok_or_else(|| Rejection::new("no"))
    }

    fn apply(&self, state: &mut Vec<u64>, n: &u64, _: &Context<'_, u64>) {
        state.push(*n);
    }
}

/// What came of a write: the answers, what is to be stored, and where each aggregate stands then.
struct Written {
    replies: Vec<Result<Reply, Failure>>,
    commits: Vec<Commit>,
    standings: Vec<Option<Standing>>,
}

/// Drafts of a commit: an aggregate and a number each.
type Write = Vec<(usize, usize)>;

fn name(aggregate: usize) -> AggregateId {
    AggregateId::new(&["a/", &aggregate.to_string()].concat()).unwrap()
}

fn write(engine: &mut Engine, drafts: &Write) -> Written {
    let draft = |(aggregate, n): &(usize, usize)| {
        let n = u64::try_from(*n).unwrap();
        Draft::new(name(*aggregate), "set", &n).unwrap()
    };
    let input = Input::Record {
        ticket: Ticket(1),
        drafts: drafts.iter().map(draft).collect(),
        bases: Vec::new(),
        durability: Durability::Durable,
    };
    engine.handle(OUTSIDE, input);
    let (mut replies, mut commits) = (Vec::new(), Vec::new());
    while let Some(effect) = engine.poll_effect() {
        match effect {
            Effect::Write(group) => {
                commits.extend(group.entries.into_iter().map(|entry| entry.commit));
                engine.handle(OUTSIDE, Input::Written);
            }
            Effect::Reply { reply, .. } => replies.push(reply),
            _ => {}
        }
    }
    let mut stand = |aggregate| {
        let stand = |timeline: &mut Timeline| (timeline.standing(&Unguarded), 0);
        engine.cache.with(&name(aggregate), stand).flatten()
    };
    Written {
        replies,
        commits,
        standings: (0..AGGREGATES).map(&mut stand).collect(),
    }
}

const AGGREGATES: usize = 6;

/// Against an engine that leaves what was written to be folded when somebody looks, as is done where
/// somebody watches.
#[test]
fn what_is_folded_as_it_is_written_is_what_is_folded_when_somebody_looks() {
    let registry = || Registry::new().with_default(Wary);
    let (mut quick, mut slow) = (engine(registry(), 1 << 30), engine(registry(), 1 << 30));
    let (watch, filter) = (WatchId(1), Filter::all());
    slow.handle(OUTSIDE, Input::Watch { watch, filter });
    let mut random = 7;
    let (mut refused, mut behind) = (0, 0);
    for at in 0..400 {
        let len = 1 + (next(&mut random) % 4).pow(2);
        let draft = |_| (next(&mut random) % AGGREGATES, next(&mut random) % 60);
        let drafts: Write = (0..len).map(draft).collect();
        let before = write(&mut quick, &Write::new()).standings;
        let (one, other) = (write(&mut quick, &drafts), write(&mut slow, &drafts));
        assert_eq!(one.commits, other.commits, "write {at}");
        assert!(matches!(&one.replies[..], [_]) && one.replies.len() == other.replies.len());
        if let (Err(one), Err(other)) = (&one.replies[0], &other.replies[0]) {
            assert_eq!(one, other);
            refused += 1;
        }
        assert_eq!(one.replies[0].is_err(), one.commits.is_empty());
        // What is refused leaves no trace.
        assert!(one.replies[0].is_ok() || one.standings == before);
        let folded = one.standings.iter().zip(&other.standings);
        behind += folded.clone().filter(|(_, slow)| slow.is_none()).count();
        for (quick, slow) in folded.filter(|(_, slow)| slow.is_some()) {
            assert_eq!(quick, slow, "write {at}");
        }
    }
    assert!(refused > 40 && behind > 400, "{refused} {behind}");
}
