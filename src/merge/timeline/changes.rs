use alloc::vec::Vec;

use super::rule::Rule;
use super::{FoldOutcome, Timeline};
use crate::event::OrderKey;
use crate::limits::{CHANGE_EVENTS_MAX, CHANGE_KEYS_MAX};
use crate::resolver::Footprint;

/// What has come since the last fold, and what the present one has done about it.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Anything that makes another attempt worth while.
    pub(super) any: bool,
    /// Whether other events may be skipped than before.
    pub(super) skips: bool,
    /// Slots of invalid events.
    pub(super) invalid: Vec<usize>,
    /// Slots from here on arrived since the last fold.
    pub(super) arrived_from: usize,
    /// Whether one of them did not know all that was here.
    concurrent: bool,
    /// Those of them that lie before the end of what is folded.
    late: Vec<(OrderKey, usize)>,
    /// The first place in the order where what was folded is no more what is to be folded.
    back: Option<OrderKey>,
    /// Slots that this fold has passed, and whether for the first time; of many only the first.
    passed: Vec<(usize, bool)>,
    in_place: Vec<usize>,
}

impl News {
    pub(super) fn arrived(&mut self, knew_all: bool) {
        self.any = true;
        self.concurrent |= !knew_all;
    }

    pub(super) fn late(&mut self, key: OrderKey, slot: usize) {
        self.late.push((key, slot));
    }

    pub(super) fn reach_back(&mut self, place: OrderKey) {
        self.back = Some(self.back.map_or(place, |back| back.min(place)));
    }

    /// Where the fold has to go back to, and late events in canonical order.
    pub(super) fn take_late(&mut self) -> (Option<OrderKey>, Vec<(OrderKey, usize)>) {
        let mut late = core::mem::take(&mut self.late);
        late.sort_unstable();
        (self.back.take(), late)
    }

    pub(super) fn stepped(&mut self, slot: usize, first_time: bool) {
        if self.passed.len() <= CHANGE_EVENTS_MAX {
            self.passed.push((slot, first_time));
        }
    }

    pub(super) fn put_in_place(&mut self, slot: usize) {
        self.in_place.push(slot);
    }

    /// What is loaded from a store is no news.
    pub(super) fn forget_concurrency(&mut self, arrived: usize) {
        self.concurrent = false;
        self.arrived_from = arrived;
    }
}

impl Timeline {
    /// Says what the fold has changed, unless `everything` may have, and whether there was a race.
    pub(super) fn report(&mut self, everything: bool, rule: Rule<'_>, outcome: &mut FoldOutcome) {
        let passed = core::mem::take(&mut self.news.passed);
        let in_place = core::mem::take(&mut self.news.in_place);
        outcome.keys = Footprint::Everything;
        if !everything && passed.len() + in_place.len() <= CHANGE_EVENTS_MAX {
            let placed = in_place.into_iter().map(|slot| (slot, true));
            // What cannot be told of a rule that panics when it is asked is everything.
            if let Some(keys) = self.changed(placed.chain(passed), rule) {
                outcome.keys = keys;
            }
        }
        if core::mem::take(&mut self.news.concurrent) {
            outcome.raced = self.find_races(rule);
        }
        self.news.arrived_from = self.rows.len();
    }

    /// The keys of events passed for the first time and of those behind them that touch one of
    /// these.
    fn changed(
        &mut self,
        passed: impl Iterator<Item = (usize, bool)>,
        rule: Rule<'_>,
    ) -> Option<Footprint> {
        let mut keys = Footprint::NOTHING;
        for (slot, first_time) in passed {
            let touched = self.footprint(slot, rule)?;
            if !first_time && !touched.overlaps(&keys) {
                continue;
            }
            match (&mut keys, touched) {
                (Footprint::Keys(keys), Footprint::Keys(touched))
                    if keys.len() + touched.len() <= CHANGE_KEYS_MAX =>
                {
                    keys.extend(touched);
                }
                _ => return Some(Footprint::Everything),
            }
        }
        if let Footprint::Keys(keys) = &mut keys {
            keys.sort_unstable();
            keys.dedup();
        }
        Some(keys)
    }
}
