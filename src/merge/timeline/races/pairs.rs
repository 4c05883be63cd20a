use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::resolver::{Footprint, Places};

/// The events of one stretch by what they touch, so that those which an event did not see are found
/// without looking at those it saw, or at other keys.
///
/// Each cell holds its touches as a graph: a touch leads to those that it was the first to cover. What
/// an event did not see of a cell is then reached from the cell's heads through nothing that it
/// covers, because whoever covers a touch covers what it leads to.
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

/// What an event saw of those before it.
pub(super) trait Sight {
    /// Whether it saw another one.
    fn saw(&self, event: usize) -> bool;

    /// Whether it saw another one and everything that one saw.
    fn covers(&mut self, event: usize) -> bool;
}

impl Pairs {
    /// The events that touch something of a footprint and were not seen, ascending. Costs what it
    /// returns, as often as it is reached, and the heads of the cells that are asked.
    pub(super) fn unseen(
        &mut self,
        footprint: &Footprint,
        sight: &mut dyn Sight,
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
            if touch.look == self.looks {
                continue;
            }
            touch.look = self.looks;
            if !sight.saw(touch.event) {
                found.insert(touch.event);
            }
            if !sight.covers(touch.event) {
                open.extend_from_slice(self.before.get(before).unwrap_or_default());
            }
        }
        found
    }

    /// Adds an event.
    pub(super) fn add(&mut self, event: usize, footprint: &Footprint, sight: &mut dyn Sight) {
        let (touches, before) = (&mut self.touches, &mut self.before);
        for key in footprint.keys() {
            self.places.note(key, &mut |heads| {
                let of = |touch: &usize| touches.get(*touch).map(|touch| touch.event);
                if heads.last().and_then(of) == Some(event) {
                    return;
                }
                heads.retain(|head| {
                    let is_covered = touches
                        .get(*head)
                        .is_some_and(|touch| sight.covers(touch.event));
                    if is_covered {
                        before.push(*head);
                    }
                    !is_covered
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

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::resolver::Key;

    /// Sees what lies before a place.
    struct Before(usize);

    impl Sight for Before {
        fn saw(&self, event: usize) -> bool {
            event < self.0
        }

        fn covers(&mut self, event: usize) -> bool {
            self.saw(event)
        }
    }

    #[test]
    fn a_cell_leads_from_its_heads_to_all_its_touches_and_holds_each_event_once() {
        let places = (0..50).map(|place| Key::leaf(["a".to_string(), place.to_string()]));
        let footprint = Footprint::Keys(places.collect());
        let mut pairs = Pairs::default();
        for event in 0..100 {
            pairs.add(event, &footprint, &mut Before(usize::MAX));
        }
        // Above `a`, below it, and each of the fifty.
        assert_eq!(pairs.touches.len(), 100 * 52);
        let mut heads = 0;
        pairs
            .places
            .each_overlapping(&Key::branch(["a"]), &mut |cell| {
                heads += cell.len();
                true
            });
        assert_eq!(heads, 1);
        let all: BTreeSet<usize> = (0..100).collect();
        assert_eq!(pairs.unseen(&footprint, &mut Before(0)), all);
        assert_eq!(
            pairs.unseen(&footprint, &mut Before(97)),
            BTreeSet::from([97, 98, 99])
        );
        assert!(pairs.unseen(&Footprint::NOTHING, &mut Before(0)).is_empty());
    }
}
