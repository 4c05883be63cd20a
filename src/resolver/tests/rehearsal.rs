//! For tests of rules: histories in which writers know only a part of what was written, folded in
//! any order, without an engine.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::super::{Context, Rejection, Resolver, View};
use crate::event::{
    AggregateId, CommitSpan, Event, EventId, EventParts, EventType, Heads, Metadata, Payload,
    ReplicaId, Seq, Timestamp,
};

/// Who writes, and which of the events before it the writer had been shown.
pub(in crate::resolver) type Turn = (u64, BTreeSet<usize>);

/// Events in canonical order, each with its causal past.
#[derive(Debug)]
pub(in crate::resolver) struct Rehearsal {
    events: Vec<Event>,
    pasts: Vec<BTreeSet<usize>>,
}

/// As many turns of up to three writers.
pub(in crate::resolver) fn turns(
    len: impl Into<prop::collection::SizeRange>,
) -> impl Strategy<Value = Vec<Turn>> {
    let turn = (0u64..3, prop::collection::btree_set(0usize..12, 0..4));
    prop::collection::vec(turn, len)
}

impl Rehearsal {
    /// The history of these turns. Who was shown an event knows what its writer knew, and everybody
    /// knows what they wrote.
    pub(in crate::resolver) fn new(turns: impl IntoIterator<Item = (Turn, Payload)>) -> Self {
        let mut found = Self {
            events: Vec::new(),
            pasts: Vec::new(),
        };
        for (stamp, ((replica, shown), payload)) in (1u64..).zip(turns) {
            let replica = ReplicaId::new(replica, 0);
            let written: Vec<usize> = (0..found.events.len())
                .filter(|at| found.events[*at].id().replica == replica)
                .collect();
            let mut past = BTreeSet::new();
            for at in written.iter().chain(&shown) {
                if let Some(its) = found.pasts.get(*at) {
                    past.extend(its);
                    past.insert(*at);
                }
            }
            let seq = Seq::new(u64::try_from(written.len()).unwrap() + 1).unwrap();
            let parts = EventParts {
                id: EventId::new(replica, seq),
                commit: CommitSpan::new(seq, 1).unwrap(),
                timestamp: Timestamp::from_bits(stamp),
                written_ms: 0,
                aggregate: "thing/1".parse().unwrap(),
                event_type: EventType::new("changed").unwrap(),
                heads: Heads::new(Vec::new()).unwrap(),
                replaces: None,
                metadata: Metadata::new(),
                payload,
            };
            found.events.push(Event::assemble(parts).unwrap());
            found.pasts.push(past);
        }
        found
    }

    pub(in crate::resolver) fn len(&self) -> usize {
        self.events.len()
    }

    pub(in crate::resolver) fn id(&self, at: usize) -> EventId {
        self.events[at].id()
    }

    pub(in crate::resolver) fn payload(&self, at: usize) -> &Payload {
        self.events[at].payload()
    }

    pub(in crate::resolver) fn past(&self, at: usize) -> &BTreeSet<usize> {
        &self.pasts[at]
    }

    /// The state before anything.
    pub(in crate::resolver) fn start<R: Resolver>(rule: &R) -> R::State {
        Resolver::init(rule, &AggregateId::new("thing/1").unwrap())
    }

    /// Folds one event.
    pub(in crate::resolver) fn step<R: Resolver>(
        &self,
        rule: &R,
        state: &mut R::State,
        at: usize,
    ) -> Result<(), Rejection> {
        let decode = |payload: &Payload| rule.decode(payload);
        let event = &self.events[at];
        let payload =
            decode(event.payload()).map_err(|why| Rejection::new(alloc::format!("{why}")))?;
        let view = Seen {
            rehearsal: self,
            past: &self.pasts[at],
        };
        let cx = Context::new(event, &view, &decode);
        Resolver::admit(rule, state, &payload, &cx)?;
        Resolver::apply(rule, state, &payload, &cx);
        Ok(())
    }

    /// The state after these events, in this order.
    pub(in crate::resolver) fn fold<R: Resolver>(
        &self,
        rule: &R,
        order: impl IntoIterator<Item = usize>,
    ) -> R::State {
        let mut state = Self::start(rule);
        for at in order {
            // A rejection changes nothing.
            let _ = self.step(rule, &mut state, at);
        }
        state
    }

    /// All events in an order that extends causality, drawn by these numbers.
    pub(in crate::resolver) fn shuffled(&self, draws: &[prop::sample::Index]) -> Vec<usize> {
        let mut order: Vec<usize> = Vec::new();
        for turn in 0..self.len() {
            let next = |at: &usize| {
                !order.contains(at) && self.pasts[*at].iter().all(|seen| order.contains(seen))
            };
            let open: Vec<usize> = (0..self.len()).filter(next).collect();
            let draw = draws.get(turn).map_or(0, |draw| draw.index(open.len()));
            order.push(open[draw]);
        }
        order
    }
}

struct Seen<'a> {
    rehearsal: &'a Rehearsal,
    past: &'a BTreeSet<usize>,
}

impl View for Seen<'_> {
    fn saw(&self, id: EventId) -> bool {
        self.past.iter().any(|at| self.rehearsal.id(*at) == id)
    }

    fn rivals(&self) -> Vec<Event> {
        Vec::new()
    }
}
