//! A store as plain as can be: a vector of entries, of which a prefix is fsynced. It checks what
//! the engine writes against what a log must be.
//!
//! It knows neither time nor chance: what goes wrong, and when, is decided outside.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{AggregateId, Chain, Commit, Event, EventId, Seq};
use crate::log::{
    Durability, Entry, EntryKind, Epoch, Epochs, Group, History, HistoryFrom, IdRange, Known,
    Opening, Page, ReadLimit, Received,
};
use crate::merge::{Integration, StoredFold, Timeline, Unguarded, tags};
use crate::resolver::Registry;
use bytes::Bytes;

#[derive(Clone, Debug)]
enum Undo {
    Note(Vec<u8>, Option<Bytes>),
    Fold(AggregateId, Option<(u64, Bytes)>),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) entries: Vec<Entry>,
    notes: BTreeMap<Vec<u8>, Bytes>,
    folds: BTreeMap<AggregateId, (u64, Bytes)>,
    epochs: Epochs,
    /// How many entries are fsynced.
    pub(crate) durable: usize,
    undo: Vec<Undo>,
    /// Where each event arrived.
    arrivals: BTreeMap<EventId, usize>,
    received: Received,
    waiting: BTreeMap<EventId, usize>,
    ready: BTreeSet<EventId>,
    touching: BTreeMap<AggregateId, Vec<usize>>,
}

impl Disk {
    pub(crate) fn open(&mut self, epoch: u64) -> Opening {
        self.sync();
        let end = self.entries.len() as u64;
        self.epochs.begin(Epoch::from_bits(epoch), end);
        let mut waiting: Vec<usize> = self.waiting.values().copied().collect();
        waiting.sort_unstable();
        Opening {
            epochs: self.epochs.clone(),
            end,
            received: self.received.clone(),
            waiting: waiting.iter().map(|at| self.entries[*at].clone()).collect(),
            notes: self.notes.clone().into_iter().collect(),
            clean: false,
        }
    }

    fn sync(&mut self) {
        self.durable = self.entries.len();
        self.undo.clear();
    }

    /// Everything that is not fsynced is gone.
    pub(crate) fn lose_power(&mut self) {
        while let Some(step) = self.undo.pop() {
            match step {
                Undo::Note(key, Some(value)) => drop(self.notes.insert(key, value)),
                Undo::Note(key, None) => drop(self.notes.remove(&key)),
                Undo::Fold(id, Some(row)) => drop(self.folds.insert(id, row)),
                Undo::Fold(id, None) => drop(self.folds.remove(&id)),
            }
        }
        let mut entries = std::mem::take(&mut self.entries);
        entries.truncate(self.durable);
        self.arrivals.clear();
        self.received = Received::new();
        self.waiting.clear();
        self.ready.clear();
        self.touching.clear();
        for entry in entries {
            self.push(entry);
        }
    }

    /// The fsynced part, as a copy that may be put back some day.
    pub(crate) fn copy(&self) -> Self {
        let mut copy = self.clone();
        copy.lose_power();
        copy
    }

    pub(crate) fn append(&mut self, group: &Group, registry: &Registry) {
        for entry in &group.entries {
            self.check(entry);
            self.push(entry.clone());
        }
        for at in self.waiting.values() {
            let commit = &self.entries[*at].commit;
            assert!(
                !self.is_complete(commit),
                "{} waits for nothing",
                commit.id()
            );
        }
        let end = self.entries.len() as u64;
        for row in &group.states {
            self.check_fold(&row.aggregate, &row.bytes, registry);
            let old = self
                .folds
                .insert(row.aggregate.clone(), (end, row.bytes.clone()));
            self.undo.push(Undo::Fold(row.aggregate.clone(), old));
        }
        for note in &group.notes {
            let old = match &note.value {
                Some(value) => self.notes.insert(note.key.clone(), value.clone()),
                None => self.notes.remove(&note.key),
            };
            self.undo.push(Undo::Note(note.key.clone(), old));
        }
        if group.durability == Durability::Durable {
            self.sync();
        }
    }

    /// Whether the whole past of a commit is here and ready.
    fn is_complete(&self, commit: &Commit) -> bool {
        let own: BTreeSet<EventId> = commit.events().iter().map(Event::id).collect();
        let heads = commit.events().iter().flat_map(Event::heads);
        let mut heads = heads.map(|head| head.id).filter(|id| !own.contains(id));
        let first = commit.span().first().get();
        let id = |seq| EventId::new(commit.replica(), Seq::new(seq).unwrap());
        heads.all(|id| self.ready.contains(&id))
            && (1..first).all(|seq| self.arrivals.contains_key(&id(seq)))
    }

    fn chain_before(&self, commit: &Commit) -> Option<Chain> {
        let mut chain = Chain::START;
        for seq in 1..commit.span().first().get() {
            let id = EventId::new(commit.replica(), Seq::new(seq).unwrap());
            chain = chain.extend(self.event(id)?.digest());
        }
        Some(chain)
    }

    fn check(&self, entry: &Entry) {
        let commit = &entry.commit;
        let here = commit
            .events()
            .iter()
            .any(|event| self.arrivals.contains_key(&event.id()));
        let complete = self.is_complete(commit);
        let id = commit.id();
        match entry.kind {
            EntryKind::Released => {
                assert!(self.waiting.contains_key(&id), "{id} did not wait");
                assert!(complete, "{id} was released before its past was here");
            }
            kind => {
                assert!(!here, "{id} is in the log twice");
                assert_eq!(
                    complete,
                    kind == EntryKind::Ready,
                    "{id} arrived as {kind:?}"
                );
            }
        }
        // A commit that waited while the replica was opened anew, and whose gap had been closed
        // before, has lost the chain value: its tags are not known, which costs concurrency.
        let unknown = entry.kind == EntryKind::Released && entry.chain_before.is_none();
        assert!(
            unknown || entry.chain_before == self.chain_before(commit),
            "chain before {id}, {:?}",
            entry.kind
        );
    }

    fn push(&mut self, entry: Entry) {
        let at = self.entries.len();
        let commit = &entry.commit;
        if entry.kind == EntryKind::Released {
            self.waiting.remove(&commit.id());
        } else {
            self.received.insert(commit);
            let ids = commit.events().iter().map(Event::id);
            self.arrivals.extend(ids.map(|id| (id, at)));
        }
        if entry.kind == EntryKind::Waiting {
            self.waiting.insert(commit.id(), at);
        } else {
            for event in commit.events() {
                self.ready.insert(event.id());
                let positions = self.touching.entry(event.aggregate().clone()).or_default();
                if positions.last() != Some(&at) {
                    positions.push(at);
                }
            }
        }
        self.entries.push(entry);
    }

    /// A fold that is stored stands for exactly the ready events of the log as it is now.
    fn check_fold(&self, aggregate: &AggregateId, bytes: &[u8], registry: &Registry) {
        let route = registry.route(aggregate).cloned();
        let fold = StoredFold::decode(bytes).unwrap();
        let stored = Timeline::from_fold(aggregate.clone(), route, fold).unwrap();
        let fresh = self.timeline(aggregate, registry);
        assert_eq!(
            (stored.len(), stored.digest()),
            (fresh.len(), fresh.digest()),
            "fold of {aggregate}"
        );
    }

    /// An aggregate as a replay of the log gives it.
    pub(crate) fn timeline(&self, aggregate: &AggregateId, registry: &Registry) -> Timeline {
        let mut timeline = Timeline::new(aggregate.clone(), registry.route(aggregate).cloned());
        for at in self.touching.get(aggregate).into_iter().flatten() {
            let entry = &self.entries[*at];
            for (event, tag) in entry
                .commit
                .events()
                .iter()
                .zip(tags(&entry.commit, entry.chain_before))
            {
                if event.aggregate() == aggregate {
                    let taken = timeline.integrate(event.clone(), tag);
                    assert!(matches!(taken, Integration::Added { .. }), "{taken:?}");
                }
            }
        }
        timeline.fold(&Unguarded);
        timeline
    }

    pub(crate) fn event(&self, id: EventId) -> Option<&Event> {
        let commit = &self.entries[*self.arrivals.get(&id)?].commit;
        commit.events().iter().find(|event| event.id() == id)
    }

    /// Whether an event is here and fsynced.
    pub(crate) fn has_durably(&self, id: EventId) -> bool {
        self.arrivals.get(&id).is_some_and(|at| *at < self.durable)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = EventId> {
        self.arrivals.keys().copied()
    }

    pub(crate) fn received(&self) -> &Received {
        &self.received
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn since(&self, position: u64, limit: ReadLimit) -> Page {
        let positions = position..self.entries.len() as u64;
        self.page(positions, position, limit)
    }

    pub(crate) fn at(&self, positions: Vec<u64>, limit: ReadLimit) -> Page {
        self.page(positions.into_iter(), 0, limit)
    }

    fn page(&self, positions: impl Iterator<Item = u64>, next: u64, limit: ReadLimit) -> Page {
        let mut page = Page {
            entries: Vec::new(),
            next,
        };
        let mut bytes = 0;
        for position in positions {
            let Some(entry) = self.entries.get(position as usize) else {
                break;
            };
            page.entries.push((position, entry.clone()));
            page.next = position + 1;
            bytes += entry.commit.bytes();
            if page.entries.len() >= limit.entries || bytes >= limit.bytes {
                break;
            }
        }
        page
    }

    pub(crate) fn locate(&self, ranges: &[IdRange]) -> Vec<u64> {
        let wanted = |id: &EventId| {
            let inside =
                |range: &IdRange| range.replica == id.replica && range.seqs.contains(&id.seq);
            ranges.iter().any(inside)
        };
        let found = self.arrivals.iter().filter(|(id, _)| wanted(id));
        let positions: BTreeSet<u64> = found.map(|(_, at)| *at as u64).collect();
        positions.into_iter().collect()
    }

    pub(crate) fn known(&self, id: EventId) -> Option<Known> {
        let event = self.event(id)?;
        let commit = &self.entries[self.arrivals[&id]].commit;
        let mut chain = self.chain_before(commit);
        for event in commit.events().iter().filter(|event| event.id() <= id) {
            chain = chain.map(|chain| chain.extend(event.digest()));
        }
        Some(Known {
            digest: event.digest(),
            chain,
            timestamp: event.timestamp(),
        })
    }

    pub(crate) fn history(&self, aggregate: &AggregateId, from: HistoryFrom) -> History {
        let fold = match from {
            HistoryFrom::Fold => self.folds.get(aggregate),
            HistoryFrom::Start => None,
        };
        let start = fold.map_or(0, |(end, _)| *end as usize);
        let positions = self.touching.get(aggregate).into_iter().flatten();
        let after = positions.filter(|at| **at >= start);
        History {
            fold: fold.map(|(_, bytes)| bytes.clone()),
            entries: after
                .map(|at| (*at as u64, self.entries[*at].clone()))
                .collect(),
        }
    }
}
