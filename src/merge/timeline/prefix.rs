use alloc::boxed::Box;
use core::mem::size_of;

use super::past::Past;
use super::rows::{Fate, Row, Rows};
use crate::event::{Event, EventId, OrderKey, SortedMap, VersionVector};
use crate::resolver::{ErasedResolver, ErasedState};

/// The first events of an order, folded.
#[derive(Debug)]
pub(super) struct Prefix {
    pub(super) state: ErasedState,
    /// Nothing until a rule asks for rivals.
    pub(super) extent: Option<Box<Extent>>,
    /// The last of them that is in memory.
    pub(super) last: Option<OrderKey>,
    /// How many of them are in memory.
    pub(super) len: usize,
}

/// Which events are in a prefix, so that it shows which ones have all of it in their pasts.
#[derive(Clone, Debug, Default)]
pub(super) struct Extent {
    /// The maximal events among them, all of them in memory or not.
    pub(super) frontier: SortedMap<EventId, ()>,
    /// What they amount to as one past.
    pub(super) seen: VersionVector,
}

impl Prefix {
    /// Of no events.
    pub(super) fn empty(state: ErasedState) -> Self {
        Self {
            state,
            extent: None,
            last: None,
            len: 0,
        }
    }

    /// A second copy, for which the rule has to copy the state.
    pub(super) fn copy(&self, resolver: &dyn ErasedResolver) -> Self {
        Self {
            state: resolver.clone_state(&self.state),
            extent: self.extent.clone(),
            last: self.last,
            len: self.len,
        }
    }

    /// What it takes in memory besides the state, in bytes.
    pub(super) fn own_bytes(&self) -> usize {
        let entries = |extent: &Extent| extent.frontier.len() + extent.seen.len();
        let entries = self.extent.as_deref().map_or(0, entries);
        size_of::<Self>() + entries * size_of::<EventId>()
    }

    /// Whether an event is known to have all of them in its past.
    pub(super) fn is_seen_by(&self, event: &Event) -> bool {
        let extent = self.extent.as_deref();
        extent.is_some_and(|extent| extent.is_seen_by(event))
    }

    /// An event that has just been folded is one of them, the last or, put in its place late, not.
    pub(super) fn take(&mut self, event: &Event) {
        if let Some(extent) = &mut self.extent {
            extent.take(event);
        }
        self.last = self.last.max(Some(event.order_key()));
        self.len += 1;
    }
}

impl Extent {
    pub(super) fn is_seen_by(&self, event: &Event) -> bool {
        if event.heads().len() < self.frontier.len() {
            return false;
        }
        let named = event.heads().iter();
        let named = named.filter(|head| self.frontier.contains_key(&head.id));
        named.count() == self.frontier.len()
    }

    pub(super) fn take(&mut self, event: &Event) {
        for head in event.heads() {
            self.frontier.remove(&head.id);
        }
        self.frontier.insert(event.id(), ());
        self.seen.observe(event.id());
    }

    /// What an event saw through a skipped one, which is never folded itself, is part of the past
    /// that it and what follows it share.
    pub(super) fn look_behind_skipped(&mut self, event: &Event, past: &mut Past, rows: &Rows) {
        for head in event.heads() {
            let Some(slot) = rows.slot(head.id) else {
                continue;
            };
            let fate = rows.row(slot).map(Row::fate);
            if fate == Some(Fate::Replaced) {
                self.seen.join(&past.of(slot, rows));
                self.seen.observe(head.id);
            }
        }
    }
}
