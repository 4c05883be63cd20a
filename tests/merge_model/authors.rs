//! Histories: replicas that write while they know only a part of what has been written.

use std::collections::{BTreeMap, BTreeSet};

use anabranch::event::{
    AggregateId, Chain, ChainTag, Commit, CommitSpan, Event, EventId, EventParts, EventType, Head,
    Heads, Metadata, Payload, ReplicaId, Seq, Timestamp,
};

/// One event to be written.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) aggregate: usize,
    pub(crate) payload: u8,
    pub(crate) replaces: Option<EventId>,
}

impl Line {
    pub(crate) fn new(aggregate: usize, payload: u8) -> Self {
        Self {
            aggregate,
            payload,
            replaces: None,
        }
    }
}

/// Everything that was ever written, and by whom.
#[derive(Default)]
pub(crate) struct Authors {
    pub(crate) commits: Vec<Commit>,
    chains: BTreeMap<ReplicaId, (u64, Chain)>,
    /// Each event's past within its aggregate, written out, and its tag.
    pasts: BTreeMap<EventId, BTreeSet<EventId>>,
    tags: BTreeMap<EventId, ChainTag>,
    /// Events that nobody names.
    pub(crate) shunned: BTreeSet<EventId>,
}

pub(crate) fn aggregate(number: usize) -> AggregateId {
    AggregateId::new(&format!("journal/{number}")).unwrap()
}

pub(crate) fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap()
}

impl Authors {
    /// Writes a commit after the commits `known`, which are closed under causality, at the clock's
    /// reading or just above what it must follow. Returns its number.
    pub(crate) fn write(
        &mut self,
        replica: ReplicaId,
        known: &BTreeSet<usize>,
        lines: &[Line],
        clock: u64,
    ) -> usize {
        let floor = lines
            .iter()
            .flat_map(|line| self.events(known, line.aggregate))
            .max();
        let stamp = floor.map_or(clock, |floor| clock.max(floor.to_bits() + 1));
        self.write_at(replica, known, lines, Timestamp::from_bits(stamp), |_| ())
    }

    /// The same at any timestamp, with a last change to the parts of each event.
    pub(crate) fn write_at(
        &mut self,
        replica: ReplicaId,
        known: &BTreeSet<usize>,
        lines: &[Line],
        timestamp: Timestamp,
        change: impl Fn(&mut EventParts),
    ) -> usize {
        let (last, mut chain) = self
            .chains
            .get(&replica)
            .copied()
            .unwrap_or((0, Chain::START));
        let span = CommitSpan::new(seq(last + 1), lines.len()).unwrap();
        let mut events: Vec<Event> = Vec::new();
        for (line, number) in lines.iter().zip(last + 1..) {
            let id = EventId::new(replica, seq(number));
            let heads = self.heads(known, &events, line.aggregate);
            let mut parts = EventParts {
                id,
                commit: span,
                timestamp,
                written_ms: 0,
                aggregate: aggregate(line.aggregate),
                event_type: EventType::new("noted").unwrap(),
                heads: Heads::new(heads.iter().map(|id| self.head(*id)).collect()).unwrap(),
                replaces: line.replaces,
                metadata: Metadata::new(),
                payload: Payload::encode(&line.payload).unwrap(),
            };
            change(&mut parts);
            let event = Event::assemble(parts).unwrap();
            let mut past = BTreeSet::new();
            for head in event.heads() {
                past.insert(head.id);
                past.extend(self.pasts.get(&head.id).into_iter().flatten().copied());
            }
            chain = chain.extend(event.digest());
            self.pasts.insert(id, past);
            self.tags.insert(id, chain.tag());
            events.push(event);
        }
        self.chains.insert(replica, (span.last().get(), chain));
        self.commits.push(Commit::new(events).unwrap());
        self.commits.len() - 1
    }

    pub(crate) fn head(&self, id: EventId) -> Head {
        Head {
            id,
            tag: self.tags[&id],
        }
    }

    /// The maximal ones of the events of an aggregate in `known` and in a commit being written.
    fn heads(&self, known: &BTreeSet<usize>, own: &[Event], number: usize) -> Vec<EventId> {
        let committed = known.iter().flat_map(|at| self.commits[*at].events());
        let all: Vec<EventId> = committed
            .chain(own)
            .filter(|event| *event.aggregate() == aggregate(number))
            .map(Event::id)
            .collect();
        let seen = |id: &EventId| all.iter().any(|other| self.pasts[other].contains(id));
        let named = |id: &EventId| !seen(id) && !self.shunned.contains(id);
        all.iter().copied().filter(named).collect()
    }

    fn events<'a>(
        &'a self,
        known: &'a BTreeSet<usize>,
        number: usize,
    ) -> impl Iterator<Item = Timestamp> + 'a {
        let events = known.iter().flat_map(|at| self.commits[*at].events());
        events
            .filter(move |event| *event.aggregate() == aggregate(number))
            .map(Event::timestamp)
    }
}
