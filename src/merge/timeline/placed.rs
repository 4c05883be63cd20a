use alloc::vec::Vec;

use super::Timeline;
use crate::event::{Digest, EventId, OrderKey};
use crate::limits::PLACED_KEPT_MAX;
use crate::merge::{Shortcut, Shortcuts};

/// A late event that was applied where it came, rather than in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The event.
    pub event: EventId,
    /// Its digest, to draw samples by.
    pub digest: Digest,
    /// What allowed it.
    pub shortcut: Shortcut,
}

impl Timeline {
    /// Late events that were applied where they came since this was last asked; of many, some.
    pub fn take_placed(&mut self) -> Vec<Placed> {
        core::mem::take(&mut self.placed)
    }

    /// Whether there are any.
    pub fn has_placed(&self) -> bool {
        !self.placed.is_empty()
    }

    /// The shortcuts that were taken since it came into memory.
    pub fn used(&self) -> Shortcuts {
        self.used
    }

    /// The shortcuts that are not taken.
    pub fn avoided(&self) -> Shortcuts {
        self.avoided
    }

    /// Takes these shortcuts no more, and folds anew from the start what may be owed to one of them.
    /// Returns whether that is possible: if not, the history is needed.
    pub fn avoid(&mut self, shortcuts: Shortcuts) -> bool {
        self.avoided = self.avoided.and(shortcuts);
        if self.used.among(shortcuts).is_empty() {
            return true;
        }
        if !self.complete {
            return false;
        }
        self.used = Shortcuts::NONE;
        self.digest = None;
        self.news.any = true;
        self.start_over();
        true
    }

    /// Notes down that an event was applied where it came: the first few, then a sample.
    pub(super) fn was_placed(&mut self, slot: usize, key: OrderKey, shortcut: Shortcut) {
        self.used = self.used.with(shortcut);
        let Some(digest) = self.rows.row(slot).map(|row| row.event.digest()) else {
            return;
        };
        let kept = self.placed.len();
        let placed = Placed {
            event: key.id(),
            digest,
            shortcut,
        };
        if kept < PLACED_KEPT_MAX / 2 || (placed.is_sampled() && kept < PLACED_KEPT_MAX) {
            self.placed.push(placed);
        }
    }
}

impl Placed {
    /// Whether it is one of the share that is audited: drawn by its digest, so the same in every
    /// run.
    pub fn is_sampled(&self) -> bool {
        let [.., last] = self.digest.to_bytes();
        last.is_multiple_of(crate::limits::AUDIT_ONE_IN)
    }
}
