use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::ops::Range;

use super::super::past::Past;
use super::super::rows::{Fate, Row, Rows};
use crate::event::{EventId, VersionVector};

/// The events of an aggregate in canonical order, and where they can be concurrent at all.
///
/// Valid events that are not skipped count. Found from heads alone, without any vector, in one pass;
/// only where a skipped event is named a vector is asked for.
#[derive(Debug, Default)]
pub(super) struct Stretches {
    /// Slots in canonical order.
    pub(super) order: Vec<usize>,
    /// For each place of the order: whether the event there saw everything before it.
    saw_all: Vec<bool>,
    /// Whether a skipped event is [odd](is_odd), or one that comes before its writer's previous one: it
    /// may have seen everything before it and is odd all the same.
    pub(super) is_odd: bool,
    /// Where each stretch begins: no event in it or behind it is concurrent with one before it.
    begins: Vec<usize>,
}

impl Stretches {
    /// Costs the sort of slots that are mostly sorted, and a look-up per named head.
    pub(super) fn of(rows: &Rows, past: &mut Past) -> Self {
        let mut slots: Vec<usize> = rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.is_valid())
            .map(|(slot, _)| slot)
            .collect();
        slots.sort_by_key(|slot| rows.row(*slot).map(|row| row.event.order_key()));
        let mut walk = Walk {
            rows,
            past,
            maximal: BTreeSet::new(),
            known: alloc::vec![0; rows.len()],
            is_odd: false,
        };
        let mut stretches = Self::default();
        // For each place: what lies before this one was seen there.
        let mut seen_to = Vec::with_capacity(slots.len());
        for slot in slots {
            if let Some((place, saw_all)) = walk.step(slot, stretches.order.len()) {
                stretches.order.push(slot);
                stretches.saw_all.push(saw_all);
                seen_to.push(place);
            }
        }
        stretches.is_odd = walk.is_odd;
        let mut begin = usize::MAX;
        for (place, seen_to) in seen_to.into_iter().enumerate().rev() {
            begin = begin.min(seen_to);
            if begin == place {
                stretches.begins.push(place);
            }
        }
        stretches.begins.reverse();
        stretches
    }

    /// The stretches of more than one event that reach to a place or behind it, in order.
    pub(super) fn from(&self, place: usize) -> impl Iterator<Item = Range<usize>> + '_ {
        let end = self.order.len();
        let ends = self.begins.iter().skip(1).copied().chain([end]);
        let all = self.begins.iter().copied().zip(ends);
        all.filter(move |(begin, end)| *end > place && end - begin > 1)
            .map(|(begin, end)| begin..end)
    }

    /// Whether the event at a place saw everything before it.
    pub(super) fn saw_all(&self, place: usize) -> bool {
        self.saw_all.get(place).copied().unwrap_or_default()
    }
}

struct Walk<'a> {
    rows: &'a Rows,
    past: &'a mut Past,
    /// The maximal ones of the events so far.
    maximal: BTreeSet<EventId>,
    /// By slot: whoever saw this event saw everything before this place.
    known: Vec<usize>,
    is_odd: bool,
}

impl Walk<'_> {
    /// Takes the next event, which would get a place in the order. Returns the place before which it
    /// saw everything, and whether that is all; nothing for a skipped event.
    fn step(&mut self, slot: usize, place: usize) -> Option<(usize, bool)> {
        let row = self.rows.row(slot)?;
        let mut seen_to = 0;
        let mut behind_skipped = false;
        let skipped = is_skipped(self.rows, slot);
        for head in row.event.heads() {
            // A skipped event counts for nothing by itself, only for whoever saw it.
            if !skipped {
                self.maximal.remove(&head.id);
            }
            let Some(named) = self.rows.slot(head.id) else {
                continue;
            };
            seen_to = seen_to.max(self.known.get(named).copied().unwrap_or_default());
            behind_skipped |= is_skipped(self.rows, named);
        }
        if skipped {
            self.is_odd |= is_odd(row, &self.past.of(slot, self.rows), self.rows);
            *self.known.get_mut(slot)? = seen_to;
            return None;
        }
        let previous = self.rows.previous(row.event.id());
        let previous = previous.and_then(|id| self.rows.key(self.rows.slot(id)?));
        self.is_odd |= previous.is_some_and(|key| key > row.event.order_key());
        if behind_skipped && !self.maximal.is_empty() {
            let (rows, past) = (self.rows, &mut *self.past);
            let vector = past.of(slot, rows);
            self.maximal.retain(|id| {
                let other = rows.slot(*id).filter(|_| vector.contains(*id));
                other.is_none_or(|other| !past.of(other, rows).is_within(&vector))
            });
        }
        let saw_all = self.maximal.is_empty();
        self.maximal.insert(row.event.id());
        *self.known.get_mut(slot)? = if saw_all { place + 1 } else { seen_to };
        Some((if saw_all { place } else { seen_to }, saw_all))
    }
}

/// Whether an event does not have its writer's previous one in its past, which is `vector`. Nobody who
/// keeps the protocol writes such a one. Where there is one, the earlier event counts as seen by
/// whoever saw the later one, and may have seen more than they did.
pub(super) fn is_odd(row: &Row, vector: &VersionVector, rows: &Rows) -> bool {
    let previous = rows.previous(row.event.id());
    previous.is_some_and(|id| !vector.contains(id))
}

fn is_skipped(rows: &Rows, slot: usize) -> bool {
    let fate = rows.row(slot).map(Row::fate);
    fate == Some(Fate::Replaced)
}
