use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Timeline;
use crate::event::{Digest, EventId, ReplicaId};
use crate::limits::{EVIDENCE_BYTES_MAX, EVIDENCE_EVENTS_MAX};
use crate::merge::evidence::{self, Evidence, Sketch, Step};
use crate::merge::{Guard, Shortcuts};

impl Timeline {
    /// Which of some shortcuts fail in this history, and the smallest one found that shows it.
    /// Bounded work. Nothing where the history is not in memory or none is seen to fail.
    pub fn false_shortcuts(
        &mut self,
        suspects: Shortcuts,
        guard: &dyn Guard,
    ) -> (Shortcuts, Option<Evidence>) {
        let Some(route) = self.route.clone() else {
            return (Shortcuts::NONE, None);
        };
        for sketch in self.sketches() {
            let found = evidence::false_shortcuts(&sketch, suspects, &route, guard);
            if !found.0.is_empty() {
                return found;
            }
        }
        (Shortcuts::NONE, None)
    }

    /// The smallest history found in which the rule does not come to the same when it is asked
    /// again. Bounded work.
    pub fn evidence_of_chance(&mut self, guard: &dyn Guard) -> Option<Evidence> {
        let route = self.route.clone()?;
        let sketch = self.sketches().into_iter().next()?;
        Some(evidence::not_deterministic(&sketch, &route, guard))
    }

    /// The history, or its end, of a state that has another digest elsewhere.
    pub fn evidence_of_elsewhere(&mut self, here: Digest, there: Digest) -> Option<Evidence> {
        let route = self.route.clone()?;
        let sketch = self.sketches().into_iter().next()?;
        Some(evidence::elsewhere(&sketch, &route, here, there))
    }

    /// The history without names; of a long one what came last together with its end, its end alone,
    /// and its beginning.
    fn sketches(&mut self) -> Vec<Sketch> {
        if !self.complete {
            return Vec::new();
        }
        self.order.settle(&self.rows);
        let slots: Vec<usize> = self.order.iter().collect();
        if self.fitting(slots.iter()) == slots.len() {
            return alloc::vec![self.sketch(&slots)];
        }
        let half = EVIDENCE_EVENTS_MAX / 2;
        let (rest, end) = slots.split_at(slots.len().saturating_sub(half));
        let mut came_last = rest.to_vec();
        came_last.sort_unstable_by_key(|slot| core::cmp::Reverse(*slot));
        came_last.truncate(half);
        // In turn, so that something of both fits.
        let mut both: Vec<usize> = Vec::new();
        for at in 0..half {
            both.extend(came_last.get(at));
            both.extend(end.iter().rev().nth(at));
        }
        let newest: Vec<usize> = slots.iter().rev().copied().collect();
        let windows = [both, newest, slots];
        windows.map(|window| self.window(window)).into()
    }

    /// As much as can be kept of some events, the first ones first.
    fn window(&mut self, mut slots: Vec<usize>) -> Sketch {
        slots.truncate(self.fitting(slots.iter()));
        slots.sort_unstable_by_key(|slot| self.rows.key(*slot));
        self.sketch(&slots)
    }

    /// How many of these can be kept as evidence together.
    fn fitting<'a>(&self, slots: impl Iterator<Item = &'a usize>) -> usize {
        let mut left = EVIDENCE_BYTES_MAX;
        let fits = |slot: &&usize| {
            let bytes = self
                .rows
                .row(**slot)
                .map_or(0, |row| row.event.payload().len());
            let rest = left.checked_sub(bytes);
            left = rest.unwrap_or(0);
            rest.is_some()
        };
        slots.take(EVIDENCE_EVENTS_MAX).take_while(fits).count()
    }

    fn sketch(&mut self, slots: &[usize]) -> Sketch {
        let mut ids: Vec<EventId> = Vec::new();
        let mut writers: BTreeMap<ReplicaId, usize> = BTreeMap::new();
        let mut steps = Vec::new();
        for slot in slots {
            let past = self.past.of(*slot, &self.rows);
            let Some(event) = self.rows.row(*slot).map(|row| &row.event) else {
                continue;
            };
            let next = writers.len();
            let writer = *writers.entry(event.id().replica).or_insert(next);
            let seen = ids.iter().enumerate().filter(|(_, id)| past.contains(**id));
            steps.push(Step {
                writer,
                past: seen.map(|(at, _)| at).collect(),
                payload: event.payload().clone(),
                arrival: *slot,
            });
            ids.push(event.id());
        }
        Sketch { steps }
    }
}
