use alloc::collections::BTreeMap;
use core::num::NonZeroU32;

use super::rows::Row;
use crate::event::{EventId, ReplicaId, Seq, SortedMap};

/// Where the events of each writer are, in the order of their seqs.
///
/// A writer's events come in the order of seqs as a rule. Then each is linked to the one before it
/// and to one further back, chosen so that any of them is found in O(log n) steps (Myers, *An
/// applicative random-access stack*, 1983), and nothing is kept per event but these links. The odd
/// one that comes after a later one of its writer has an entry of its own.
#[derive(Debug, Default)]
pub(super) struct Writers {
    writers: SortedMap<ReplicaId, Writer>,
    stragglers: BTreeMap<EventId, usize>,
}

#[derive(Clone, Copy, Debug)]
struct Writer {
    /// The event with the greatest seq.
    newest: Seq,
    newest_slot: usize,
    /// The valid one that came last, whatever its seq.
    last_valid: Place,
}

/// What leads from an event to earlier ones of its writer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Link {
    previous: Place,
    /// One further back, or the same.
    back: Place,
    /// How many there are before it.
    depth: u32,
}

/// A slot, or none, in four bytes. An aggregate's events in memory are fewer than 2^32 by far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place(Option<NonZeroU32>);

impl Place {
    fn of(slot: usize) -> Self {
        let place = u32::try_from(slot)
            .ok()
            .and_then(|slot| slot.checked_add(1));
        Self(place.and_then(NonZeroU32::new))
    }

    fn slot(self) -> Option<usize> {
        usize::try_from(self.0?.get() - 1).ok()
    }
}

impl Writers {
    /// Takes notice of an event that is to be put at the end of `rows`. Says how to link it, and where
    /// its writer's valid event is that came last before it.
    pub(super) fn push(
        &mut self,
        id: EventId,
        is_valid: bool,
        rows: &[Row],
    ) -> (Link, Option<usize>) {
        let slot = rows.len();
        let place = Place::of(slot);
        let last_valid = if is_valid { place } else { Place::default() };
        let Some(writer) = self.writers.find_mut(&id.replica) else {
            let writer = Writer {
                newest: id.seq,
                newest_slot: slot,
                last_valid,
            };
            self.writers.insert(id.replica, writer);
            return (Link::default(), None);
        };
        let last = writer.last_valid.slot();
        if is_valid {
            writer.last_valid = place;
        }
        if id.seq < writer.newest {
            self.stragglers.insert(id, slot);
            return (Link::default(), last);
        }
        let previous = writer.newest_slot;
        (writer.newest, writer.newest_slot) = (id.seq, slot);
        (Link::behind(previous, rows), last)
    }

    /// Where an event is, if it is here.
    pub(super) fn slot(&self, id: EventId, rows: &[Row]) -> Option<usize> {
        let writer = self.writers.get(&id.replica)?;
        if writer.newest < id.seq {
            return None;
        }
        if writer.newest == id.seq {
            return Some(writer.newest_slot);
        }
        let linked = writer.find(rows, |seq| seq <= id.seq);
        linked
            .filter(|slot| seq_at(*slot, rows) == Some(id.seq))
            .or_else(|| self.stragglers.get(&id).copied())
    }

    /// Where the event of a writer is that comes before a seq, or is its newest.
    pub(super) fn before(
        &self,
        replica: ReplicaId,
        seq: Option<Seq>,
        rows: &[Row],
    ) -> Option<usize> {
        let writer = self.writers.get(&replica)?;
        let Some(seq) = seq else {
            return Some(writer.newest_slot);
        };
        let linked = writer.find(rows, |other| other < seq);
        let all = EventId::new(replica, Seq::FIRST)..EventId::new(replica, seq);
        let straggler = self.stragglers.range(all).next_back();
        let straggler = straggler.map(|(_, slot)| *slot);
        let both = linked.into_iter().chain(straggler);
        both.max_by_key(|slot| seq_at(*slot, rows))
    }
}

impl Writer {
    /// The newest linked event whose seq passes, where all before one that passes do.
    fn find(&self, rows: &[Row], passes: impl Fn(Seq) -> bool) -> Option<usize> {
        let mut at = self.newest_slot;
        loop {
            let row = rows.get(at)?;
            if passes(row.event.id().seq) {
                return Some(at);
            }
            let back = row.link.back.slot()?;
            let skips = seq_at(back, rows).is_some_and(|seq| !passes(seq));
            at = if skips {
                back
            } else {
                row.link.previous.slot()?
            };
        }
    }
}

impl Link {
    /// The event before it, where it came after all earlier ones of its writer.
    pub(super) fn previous(self) -> Option<usize> {
        self.previous.slot()
    }

    fn behind(previous: usize, rows: &[Row]) -> Self {
        let link = |slot: Option<usize>| slot.and_then(|slot| rows.get(slot)).map(|row| row.link);
        let near = link(Some(previous)).unwrap_or_default();
        let far = link(near.back.slot());
        let further = far.and_then(|far| link(far.back.slot()));
        // Two equal steps back become one.
        let back = match (far, further) {
            (Some(far), Some(further)) if near.depth - far.depth == far.depth - further.depth => {
                far.back
            }
            _ => Place::of(previous),
        };
        Self {
            previous: Place::of(previous),
            back,
            depth: near.depth + 1,
        }
    }
}

fn seq_at(slot: usize, rows: &[Row]) -> Option<Seq> {
    rows.get(slot).map(|row| row.event.id().seq)
}
