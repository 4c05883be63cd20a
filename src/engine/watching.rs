use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::cache::HowToFold;
use super::{Change, Effect, Engine, Filter, WatchId};
use crate::event::{AggregateId, Event, EventId};
use crate::limits::WATCH_CHANGES_MAX;
use crate::log::{EntryKind, Page};
use crate::merge::Timeline;
use crate::resolver::Footprint;

/// All subscriptions to changes.
#[derive(Debug, Default)]
pub(super) struct Watches {
    readers: BTreeMap<WatchId, Watch>,
    /// Events whose aggregates are being read so that it can be said how they came in, each with its
    /// position in the log.
    expected: BTreeMap<AggregateId, BTreeMap<EventId, u64>>,
    /// Of aggregates that are read anew: the first event that had come in and was not folded.
    opening: BTreeMap<AggregateId, EventId>,
}

#[derive(Debug)]
struct Watch {
    filter: Filter,
    changes: BTreeMap<AggregateId, Pending>,
    order: VecDeque<AggregateId>,
    /// Position of the log from which the reader is served because too much has happened since it
    /// last looked; nothing while the changes in memory are complete.
    behind_from: Option<u64>,
    /// The position that the reader was last told to read from.
    asked: u64,
}

/// A change that has not been told yet.
#[derive(Debug)]
struct Pending {
    change: Change,
    /// The position after its newest event.
    until: u64,
    /// Of events that have not been folded yet: at most this came of them.
    open: Option<CameIn>,
}

/// How events came in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CameIn {
    pub(super) late: bool,
    pub(super) raced: bool,
}

impl Pending {
    /// What came of those events is known.
    fn settle(&mut self, came_in: CameIn) {
        if self.open.take().is_some() {
            self.change.late |= came_in.late;
            self.change.raced |= came_in.raced;
        }
    }
}

impl Watch {
    /// Takes a change at a position of the log, or falls behind. Whether its reader may be asleep:
    /// one that has something to take was woken for that.
    fn hear(&mut self, change: Change, position: u64, open: Option<CameIn>) -> bool {
        let was_idle = self.changes.is_empty() && self.behind_from.is_none();
        if let Some(from) = &mut self.behind_from {
            *from = position.min(*from);
        } else if self.changes.len() < WATCH_CHANGES_MAX
            || self.changes.contains_key(&change.aggregate)
        {
            self.take(change, position.saturating_add(1), open);
        } else {
            self.behind_from = Some(position);
        }
        was_idle
    }

    fn take(&mut self, change: Change, until: u64, open: Option<CameIn>) {
        if let Some(pending) = self.changes.get_mut(&change.aggregate) {
            pending.change.absorb(change);
            pending.until = until.max(pending.until);
            if let Some(open) = open {
                let all = pending.open.get_or_insert_default();
                all.late |= open.late;
                all.raced |= open.raced;
            }
        } else {
            let name = change.aggregate.clone();
            self.order.push_back(name.clone());
            let pending = Pending {
                change,
                until,
                open,
            };
            self.changes.insert(name, pending);
        }
    }
}

impl Watches {
    pub(super) fn insert(&mut self, watch: WatchId, filter: Filter) {
        let (changes, order) = (BTreeMap::new(), VecDeque::new());
        self.readers.insert(
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
        self.readers.remove(&watch);
    }

    /// Changes that were not told, of the watch with the most.
    pub(super) fn changes_max(&self) -> usize {
        let changes = self.readers.values().map(|watch| watch.changes.len());
        changes.max().unwrap_or_default()
    }

    pub(super) fn wants(&self, aggregate: &AggregateId) -> bool {
        self.readers
            .values()
            .any(|watch| watch.filter.passes(aggregate))
    }

    /// How an aggregate is to be folded: its watchers are told of races, and have been told of keys.
    pub(super) fn fold(&self, aggregate: &AggregateId) -> HowToFold {
        if self.wants(aggregate) {
            Timeline::fold_without_keys
        } else {
            Timeline::catch_up
        }
    }

    /// It will be told of once its aggregate has been read.
    pub(super) fn expect(&mut self, event: &Event, position: u64) {
        self.expected
            .entry(event.aggregate().clone())
            .or_default()
            .insert(event.id(), position);
    }

    /// An aggregate was folded: what came of its new events is known exactly.
    pub(super) fn settle(&mut self, aggregate: &AggregateId, came_in: CameIn) {
        for watch in self.readers.values_mut() {
            if let Some(pending) = watch.changes.get_mut(aggregate) {
                pending.settle(came_in);
            }
        }
    }

    /// An aggregate is read anew, of which nothing from this event on has been folded.
    pub(super) fn opens_at(&mut self, aggregate: &AggregateId, first: EventId) {
        if self.wants(aggregate) {
            self.opening.insert(aggregate.clone(), first);
        }
    }

    pub(super) fn opening(&self, aggregate: &AggregateId) -> Option<EventId> {
        self.opening.get(aggregate).copied()
    }

    /// It was read.
    pub(super) fn opened(&mut self, aggregate: &AggregateId) {
        self.opening.remove(aggregate);
    }

    /// Whether an aggregate is being read so that it can be said how an event came in.
    pub(super) fn expects(&self, event: &Event) -> bool {
        let expected = self.expected.get(event.aggregate());
        expected.is_some_and(|expected| expected.contains_key(&event.id()))
    }

    fn tell(
        &mut self,
        change: Change,
        position: u64,
        open: Option<CameIn>,
        mut wake: impl FnMut(WatchId),
    ) {
        let name = change.aggregate.clone();
        let readers = self.readers.iter_mut();
        let mut readers = readers.filter(|(_, watch)| watch.filter.passes(&name));
        let Some((mut id, mut watch)) = readers.next() else {
            return;
        };
        // All but the last are given a copy.
        for (next, other) in readers {
            if watch.hear(change.clone(), position, open) {
                wake(*id);
            }
            (id, watch) = (next, other);
        }
        if watch.hear(change, position, open) {
            wake(*id);
        }
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
    /// The next change a watch has to tell. Its aggregate is folded first, if it is in memory, so that
    /// it can be said exactly how its events came in.
    pub fn next_change(&mut self, id: WatchId) -> Watched {
        let durable_end = self.log.durable_end();
        let watch = self.watches.readers.get(&id);
        let next = watch.and_then(|watch| {
            let next = watch.changes.get(watch.order.front()?)?;
            next.open.map(|_| next.change.aggregate.clone())
        });
        if let Some(aggregate) = next {
            self.fold(&aggregate);
        }
        let Some(watch) = self.watches.readers.get_mut(&id) else {
            return Watched::Gone;
        };
        while let Some(aggregate) = watch.order.pop_front() {
            if let Some(mut pending) = watch.changes.remove(&aggregate) {
                pending.settle(pending.open.unwrap_or_default());
                pending.change.durable =
                    pending.until <= durable_end || mutant!("change-durable-too-early");
                return Watched::Change(pending.change);
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
        let end = if at_end { self.log.end() } else { page.next };
        let rest = self.log.kept_between(page.next, end);
        let read = page.entries.iter().map(|(at, entry)| (*at, entry));
        let mut changes = Vec::new();
        for (position, entry) in read.chain(rest) {
            if entry.kind != EntryKind::Waiting {
                let events = entry.commit.events().iter();
                let change = |event| Change {
                    late: true,
                    raced: true,
                    ..self.change(event)
                };
                changes.extend(events.map(|event| (change(event), position + 1)));
            }
        }
        let Some(watch) = self.watches.readers.get_mut(&watch) else {
            return;
        };
        for (change, until) in changes {
            if watch.filter.passes(&change.aggregate) || mutant!("filter-forgotten-behind") {
                watch.take(change, until, None);
            }
        }
        // Something before the page may have been added while it was read.
        if watch.behind_from == Some(watch.asked) {
            watch.behind_from = (!at_end).then_some(page.next);
        }
    }

    /// An event came into an aggregate in memory, which has not been folded with it yet.
    pub(super) fn changed(&mut self, event: &Event, at_most: CameIn, position: u64) {
        let change = self.change(event);
        self.tell(change, position, Some(at_most));
    }

    /// Tells of a change of which everything is known.
    pub(super) fn tell_change(&mut self, change: Change, position: u64) {
        self.tell(change, position, None);
    }

    fn tell(&mut self, change: Change, position: u64, open: Option<CameIn>) {
        let effects = &mut self.effects;
        let wake = |watch| effects.push_back(Effect::Wake(watch));
        self.watches.tell(change, position, open, wake);
    }

    /// An aggregate was read: tells of the events that came in meanwhile.
    pub(super) fn tell_expected(&mut self, aggregate: &AggregateId, news: &[(Event, CameIn)]) {
        let Some(expected) = self.watches.expected.remove(aggregate) else {
            return;
        };
        let told = self.effects.len();
        for (event, at_most) in news {
            if let Some(position) = expected.get(&event.id()) {
                self.changed(event, *at_most, *position);
            }
        }
        if mutant!("lost-wake-up") {
            self.effects.truncate(told);
        }
    }

    /// An aggregate cannot be read: how the events came in that its watchers expect is not known.
    pub(super) fn tell_unread(&mut self, aggregate: &AggregateId) {
        self.watches.opened(aggregate);
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
            self.tell(change, position, None);
        }
    }

    fn change(&self, event: &Event) -> Change {
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
            late: false,
            raced: false,
            durable: false,
        }
    }
}
