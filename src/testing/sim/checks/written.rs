use std::collections::BTreeSet;

use super::reference::maximal;
use crate::event::{Event, EventId, Timestamp};
use crate::limits::DRIFT_MS_MAX;
use crate::log::{Entry, EntryKind, Group};
use crate::testing::sim::faults::Fault;
use crate::testing::sim::users::marked;
use crate::testing::sim::world::World;
use crate::testing::sim::world::node::{Ask, Node, START};

/// How far an honest clock may be ahead of the simulated time, in milliseconds, with room for what
/// logic adds to a stamp.
const HONEST: u64 = 11_000;

impl World {
    /// Local writes, when they are about to be written: each names exactly what its writer had seen, and
    /// no clock has been dragged along by a stamp that was far ahead.
    pub(crate) fn check_written(&self, node: usize, group: &Group) {
        let at = &self.nodes[node];
        for (place, entry) in group.entries.iter().enumerate() {
            if !self.is_own(node, entry) {
                continue;
            }
            let before = &group.entries[..place];
            // What was seen of another branch than the one that is here is nobody's past.
            let is_on_old_reading = self.has_forked || at.is_on_old_reading(entry);
            let events = entry.commit.events().iter().enumerate();
            for (index, event) in events.filter(|_| !is_on_old_reading) {
                let known = at.known(event, before, &entry.commit.events()[..index]);
                let named: BTreeSet<EventId> = event.heads().iter().map(|head| head.id).collect();
                let unseen = known.symmetric_difference(&named);
                let unseen: Vec<_> = unseen.filter(|id| at.disk.tells_tag(**id)).collect();
                let (id, aggregate) = (event.id(), event.aggregate());
                assert!(
                    unseen.is_empty(),
                    "{id} of {aggregate} and its past differ in {unseen:?}"
                );
            }
            if !self.plan.is_wild(node) {
                self.check_stamp(at, entry, before);
            }
        }
    }

    fn is_own(&self, node: usize, entry: &Entry) -> bool {
        let events = entry.commit.events();
        let writer = marked(&events[0]).and_then(|mark| self.writers.get(&mark));
        writer == Some(&(node, self.nodes[node].opening)) && events[0].replaces().is_none()
    }

    fn check_stamp(&self, at: &Node, entry: &Entry, before: &[Entry]) {
        let (commit, timestamp) = (&entry.commit, entry.commit.timestamp());
        let heads = commit.events().iter().flat_map(Event::heads);
        let beside = |id: EventId| {
            let mut events = before.iter().flat_map(|entry| entry.commit.events());
            events.find(|event| event.id() == id)
        };
        let named = heads.filter_map(|head| at.disk.event(head.id).or_else(|| beside(head.id)));
        let named = named.map(Event::timestamp);
        let lifted = named
            .max()
            .and_then(Timestamp::next)
            .is_some_and(|next| timestamp <= next);
        let honest = Timestamp::at_millis(START + self.now + HONEST + DRIFT_MS_MAX);
        let id = commit.id();
        assert!(
            lifted || timestamp < honest,
            "{id} at {timestamp} follows nothing so far ahead"
        );
    }
}

impl Node {
    fn is_on_old_reading(&self, entry: &Entry) -> bool {
        let mark = marked(&entry.commit.events()[0]);
        self.asks.values().any(|ask| match ask {
            Ask::Record { marks, odd, .. } => {
                *odd == Some(Fault::OldBasis) && marks.first().copied() == mark
            }
            _ => false,
        })
    }

    /// What was maximal among what was ready of an event's aggregate when it was written.
    fn known(&self, event: &Event, group: &[Entry], commit: &[Event]) -> BTreeSet<EventId> {
        let aggregate = event.aggregate();
        let beside = group.iter();
        let beside = beside.filter(|entry| entry.kind != EntryKind::Waiting);
        let ready = self.disk.ready_of(aggregate).chain(beside);
        let ready = ready.flat_map(|entry| entry.commit.events()).chain(commit);
        maximal(ready.filter(|other| other.aggregate() == aggregate))
    }
}
