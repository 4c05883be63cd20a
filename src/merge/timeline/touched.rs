use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::event::{EventId, OrderKey};
use crate::limits::TOUCH_HEADS_MAX;
use crate::resolver::{Footprint, Places};

/// Which events touched which keys last.
///
/// Answers for a footprint, without looking at other keys, how far in canonical order anything
/// touched it, and whether an event knew everything that did. An event counts with everything it
/// reads or writes, whatever became of it.
///
/// Each cell keeps its *heads*, the touching events that no other touching event of the cell saw.
/// What a head saw need not be asked for: whoever saw the head saw it. As canonical order extends
/// causality, the last touching event is one of the heads.
#[derive(Debug, Default)]
pub(super) struct Touched {
    places: Places<Cell>,
    further_heads: usize,
}

/// The heads of some touches. Most places have one at a time.
#[derive(Debug, Default)]
struct Cell {
    /// The greatest in canonical order.
    last: Option<OrderKey>,
    further: Option<Box<Further>>,
}

#[derive(Debug, Default)]
struct Further {
    heads: Vec<OrderKey>,
    /// Whether there were more than are kept; then it is not known who saw all of them.
    dropped: bool,
}

/// Says whether the event in question saw another one.
type Saw<'a> = &'a mut dyn FnMut(EventId) -> bool;

impl Touched {
    /// Takes notice of an event and of everything it touches, and tells whether something that
    /// touches one of these keys is not in its past.
    ///
    /// Events are to be given once, in an order that extends causality. Where an event saw all
    /// that was given before it, `sees_all`, it is not asked `saw`. Exact, except that more
    /// concurrent events than [`TOUCH_HEADS_MAX`] on one key count as a race, and very long keys as
    /// the branch that they lie in. Costs the segments of the keys, times the heads there.
    pub(super) fn observe(
        &mut self,
        key: OrderKey,
        footprint: &Footprint,
        sees_all: bool,
        saw: Saw<'_>,
    ) -> bool {
        let keys = footprint.keys();
        let places = &mut self.places;
        let mut is_seen = |touched| places.each_overlapping(touched, &mut |cell| cell.is_seen(saw));
        let raced = !sees_all && !keys.iter().all(&mut is_seen);
        let count = &mut self.further_heads;
        for touched in keys {
            places.note(touched, &mut |cell| cell.add(key, sees_all, saw, count));
        }
        raced
    }

    /// The last touch, in canonical order, of anything in a footprint.
    pub(super) fn last(&self, footprint: &Footprint) -> Option<OrderKey> {
        let mut last = None;
        for touched in footprint.keys() {
            self.places.each_overlapping(touched, &mut |cell| {
                last = last.max(cell.last);
                true
            });
        }
        last
    }

    /// Roughly how much memory it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.places.bytes() + self.further_heads * size_of::<OrderKey>()
    }
}

impl Cell {
    /// Whether every event of the cell was seen.
    fn is_seen(&self, saw: Saw<'_>) -> bool {
        let further = self.further.as_deref();
        !further.is_some_and(|further| further.dropped)
            && self.last.is_none_or(|last| saw(last.id()))
            && further.is_none_or(|further| further.heads.iter().all(|head| saw(head.id())))
    }

    /// Adds an event in the place of the heads that it saw. `count` follows how many heads there are
    /// beside the last one.
    fn add(&mut self, event: OrderKey, sees_all: bool, saw: Saw<'_>, count: &mut usize) {
        if self.holds(event) {
            return;
        }
        let further = self.further.take();
        *count -= further.as_ref().map_or(0, |further| further.heads.len());
        if sees_all {
            self.last = Some(event);
            return;
        }
        if further.is_none() && self.last.is_none_or(|last| last < event && saw(last.id())) {
            self.last = Some(event);
            return;
        }
        let mut further = further.unwrap_or_default();
        further.heads.retain(|head| !saw(head.id()));
        // A writer that leaves out what it wrote itself may seem to have seen what is behind its event.
        let stands = |last: &OrderKey| *last > event || !saw(last.id());
        match self.last.filter(stands) {
            None => self.last = Some(event),
            Some(last) if last < event => {
                further.heads.push(last);
                self.last = Some(event);
            }
            Some(_) => further.heads.push(event),
        }
        // `last` stays exact whatever is dropped: who saw it is greater.
        if further.heads.len() >= TOUCH_HEADS_MAX {
            further.heads.remove(0);
            further.dropped = true;
        }
        *count += further.heads.len();
        self.further = Some(further).filter(|f| f.dropped || !f.heads.is_empty());
    }

    /// Whether an event was the last one added, as where several keys of it lie below one place.
    fn holds(&self, event: OrderKey) -> bool {
        let further = self.further.as_deref();
        self.last == Some(event)
            || further.is_some_and(|further| further.heads.last() == Some(&event))
    }
}

#[cfg(test)]
mod tests;
