use std::collections::{BTreeMap, BTreeSet};

use crate::event::{AggregateId, Digest, Event, EventId, ReplicaId, Seq};
use crate::testing::sim::faults::Fault;
use crate::testing::sim::users::marked;
use crate::testing::sim::world::World;

/// What two stores that wrote under one name have spoilt: their branches, and what rests on them.
#[derive(Debug)]
struct Spoilt {
    from: BTreeMap<ReplicaId, Seq>,
    events: BTreeSet<EventId>,
    aggregates: BTreeSet<AggregateId>,
}

impl World {
    /// Takes note of forks that a replica lists, before it forgets them.
    pub(crate) fn note_listed(&mut self, node: usize) {
        let engine = self.nodes[node].engine.as_ref();
        let lists = engine.is_some_and(|engine| !engine.health().0.forked.is_empty());
        self.fork_is_listed |= lists;
    }

    /// From which seq on two stores hold different events of one writer.
    fn forks(&self) -> BTreeMap<ReplicaId, Seq> {
        let mut known: BTreeMap<EventId, Digest> = BTreeMap::new();
        let mut from: BTreeMap<ReplicaId, Seq> = BTreeMap::new();
        for node in &self.nodes {
            for event in node.disk.ids().filter_map(|id| node.disk.event(id)) {
                let (id, digest) = (event.id(), event.digest());
                if *known.entry(id).or_insert(digest) != digest {
                    let first = from.entry(id.replica).or_insert(id.seq);
                    *first = id.seq.min(*first);
                }
            }
        }
        from
    }

    fn spoilt(&self, from: BTreeMap<ReplicaId, Seq>) -> Spoilt {
        let mut spoilt = Spoilt {
            from,
            events: BTreeSet::new(),
            aggregates: BTreeSet::new(),
        };
        let all = self.nodes.iter().flat_map(|node| {
            let entries = node.disk.entries.iter();
            entries.map(|entry| &entry.commit)
        });
        let all: Vec<_> = all.collect();
        let mut before = None;
        while before != Some(spoilt.events.len()) {
            before = Some(spoilt.events.len());
            for commit in &all {
                if commit.events().iter().any(|event| spoilt.holds(event)) {
                    spoilt.take(commit.events());
                }
            }
        }
        spoilt
    }

    /// Whether stores have parted; then everything that does not rest on their branches is everywhere
    /// and equal, nothing is gone, and somebody knows what parted.
    pub(crate) fn check_forks(&mut self) -> bool {
        let from = self.forks();
        if from.is_empty() {
            return false;
        }
        self.count(Fault::Fork);
        for node in 0..self.nodes.len() {
            self.note_listed(node);
        }
        // A peer that had told little was streamed everything and compared nothing; then the writer
        // has learnt of it when it was greeted.
        let goes_on = |writer: &ReplicaId| {
            let engines = self.nodes.iter().filter_map(|node| node.engine.as_ref());
            engines.filter(|engine| engine.replica() == *writer).count() > 1
        };
        let is_known = self.fork_is_listed || !from.keys().any(goes_on);
        assert!(is_known, "nobody knows what parted at {from:?}");
        let spoilt = self.spoilt(from);
        let (all, replaced) = self.everything();
        for node in &self.nodes {
            let lacks = |id: &&EventId| {
                let is_whole = !spoilt.events.contains(id) && !replaced.contains(id);
                is_whole && !node.disk.has(**id)
            };
            let missing: Vec<_> = all.iter().filter(lacks).collect();
            assert!(
                missing.is_empty(),
                "replica {} lacks {missing:?}",
                node.number
            );
            assert!(
                node.asks.is_empty(),
                "replica {} owes {:?}",
                node.number,
                node.asks
            );
        }
        let mut kept: BTreeSet<u64> = BTreeSet::new();
        for node in &self.nodes {
            let events = node.disk.ids().filter_map(|id| node.disk.event(id));
            kept.extend(events.filter_map(marked));
        }
        for (mark, writer) in &self.durable {
            assert!(kept.contains(mark), "write {mark} of {writer} is nowhere");
        }
        self.check_merged_but(&spoilt.aggregates);
        true
    }
}

impl Spoilt {
    fn holds(&self, event: &Event) -> bool {
        let id = event.id();
        let is_behind =
            |(writer, from): (&ReplicaId, &Seq)| *writer == id.replica && id.seq >= *from;
        let mut pasts = event.heads().iter().map(|head| head.id);
        self.from.iter().any(is_behind)
            || self.events.contains(&id)
            || pasts.any(|past| self.events.contains(&past))
            || event
                .replaces()
                .is_some_and(|past| self.events.contains(&past))
    }

    /// What a writer writes after it is not taken without it.
    fn take(&mut self, events: &[Event]) {
        for event in events {
            let (id, aggregate) = (event.id(), event.aggregate());
            self.events.insert(id);
            self.aggregates.insert(aggregate.clone());
            let from = self.from.entry(id.replica).or_insert(id.seq);
            *from = id.seq.min(*from);
        }
    }
}
