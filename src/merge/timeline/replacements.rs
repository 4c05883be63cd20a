use alloc::collections::BTreeMap;

use super::rarely::absent;
use super::rows::Rows;
use crate::event::{Event, EventId, OrderKey};

/// Which events stand for which, among the valid ones.
///
/// The fold skips an event that another one replaces. Of several replacements of one event the one
/// with the smallest [`OrderKey`] counts, whether the replaced one is here or not; the others, and
/// what replaces those, are skipped like duplicates.
#[derive(Debug, Default)]
pub(super) struct Replacements {
    /// By the replaced event: the replacement that counts.
    counting: BTreeMap<EventId, OrderKey>,
}

absent!(
    Replacements,
    Replacements {
        counting: BTreeMap::new(),
    }
);

impl Replacements {
    /// Whether an event has to do with them.
    pub(super) fn concern(&self, event: &Event) -> bool {
        event.replaces().is_some() || !self.counting.is_empty()
    }

    /// Takes notice of a valid event. Returns whether the outcome of other events may change.
    pub(super) fn observe(&mut self, event: &Event) -> bool {
        if let Some(replaced) = event.replaces() {
            let key = event.order_key();
            let counts = self.counting.entry(replaced).or_insert(key);
            *counts = match key.max(*counts) {
                last if mutant!("last-replacement-counts") => last,
                _ => key.min(*counts),
            };
        }
        event.replaces().is_some() || self.counting.contains_key(&event.id())
    }

    /// Whether no event stands for another.
    pub(super) fn is_empty(&self) -> bool {
        self.counting.is_empty()
    }

    /// Whether another event stands for this one.
    pub(super) fn is_replaced(&self, id: EventId) -> bool {
        self.counting.contains_key(&id)
    }

    /// Why the fold skips an event: the replacement that stands in its place.
    pub(super) fn skip(&self, event: &Event, rows: &Rows) -> Option<EventId> {
        if self.counting.is_empty() || mutant!("replacement-ignored") {
            return None;
        }
        if let Some(key) = self.counting.get(&event.id()) {
            return Some(key.id());
        }
        let mut next = Some(event);
        // A liar's replacements may form a ring, so the walk is bounded.
        for _ in 0..=self.counting.len() {
            let Some(event) = next else { break };
            let Some(replaced) = event.replaces() else {
                break;
            };
            let counting = self.counting.get(&replaced)?.id();
            if counting != event.id() {
                return Some(counting);
            }
            next = rows.find_valid(replaced).map(|row| &row.event);
        }
        None
    }

    /// Events that are replaced but not here.
    pub(super) fn absent<'a>(&'a self, rows: &'a Rows) -> impl Iterator<Item = EventId> + 'a {
        self.counting
            .keys()
            .copied()
            .filter(|id| rows.slot(*id).is_none())
    }
}
