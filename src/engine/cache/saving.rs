use alloc::vec::Vec;

use super::tier::Tier;
use super::{Cache, Folded, HowToFold, Slot, lacks_state};
use crate::event::AggregateId;
use crate::limits::FOLD_EVENTS_MAX;
use crate::merge::{Guard, Unresolved};

impl Cache {
    pub(in crate::engine) fn wants_saving(&self) -> bool {
        !self.due.is_empty()
    }

    /// Every fold that is unsaved now is due at once.
    pub(in crate::engine) fn settle(&mut self) {
        for slot in self.slots.iter() {
            if let Slot::Hot(hot) = slot
                && hot.unsaved > 0
            {
                self.due.insert(hot.timeline.aggregate().clone());
            }
        }
    }

    /// The fold of a hot aggregate is due at once.
    pub(in crate::engine) fn save_soon(&mut self, aggregate: &AggregateId) {
        if let Some(Slot::Hot(hot)) = self.slots.named_mut(aggregate) {
            hot.unsaved = hot.unsaved.max(1);
            self.due.insert(aggregate.clone());
        }
    }

    /// Folds and encodes what is due. An aggregate that has no state is not stored.
    pub(in crate::engine) fn folds_to_save(
        &mut self,
        guard: &dyn Guard,
        fold: impl Fn(&AggregateId) -> HowToFold,
    ) -> Vec<(AggregateId, Vec<u8>)> {
        let mut folds = Vec::new();
        if self.due.is_empty() {
            return folds;
        }
        let due = core::mem::take(&mut self.due);
        for aggregate in due {
            self.fold_for_itself(&aggregate, guard, fold(&aggregate));
            let Some(Slot::Hot(hot)) = self.slots.named_mut(&aggregate) else {
                continue;
            };
            let mut fold = None;
            let encoded = guard.run(&mut || {
                let stored = hot.timeline.to_fold();
                fold = stored.map(|fold| (fold.encode(), fold.state().len()));
            });
            if let (Ok(()), Some((bytes, state_bytes))) = (encoded, fold) {
                hot.saving = hot.unsaved;
                hot.timeline.state_measured(state_bytes);
                hot.count(hot.tier, &mut self.bytes);
                folds.push((aggregate, bytes));
                continue;
            }
            // Nothing worth storing: it is rebuilt from its events when it is touched again.
            hot.unsaved = 0;
            if hot.tier == Tier::Leaving {
                self.forget(&aggregate);
            }
        }
        folds
    }

    /// Folds a hot aggregate though nobody asked for its state.
    pub(super) fn fold_for_itself(
        &mut self,
        aggregate: &AggregateId,
        guard: &dyn Guard,
        fold: HowToFold,
    ) {
        let Some(Slot::Hot(hot)) = self.slots.named_mut(aggregate) else {
            return;
        };
        let outcome = fold(&mut hot.timeline, guard);
        hot.unfolded = None;
        if hot.is_newly_placed() {
            self.placed.push_back(aggregate.clone());
        }
        hot.count(hot.tier, &mut self.bytes);
        self.has_met_unresolved |= lacks_state(&hot.timeline);
        let condition = hot.timeline.condition().cloned();
        self.folded.push(Folded {
            aggregate: aggregate.clone(),
            outcome,
            has_rule: condition != Some(Unresolved::NoResolver),
        });
        self.note_condition(aggregate, condition);
    }

    /// Whether there was such folding since it was [taken](Self::take_folded).
    pub(in crate::engine) fn has_folded(&self) -> bool {
        !self.folded.is_empty()
    }

    /// What such folding came to since this was last asked.
    pub(in crate::engine) fn take_folded(&mut self) -> Vec<Folded> {
        core::mem::take(&mut self.folded)
    }

    /// A fold was stored.
    pub(in crate::engine) fn saved(&mut self, aggregate: &AggregateId) {
        if let Some(Slot::Hot(hot)) = self.slots.named_mut(aggregate) {
            hot.unsaved = hot.unsaved.saturating_sub(core::mem::take(&mut hot.saving));
            match (hot.tier, hot.unsaved) {
                (Tier::Leaving, 0) => self.forget(aggregate),
                (Tier::Leaving, _) => drop(self.due.insert(aggregate.clone())),
                (Tier::Full | Tier::Lean, _) => {}
            }
        }
    }
}

/// How many events that its stored fold lacks make an aggregate due.
pub(super) fn threshold() -> u64 {
    u64::try_from(FOLD_EVENTS_MAX).unwrap_or(u64::MAX)
}
