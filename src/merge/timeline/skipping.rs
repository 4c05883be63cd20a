use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::heads::Known;
use super::order::Order;
use super::rarely::Rarely;
use super::rows::{Fate, Row};
use super::{FoldOutcome, Outcome, Timeline};
use crate::event::{OrderKey, VersionVector};

impl Timeline {
    /// Sorts out anew which events the fold skips, after a replacement or what it replaces has come.
    ///
    /// A skipped event is no part of the order. A replaced one that nobody names, as it may never
    /// have left its device, is no head either: what it named is, unless something else names that.
    /// Costs a walk over the history, once for any number of replacements that came together.
    /// Returns the first place in the order where what was folded is no more what is to be folded.
    pub(super) fn sort_out(&mut self, outcome: &mut FoldOutcome) -> Option<OrderKey> {
        let mut named = BTreeSet::new();
        let mut heads = Vec::new();
        let mut order = Vec::new();
        let mut skipped = Vec::new();
        let mut seen = VersionVector::new();
        let mut strays = VersionVector::new();
        // Whatever names an event came after it.
        for (slot, row) in self.rows.iter().enumerate().rev() {
            let (event, id) = (&row.event, row.event.id());
            if !row.is_valid() {
                strays.observe(id);
                continue;
            }
            match self.replacements.skip(event, &self.rows) {
                Some(by) => skipped.push((slot, by)),
                None => order.push(slot),
            }
            let is_named = named.contains(&id);
            if !is_named && self.replacements.is_replaced(id) {
                strays.observe(id);
                continue;
            }
            if !is_named {
                let timestamp = event.timestamp();
                let tag = row.tag();
                heads.push((id, Known { tag, timestamp }));
            }
            named.extend(event.heads().iter().map(|head| head.id));
            seen.observe(id);
        }
        let order = Order::sorted(order, &self.rows);
        self.last = order.last().and_then(|slot| self.rows.key(slot));
        let changed = self.first_difference(&order);
        self.order = order;
        self.index = Rarely::default();
        self.rows.writers_mut().set_seen(heads, &seen);
        *self.strays = strays;
        for (slot, by) in skipped {
            self.settle(slot, Outcome::Replaced(by), outcome);
        }
        changed
    }

    /// The first place at which another order holds other events than this one, events apart that
    /// were never folded.
    fn first_difference(&self, other: &Order) -> Option<OrderKey> {
        let is_known = |slot: &usize| {
            let fate = self.rows.row(*slot).map(Row::fate);
            fate.is_some_and(|fate| fate != Fate::Pending)
        };
        let mut ours = self.order.iter().filter(is_known);
        let mut theirs = other.iter().filter(is_known);
        loop {
            let (our, their) = (ours.next(), theirs.next());
            if our.is_none() && their.is_none() {
                return None;
            }
            if our != their {
                let places = [our, their].into_iter().flatten();
                return places.filter_map(|slot| self.rows.key(slot)).min();
            }
        }
    }
}
