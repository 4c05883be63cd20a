use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::super::places::Places;
use crate::resolver::Footprint;

/// The events of one stretch by what they touch, so that those which an event did not see are found
/// without looking at those it saw, or at other keys.
///
/// Each cell holds its touches as a graph: a touch leads to those that it was the first to see. What
/// an event did not see of a cell is then reached from the cell's heads through nothing but unseen
/// touches, because whoever saw a touch saw what it leads to.
///
/// Events are the places of the canonical order and are to be given in that order.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// The heads of each cell.
    places: Places<Vec<usize>>,
    touches: Vec<Touch>,
    /// Where the touches lead to; each has a range of it.
    before: Vec<usize>,
    looks: usize,
}

#[derive(Debug)]
struct Touch {
    event: usize,
    /// The end of its range, which begins where that of the touch before it ends.
    before_end: usize,
    /// The last look that came by.
    look: usize,
}

impl Pairs {
    /// The events that touch something of a footprint and were not seen, ascending. Costs what it
    /// returns, as often as it is reached, and the heads of the cells that are asked.
    pub(super) fn unseen(
        &mut self,
        footprint: &Footprint,
        saw: &dyn Fn(usize) -> bool,
    ) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open = Vec::new();
        for key in footprint.keys() {
            self.places
                .each_overlapping(key, &mut |heads: &Vec<usize>| {
                    open.extend_from_slice(heads);
                    true
                });
        }
        self.looks += 1;
        while let Some(next) = open.pop() {
            let before = self.before_of(next);
            let Some(touch) = self.touches.get_mut(next) else {
                continue;
            };
            if touch.look == self.looks || saw(touch.event) {
                continue;
            }
            touch.look = self.looks;
            found.insert(touch.event);
            open.extend_from_slice(self.before.get(before).unwrap_or_default());
        }
        found
    }

    /// Adds an event.
    pub(super) fn add(&mut self, event: usize, footprint: &Footprint, saw: &dyn Fn(usize) -> bool) {
        let (touches, before) = (&mut self.touches, &mut self.before);
        for key in footprint.keys() {
            self.places.note(key, &mut |heads| {
                let of = |touch: &usize| touches.get(*touch).map(|touch| touch.event);
                if heads.last().and_then(of) == Some(event) {
                    return;
                }
                heads.retain(|head| {
                    let is_seen = touches.get(*head).is_some_and(|touch| saw(touch.event));
                    if is_seen {
                        before.push(*head);
                    }
                    !is_seen
                });
                heads.push(touches.len());
                touches.push(Touch {
                    event,
                    before_end: before.len(),
                    look: 0,
                });
            });
        }
    }

    fn before_of(&self, touch: usize) -> core::ops::Range<usize> {
        let end = |touch: usize| self.touches.get(touch).map_or(0, |touch| touch.before_end);
        touch.checked_sub(1).map_or(0, end)..end(touch)
    }
}
