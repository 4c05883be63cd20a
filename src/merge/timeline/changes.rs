use alloc::vec::Vec;

use super::rarely::{Rarely, absent};
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
    /// Slots from here on arrived since the last fold.
    pub(super) arrived_from: usize,
    /// Whether one of them did not know all that was here.
    concurrent: bool,
    pub(super) noted: Rarely<Noted>,
}

/// What few folds have to do with.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// Slots of invalid events.
    pub(super) invalid: Vec<usize>,
    /// The first place in the order where what was folded is no more what is to be folded.
    back: Option<OrderKey>,
    /// Slots that this fold has passed, and whether for the first time; of many only the first. Nothing
    /// where nobody wants to know what it changes.
    passed: Option<Vec<(usize, bool)>>,
    in_place: Vec<usize>,
}

absent!(
    Noted,
    Noted {
        invalid: Vec::new(),
        back: None,
        passed: None,
        in_place: Vec::new(),
    }
);

impl News {
    pub(super) fn arrived(&mut self, knew_all: bool) {
        self.any = true;
        self.concurrent |= !knew_all;
    }

    pub(super) fn reach_back(&mut self, place: OrderKey) {
        let back = self.noted.back;
        self.noted.back = Some(back.map_or(place, |back| back.min(place)));
    }

    /// Where the fold has to go back to.
    pub(super) fn take_back(&mut self) -> Option<OrderKey> {
        self.noted.back.and_then(|_| self.noted.back.take())
    }

    /// Whether somebody wants to know what the next fold changes.
    pub(super) fn listen(&mut self, listens: bool) {
        if listens || self.noted.passed.is_some() {
            self.noted.passed = listens.then(Vec::new);
        }
    }

    pub(super) fn stepped(&mut self, slot: usize, first_time: bool) {
        if self.noted.passed.is_some()
            && let Some(passed) = &mut self.noted.passed
            && passed.len() <= CHANGE_EVENTS_MAX
        {
            passed.push((slot, first_time));
        }
    }

    pub(super) fn put_in_place(&mut self, slot: usize) {
        if self.noted.passed.is_some() && self.noted.in_place.len() <= CHANGE_EVENTS_MAX {
            self.noted.in_place.push(slot);
        }
    }

    /// The slots of invalid events that have come.
    pub(super) fn take_invalid(&mut self) -> Vec<usize> {
        if self.noted.invalid.is_empty() {
            return Vec::new();
        }
        core::mem::take(&mut self.noted.invalid)
    }

    /// Whether something has come that did not know all that was here.
    pub(super) fn is_concurrent(&self) -> bool {
        self.concurrent
    }

    /// What has been folded, or is loaded from a store, is no news.
    pub(super) fn forget_concurrency(&mut self, arrived: usize) {
        self.concurrent = false;
        self.arrived_from = arrived;
    }
}

impl Timeline {
    /// Says what the fold has changed, everything where that was not noted.
    pub(super) fn report_keys(&mut self, rule: Rule<'_>, outcome: &mut FoldOutcome) {
        outcome.keys = Footprint::Everything;
        if self.news.noted.passed.is_none() {
            return;
        }
        let passed = core::mem::take(&mut self.news.noted.passed);
        let in_place = core::mem::take(&mut self.news.noted.in_place);
        if let Some(passed) = passed
            && passed.len() + in_place.len() <= CHANGE_EVENTS_MAX
        {
            let placed = in_place.into_iter().map(|slot| (slot, true));
            // What cannot be told of a rule that panics when it is asked is everything.
            if let Some(keys) = self.changed(placed.chain(passed), rule) {
                outcome.keys = keys;
            }
        }
    }

    /// Says whether there was a race.
    pub(super) fn report_races(&mut self, rule: Rule<'_>, outcome: &mut FoldOutcome) {
        outcome.raced = self.news.is_concurrent() && self.find_races(rule);
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
