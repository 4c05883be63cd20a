use alloc::collections::BTreeMap;

use super::cache::HowToFold;
use super::change::News;
use super::untold::Untold;
use super::{Change, Effect, Engine, Filter, WatchId};
use crate::event::{AggregateId, Event, EventId};
use crate::limits::WATCH_CHANGES_MAX;
use crate::log::{EntryKind, Page};
use crate::merge::{Guard, Timeline};
use crate::resolver::{Footprint, Route};

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
    changes: Untold,
    /// Position of the log from which the reader is served because too much has happened since it
    /// last looked; nothing while the changes in memory are complete.
    behind_from: Option<u64>,
    /// The position that the reader was last told to read from.
    asked: u64,
}

/// How events came in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CameIn {
    pub(super) late: bool,
    pub(super) raced: bool,
}

impl Watch {
    /// Takes news of a position of the log, or falls behind. Whether its reader may be asleep:
    /// one that has something to take was woken for that.
    fn hear(&mut self, news: News<'_>, position: u64, open: Option<CameIn>) -> bool {
        let was_idle = self.changes.is_empty() && self.behind_from.is_none();
        if let Some(from) = &mut self.behind_from {
            *from = position.min(*from);
        } else if self.changes.len() < WATCH_CHANGES_MAX || self.changes.holds(news.aggregate) {
            let until = position.saturating_add(1);
            self.changes.take(news, until, open);
        } else {
            self.behind_from = Some(position);
        }
        was_idle
    }
}

impl Watches {
    /// Whoever chooses names of aggregates must not know the seed.
    pub(super) fn insert(&mut self, watch: WatchId, filter: Filter, seed: u64) {
        self.readers.insert(
            watch,
            Watch {
                filter,
                changes: Untold::seeded(seed),
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
            watch.changes.settle(aggregate, came_in);
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
        news: News<'_>,
        position: u64,
        open: Option<CameIn>,
        mut wake: impl FnMut(WatchId),
    ) {
        let readers = self.readers.iter_mut();
        let mut readers = readers.filter(|(_, watch)| watch.filter.passes(news.aggregate));
        let Some((mut id, mut watch)) = readers.next() else {
            return;
        };
        // All but the last are given a copy.
        for (next, other) in readers {
            if watch.hear(news.clone(), position, open) {
                wake(*id);
            }
            (id, watch) = (next, other);
        }
        if watch.hear(news, position, open) {
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
        if let Some(aggregate) = watch.and_then(|watch| watch.changes.first_open()) {
            let aggregate = aggregate.clone();
            self.fold(&aggregate);
        }
        let Some(watch) = self.watches.readers.get_mut(&id) else {
            return Watched::Gone;
        };
        if let Some((mut change, until)) = watch.changes.pop() {
            change.durable = until <= durable_end || mutant!("change-durable-too-early");
            return Watched::Change(change);
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
        let Some(watch) = self.watches.readers.get_mut(&watch) else {
            return;
        };
        for (position, entry) in read.chain(rest) {
            if entry.kind == EntryKind::Waiting {
                continue;
            }
            for event in entry.commit.events() {
                let passes = watch.filter.passes(event.aggregate());
                if passes || mutant!("filter-forgotten-behind") {
                    let route = self.registry.route(event.aggregate());
                    let keys = keys_of(event, route, &*self.guard);
                    let (late, raced) = (true, true);
                    let news = News::of(event, keys, CameIn { late, raced });
                    watch.changes.take(news, position + 1, None);
                }
            }
        }
        // Something before the page may have been added while it was read.
        if watch.behind_from == Some(watch.asked) {
            watch.behind_from = (!at_end).then_some(page.next);
        }
    }

    /// An event came into an aggregate in memory, which has not been folded with it yet.
    pub(super) fn changed(
        &mut self,
        event: &Event,
        keys: Footprint,
        at_most: CameIn,
        position: u64,
    ) {
        // How it came in is settled when it is folded.
        let news = News::of(event, keys, CameIn::default());
        self.tell(news, position, Some(at_most));
    }

    /// Tells of something; of what has not been folded yet at most what is given as open.
    pub(super) fn tell(&mut self, news: News<'_>, position: u64, open: Option<CameIn>) {
        let effects = &mut self.effects;
        let wake = |watch| effects.push_back(Effect::Wake(watch));
        self.watches.tell(news, position, open, wake);
    }

    /// An aggregate was read: tells of the events that came in meanwhile.
    pub(super) fn tell_expected(&mut self, aggregate: &AggregateId, news: &[(Event, CameIn)]) {
        let Some(expected) = self.watches.expected.remove(aggregate) else {
            return;
        };
        let told = self.effects.len();
        for (event, at_most) in news {
            if let Some(position) = expected.get(&event.id()) {
                let route = self.registry.route(aggregate);
                let keys = keys_of(event, route, &*self.guard);
                self.changed(event, keys, *at_most, *position);
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
            let news = News {
                aggregate,
                cause: Some(id),
                keys: Footprint::Everything,
                late: true,
                raced: true,
            };
            self.tell(news, position, None);
        }
    }
}

/// Which places of the state an event touches, as far as its rule says.
pub(super) fn keys_of(event: &Event, route: Option<&Route>, guard: &dyn Guard) -> Footprint {
    route.map_or(Footprint::Everything, |route| {
        let mut keys = Footprint::Everything;
        let footprint = &mut || keys = route.resolver().footprint(event.payload());
        match guard.run(footprint) {
            Ok(()) => keys,
            Err(_) => Footprint::Everything,
        }
    })
}
