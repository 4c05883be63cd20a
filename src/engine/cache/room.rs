use super::tier::Tier;
use super::{Cache, HowToFold, Slot};
use crate::event::AggregateId;
use crate::merge::Guard;

/// Of the bytes that may stay, what timelines without their histories may take before they leave for
/// those that have theirs: one part in so many.
const LEAN_SHARE: usize = 2;

impl Cache {
    /// Makes room, if too much is in memory. The coldest timelines let go of their histories, those
    /// of which little else is left leave, and so do the coldest of those without a history, if these
    /// take more than their share or there is nothing else. Whatever leaves and has events that its
    /// stored fold lacks is stored first. Nothing happens to the one that was used last, or to what
    /// somebody waits for. Cost: what goes.
    pub(in crate::engine) fn shrink(
        &mut self,
        guard: &dyn Guard,
        fold: impl Fn(&AggregateId) -> HowToFold,
    ) {
        if !self.is_too_large() {
            return;
        }
        let share = self.bytes_max / LEAN_SHARE;
        for (tier, spared) in [(Tier::Lean, share), (Tier::Full, 0), (Tier::Lean, 0)] {
            let mut next = self.slots.coldest(tier);
            while let Some(at) = next
                && self.is_too_large()
                && *self.bytes.of(tier) > spared
            {
                next = self.slots.behind(at);
                if self.is_needed(at) {
                    continue;
                }
                let is_kept = tier == Tier::Full && self.shed(at, guard, &fold);
                if !is_kept {
                    self.leave(at);
                }
            }
        }
    }

    fn is_too_large(&self) -> bool {
        self.staying_bytes() > self.bytes_max && !mutant!("cache-never-shrinks")
    }

    fn staying_bytes(&self) -> usize {
        self.bytes.of(Tier::Full) + self.bytes.of(Tier::Lean)
    }

    fn is_needed(&self, at: usize) -> bool {
        self.last == Some(at) || self.is_pinned(at)
    }

    fn is_pinned(&self, at: usize) -> bool {
        let is_pinned = |slot: &Slot| match slot {
            Slot::Hot(hot) => self.pinned.contains_key(hot.timeline.aggregate()),
            Slot::Loading { .. } => true,
        };
        !self.pinned.is_empty() && self.slots.at(at).is_none_or(is_pinned)
    }

    /// Lets go of a history, if that is most of what a timeline takes. What it had not folded is folded
    /// first; one that has no state keeps its events. Whether it takes less now.
    fn shed(
        &mut self,
        at: usize,
        guard: &dyn Guard,
        fold: impl Fn(&AggregateId) -> HowToFold,
    ) -> bool {
        let Some(Slot::Hot(hot)) = self.slots.at_mut(at) else {
            return false;
        };
        if hot.timeline.history_bytes() < hot.bytes / 2 {
            return false;
        }
        let aggregate = hot.timeline.aggregate().clone();
        if hot.timeline.has_news() {
            self.fold_for_itself(&aggregate, guard, fold(&aggregate));
        }
        let Some(Slot::Hot(hot)) = self.slots.at_mut(at) else {
            return false;
        };
        // An audit of what was put in place needs the history, and comes before this has left.
        if hot.timeline.has_placed() {
            return false;
        }
        let mut is_dropped = false;
        let ran = guard.run(&mut || is_dropped = hot.timeline.drop_history());
        if ran.is_err() || !is_dropped {
            return false;
        }
        self.put(at, Tier::Lean);
        true
    }

    fn leave(&mut self, at: usize) {
        let Some(Slot::Hot(hot)) = self.slots.at_mut(at) else {
            return;
        };
        let aggregate = hot.timeline.aggregate().clone();
        if hot.unsaved > 0 {
            self.due.insert(aggregate);
            self.put(at, Tier::Leaving);
        } else {
            self.forget(&aggregate);
        }
    }

    /// Bytes of what stays, the bound, and bytes of what was used last and nobody waits for.
    pub(in crate::engine) fn staying(&self) -> (usize, usize, usize) {
        let last = self.last.filter(|at| !self.is_pinned(*at));
        let last = last.and_then(|at| self.slots.at(at));
        let last = last.map_or(0, |slot| match slot {
            Slot::Hot(hot) => hot.bytes,
            Slot::Loading { .. } => 0,
        });
        (self.staying_bytes(), self.bytes_max, last)
    }

    pub(in crate::engine) fn bytes(&self) -> usize {
        self.staying_bytes() + self.bytes.of(Tier::Leaving)
    }
}
