use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

use bytes::Bytes;

use crate::event::{AggregateId, Chain, Digest, EventId, ReplicaId, Seq};
use crate::log::{Entry, EntryKind, Epoch, Group, Known, Received};
use crate::store::HistoryFrom;

/// What a store must hold, as plain lists.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) log: Vec<Entry>,
    pub(super) notes: BTreeMap<Vec<u8>, Bytes>,
    pub(super) epochs: Vec<(Epoch, u64)>,
    folds: Vec<(AggregateId, u64, Bytes)>,
}

impl Model {
    pub(super) fn end(&self) -> u64 {
        u64::try_from(self.log.len()).unwrap()
    }

    pub(super) fn append(&mut self, group: &Group) {
        for entry in &group.entries {
            let mut entry = entry.clone();
            entry.chain_before = match entry.kind {
                EntryKind::Released => {
                    let id = entry.commit.id();
                    let arrived = self
                        .arrivals()
                        .find(|(_, arrived)| arrived.commit.id() == id);
                    entry.chain_before.or(arrived.unwrap().1.chain_before)
                }
                _ => self.chain_before(entry.commit.replica(), entry.commit.span().first()),
            };
            self.log.push(entry);
        }
        for state in &group.states {
            self.folds
                .push((state.aggregate.clone(), self.end(), state.bytes.clone()));
        }
        for note in &group.notes {
            match &note.value {
                Some(value) => drop(self.notes.insert(note.key.clone(), value.clone())),
                None => drop(self.notes.remove(&note.key)),
            }
        }
    }

    pub(super) fn entries(&self) -> impl DoubleEndedIterator<Item = (u64, &Entry)> {
        (0..).zip(&self.log).collect::<Vec<_>>().into_iter()
    }

    fn arrivals(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.entries()
            .filter(|(_, entry)| entry.kind != EntryKind::Released)
    }

    pub(super) fn digests(&self, replica: ReplicaId) -> BTreeMap<Seq, Digest> {
        let arrived = self
            .arrivals()
            .filter(|(_, entry)| entry.commit.replica() == replica);
        let events = arrived.flat_map(|(_, entry)| entry.commit.events());
        events
            .map(|event| (event.id().seq, event.digest()))
            .collect()
    }

    fn chain_before(&self, replica: ReplicaId, seq: Seq) -> Option<Chain> {
        let digests = self.digests(replica);
        let mut chain = Chain::START;
        for before in (1..seq.get()).map(|number| Seq::new(number).unwrap()) {
            chain = chain.extend(*digests.get(&before)?);
        }
        Some(chain)
    }

    pub(super) fn locate(&self, wanted: impl Fn(EventId) -> bool) -> Vec<u64> {
        let arrived = self.arrivals();
        arrived
            .filter(|(_, entry)| entry.commit.events().iter().any(|event| wanted(event.id())))
            .map(|(position, _)| position)
            .collect()
    }

    pub(super) fn known(&self, id: EventId) -> Option<Known> {
        let holds = |entry: &Entry| entry.commit.events().iter().any(|event| event.id() == id);
        let (_, entry) = self.arrivals().find(|(_, entry)| holds(entry))?;
        let mut chain = entry.chain_before;
        for event in entry.commit.events() {
            chain = chain.map(|before| before.extend(event.digest()));
            if event.id() == id {
                return Some(Known {
                    digest: event.digest(),
                    chain,
                    timestamp: event.timestamp(),
                });
            }
        }
        None
    }

    pub(super) fn history(
        &self,
        aggregate: &AggregateId,
        from: HistoryFrom,
    ) -> (Option<Bytes>, Vec<(u64, Entry)>) {
        let fold = self.folds.iter().rev().find(|(name, ..)| name == aggregate);
        let fold = fold.filter(|_| from == HistoryFrom::Fold);
        let start = fold.map_or(0, |(_, position, _)| *position);
        let touches = |entry: &Entry| {
            entry.kind != EntryKind::Waiting
                && entry
                    .commit
                    .events()
                    .iter()
                    .any(|event| event.aggregate() == aggregate)
        };
        let entries = self
            .entries()
            .filter(|(at, entry)| *at >= start && touches(entry));
        let entries = entries.map(|(at, entry)| (at, entry.clone())).collect();
        (fold.map(|(_, _, bytes)| bytes.clone()), entries)
    }

    pub(super) fn aggregates(&self) -> BTreeSet<AggregateId> {
        let settled = self
            .log
            .iter()
            .filter(|entry| entry.kind != EntryKind::Waiting);
        settled
            .flat_map(|e| e.commit.events())
            .map(|event| event.aggregate().clone())
            .collect()
    }

    pub(super) fn waiting(&self) -> Vec<&Entry> {
        let released = |entry: &Entry| {
            let same = |other: &Entry| other.commit.id() == entry.commit.id();
            self.log
                .iter()
                .any(|other| other.kind == EntryKind::Released && same(other))
        };
        let waiting = self
            .log
            .iter()
            .filter(|entry| entry.kind == EntryKind::Waiting);
        waiting.filter(|entry| !released(entry)).collect()
    }

    pub(super) fn replicas(&self) -> BTreeSet<ReplicaId> {
        self.log
            .iter()
            .map(|entry| entry.commit.replica())
            .collect()
    }

    /// Demands that what a store says it received is what this list holds.
    pub(super) fn check_received(&self, received: &Received) {
        let replicas: Vec<_> = received.iter().map(|(replica, _)| replica).collect();
        assert_eq!(replicas, self.replicas().into_iter().collect::<Vec<_>>());
        for (replica, track) in received.iter() {
            let digests = self.digests(replica);
            let ranges = track.ranges().iter();
            let held: Vec<_> = ranges
                .flat_map(|r| r.start().get()..=r.end().get())
                .collect();
            assert_eq!(
                held,
                digests.keys().map(|seq| seq.get()).collect::<Vec<_>>()
            );
            let gapless: Vec<_> = (1..)
                .zip(&digests)
                .take_while(|(n, (seq, _))| *n == seq.get())
                .collect();
            let chain = gapless
                .iter()
                .fold(Chain::START, |chain, (_, (_, d))| chain.extend(**d));
            let last = gapless.last().map(|(_, (seq, _))| (**seq, chain));
            assert_eq!(track.chain(), last, "chain of {replica}");
            let beyond: Vec<_> = digests.iter().skip(gapless.len()).collect();
            assert_eq!(
                track.beyond().iter().collect::<Vec<_>>(),
                beyond,
                "beyond of {replica}"
            );
        }
    }
}
