use alloc::boxed::Box;
use alloc::vec::Vec;

use super::checkpoints::Checkpoint;
use super::folding::Failure;
use super::prefix::Prefix;
use super::rule::Rule;
use super::{FoldOutcome, Outcome, Timeline};
use crate::event::OrderKey;
use crate::limits::CHECKPOINT_EVENTS_MIN;
use crate::merge::Shortcut;
use crate::resolver::Footprint;

/// Bytes folded since the last checkpoint, against what the next one costs.
#[derive(Debug, Default)]
pub(super) struct Pace {
    events: usize,
    bytes: usize,
    /// What the state took when it was last measured.
    state_bytes: usize,
}

impl Pace {
    pub(super) fn restart(&mut self) {
        (self.events, self.bytes) = (0, 0);
    }

    /// Counts events that were folded. Whether a checkpoint may be due.
    pub(super) fn count(&mut self, events: usize, payload_bytes: usize) -> bool {
        let is_due = self.is_due_after(events, payload_bytes);
        self.events += events;
        self.bytes += payload_bytes + events * EVENT_WEIGHT;
        is_due
    }

    /// Whether one may be due once so many have been folded.
    pub(super) fn is_due_after(&self, events: usize, payload_bytes: usize) -> bool {
        let bytes = self.bytes + payload_bytes + events * EVENT_WEIGHT;
        self.events + events >= CHECKPOINT_EVENTS_MIN && bytes >= self.state_bytes
    }
}

/// What folding one event costs whatever it holds, counted as bytes of a copied state.
const EVENT_WEIGHT: usize = 64;

impl Timeline {
    /// Deals with the events that came before what is folded, in canonical order: each is applied to
    /// the newest state as long as that is allowed; from the first on that is not, the fold goes
    /// back.
    pub(super) fn take_late(&mut self, rule: Rule<'_>, outcome: &mut FoldOutcome) {
        let mut back = self.news.take_back();
        let Some(folded) = self.fold.prefix.as_ref().and_then(|prefix| prefix.last) else {
            return;
        };
        let late = self.came_before(folded);
        if late.is_empty() && back.is_none() {
            return;
        }
        let by_claim = self.claim(rule);
        outcome.late = back.is_some_and(|back| back <= folded) || !late.is_empty();
        let mut direct = Vec::new();
        for (key, slot) in late {
            if back.is_some_and(|back| back <= key) {
                break;
            }
            if let Some(shortcut) = self.shortcut(slot, key, by_claim, rule) {
                direct.push((key, slot, shortcut));
            } else {
                back = Some(key);
                break;
            }
        }
        if let Some(back) = back.filter(|back| *back <= folded) {
            self.roll_back(back, rule);
        }
        for (key, slot, shortcut) in direct {
            let last = self.fold.prefix.as_ref().and_then(|prefix| prefix.last);
            if last < Some(key) {
                // It, and all behind it, are folded on the way.
                break;
            }
            if !self.apply_in_place(slot, key, shortcut, rule, outcome) {
                self.roll_back(key, rule);
                break;
            }
        }
    }

    /// What has come since the last fold and lies before a place of the order, in canonical order.
    fn came_before(&self, place: OrderKey) -> Vec<(OrderKey, usize)> {
        let came = self.news.arrived_from..self.rows.len();
        let came = came.filter(|slot| self.is_in_order(*slot));
        let keys = came.filter_map(|slot| Some((self.rows.key(slot)?, slot)));
        let mut late: Vec<_> = keys.filter(|(key, _)| *key < place).collect();
        late.sort_unstable();
        late
    }

    /// Whether events may be applied late because the rule claims that they commute. What is behind
    /// an event is concurrent with it, unless a writer went astray.
    pub(super) fn claim(&self, rule: Rule<'_>) -> bool {
        let believed = !self.avoided.has(Shortcut::Claim) && !self.rows.is_astray();
        believed && rule.ask(|resolver| resolver.claims().commutes) == Some(true)
    }

    /// Why a late event may be applied to the newest state, if it may.
    fn shortcut(
        &mut self,
        slot: usize,
        key: OrderKey,
        by_claim: bool,
        rule: Rule<'_>,
    ) -> Option<Shortcut> {
        if self.fold.odd.doubtful == Some(key.id()) {
            return None;
        }
        let is_asked = self.fold.odd.asker >= Some(key) && !mutant!("claim-used-although-asked");
        if by_claim && !is_asked {
            return Some(Shortcut::Claim);
        }
        if self.avoided.has(Shortcut::Footprint) {
            return None;
        }
        let footprint = self.footprint(slot, rule)?;
        // Whatever is behind it touches some of that.
        if footprint == Footprint::Everything {
            return None;
        }
        let meets = self.is_touched_behind(slot, key, &footprint, rule)?;
        (!meets).then_some(Shortcut::Footprint)
    }

    /// Applies a late event to the newest state. If that is not to be: the fold has to go back before
    /// it.
    fn apply_in_place(
        &mut self,
        slot: usize,
        key: OrderKey,
        shortcut: Shortcut,
        rule: Rule<'_>,
        outcome: &mut FoldOutcome,
    ) -> bool {
        let Some(mut prefix) = self.fold.prefix.take() else {
            return false;
        };
        let asker = self.fold.odd.asker;
        if asker.is_some() {
            self.fold.odd.asker = None;
        }
        let attempt = self.take_in(slot, &mut prefix, rule);
        let wanted_rivals = self.fold.odd.asker.is_some();
        self.fold.asked(asker);
        let Ok(became) = attempt else {
            return false;
        };
        let end = prefix.len;
        self.fold.prefix = Some(prefix);
        if wanted_rivals && shortcut == Shortcut::Claim {
            return false;
        }
        self.costs.in_place += 1;
        self.cuts.insert(key);
        self.settle(slot, became, outcome);
        self.news.put_in_place(slot);
        self.was_placed(slot, key, shortcut);
        if self.checkpoints.len() == 0 {
            return true;
        }
        for mut checkpoint in self.checkpoints.owe(slot, key, end) {
            if self.pay(&mut checkpoint, rule) {
                self.checkpoints.put_back(checkpoint);
            }
        }
        true
    }

    /// Applies an event to a prefix that has gone beyond its place, and with which it commutes.
    fn take_in(
        &mut self,
        slot: usize,
        prefix: &mut Prefix,
        rule: Rule<'_>,
    ) -> Result<Outcome, Failure> {
        let folded = self.attempt(slot, prefix, false, rule)?;
        if let (Some(extent), Some(row)) = (&mut prefix.extent, self.rows.row(slot)) {
            extent.look_behind_skipped(&row.event, &mut self.past, &self.rows);
        }
        if let Some(row) = self.rows.row(slot) {
            prefix.take(&row.event);
        }
        self.rows.note_cut(slot, None);
        Ok(folded.into())
    }

    /// Brings a checkpoint up to date. Whether that was possible.
    fn pay(&mut self, checkpoint: &mut Checkpoint, rule: Rule<'_>) -> bool {
        let owed = core::mem::take(&mut checkpoint.owed);
        owed.into_iter()
            .all(|slot| self.take_in(slot, &mut checkpoint.prefix, rule).is_ok())
    }

    /// Goes back to the nearest checkpoint before a place, or to the start.
    pub(super) fn roll_back(&mut self, key: OrderKey, rule: Rule<'_>) {
        self.costs.rollbacks += 1;
        self.fold.prefix = None;
        self.pace.restart();
        while let Some(mut checkpoint) = self.checkpoints.back_to(key) {
            if !self.pay(&mut checkpoint, rule) {
                continue;
            }
            if let Some(copy) = rule.ask(|resolver| checkpoint.prefix.copy(resolver)) {
                self.costs.copied(checkpoint.bytes);
                self.used = self.used.with(Shortcut::Checkpoint);
                self.fold.prefix = Some(Box::new(copy));
                self.checkpoints.put_back(checkpoint);
                return;
            }
        }
    }

    /// Lays a checkpoint behind the event that was just folded, if what was folded since the last one
    /// is worth a copy of the state.
    pub(super) fn lay_checkpoint(&mut self, rule: Rule<'_>) {
        if !self.complete || self.avoided.has(Shortcut::Checkpoint) {
            self.pace.restart();
            return;
        }
        // Where events commute and none asks for its rivals, nothing ever goes back.
        if self.fold.odd.asker.is_none() && self.claim(rule) {
            self.pace.restart();
            return;
        }
        let pace = &mut self.pace;
        let Some(prefix) = &self.fold.prefix else {
            return;
        };
        let state = rule.ask(|resolver| resolver.encode_state(&prefix.state).ok());
        let bytes = state
            .flatten()
            .map(|state| prefix.own_bytes() + state.len());
        // A state that cannot be written is tried again when twice as much has come.
        pace.state_bytes = bytes.unwrap_or(pace.bytes * 2);
        if pace.bytes < pace.state_bytes {
            return;
        }
        if let Some(copy) = rule.ask(|resolver| prefix.copy(resolver)) {
            let bytes = pace.state_bytes;
            self.costs.copied(bytes);
            self.checkpoints.lay(copy, bytes);
        }
        self.pace.restart();
    }
}
