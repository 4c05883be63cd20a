use alloc::collections::{BTreeMap, VecDeque};
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
    /// Events whose aggregates are being read so that it can be said how they came in, each with its
    /// position in the log.
    expected: BTreeMap<AggregateId, BTreeMap<EventId, u64>>,
}

#[derive(Debug)]
struct Watch {
    filter: Filter,
    /// Each with the position after its newest event.
    changes: BTreeMap<AggregateId, (Change, u64)>,
    order: VecDeque<AggregateId>,
    /// Position of the log from which the reader is served because too much has happened since it
    /// last looked; nothing while the changes in memory are complete.
    behind_from: Option<u64>,
    /// The position that the reader was last told to read from.
    asked: u64,
}

impl Watch {
    fn take(&mut self, change: &Change, until: u64) {
        if let Some((earlier, end)) = self.changes.get_mut(&change.aggregate) {
            earlier.absorb(change.clone());
            *end = until.max(*end);
        } else {
            self.order.push_back(change.aggregate.clone());
            let told = (change.clone(), until);
            self.changes.insert(change.aggregate.clone(), told);
        }
    }
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
                asked: 0,
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

    /// It will be told of once its aggregate has been read.
    pub(super) fn expect(&mut self, event: &Event, position: u64) {
        self.expected
            .entry(event.aggregate().clone())
            .or_default()
            .insert(event.id(), position);
    }

    fn tell(&mut self, change: &Change, position: u64) -> Vec<WatchId> {
        let mut woken = Vec::new();
        for (id, watch) in &mut self.watches {
            if !watch.filter.passes(&change.aggregate) {
                continue;
            }
            woken.push(*id);
            if let Some(from) = &mut watch.behind_from {
                *from = position.min(*from);
            } else if watch.changes.len() < WATCH_CHANGES_MAX
                || watch.changes.contains_key(&change.aggregate)
            {
                watch.take(change, position.saturating_add(1));
            } else {
                watch.behind_from = Some(position);
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
        let durable_end = self.log.durable_end();
        let Some(watch) = self.watches.watches.get_mut(&watch) else {
            return Watched::Gone;
        };
        while let Some(aggregate) = watch.order.pop_front() {
            if let Some((mut change, until)) = watch.changes.remove(&aggregate) {
                change.durable = until <= durable_end;
                return Watched::Change(change);
            }
        }
        watch.asked = watch.behind_from.unwrap_or_default();
        watch.behind_from.map_or(Watched::Idle, Watched::Behind)
    }

    /// A page of the log for a watch whose reader fell behind. What it tells is coalesced; whether
    /// an event came late is not known any more, so every change says that what was shown may have
    /// been rewritten.
    pub fn watch_page(&mut self, watch: WatchId, page: &Page) {
        let at_end = page.next >= self.log.stored_end();
        let rest = if at_end {
            self.log.kept_between(page.next, self.log.end())
        } else {
            Vec::new()
        };
        let mut changes = Vec::new();
        for (position, entry) in page.entries.iter().chain(&rest) {
            if entry.kind != EntryKind::Waiting {
                let events = entry.commit.events().iter();
                changes.extend(events.map(|e| (self.change(e, true, true), position + 1)));
            }
        }
        let Some(watch) = self.watches.watches.get_mut(&watch) else {
            return;
        };
        for (change, until) in changes {
            if watch.filter.passes(&change.aggregate) {
                watch.take(&change, until);
            }
        }
        // Something before the page may have been added while it was read.
        if watch.behind_from == Some(watch.asked) {
            watch.behind_from = (!at_end).then_some(page.next);
        }
    }

    pub(super) fn changed(&mut self, event: &Event, late: bool, raced: bool, position: u64) {
        let change = self.change(event, late, raced);
        self.tell(&change, position);
    }

    fn tell(&mut self, change: &Change, position: u64) {
        for watch in self.watches.tell(change, position) {
            self.effects.push_back(Effect::Wake(watch));
        }
    }

    /// An aggregate was read: tells of the events that came in meanwhile.
    pub(super) fn tell_expected(&mut self, aggregate: &AggregateId, news: &[(Event, bool, bool)]) {
        let Some(expected) = self.watches.expected.remove(aggregate) else {
            return;
        };
        for (event, late, raced) in news {
            if let Some(position) = expected.get(&event.id()) {
                self.changed(event, *late, *raced, *position);
            }
        }
    }

    /// An aggregate cannot be read: how the events came in that its watchers expect is not known.
    pub(super) fn tell_unread(&mut self, aggregate: &AggregateId) {
        for (id, position) in self.watches.expected.remove(aggregate).unwrap_or_default() {
            let change = Change {
                aggregate: aggregate.clone(),
                causes: alloc::vec![id],
                events: 1,
                keys: Footprint::Everything,
                late: true,
                raced: true,
                durable: false,
            };
            self.tell(&change, position);
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
