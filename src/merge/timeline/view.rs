use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell, RefCell};

use super::cuts::Cuts;
use super::order::Order;
use super::past::Past;
use super::rarely::Rarely;
use super::rows::{Row, Rows};
use super::writers::Writers;
use crate::event::{Causality, Event, EventId, VersionVector};
use crate::resolver::{ErasedResolver, View};

/// What the fold of one event can see of the events before it.
pub(super) struct FoldView<'a> {
    pub(super) resolver: &'a dyn ErasedResolver,
    pub(super) rows: &'a Rows,
    pub(super) slot: usize,
    pub(super) event: &'a Event,
    pub(super) order: &'a Order,
    pub(super) cuts: &'a Cuts,
    /// Where the event has everything before it in its past: the vector of that.
    pub(super) everything: Option<&'a VersionVector>,
    /// Whether what an event saw shows in when it came, see [`Rows::saw`].
    pub(super) is_plain: bool,
    pub(super) past: RefCell<&'a mut Rarely<Past>>,
    pub(super) vector: OnceCell<Arc<VersionVector>>,
    /// Whether the rule asked for rivals.
    pub(super) asked: Cell<bool>,
}

impl FoldView<'_> {
    fn vector(&self) -> &VersionVector {
        self.vector
            .get_or_init(|| self.past.borrow_mut().of(self.slot, self.rows))
    }

    /// Whether everything before a seen event is seen as well.
    fn covers(&self, slot: usize, row: &Row) -> bool {
        self.cuts.holds(self.rows.cut(slot), row.event.order_key()) && {
            let vector = self.past.borrow_mut().of(slot, self.rows);
            matches!(
                vector.compare(self.vector()),
                Causality::Before | Causality::Equal
            )
        }
    }
}

impl View for FoldView<'_> {
    fn saw(&self, id: EventId) -> bool {
        if let Some(everything) = self.everything {
            return everything.contains(id);
        }
        let shown = self.rows.saw(self.slot, id, self.is_plain);
        shown.unwrap_or_else(|| self.vector().contains(id))
    }

    fn rivals(&self) -> Vec<Event> {
        self.asked.set(true);
        if self.everything.is_some() {
            return Vec::new();
        }
        let own = self.resolver.footprint(self.event.payload());
        let mut rivals = Vec::new();
        let place = self.order.after(Some(self.event.order_key()), self.rows);
        for slot in self.order.iter_back(place) {
            let Some(row) = self.rows.row(slot).filter(|_| slot != self.slot) else {
                continue;
            };
            if self.vector().contains(row.event.id()) {
                if self.covers(slot, row) {
                    break;
                }
                continue;
            }
            if own.overlaps(&self.resolver.footprint(row.event.payload())) {
                rivals.push(row.event.clone());
            }
        }
        rivals.reverse();
        rivals
    }
}

/// What a writer has seen before it writes.
#[derive(Clone, Copy)]
pub(super) enum Seen<'a> {
    /// All that is in a timeline.
    All(&'a Writers),
    Part(&'a VersionVector),
}

impl Seen<'_> {
    fn contains(self, id: EventId) -> bool {
        match self {
            Self::All(writers) => writers.has_seen(id),
            Self::Part(seen) => seen.contains(id),
        }
    }
}

/// What an event that has everything in its past can see: there is no rival.
pub(super) struct LatestView<'a> {
    pub(super) seen: Seen<'a>,
    /// The event before it in its own commit.
    pub(super) previous: Option<EventId>,
}

impl View for LatestView<'_> {
    fn saw(&self, id: EventId) -> bool {
        let within = |last: EventId| last.replica == id.replica && id.seq <= last.seq;
        self.seen.contains(id) || self.previous.is_some_and(within)
    }

    fn rivals(&self) -> Vec<Event> {
        Vec::new()
    }
}
