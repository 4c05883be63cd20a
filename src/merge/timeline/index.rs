use alloc::boxed::Box;
use alloc::sync::Arc;
use core::ops::Range;

use super::Timeline;
use super::rarely::absent;
use super::rows::{Fate, Row};
use super::rule::Rule;
use super::touched::Touched;
use crate::event::{Causality, EventId, OrderKey, VersionVector};
use crate::resolver::Footprint;

/// Which events touched which keys, for as far back as somebody had to know.
///
/// Covers the events that arrived from some slot on, and knows two reasons why what came before it
/// may not matter. All of that lies before the *floor* in canonical order: so it is not behind any
/// event that lies behind the floor. And whoever saw the *horizon*, an event that knew everything here
/// when it came, saw all that came before it, and races with none of that. So a late event costs as
/// much as lies behind it, or, where somebody asks for races, as came since the last horizon it saw;
/// once.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Nothing before the first is covered.
    touched: Option<Box<Touched>>,
    /// Slots from here ...
    from: usize,
    /// ... to here are covered.
    until: usize,
    /// What whoever does not race with the slots before must have seen, and be behind of.
    horizon: Option<Horizon>,
    /// No slot before lies behind it.
    floor: Option<OrderKey>,
}

absent!(
    Index,
    Index {
        touched: None,
        from: 0,
        until: 0,
        horizon: None,
        floor: None,
    }
);

#[derive(Clone, Debug)]
struct Horizon {
    key: OrderKey,
    seen: Arc<VersionVector>,
}

impl Horizon {
    fn lies_behind(&self, key: Option<OrderKey>, past: &VersionVector) -> bool {
        let compared = self.seen.compare(past);
        Some(self.key) < key && matches!(compared, Causality::Before | Causality::Equal)
    }
}

impl Index {
    fn restart(&mut self, from: usize, horizon: Option<Horizon>) {
        *self = Self {
            touched: None,
            from,
            until: from,
            // Whatever it has seen lies before it.
            floor: horizon.as_ref().map(|horizon| horizon.key),
            horizon,
        };
    }

    fn restart_at(&mut self, from: usize, floor: Option<OrderKey>) {
        self.restart(from, None);
        self.floor = floor;
    }

    /// Roughly how much memory it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.touched.as_ref().map_or(0, |touched| touched.bytes())
    }

    /// How many slots are covered.
    fn covered(&self) -> usize {
        self.until.saturating_sub(self.from)
    }

    /// Whether an event with this place and past races with nothing that came before what is covered.
    fn suffices(&self, key: Option<OrderKey>, past: &VersionVector) -> bool {
        let horizon = self.horizon.as_ref();
        self.from == 0 || horizon.is_some_and(|horizon| horizon.lies_behind(key, past))
    }

    /// Whether all that lies behind a place, and has come before what is not looked at yet, is
    /// covered.
    fn reaches(&self, key: OrderKey) -> bool {
        self.from == 0 || self.floor.is_some_and(|floor| floor <= key)
    }
}

/// Of so many events in a row the first late one finds out what they touch, as few have one. What is
/// further back than that is noted a piece at a time, where somebody wants to be told of races.
const UNNOTED: usize = 1024;
/// At most so many are noted at once.
const NOTED_AT_ONCE: usize = 4096;
/// Heads that are compared with an event before the index is asked: as many as are usual.
const HEADS_LOOK: usize = 4;

impl Timeline {
    /// What an event touches; nothing where the rule panics when it is asked.
    pub(super) fn footprint(&mut self, slot: usize, rule: Rule<'_>) -> Option<Footprint> {
        let row = self.rows.row(slot)?;
        self.costs.footprints += 1;
        rule.ask(|resolver| resolver.footprint(row.event.payload()))
    }

    /// Whether one of these keys, those of the event at a slot, was touched behind its place by an
    /// event that arrived before this batch. Nothing where the rule panics.
    pub(super) fn is_touched_behind(
        &mut self,
        slot: usize,
        key: OrderKey,
        footprint: &Footprint,
        rule: Rule<'_>,
    ) -> Option<bool> {
        self.cover_behind(slot, key, self.news.arrived_from, rule)?;
        let touched = self.index.touched.as_ref();
        Some(touched.and_then(|touched| touched.last(footprint)) > Some(key))
    }

    /// Takes notice of some of what came long ago, for whoever is told of races: an event that has
    /// seen little of a long history can race with any of it, and is not to cost all of it. As much
    /// as twice of what has come now.
    pub(super) fn keep_up(&mut self, rule: Rule<'_>) {
        let end = self.rows.len();
        let lag = end.saturating_sub(self.index.until);
        let came = end.saturating_sub(self.news.arrived_from);
        let due = lag.saturating_sub(UNNOTED);
        let until = self.index.until + due.min(2 * came).min(NOTED_AT_ONCE);
        while self.complete && self.index.until < until {
            if self.observe(self.index.until, rule).is_none() {
                return;
            }
        }
    }

    /// Whether one of the events that arrived since the last fold shares keys with a concurrent one
    /// that was here before it. Told of each event once, when it is first folded or tried. The first
    /// one found is enough: what the index has not taken notice of, it does when it is asked about.
    pub(super) fn find_races(&mut self, rule: Rule<'_>) -> bool {
        let arrived = self.news.arrived_from..self.rows.len();
        arrived.into_iter().any(|slot| {
            let knew_all = self.rows.row(slot).is_some_and(Row::knew_all);
            // What a rule that panics would have said cannot be told.
            !knew_all && self.is_in_order(slot) && self.meets_another(slot, rule).unwrap_or(true)
        })
    }

    /// Whether an event shares keys with a concurrent one that was here before it. Most that do
    /// share them with a head.
    fn meets_another(&mut self, slot: usize, rule: Rule<'_>) -> Option<bool> {
        let heads = self.unseen_heads(slot);
        let footprint = self.footprint(slot, rule)?;
        for head in heads.into_iter().flatten() {
            if self.footprint(head, rule)?.overlaps(&footprint) {
                return Some(true);
            }
        }
        self.cover(slot, slot, rule)?;
        self.index.until = slot + 1;
        self.touch(slot, &footprint)
    }

    /// Slots of some heads that came before an event which has not seen them.
    fn unseen_heads(&mut self, slot: usize) -> [Option<usize>; HEADS_LOOK] {
        let is_plain = self.is_plain();
        let (rows, past) = (&self.rows, &mut self.past);
        let mut is_unseen = |id: EventId| {
            let saw = rows.saw(slot, id, is_plain);
            !saw.unwrap_or_else(|| past.of(slot, rows).contains(id))
        };
        let heads = rows.writers().heads_in_any_order();
        let heads = heads.filter_map(|id| {
            let head = rows.slot(id).filter(|head| *head < slot)?;
            (rows.is_in_order(head) && is_unseen(id)).then_some(head)
        });
        let mut some = [None; HEADS_LOOK];
        for (place, head) in some.iter_mut().zip(heads) {
            *place = Some(head);
        }
        some
    }

    /// Whether the index takes notice of an event: of each that is folded, refused or not.
    fn touches(&self, slot: usize) -> bool {
        let fate = self.rows.row(slot).map(Row::fate);
        let is_refused = fate == Some(Fate::Rejected);
        self.is_in_order(slot) && !(is_refused && mutant!("refused-touches-nothing"))
    }

    /// Sees to it that the index covers whatever arrived before the slot `until` and lies behind the
    /// place of the event at `slot`. Nothing where the rule panics.
    fn cover_behind(
        &mut self,
        slot: usize,
        key: OrderKey,
        until: usize,
        rule: Rule<'_>,
    ) -> Option<()> {
        let covered = self.index.covered();
        let reaches = self.index.reaches(key);
        if !reaches || until.saturating_sub(self.index.until) > covered {
            let depth = if reaches { 0 } else { covered * 2 };
            let (from, floor) = self.behind(key, depth);
            if !reaches || from > self.index.until {
                // A horizon that is not much further back serves whoever asks for races as well.
                let near = from.saturating_sub(2 * until.saturating_sub(from));
                let past = self.past.of(slot, &self.rows);
                match self.horizon(near..from + 1, Some(key), &past) {
                    Some((from, horizon)) => self.index.restart(from, Some(horizon)),
                    None => self.index.restart_at(from, floor),
                }
            }
        }
        while self.index.until < until {
            self.observe(self.index.until, rule)?;
        }
        Some(())
    }

    /// The first slot to arrive of those that lie behind a place, or are the last `depth` ones of the
    /// order; and a place before which all others lie.
    fn behind(&self, key: OrderKey, depth: usize) -> (usize, Option<OrderKey>) {
        let place = self.order.after(Some(key), &self.rows);
        let (mut from, mut count, mut next) = (self.rows.len(), 0, place);
        while let Some((slot, behind)) = self.order.next(next) {
            (from, count, next) = (from.min(slot), count + 1, behind);
        }
        let mut floor = Some(key);
        for slot in self
            .order
            .iter_back(place)
            .take(depth.saturating_sub(count))
        {
            (from, floor) = (from.min(slot), self.rows.key(slot));
        }
        (from, floor)
    }

    /// Sees to it that the index covers whatever arrived before the slot `until` and may race with the
    /// event at `slot`. Nothing where the rule panics.
    fn cover(&mut self, slot: usize, until: usize, rule: Rule<'_>) -> Option<()> {
        let past = self.past.of(slot, &self.rows);
        let key = self.rows.key(slot);
        let suffices = self.index.suffices(key, &past);
        let covered = self.index.covered();
        if !suffices || until.saturating_sub(self.index.until) > covered {
            // Twice as far each time, so that going back in small steps costs no more than at once.
            let depth = if suffices { 0 } else { covered * 2 };
            let found = self.horizon(0..until.saturating_sub(depth), key, &past);
            let from = found.as_ref().map_or(0, |(from, _)| *from);
            if !suffices || from > self.index.until {
                self.index.restart(from, found.map(|(_, horizon)| horizon));
            }
        }
        while self.index.until < until {
            self.observe(self.index.until, rule)?;
        }
        Some(())
    }

    /// The last event among some that knew everything when it came and was seen, with what it had
    /// seen itself.
    fn horizon(
        &mut self,
        slots: Range<usize>,
        key: Option<OrderKey>,
        past: &VersionVector,
    ) -> Option<(usize, Horizon)> {
        for at in slots.rev() {
            let row = self.rows.row(at).filter(|row| row.knew_all());
            if let Some(row) = row.filter(|row| past.contains(row.event.id())) {
                let (key_there, seen) = (row.event.order_key(), self.past.of(at, &self.rows));
                let horizon = Horizon {
                    key: key_there,
                    seen,
                };
                if horizon.lies_behind(key, past) {
                    return Some((at, horizon));
                }
            }
        }
        None
    }

    /// Takes the next event into the index, and tells whether it races with one that is there.
    fn observe(&mut self, slot: usize, rule: Rule<'_>) -> Option<bool> {
        self.index.until = slot + 1;
        if !self.touches(slot) {
            return Some(false);
        }
        let Some(footprint) = self.footprint(slot, rule) else {
            self.index.restart(slot + 1, None);
            return None;
        };
        self.touch(slot, &footprint)
    }

    /// Takes an event into the index that touches this, and tells the same.
    fn touch(&mut self, slot: usize, footprint: &Footprint) -> Option<bool> {
        if !self.touches(slot) {
            return Some(false);
        }
        let row = self.rows.row(slot)?;
        let (past, rows) = (&mut self.past, &self.rows);
        let mut vector = None;
        let mut saw = |id| {
            vector
                .get_or_insert_with(|| past.of(slot, rows))
                .contains(id)
        };
        let touched = self.index.touched.get_or_insert_default();
        Some(touched.observe(row.event.order_key(), footprint, row.knew_all(), &mut saw))
    }

    /// Whether the event at a slot is one that is folded: valid and not skipped.
    pub(super) fn is_in_order(&self, slot: usize) -> bool {
        self.rows.is_in_order(slot)
    }
}
