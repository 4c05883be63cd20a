//! A store as plain as can be: a vector of entries, of which a prefix is fsynced. It checks what
//! the engine writes against what a log must be.
//!
//! What was written and not fsynced lies with the system: a killed process finds it again, a loss of
//! power leaves the first so many groups of it. It knows neither time nor chance: what goes wrong, and
//! when, is decided outside.

mod power;
mod reading;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use self::power::Undo;
use crate::event::{AggregateId, Chain, Commit, Event, EventId, ReplicaId, Seq};
use crate::log::{Durability, Entry, EntryKind, Epoch, Epochs, Group, Opening, Received};
use crate::merge::{Integration, StoredFold, Timeline, Unguarded, tags};
use crate::resolver::Registry;

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
    /// Of each writer the chain values up to its first gap.
    chains: BTreeMap<ReplicaId, Vec<Chain>>,
    received: Received,
    waiting: BTreeMap<EventId, usize>,
    ready: BTreeSet<EventId>,
    touching: BTreeMap<AggregateId, Vec<usize>>,
    /// An entry in which a bit has flipped.
    pub(crate) flipped: Option<usize>,
}

impl Disk {
    /// Opens the store; nothing if what has to be read for that cannot be read.
    pub(crate) fn open(&mut self, epoch: u64) -> Option<Opening> {
        if self
            .flipped
            .is_some_and(|at| self.waiting.values().any(|waits| *waits == at))
        {
            return None;
        }
        self.sync();
        let end = self.entries.len() as u64;
        self.epochs.begin(Epoch::from_bits(epoch), end);
        let mut waiting: Vec<usize> = self.waiting.values().copied().collect();
        waiting.sort_unstable();
        Some(Opening {
            epochs: self.epochs.clone(),
            end,
            received: self.received.clone(),
            waiting: waiting.iter().map(|at| self.entries[*at].clone()).collect(),
            notes: self.notes.clone().into_iter().collect(),
            clean: false,
        })
    }

    /// Writes a group; with `searched`, folds are held against a replay of the log.
    pub(crate) fn append(&mut self, group: &Group, registry: &Registry, searched: bool) {
        self.undo.push(Undo::Group(self.entries.len()));
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
            if searched {
                self.check_fold(&row.aggregate, &row.bytes, registry);
            }
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
        let (replica, span) = (commit.replica(), commit.span());
        let own = |id: &EventId| id.replica == replica && span.contains(id.seq);
        let heads = commit.events().iter().flat_map(Event::heads);
        let mut heads = heads.map(|head| head.id).filter(|id| !own(id));
        self.known_of(replica) + 1 >= span.first().get() && heads.all(|id| self.ready.contains(&id))
    }

    /// How many events of a writer are here before its first gap.
    fn known_of(&self, replica: ReplicaId) -> u64 {
        self.chains
            .get(&replica)
            .map_or(0, |chain| chain.len() as u64)
    }

    /// The chain value before a commit, if everything before it is here.
    fn chain_before(&self, commit: &Commit) -> Option<Chain> {
        match commit.span().first().get() {
            1 => Some(Chain::START),
            first => self.chain_at(commit.replica(), first - 1),
        }
    }

    /// The chain value after an event, if everything before it is here.
    pub(crate) fn chain_at(&self, replica: ReplicaId, seq: u64) -> Option<Chain> {
        self.chains
            .get(&replica)?
            .get(usize::try_from(seq).ok()? - 1)
            .copied()
    }

    fn check(&self, entry: &Entry) {
        let commit = &entry.commit;
        let complete = self.is_complete(commit);
        let id = commit.id();
        match entry.kind {
            EntryKind::Released => {
                assert!(self.waiting.contains_key(&id), "{id} did not wait");
                assert!(complete, "{id} was released before its past was here");
            }
            kind => {
                let mut ids = commit.events().iter().map(Event::id);
                assert!(
                    !ids.any(|id| self.arrivals.contains_key(&id)),
                    "{id} is in the log twice"
                );
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
            self.chain_on(commit.replica(), &entry.commit);
        }
        if entry.kind == EntryKind::Waiting {
            self.waiting.insert(commit.id(), at);
        } else {
            for event in commit.events() {
                self.ready.insert(event.id());
                match self.touching.get_mut(event.aggregate()) {
                    Some(positions) if positions.last() == Some(&at) => {}
                    Some(positions) => positions.push(at),
                    None => drop(self.touching.insert(event.aggregate().clone(), vec![at])),
                }
            }
        }
        self.entries.push(entry);
    }

    /// Takes an arrival into its writer's chain, and what it closes a gap to.
    fn chain_on(&mut self, replica: ReplicaId, commit: &Commit) {
        let mut chain = self.chains.remove(&replica).unwrap_or_default();
        let mut last = chain.last().copied().unwrap_or(Chain::START);
        if commit.span().first().get() == chain.len() as u64 + 1 {
            for event in commit.events() {
                last = last.extend(event.digest());
                chain.push(last);
            }
            let next = |len: usize| EventId::new(replica, Seq::new(len as u64 + 1).unwrap());
            while let Some(event) = self.event(next(chain.len())) {
                last = last.extend(event.digest());
                chain.push(last);
            }
        }
        self.chains.insert(replica, chain);
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
            let tags = tags(&entry.commit, entry.chain_before);
            for (event, tag) in entry.commit.events().iter().zip(tags) {
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
        let commit = &self.entries.get(*self.arrivals.get(&id)?)?.commit;
        let at = id.seq.get() - commit.span().first().get();
        commit.events().get(at as usize)
    }

    /// Whether an event is here, fsynced or not.
    pub(crate) fn has(&self, id: EventId) -> bool {
        self.arrivals.contains_key(&id)
    }

    /// The parts of large commits that are kept: from whom, of which commit, and which.
    pub(crate) fn staged(&self) -> impl Iterator<Item = (ReplicaId, EventId, u32)> {
        let keys = self
            .notes
            .keys()
            .filter_map(|key| key.strip_prefix(b"staged/"));
        keys.map(|key| {
            let replica = |at: usize| ReplicaId::from_bytes(key[at..at + 16].try_into().unwrap());
            let seq = u64::from_be_bytes(key[32..40].try_into().unwrap());
            let index = u32::from_be_bytes(key[40..].try_into().unwrap());
            (
                replica(0),
                EventId::new(replica(16), Seq::new(seq).unwrap()),
                index,
            )
        })
    }

    /// Entries with ready events of an aggregate, in the order in which these became ready.
    pub(crate) fn ready_of(&self, aggregate: &AggregateId) -> impl Iterator<Item = &Entry> {
        let positions = self.touching.get(aggregate).into_iter().flatten();
        positions.map(|at| &self.entries[*at])
    }

    /// Whether an event is ready, and its tag known since then.
    pub(crate) fn tells_tag(&self, id: EventId) -> bool {
        let is_it = |entry: &&Entry| {
            let commit = &entry.commit;
            entry.kind != EntryKind::Waiting
                && commit.replica() == id.replica
                && commit.span().contains(id.seq)
        };
        let entry = self.entries.iter().find(is_it);
        entry.is_some_and(|entry| entry.chain_before.is_some())
    }

    /// Whether an event is here and fsynced.
    pub(crate) fn has_durably(&self, id: EventId) -> bool {
        self.arrivals.get(&id).is_some_and(|at| *at < self.durable)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = EventId> {
        self.arrivals.keys().copied()
    }

    /// How many events are here.
    pub(crate) fn len(&self) -> usize {
        self.arrivals.len()
    }

    pub(crate) fn received(&self) -> &Received {
        &self.received
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}
