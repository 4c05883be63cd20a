use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use super::heads::Known;
use super::rows::Row;
use crate::event::{EventId, ReplicaId, Seq, SortedMap, VersionVector};

/// What is known of each writer: where its events are, how much of them is in the past of the heads,
/// and which of them is a head.
///
/// A writer's events come in the order of seqs as a rule. Then each is linked to the one before it
/// and to one further back, chosen so that any of them is found in O(log n) steps (Myers, *An
/// applicative random-access stack*, 1983), and nothing is kept per event but these links. The odd
/// one that comes after a later one of its writer has an entry of its own; and so has a head that is
/// not the valid event of its writer that came last.
///
/// Writers have numbers in the order in which they came. No order that others see rests on these.
#[derive(Debug, Default)]
pub(super) struct Writers {
    each: Vec<Writer>,
    odd: Option<Box<Odd>>,
    /// How many of the last valid events are heads.
    headed: usize,
}

#[derive(Debug)]
struct Writer {
    replica: ReplicaId,
    /// The greatest seq of its events in memory, and where that is.
    newest: Option<Seq>,
    newest_slot: Place,
    /// How much of it is in the past of the heads, they included.
    seen: Option<Seq>,
    last: Last,
}

/// The valid event of a writer that came last, whatever its seq.
#[derive(Debug, Default)]
struct Last {
    is_head: bool,
    slot: Place,
    seq: Option<Seq>,
    known: Known,
}

/// What is rare.
#[derive(Debug, Default)]
struct Odd {
    /// The numbers of writers, where they are many.
    numbers: SortedMap<ReplicaId, usize>,
    stragglers: BTreeMap<EventId, usize>,
    heads: BTreeMap<EventId, Known>,
}

/// So many writers are looked through one by one.
const FEW: usize = 8;

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

/// How an event joins those of its writer.
pub(super) struct Joined {
    pub(super) link: Link,
    /// Whether its writer's valid events come, or have their places, in another order than that of
    /// their seqs.
    pub(super) astray: bool,
}

impl Writers {
    /// The number of a writer.
    pub(super) fn number(&self, replica: ReplicaId) -> Option<usize> {
        match &self.odd {
            Some(odd) if self.each.len() > FEW => odd.numbers.get(&replica).copied(),
            _ => {
                let mut writers = self.each.iter();
                writers.position(|writer| writer.replica == replica)
            }
        }
    }

    fn number_or_new(&mut self, replica: ReplicaId) -> usize {
        if let Some(number) = self.number(replica) {
            return number;
        }
        let number = self.each.len();
        // Most aggregates have no more.
        if number == 0 {
            self.each.reserve_exact(2);
        }
        self.each.push(Writer {
            replica,
            newest: None,
            newest_slot: Place::default(),
            seen: None,
            last: Last::default(),
        });
        if number == FEW {
            let numbers = self.each.iter().map(|writer| writer.replica).zip(0..);
            self.odd.get_or_insert_default().numbers = numbers.collect();
        } else if number > FEW {
            let odd = self.odd.get_or_insert_default();
            odd.numbers.insert(replica, number);
        }
        number
    }

    /// Takes notice of an event of the writer with this number, if it has one, that is to be put at the
    /// end of `rows`. What is known of it, if it is valid: then it is a head.
    pub(super) fn push(
        &mut self,
        number: Option<usize>,
        id: EventId,
        valid: Option<Known>,
        rows: &[Row],
    ) -> Joined {
        let number = number.unwrap_or_else(|| self.number_or_new(id.replica));
        let Some(writer) = self.each.get_mut(number) else {
            return Joined {
                link: Link::default(),
                astray: false,
            };
        };
        let slot = rows.len();
        let mut astray = false;
        if let Some(known) = valid {
            let last = core::mem::replace(
                &mut writer.last,
                Last {
                    is_head: true,
                    slot: Place::of(slot),
                    seq: Some(id.seq),
                    known,
                },
            );
            writer.seen = writer.seen.max(Some(id.seq));
            if let Some(seq) = last.seq {
                let before = (last.known.timestamp, seq);
                let is_behind = before > (known.timestamp, id.seq) || seq > id.seq;
                astray = last.slot.0.is_some() && is_behind;
                if last.is_head {
                    let odd = self.odd.get_or_insert_default();
                    odd.heads.insert(EventId::new(id.replica, seq), last.known);
                }
            }
            self.headed += usize::from(!last.is_head);
        }
        if Some(id.seq) < writer.newest {
            let odd = self.odd.get_or_insert_default();
            odd.stragglers.insert(id, slot);
            let link = Link::default();
            return Joined { link, astray };
        }
        let previous = writer.newest_slot.slot();
        (writer.newest, writer.newest_slot) = (Some(id.seq), Place::of(slot));
        let link = previous.map_or_else(Link::default, |previous| Link::behind(previous, rows));
        Joined { link, astray }
    }

    /// Where an event of the writer with this number is, if it is here.
    pub(super) fn slot_of(&self, number: usize, id: EventId, rows: &[Row]) -> Option<usize> {
        let writer = self.each.get(number)?;
        if writer.newest < Some(id.seq) {
            return None;
        }
        if writer.newest == Some(id.seq) {
            return writer.newest_slot.slot();
        }
        let linked = writer.find(rows, |seq| seq <= id.seq);
        linked
            .filter(|slot| seq_at(*slot, rows) == Some(id.seq))
            .or_else(|| self.odd.as_ref()?.stragglers.get(&id).copied())
    }

    /// Where the event of a writer is that comes before a seq, or is its newest.
    pub(super) fn before(
        &self,
        replica: ReplicaId,
        seq: Option<Seq>,
        rows: &[Row],
    ) -> Option<usize> {
        let writer = self.each.get(self.number(replica)?)?;
        let Some(seq) = seq else {
            return writer.newest_slot.slot();
        };
        let linked = writer.find(rows, |other| other < seq);
        let all = EventId::new(replica, Seq::FIRST)..EventId::new(replica, seq);
        let odd = self.odd.as_ref();
        let straggler = odd.and_then(|odd| odd.stragglers.range(all).next_back());
        let straggler = straggler.map(|(_, slot)| *slot);
        let both = linked.into_iter().chain(straggler);
        both.max_by_key(|slot| seq_at(*slot, rows))
    }

    /// What is known of a head, if an event of the writer with this number is one.
    pub(super) fn head(&self, number: usize, id: EventId) -> Option<Known> {
        let last = &self.each.get(number)?.last;
        if last.is_head && last.seq == Some(id.seq) {
            return Some(last.known);
        }
        self.odd.as_ref()?.heads.get(&id).copied()
    }

    /// An event is a head no more.
    pub(super) fn remove_head(&mut self, number: usize, id: EventId) {
        let Some(writer) = self.each.get_mut(number) else {
            return;
        };
        if writer.last.is_head && writer.last.seq == Some(id.seq) {
            writer.last.is_head = false;
            self.headed -= 1;
        } else if let Some(odd) = &mut self.odd {
            odd.heads.remove(&id);
        }
    }

    pub(super) fn heads_len(&self) -> usize {
        self.headed + self.odd.as_ref().map_or(0, |odd| odd.heads.len())
    }

    /// The heads in the order of ids. Costs a sort.
    pub(super) fn heads(&self) -> Vec<(EventId, Known)> {
        let mut heads: Vec<_> = self.each_head().collect();
        heads.sort_unstable_by_key(|(id, _)| *id);
        heads
    }

    /// The heads, in an order that must not show.
    pub(super) fn heads_in_any_order(&self) -> impl Iterator<Item = EventId> {
        self.each_head().map(|(id, _)| id)
    }

    /// The heads with what is known of them, in an order that must not show.
    pub(super) fn each_head(&self) -> impl Iterator<Item = (EventId, Known)> {
        let heads = self.each.iter().filter(|writer| writer.last.is_head);
        let heads = heads.filter_map(|writer| {
            let id = EventId::new(writer.replica, writer.last.seq?);
            Some((id, writer.last.known))
        });
        let odd = self.odd.iter().flat_map(|odd| odd.heads.iter());
        heads.chain(odd.map(|(id, known)| (*id, *known)))
    }

    /// Whether an event is in the past of the heads, or one.
    pub(super) fn has_seen(&self, id: EventId) -> bool {
        let writer = self.number(id.replica).and_then(|at| self.each.get(at));
        writer.is_some_and(|writer| Some(id.seq) <= writer.seen)
    }

    /// What the heads and their pasts amount to as one past. Costs a sort.
    pub(super) fn seen(&self) -> VersionVector {
        let seen = |writer: &Writer| Some(EventId::new(writer.replica, writer.seen?));
        self.each.iter().filter_map(seen).collect()
    }

    /// Sets the heads and what they have seen.
    pub(super) fn set_seen(
        &mut self,
        heads: impl IntoIterator<Item = (EventId, Known)>,
        seen: &VersionVector,
    ) {
        self.headed = 0;
        for writer in &mut self.each {
            (writer.seen, writer.last.is_head) = (None, false);
        }
        if let Some(odd) = &mut self.odd {
            odd.heads.clear();
        }
        for id in seen {
            let number = self.number_or_new(id.replica);
            if let Some(writer) = self.each.get_mut(number) {
                writer.seen = Some(id.seq);
            }
        }
        for (id, known) in heads {
            let number = self.number_or_new(id.replica);
            let Some(writer) = self.each.get_mut(number) else {
                continue;
            };
            let last = &mut writer.last;
            if last.seq.is_none() {
                (last.seq, last.known) = (Some(id.seq), known);
            }
            if last.seq == Some(id.seq) && !last.is_head {
                last.is_head = true;
                self.headed += 1;
            } else {
                self.odd.get_or_insert_default().heads.insert(id, known);
            }
        }
    }

    /// The events are in memory no more.
    pub(super) fn forget_slots(&mut self) {
        for writer in &mut self.each {
            writer.newest = None;
            (writer.newest_slot, writer.last.slot) = (Place::default(), Place::default());
        }
        if let Some(odd) = &mut self.odd {
            odd.stragglers.clear();
        }
    }

    /// Roughly how much memory it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let odd = |odd: &Odd| odd.numbers.len() + 2 * (odd.stragglers.len() + odd.heads.len());
        let odd = self.odd.as_deref().map_or(0, odd);
        self.each.capacity() * size_of::<Writer>() + odd * size_of::<(EventId, Known)>()
    }
}

impl Writer {
    /// The newest linked event whose seq passes, where all before one that passes do.
    fn find(&self, rows: &[Row], passes: impl Fn(Seq) -> bool) -> Option<usize> {
        let mut at = self.newest_slot.slot()?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;

    /// Against a tree of heads and a vector, with more writers than are looked through one by one. Seqs
    /// come out of order, heads go in any, and now and then everything is set anew or forgotten.
    #[test]
    fn heads_and_what_is_seen_are_those_of_a_tree_and_a_vector() {
        let mut writers = Writers::default();
        let (mut heads, mut seen) = (BTreeMap::new(), VersionVector::new());
        let mut random = 7u64;
        for step in 0..8_000u64 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            // Few at first.
            let replica = ReplicaId::new((random >> 40) % (2 + step / 200), 0);
            let id = EventId::new(replica, Seq::new(1 + (random >> 20) % 50).unwrap());
            let known = Known {
                tag: None,
                timestamp: Timestamp::from_bits(step),
            };
            match random >> 60 {
                0..=6 if !heads.contains_key(&id) => {
                    writers.push(writers.number(replica), id, Some(known), &[]);
                    heads.insert(id, step);
                    seen.observe(id);
                }
                7 => drop(writers.push(writers.number(replica), id, None, &[])),
                8..=13 => {
                    if let Some(number) = writers.number(replica) {
                        writers.remove_head(number, id);
                    }
                    heads.remove(&id);
                }
                14 => writers.forget_slots(),
                15 if step % 5 == 0 => {
                    let kept = writers.heads();
                    seen = kept.iter().map(|(id, _)| *id).collect();
                    writers.set_seen(kept, &seen);
                }
                _ => {}
            }
            let found = writers.heads().into_iter();
            let found = found.map(|(id, known)| (id, known.timestamp.to_bits()));
            assert!(found.eq(heads.iter().map(|(id, step)| (*id, *step))));
            assert_eq!(
                (writers.heads_len(), writers.seen()),
                (heads.len(), seen.clone())
            );
            let number = writers.number(replica);
            let head = number.and_then(|number| writers.head(number, id));
            assert_eq!(
                head.map(|head| head.timestamp.to_bits()),
                heads.get(&id).copied()
            );
            assert_eq!(writers.has_seen(id), seen.contains(id));
        }
        assert!(writers.each.len() > 4 * FEW);
    }
}
