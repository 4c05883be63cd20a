use alloc::collections::VecDeque;

use crate::event::AggregateId;
use crate::limits::MOVED_KEPT_MAX;
use crate::merge::NameTable;

/// The aggregates that events have come to lately, the latest last. One list serves all connections:
/// each knows how far it has told of them. Noting one costs a search in a list of bounded length.
#[derive(Debug)]
pub(in crate::engine) struct Moved {
    touches: u64,
    /// Ascending; nothing where an aggregate was touched again since.
    by_touch: VecDeque<(u64, Option<AggregateId>)>,
    /// The last touch of each that is listed.
    last: NameTable<u64>,
    listed: usize,
}

impl Default for Moved {
    fn default() -> Self {
        Self {
            touches: 0,
            by_touch: VecDeque::new(),
            last: NameTable::seeded(0),
            listed: 0,
        }
    }
}

impl Moved {
    /// An event has come; of many aggregates the first are forgotten.
    pub(in crate::engine) fn note(&mut self, aggregate: &AggregateId) {
        let touch = self.touches;
        self.touches += 1;
        if let Some(last) = self.last.find_mut(aggregate) {
            let before = core::mem::replace(last, touch);
            let at = self.by_touch.partition_point(|(touch, _)| *touch < before);
            if let Some((_, name)) = self.by_touch.get_mut(at) {
                *name = None;
            }
        } else {
            self.last.insert(aggregate.clone(), touch);
            self.listed += 1;
        }
        self.by_touch.push_back((touch, Some(aggregate.clone())));
        while self.listed > MOVED_KEPT_MAX
            && let Some((_, first)) = self.by_touch.pop_front()
        {
            if let Some(first) = first {
                self.last.remove(&first);
                self.listed -= 1;
            }
        }
        if self.by_touch.len() > 2 * MOVED_KEPT_MAX {
            self.by_touch.retain(|(_, name)| name.is_some());
        }
    }

    /// What a connection that has told of everything goes on from.
    pub(in crate::engine) fn end(&self) -> u64 {
        self.touches
    }

    /// The first aggregate from there on, and what to go on from after it.
    pub(super) fn next(&self, from: u64) -> Option<(&AggregateId, u64)> {
        let at = self.by_touch.partition_point(|(touch, _)| *touch < from);
        let mut listed = self.by_touch.range(at..);
        listed.find_map(|(touch, name)| Some((name.as_ref()?, touch + 1)))
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::format;
    use alloc::vec::Vec;

    use super::*;

    /// Against a list of all touches, with more aggregates than are listed and with few.
    #[test]
    fn the_latest_touches_are_listed_in_order() {
        let mut random = 7u64;
        for names in [3, 900, 3_000] {
            let (mut moved, mut twin) = (Moved::default(), BTreeMap::new());
            for touch in 0..9_000u64 {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let name = AggregateId::new(&format!("a/{}", (random >> 33) % names)).unwrap();
                moved.note(&name);
                twin.retain(|_, other| *other != name);
                twin.insert(touch, name);
                if twin.len() > MOVED_KEPT_MAX {
                    twin.pop_first();
                }
                if touch % 500 != 0 {
                    continue;
                }
                for from in [0, touch / 2, touch, touch + 1] {
                    let mut told = Vec::new();
                    let mut next = from;
                    while let Some((name, behind)) = moved.next(next) {
                        told.push((behind - 1, name.clone()));
                        next = behind;
                    }
                    let listed = twin
                        .range(from..)
                        .map(|(touch, name)| (*touch, name.clone()));
                    assert_eq!(told, listed.collect::<Vec<_>>());
                }
            }
            assert!(moved.by_touch.len() <= 2 * MOVED_KEPT_MAX);
        }
    }
}
