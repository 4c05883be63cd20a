//! The model: what is ready, what is valid, in order, folded into a plain list. It shares no code
//! with the merge core and is as slow as it is plain.

use std::collections::{BTreeMap, BTreeSet};

use anabranch::event::{AggregateId, Commit, Event, EventId, Payload, ReplicaId, Seq};

use crate::journal::{Entry, Lists, key, note, probes, refuses, touched};

pub(crate) struct Model {
    events: BTreeMap<EventId, Event>,
}

impl Model {
    /// Of these commits, those whose past is here.
    pub(crate) fn new<'a>(commits: impl IntoIterator<Item = &'a Commit>) -> Self {
        let here: BTreeMap<EventId, &Commit> = commits
            .into_iter()
            .map(|commit| (commit.id(), commit))
            .collect();
        let mut ready: BTreeSet<EventId> = BTreeSet::new();
        let received: BTreeSet<EventId> = here.values().flat_map(|c| ids(c)).collect();
        loop {
            let next = here.values().find(|commit| {
                let own = ids(commit);
                let gapless = (1..commit.span().first().get()).all(|n| {
                    received.contains(&EventId::new(commit.replica(), Seq::new(n).unwrap()))
                });
                let heads = commit
                    .events()
                    .iter()
                    .flat_map(Event::heads)
                    .map(|head| head.id);
                let mut heads = heads.filter(|id| !own.contains(id));
                !ready.contains(&commit.id()) && gapless && heads.all(|id| ready.contains(&id))
            });
            let Some(commit) = next else { break };
            ready.extend(ids(commit));
        }
        let events = here.values().flat_map(|commit| commit.events());
        let events = events.filter(|event| ready.contains(&event.id()));
        Self {
            events: events.map(|event| (event.id(), event.clone())).collect(),
        }
    }

    pub(crate) fn aggregates(&self) -> BTreeSet<AggregateId> {
        self.events
            .values()
            .map(|event| event.aggregate().clone())
            .collect()
    }

    pub(crate) fn is_ready(&self, id: EventId) -> bool {
        self.events.contains_key(&id)
    }

    /// The valid events of an aggregate that are not skipped, in canonical order.
    pub(crate) fn counted(&self, aggregate: &AggregateId) -> Vec<&Event> {
        let mut order: Vec<&Event> = self
            .events
            .values()
            .filter(|event| event.aggregate() == aggregate && self.is_valid(event))
            .collect();
        order.sort_by_key(|event| event.order_key());
        order
            .iter()
            .copied()
            .filter(|event| counts(event, &order))
            .collect()
    }

    /// Whether the writer of an event had seen another one.
    pub(crate) fn saw(&self, event: &Event, id: EventId) -> bool {
        let vector = self.vector(event);
        vector.get(&id.replica).is_some_and(|seq| id.seq <= *seq)
    }

    /// Entries and refused events of an aggregate.
    pub(crate) fn fold(&self, aggregate: &AggregateId) -> (Lists, BTreeSet<EventId>) {
        let counted = self.counted(aggregate);
        let invalid = self
            .events
            .values()
            .filter(|event| event.aggregate() == aggregate && !self.is_valid(event));
        let mut state = Lists::new();
        let mut refused: BTreeSet<EventId> = invalid.map(Event::id).collect();
        for (at, event) in counted.iter().enumerate() {
            let payload: u8 = read(event.payload());
            if refuses(touched(&state, payload), payload) {
                refused.insert(event.id());
                continue;
            }
            let vector = self.vector(event);
            let saw = |id: &EventId| vector.get(&id.replica).is_some_and(|seq| id.seq <= *seq);
            let overlap = |other: &Event| {
                let other = key(read(other.payload()));
                key(payload).is_none() || other.is_none() || other == key(payload)
            };
            let rivals = counted[..at]
                .iter()
                .filter(|other| !saw(&other.id()) && overlap(other));
            let entry = Entry {
                id: event.id(),
                payload,
                seen: touched(&state, payload)
                    .map(|entry| entry.id)
                    .chain(probes())
                    .filter(saw)
                    .collect(),
                rivals: rivals.map(|other| other.id()).collect(),
            };
            note(&mut state, &entry);
        }
        (state, refused)
    }

    /// The maximal valid events, without replaced ones that only such ones name, if any.
    pub(crate) fn heads(&self, aggregate: &AggregateId) -> BTreeSet<EventId> {
        let all = self
            .events
            .values()
            .filter(|event| event.aggregate() == aggregate);
        let valid: Vec<&Event> = all.filter(|event| self.is_valid(event)).collect();
        let replaced = |id: EventId| valid.iter().any(|other| other.replaces() == Some(id));
        let mut kept = valid.clone();
        loop {
            let named: BTreeSet<EventId> = kept
                .iter()
                .flat_map(|event| event.heads())
                .map(|head| head.id)
                .collect();
            let maximal = |event: &&Event| !named.contains(&event.id());
            let heads: BTreeSet<EventId> = kept
                .iter()
                .copied()
                .filter(maximal)
                .map(Event::id)
                .collect();
            if !heads.iter().any(|id| replaced(*id)) {
                return heads;
            }
            kept.retain(|event| !(heads.contains(&event.id()) && replaced(event.id())));
        }
    }

    /// Tags apart, which this model does not know.
    fn is_valid(&self, event: &Event) -> bool {
        let named = || {
            event
                .heads()
                .iter()
                .map(|head| self.events[&head.id].clone())
        };
        let inside = |other: &Event| {
            other.id().replica == event.id().replica && other.commit() == event.commit()
        };
        let sound = named().all(|head| {
            let rises = inside(&head) || head.timestamp() < event.timestamp();
            head.aggregate() == event.aggregate() && self.is_valid(&head) && rises
        });
        let far = event.timestamp().millis() >= 1 << 47;
        let exact = || self.floor(event) == Some(event.timestamp().to_bits() - 1);
        sound && (!far || exact())
    }

    /// The greatest stamp that an event, or one it names in its own commit, is checked against.
    fn floor(&self, event: &Event) -> Option<u64> {
        let named = event.heads().iter().map(|head| &self.events[&head.id]);
        named
            .filter_map(|head| {
                let inside =
                    head.id().replica == event.id().replica && head.commit() == event.commit();
                if inside {
                    self.floor(head)
                } else {
                    Some(head.timestamp().to_bits())
                }
            })
            .max()
    }

    fn vector(&self, event: &Event) -> BTreeMap<ReplicaId, Seq> {
        let mut vector = BTreeMap::new();
        for head in event.heads() {
            let mut joined = self.vector(&self.events[&head.id]);
            let own = joined.entry(head.id.replica).or_insert(head.id.seq);
            *own = head.id.seq.max(*own);
            for (replica, seq) in joined {
                let slot = vector.entry(replica).or_insert(seq);
                *slot = seq.max(*slot);
            }
        }
        vector
    }
}

/// Whether the fold takes an event: nothing replaces it, and if it replaces something it is the
/// first to do so, of something that would count itself.
fn counts(event: &Event, order: &[&Event]) -> bool {
    let replaced = order
        .iter()
        .any(|other| other.replaces() == Some(event.id()));
    !replaced && is_first(event, order)
}

fn is_first(event: &Event, order: &[&Event]) -> bool {
    let Some(target) = event.replaces() else {
        return true;
    };
    let first = order
        .iter()
        .find(|other| other.replaces() == Some(target))
        .map(|e| e.id());
    let original = order.iter().find(|other| other.id() == target);
    first == Some(event.id()) && original.is_none_or(|original| is_first(original, order))
}

fn ids(commit: &Commit) -> BTreeSet<EventId> {
    commit.events().iter().map(Event::id).collect()
}

fn read(payload: &Payload) -> u8 {
    payload.decode().unwrap()
}
