use alloc::vec::Vec;
use core::num::NonZeroU32;

use super::rarely::absent;
use crate::event::OrderKey;

/// Which events have everything before them in canonical order in their past.
///
/// The fold finds that out as it passes an event; an event that is put before it later, without
/// folding again what follows, makes it untrue. Only these insertions are remembered here, so one
/// of them costs nothing per event that follows it.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    now: u32,
    /// Insertions by place and moment, both ascending: one with a later moment and an earlier place
    /// covers the others.
    insertions: Vec<(OrderKey, u32)>,
}

/// The moment at which an event was found to be a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(NonZeroU32);

absent!(
    Cuts,
    Cuts {
        now: 0,
        insertions: Vec::new(),
    }
);

impl Cuts {
    /// A new moment; nothing when there were so many that none is left.
    pub(super) fn found(&mut self) -> Option<Moment> {
        let now = self.now.checked_add(1).filter(|now| *now < u32::MAX)?;
        self.now = now;
        NonZeroU32::new(now).map(Moment)
    }

    /// An event has been put into the order before events that are not folded again.
    pub(super) fn insert(&mut self, key: OrderKey) {
        self.now = self.now.saturating_add(1);
        while self
            .insertions
            .last()
            .is_some_and(|(place, _)| *place > key)
        {
            self.insertions.pop();
        }
        self.insertions.push((key, self.now));
    }

    /// Whether what was found of the event at `key` is still true.
    pub(super) fn holds(&self, found: Option<Moment>, key: OrderKey) -> bool {
        let Some(Moment(found)) = found else {
            return false;
        };
        let before = self.insertions.partition_point(|(place, _)| *place < key);
        let newest = before.checked_sub(1).and_then(|at| self.insertions.get(at));
        newest.is_none_or(|(_, moment)| *moment < found.get())
    }
}
