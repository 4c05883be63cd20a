use alloc::collections::BTreeSet;
use core::mem::size_of;

use super::past::Past;
use super::rows::{Fate, Rows};
use crate::event::{Event, EventId, OrderKey, VersionVector};
use crate::resolver::{ErasedResolver, ErasedState};

/// The first events of an order, folded.
#[derive(Debug)]
pub(super) struct Prefix {
    pub(super) state: ErasedState,
    /// The maximal events among them, all of them in memory or not.
    pub(super) frontier: BTreeSet<EventId>,
    /// What they amount to as one past.
    pub(super) seen: VersionVector,
    /// The last of them that is in memory.
    pub(super) last: Option<OrderKey>,
    /// How many of them are in memory.
    pub(super) len: usize,
}

impl Prefix {
    /// Of no events.
    pub(super) fn empty(state: ErasedState) -> Self {
        Self {
            state,
            frontier: BTreeSet::new(),
            seen: VersionVector::new(),
            last: None,
            len: 0,
        }
    }

    /// A second copy, for which the rule has to copy the state.
    pub(super) fn copy(&self, resolver: &dyn ErasedResolver) -> Self {
        Self {
            state: resolver.clone_state(&self.state),
            frontier: self.frontier.clone(),
            seen: self.seen.clone(),
            last: self.last,
            len: self.len,
        }
    }

    /// What it takes in memory besides the state, in bytes.
    pub(super) fn own_bytes(&self) -> usize {
        size_of::<Self>() + (self.frontier.len() + self.seen.len()) * size_of::<EventId>()
    }

    /// Whether an event has all of them in its past.
    pub(super) fn is_seen_by(&self, event: &Event) -> bool {
        let named = event.heads().iter();
        let named = named.filter(|head| self.frontier.contains(&head.id));
        named.count() == self.frontier.len()
    }

    /// What an event saw through a skipped one, which is never folded itself, is part of the past
    /// that it and what follows it share.
    pub(super) fn look_behind_skipped(&mut self, event: &Event, past: &mut Past, rows: &Rows) {
        for head in event.heads() {
            let Some(slot) = rows.slot(head.id) else {
                continue;
            };
            let fate = rows.row(slot).map(|row| &row.fate);
            if matches!(fate, Some(Fate::Replaced(_))) {
                self.seen.join(&past.of(slot, rows));
                self.seen.observe(head.id);
            }
        }
    }

    /// An event that has just been folded is one of them, the last or, put in its place late, not.
    pub(super) fn take(&mut self, event: &Event) {
        for head in event.heads() {
            self.frontier.remove(&head.id);
        }
        self.frontier.insert(event.id());
        self.seen.observe(event.id());
        self.last = self.last.max(Some(event.order_key()));
        self.len += 1;
    }
}
