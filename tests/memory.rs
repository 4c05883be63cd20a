//! What a bounded memory costs: how often the store is asked for what was in memory before.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::sync::Arc;

use anabranch::clock::Now;
use anabranch::engine::{Birth, Effect, Engine, Input, Outside, Reply, Ticket};
use anabranch::event::{AggregateId, Commit, Digest, Draft};
use anabranch::limits::CACHE_BYTES;
use anabranch::log::{Durability, Epoch, HistoryFrom};
use anabranch::merge::Unguarded;
use anabranch::protocol::Lineage;
use anabranch::resolver::{FieldEdit, FieldMerge, Registry};
use anabranch::store::{EventStore, MemoryStore};
use futures::FutureExt;

const AGGREGATES: usize = 1_000;
const EACH: usize = 100;

/// What a store in memory answers it answers at once.
fn block_on<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().unwrap()
}

fn name(at: usize) -> AggregateId {
    AggregateId::new(&format!("doc/{at}")).unwrap()
}

/// An engine over a store that answers at once and counts how often it is read.
struct Node {
    engine: Engine,
    store: MemoryStore,
    now: u64,
    /// Reads from a fold, and of whole histories.
    reads: [usize; 2],
    /// What was written here.
    commits: Vec<Commit>,
}

impl Node {
    fn open(device: u64, cache_bytes: usize) -> Self {
        let store = MemoryStore::new();
        let epoch = Epoch::from_bits(device);
        let birth = Birth {
            epoch,
            device,
            incarnation: 1,
            lineage: Lineage::from_bits(7),
        };
        let opening = block_on(store.begin(epoch)).unwrap();
        let registry = Registry::new().with_default(FieldMerge);
        let outside = outside(0);
        let guard = Arc::new(Unguarded);
        let engine = Engine::open(opening, &birth, registry, guard, cache_bytes, outside);
        let mut node = Self {
            engine,
            store,
            now: 0,
            reads: [0; 2],
            commits: Vec::new(),
        };
        node.carry_out(None);
        node
    }

    /// Hands something in, and carries out what comes of it; the reply, if one is waited for.
    fn give(&mut self, ticket: Option<Ticket>, input: Input) -> Option<Reply> {
        self.now += 1;
        self.engine.handle(outside(self.now), input);
        self.carry_out(ticket)
    }

    fn carry_out(&mut self, ticket: Option<Ticket>) -> Option<Reply> {
        let (mut inputs, mut answer) = (VecDeque::new(), None);
        loop {
            while let Some(effect) = self.engine.poll_effect() {
                match effect {
                    Effect::Write(group) => {
                        let entries = group.entries.iter();
                        self.commits
                            .extend(entries.map(|entry| entry.commit.clone()));
                        block_on(self.store.append(group)).unwrap();
                        inputs.push_back(Input::Written);
                    }
                    Effect::ReadHistory {
                        request,
                        aggregate,
                        from,
                    } => {
                        let [folds, whole] = &mut self.reads;
                        *if from == HistoryFrom::Fold {
                            folds
                        } else {
                            whole
                        } += 1;
                        let result = Ok(block_on(self.store.history(aggregate, from)).unwrap());
                        inputs.push_back(Input::HistoryRead { request, result });
                    }
                    Effect::Known { request, ids } => {
                        let result = Ok(block_on(self.store.known(ids)).unwrap());
                        inputs.push_back(Input::KnownFound { request, result });
                    }
                    Effect::Reply { ticket: of, reply } if Some(of) == ticket => {
                        answer = Some(reply.unwrap());
                    }
                    _ => {}
                }
            }
            let Some(input) = inputs.pop_front() else {
                return answer;
            };
            self.engine.handle(outside(self.now), input);
        }
    }

    /// A commit of one event for each of some aggregates.
    fn record(&mut self, aggregates: impl Iterator<Item = usize>, text: &str) {
        let draft = |at| {
            let edit = FieldEdit::new().set(["text"], text).unwrap();
            Draft::new(name(at), "edited", &edit).unwrap()
        };
        let input = Input::Record {
            ticket: Ticket(1),
            drafts: aggregates.map(draft).collect(),
            bases: Vec::new(),
            durability: Durability::Durable,
        };
        let reply = self.give(Some(Ticket(1)), input);
        assert!(matches!(reply, Some(Reply::Recorded(_))));
    }

    /// How many events an aggregate has, and the digest of its state.
    fn look(&mut self, at: usize) -> (u64, Digest) {
        let (ticket, whole) = (Ticket(2), false);
        let aggregate = name(at);
        let reply = self.give(
            Some(ticket),
            Input::Load {
                ticket,
                aggregate,
                whole,
            },
        );
        assert!(matches!(reply, Some(Reply::Done)));
        let timeline = self.engine.timeline(&name(at)).unwrap();
        (timeline.len(), timeline.digest().unwrap())
    }
}

fn outside(now: u64) -> Outside {
    let now = Now {
        wall_ms: 1_700_000_000_000 + now,
        mono_ms: now,
    };
    Outside { now, entropy: 5 }
}

/// A thousand documents are edited in turn, a hundred in a commit. Their histories soon are more than may
/// stay in memory. Each used to leave then, and its next edit read it from the store again: from then
/// on a seventh of the speed. Now it goes on from its fold.
#[test]
fn aggregates_that_are_written_in_turn_are_not_read_again_for_it() {
    let mut small = Node::open(1, 3 << 20);
    let rounds = 16;
    for round in 0..rounds {
        for first in (0..AGGREGATES).step_by(EACH) {
            small.record(first..first + EACH, &format!("{round} {first}"));
            let held = small.engine.held();
            assert!(held.cache_bytes <= held.cache_bytes_max);
        }
    }
    assert_eq!(small.reads, [0, 0]);
    let lean = |at: &usize| !small.engine.timeline(&name(*at)).unwrap().has_history();
    let lean = (0..AGGREGATES).filter(lean).count();
    assert!(
        lean > AGGREGATES / 2,
        "{lean} of {AGGREGATES} let go of their histories"
    );

    // What somebody else wrote at the same time needs the history, once; and what comes of it is the same.
    let mut large = Node::open(2, CACHE_BYTES);
    let mut other = Node::open(3, CACHE_BYTES);
    for commit in &small.commits {
        let (ticket, commits) = (Ticket(3), vec![commit.clone()]);
        large.give(None, Input::Ingest { ticket, commits });
    }
    other.record(0..EACH, "meanwhile");
    let (ticket, commits) = (Ticket(3), other.commits.clone());
    for node in [&mut small, &mut large] {
        let commits = commits.clone();
        node.give(None, Input::Ingest { ticket, commits });
    }
    for at in 0..AGGREGATES {
        let events = rounds + u64::from(at < EACH);
        let seen = small.look(at);
        assert_eq!((seen.0, seen), (events, large.look(at)));
    }
    assert!(
        small.reads.iter().sum::<usize>() <= 2 * EACH,
        "{:?}",
        small.reads
    );
}

/// Where even the folds are too much, the coldest leave, and those that are written most stay.
#[test]
fn aggregates_that_are_written_often_stay_where_many_others_come_and_go() {
    let mut node = Node::open(1, 256 << 10);
    for round in 0..60 {
        node.record(0..20, "hot");
        let first = 20 + round * 15 % 900;
        node.record(first..first + 15, "cold");
        let held = node.engine.held();
        assert!(held.cache_bytes <= held.cache_bytes_max);
    }
    node.reads = [0; 2];
    let events = node.look(3).0;
    assert_eq!((events, node.reads), (60, [0, 0]));
    assert_eq!(node.look(25).0, 1);
    assert_eq!(node.reads, [1, 0]);
}
