use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::past::Past;
use super::rows::Rows;
use super::{FoldOutcome, Timeline};
use crate::event::EventId;
use crate::limits::{CHANGE_EVENTS_MAX, CHANGE_KEYS_MAX, RACE_LOOK_MAX};
use crate::merge::Guard;
use crate::resolver::{ErasedResolver, Footprint};

/// What has come since the last fold.
#[derive(Debug)]
pub(super) struct News {
    /// Anything that makes another attempt worth while.
    pub(super) any: bool,
    /// Whether other events may be skipped than before.
    pub(super) skips: bool,
    /// Slots of invalid events.
    pub(super) invalid: Vec<usize>,
    /// Slots of events that have not been folded yet.
    pub(super) fresh: BTreeSet<usize>,
    /// The first place in the order that holds other events than at the last fold.
    pub(super) changed_from: usize,
    /// Of fresh events that did not name every head: heads they did not name.
    races: BTreeMap<usize, Vec<EventId>>,
    /// Whether there were more of these than are looked at.
    many_races: bool,
}

impl Default for News {
    fn default() -> Self {
        Self {
            any: false,
            skips: false,
            invalid: Vec::new(),
            fresh: BTreeSet::new(),
            changed_from: usize::MAX,
            races: BTreeMap::new(),
            many_races: false,
        }
    }
}

impl News {
    pub(super) fn race(&mut self, slot: usize, unnamed: impl Iterator<Item = EventId>) {
        if self.races.len() < CHANGE_EVENTS_MAX {
            self.races
                .insert(slot, unnamed.take(RACE_LOOK_MAX + 1).collect());
        } else {
            self.many_races = true;
        }
    }

    /// What is loaded from a store is no news.
    pub(super) fn forget_races(&mut self) {
        self.races.clear();
        self.many_races = false;
    }
}

impl Timeline {
    /// Says what the fold has changed, unless `everything` may have, and whether there was a race.
    pub(super) fn report(
        &mut self,
        everything: bool,
        resolver: &dyn ErasedResolver,
        guard: &dyn Guard,
        outcome: &mut FoldOutcome,
    ) {
        let done = self.fold.done;
        let from = self
            .news
            .changed_from
            .min(done.saturating_sub(self.news.fresh.len()));
        let places = self.order.get(from..done).unwrap_or_default();
        let rows = &self.rows;
        let footprint = |slot: usize| {
            rows.row(slot).map_or(Footprint::Everything, |row| {
                resolver.footprint(row.event.payload())
            })
        };
        let mut keys = Footprint::Everything;
        let mut raced = core::mem::take(&mut self.news.many_races);
        let (news, past) = (&self.news, &mut self.past);
        let ran = guard.run(&mut || {
            if !everything {
                keys = changed(places, &news.fresh, &footprint);
            }
            raced |= places
                .iter()
                .filter_map(|slot| Some((*slot, news.races.get(slot)?)))
                .any(|(slot, unnamed)| races(slot, unnamed, rows, past, &footprint));
        });
        // What has changed cannot be told from a rule that panics when it is asked.
        (outcome.keys, outcome.raced) = if ran.is_ok() {
            (keys, raced)
        } else {
            (Footprint::Everything, true)
        };
        for slot in places {
            self.news.fresh.remove(slot);
            self.news.races.remove(slot);
        }
        self.news.changed_from = usize::MAX;
    }
}

/// The keys of fresh events and of those behind them that read or write one of these.
fn changed(
    places: &[usize],
    fresh: &BTreeSet<usize>,
    footprint: &dyn Fn(usize) -> Footprint,
) -> Footprint {
    let mut keys = Footprint::Keys(Vec::new());
    if places.len() > CHANGE_EVENTS_MAX {
        return Footprint::Everything;
    }
    for slot in places {
        let touched = footprint(*slot);
        if !fresh.contains(slot) && !touched.overlaps(&keys) {
            continue;
        }
        match (&mut keys, touched) {
            (Footprint::Keys(keys), Footprint::Keys(touched))
                if keys.len() + touched.len() <= CHANGE_KEYS_MAX =>
            {
                keys.extend(touched);
            }
            _ => return Footprint::Everything,
        }
    }
    if let Footprint::Keys(keys) = &mut keys {
        keys.sort_unstable();
        keys.dedup();
    }
    keys
}

/// Whether an event shares keys with one of those it did not see: the heads it did not name, and
/// what they saw and it did not.
fn races(
    slot: usize,
    unnamed: &[EventId],
    rows: &Rows,
    past: &mut Past,
    footprint: &dyn Fn(usize) -> Footprint,
) -> bool {
    let own = footprint(slot);
    let mut looked = BTreeSet::new();
    let mut open: Vec<usize> = unnamed.iter().filter_map(|id| rows.slot(*id)).collect();
    if open
        .iter()
        .take(RACE_LOOK_MAX)
        .any(|slot| own.overlaps(&footprint(*slot)))
    {
        return true;
    }
    let seen = past.of(slot, rows);
    while let Some(next) = open.pop() {
        let Some(row) = rows.row(next) else { continue };
        if seen.contains(row.event.id()) || !looked.insert(next) {
            continue;
        }
        if looked.len() > RACE_LOOK_MAX || own.overlaps(&footprint(next)) {
            return true;
        }
        open.extend(
            row.event
                .heads()
                .iter()
                .filter_map(|head| rows.slot(head.id)),
        );
    }
    false
}
