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

    /// The history without names; of a long one, its end and its beginning.
    fn sketches(&mut self) -> Vec<Sketch> {
        if !self.complete {
            return Vec::new();
        }
        let slots: Vec<usize> = self.order.iter().collect();
        let end = slots.len().saturating_sub(EVIDENCE_EVENTS_MAX);
        let newest = slots.get(end..).unwrap_or_default();
        let newest = newest
            .split_at(newest.len() - self.fitting(newest.iter().rev()))
            .1;
        let mut sketches = alloc::vec![self.sketch(newest)];
        if newest.len() < slots.len() {
            let oldest = slots.iter().take(EVIDENCE_EVENTS_MAX);
            let oldest = self.fitting(oldest);
            sketches.push(self.sketch(slots.get(..oldest).unwrap_or_default()));
        }
        sketches
    }

    /// How many of these have payloads that can be kept as evidence together.
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
        slots.take_while(fits).count()
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
