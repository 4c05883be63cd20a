use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::heads::Known;
use super::rows::Fate;
use super::{FoldOutcome, Timeline};
use crate::event::VersionVector;

impl Timeline {
    /// Sorts out anew which events the fold skips, after a replacement or what it replaces has come.
    ///
    /// A skipped event is no part of the order. A replaced one that nobody names, as it may never
    /// have left its device, is no head either: what it named is, unless something else names that.
    /// Costs a walk over the history, once for any number of replacements that came together.
    pub(super) fn sort_out(&mut self, outcome: &mut FoldOutcome) {
        let mut named = BTreeSet::new();
        let mut heads = BTreeMap::new();
        let mut order = Vec::new();
        let mut skipped = Vec::new();
        let mut seen = VersionVector::new();
        let mut strays = VersionVector::new();
        // Whatever names an event came after it.
        for (slot, row) in self.rows.iter().enumerate().rev() {
            let (event, id) = (&row.event, row.event.id());
            if matches!(row.fate, Fate::Invalid(_)) {
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
                heads.insert(
                    id,
                    Known {
                        tag: row.tag,
                        timestamp,
                    },
                );
            }
            named.extend(event.heads().iter().map(|head| head.id));
            seen.observe(id);
        }
        order.sort_unstable_by_key(|slot| self.key(*slot));
        self.last = order.last().and_then(|slot| self.key(*slot));
        (self.order, self.unsorted) = (order, None);
        (self.heads, self.seen, self.strays) = (heads, seen, strays);
        for (slot, by) in skipped {
            self.news.fresh.remove(&slot);
            self.settle(slot, Fate::Replaced(by), false, outcome);
        }
    }
}
