use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::{Change, Effect, Engine, Filter, WatchId};
use crate::event::{AggregateId, Event, EventId};
use crate::limits::WATCH_CHANGES_MAX;
use crate::log::{EntryKind, Page};
use crate::resolver::Footprint;

/// All subscriptions to changes.
#[derive(Debug, Default)]
pub(super) struct Watches {
    watches: BTreeMap<WatchId, Watch>,
    /// Events whose aggregates are being read so that it can be said how they came in.
    expected: BTreeMap<AggregateId, BTreeSet<EventId>>,
}

#[derive(Debug)]
struct Watch {
    filter: Filter,
    changes: BTreeMap<AggregateId, Change>,
    order: VecDeque<AggregateId>,
    /// Position of the log from which the reader is served because too much has happened since it
    /// last looked; nothing while the changes in memory are complete.
    behind_from: Option<u64>,
}

impl Watches {
    pub(super) fn insert(&mut self, watch: WatchId, filter: Filter) {
        let (changes, order) = (BTreeMap::new(), VecDeque::new());
        self.watches.insert(
            watch,
            Watch {
                filter,
                changes,
                order,
                behind_from: None,
            },
        );
    }

    pub(super) fn remove(&mut self, watch: WatchId) {
        self.watches.remove(&watch);
    }

    pub(super) fn wants(&self, aggregate: &AggregateId) -> bool {
        self.watches
            .values()
            .any(|watch| watch.filter.passes(aggregate))
    }

    pub(super) fn expect_if(&mut self, watched: bool, event: &Event) {
        if watched {
            self.expected
                .entry(event.aggregate().clone())
                .or_default()
                .insert(event.id());
        }
    }

    /// Everything told so far is fsynced.
    pub(super) fn durable(&mut self) {
        for watch in self.watches.values_mut() {
            for change in watch.changes.values_mut() {
                change.durable = true;
            }
        }
    }

    fn tell(&mut self, change: &Change, log_end: u64) -> Vec<WatchId> {
        let mut woken = Vec::new();
        for (id, watch) in &mut self.watches {
            if !watch.filter.passes(&change.aggregate) {
                continue;
            }
            woken.push(*id);
            if watch.behind_from.is_some() {
                continue;
            }
            if let Some(earlier) = watch.changes.get_mut(&change.aggregate) {
                earlier.absorb(change.clone());
            } else if watch.changes.len() >= WATCH_CHANGES_MAX {
                watch.behind_from = Some(log_end.saturating_sub(1));
            } else {
                watch.order.push_back(change.aggregate.clone());
                watch
                    .changes
                    .insert(change.aggregate.clone(), change.clone());
            }
        }
        woken
    }
}

/// What a watch reads next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// A change.
    Change(Change),
    /// Nothing for now.
    Idle,
    /// The reader fell behind: read the log from this position, hand the page to
    /// [`Engine::watch_page`](super::Engine::watch_page), and look again.
    Behind(u64),
    /// There is no such watch.
    Gone,
}

impl Engine {
    /// The next change a watch has to tell.
    pub fn next_change(&mut self, watch: WatchId) -> Watched {
        let Some(watch) = self.watches.watches.get_mut(&watch) else {
            return Watched::Gone;
        };
        while let Some(aggregate) = watch.order.pop_front() {
            if let Some(change) = watch.changes.remove(&aggregate) {
                return Watched::Change(change);
            }
        }
        watch.behind_from.map_or(Watched::Idle, Watched::Behind)
    }

    /// A page of the log for a watch whose reader fell behind. What it tells is coalesced; whether
    /// an event came late is not known any more, so every change says that what was shown may have
    /// been rewritten.
    pub fn watch_page(&mut self, watch: WatchId, page: &Page) {
        let durable_end = self.log.durable_end();
        let stored_end = self.log.stored_end();
        let mut changes: BTreeMap<AggregateId, Change> = BTreeMap::new();
        for (position, entry) in &page.entries {
            if entry.kind == EntryKind::Waiting {
                continue;
            }
            for event in entry.commit.events() {
                let mut change = self.change(event, true, true);
                change.durable = *position < durable_end;
                match changes.get_mut(event.aggregate()) {
                    Some(earlier) => earlier.absorb(change),
                    None => drop(changes.insert(event.aggregate().clone(), change)),
                }
            }
        }
        let in_memory = self.log.kept_between(page.next, self.log.end());
        let Some(watch) = self.watches.watches.get_mut(&watch) else {
            return;
        };
        for (aggregate, change) in changes {
            if watch.filter.passes(&aggregate) {
                watch.order.push_back(aggregate.clone());
                watch.changes.insert(aggregate, change);
            }
        }
        let at_end = page.next >= stored_end && in_memory.is_empty();
        watch.behind_from = (!at_end).then_some(page.next);
    }

    pub(super) fn changed(&mut self, event: &Event, late: bool, raced: bool) {
        let change = self.change(event, late, raced);
        for watch in self.watches.tell(&change, self.log.end()) {
            self.effects.push_back(Effect::Wake(watch));
        }
    }

    /// An aggregate was read: tells of the events that came in meanwhile.
    pub(super) fn tell_expected(&mut self, aggregate: &AggregateId, news: &[(Event, bool, bool)]) {
        let Some(expected) = self.watches.expected.remove(aggregate) else {
            return;
        };
        for (event, late, raced) in news {
            if expected.contains(&event.id()) {
                self.changed(event, *late, *raced);
            }
        }
    }

    fn change(&self, event: &Event, late: bool, raced: bool) -> Change {
        let route = self.registry.route(event.aggregate());
        let keys = route.map_or(Footprint::Everything, |route| {
            let mut keys = Footprint::Everything;
            let footprint = &mut || keys = route.resolver().footprint(event.payload());
            match self.guard.run(footprint) {
                Ok(()) => keys,
                Err(_) => Footprint::Everything,
            }
        });
        Change {
            aggregate: event.aggregate().clone(),
            causes: alloc::vec![event.id()],
            events: 1,
            keys,
            late,
            raced,
            durable: false,
        }
    }
}
