use alloc::vec::Vec;
use core::cmp::Ordering;

use super::rows::Rows;
use crate::event::{OrderKey, Timestamp};

/// The slots of an aggregate's events in canonical order.
///
/// What comes is left as it came until somebody looks, so that a burst of it is sorted once.
/// Kept in short runs, so that an event far from the end costs a search and the move of one run, not
/// of everything behind it.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// None is empty, each is sorted, and so are they.
    runs: Vec<Vec<Slot>>,
    /// Slots from here on have come since and are not in any.
    settled: usize,
    /// How many there are, in runs or not.
    len: usize,
}

/// An aggregate's events in memory are fewer than 2^32 by far.
type Slot = u32;

/// A slot with the stamp of its event, so that only ties look further.
type Stamped = (Timestamp, Slot);

/// A place between two events of an order, as long as nothing is put into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    run: usize,
    at: usize,
}

/// Slots in one run at most: moving so many costs about as much as finding the run.
const RUN: usize = 512;
/// Where as many slots have come out of order as this part of all, all are put in order anew.
const MANY: usize = 8;

impl Order {
    /// Puts slots in order that are distinct and whose events are known; no other one belongs to it.
    pub(super) fn sorted(slots: impl IntoIterator<Item = usize>, rows: &Rows) -> Self {
        let mut slots = stamped(slots, rows.len(), rows);
        slots.sort_unstable_by(|one, other| compare(*one, *other, rows));
        let mut order = Self {
            settled: rows.len(),
            ..Self::default()
        };
        order.append(&slots);
        order
    }

    /// Takes notice that a slot has come that belongs to it.
    pub(super) fn came(&mut self) {
        self.len += 1;
    }

    /// Puts in its place what has come, before anything else here is asked but the length. Costs a
    /// search and the move of one run for each that is not at the end, or one sort where they are many.
    pub(super) fn settle(&mut self, rows: &Rows) {
        let new = core::mem::replace(&mut self.settled, rows.len())..rows.len();
        if new.is_empty() {
            return;
        }
        let last = self.last().and_then(|last| with_stamp(last, rows));
        // Whoever looks after each event finds one, mostly at the end.
        if new.len() == 1
            && let Some(next) = with_stamp(new.start, rows)
            && rows.is_valid(new.start)
            && is_behind(next, last, rows)
        {
            self.len -= 1;
            self.append(&[next]);
            return;
        }
        let most = new.len();
        let mut new = stamped(new.filter(|slot| rows.is_valid(*slot)), most, rows);
        self.len -= new.len();
        // Costs a look at each where they have come in order, as is usual.
        new.sort_unstable_by(|one, other| compare(*one, *other, rows));
        let behind = new.partition_point(|next| !is_behind(*next, last, rows));
        let (aside, behind) = new.split_at(behind);
        if aside.len() > (self.len + behind.len()) / MANY {
            let most = self.len + new.len();
            let runs = core::mem::take(&mut self.runs).into_iter().flatten();
            let mut all = stamped(runs.map(widen), most, rows);
            all.extend(&new);
            // Two sorted pieces, which a stable sort merges.
            all.sort_by(|one, other| compare(*one, *other, rows));
            self.len = 0;
            self.append(&all);
            return;
        }
        self.append(behind);
        for (_, slot) in aside {
            self.put(*slot, rows);
        }
    }

    fn put(&mut self, slot: Slot, rows: &Rows) {
        let key = rows.key(widen(slot));
        let Place { run, at } = self.after(key, rows);
        let Some(slots) = self.runs.get_mut(run) else {
            return;
        };
        slots.insert(at, slot);
        self.len += 1;
        if slots.len() > RUN {
            let second = slots.split_off(slots.len() / 2);
            self.runs.insert(run + 1, second);
        }
    }

    /// Adds slots behind all others.
    fn append(&mut self, slots: &[Stamped]) {
        self.len += slots.len();
        let mut rest = slots;
        while !rest.is_empty() {
            let Some(run) = self.runs.last_mut().filter(|run| run.len() < RUN) else {
                // Most orders are one run.
                if self.runs.is_empty() {
                    self.runs.reserve_exact(1);
                }
                self.runs.push(Vec::new());
                continue;
            };
            let (now, later) = rest.split_at(rest.len().min(RUN - run.len()));
            run.extend(now.iter().map(|(_, slot)| *slot));
            rest = later;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The slot of the greatest key.
    pub(super) fn last(&self) -> Option<usize> {
        self.runs.last()?.last().copied().map(widen)
    }

    /// The place behind all keys that are not greater; the first for no key.
    pub(super) fn after(&self, key: Option<OrderKey>, rows: &Rows) -> Place {
        if key.is_none() {
            return Place { run: 0, at: 0 };
        }
        let key_of = |slot: &Slot| rows.key(widen(*slot));
        let begins_before = |run: &Vec<Slot>| run.first().and_then(key_of) <= key;
        let next = self.runs.partition_point(begins_before);
        let run = next.saturating_sub(1);
        let slots = self.runs.get(run).map(Vec::as_slice).unwrap_or_default();
        // What was put at the end is looked for most often.
        let near = slots.len().saturating_sub(4);
        let settled = slots.get(near).is_some_and(|slot| key_of(slot) <= key);
        let from = if settled { near } else { 0 };
        let rest = slots.get(from..).unwrap_or_default();
        let at = from + rest.partition_point(|slot| key_of(slot) <= key);
        Place { run, at }
    }

    /// The slot behind a place, and the place behind that slot.
    pub(super) fn next(&self, place: Place) -> Option<(usize, Place)> {
        let Place { run, at } = place;
        let inside = self.runs.get(run).and_then(|run| run.get(at));
        let (run, at, slot) = match inside {
            Some(slot) => (run, at, slot),
            None => (run + 1, 0, self.runs.get(run + 1)?.first()?),
        };
        Some((widen(*slot), Place { run, at: at + 1 }))
    }

    /// The slots before a place, backwards.
    pub(super) fn iter_back(&self, place: Place) -> impl Iterator<Item = usize> {
        let last = self.runs.get(place.run).and_then(|run| run.get(..place.at));
        let rest = self.runs.get(..place.run).unwrap_or(&self.runs);
        let rest = rest.iter().rev().flat_map(|run| run.iter().rev());
        let slots = last.unwrap_or_default().iter().rev().chain(rest);
        slots.copied().map(widen)
    }

    /// All slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        self.runs.iter().flatten().copied().map(widen)
    }
}

fn with_stamp(slot: usize, rows: &Rows) -> Option<Stamped> {
    Some((rows.row(slot)?.event.timestamp(), narrow(slot)))
}

/// Slots with their stamps, so many at most.
fn stamped(slots: impl IntoIterator<Item = usize>, most: usize, rows: &Rows) -> Vec<Stamped> {
    let mut stamped = Vec::with_capacity(most);
    let slots = slots.into_iter();
    stamped.extend(slots.filter_map(|slot| with_stamp(slot, rows)));
    stamped
}

/// How two slots stand to each other in canonical order.
fn compare(one: Stamped, other: Stamped, rows: &Rows) -> Ordering {
    let key = |(_, slot)| rows.key(widen(slot));
    one.0.cmp(&other.0).then_with(|| {
        if mutant!("tie-broken-by-arrival") {
            return one.1.cmp(&other.1);
        }
        key(one).cmp(&key(other))
    })
}

/// Whether a slot lies behind what was the last one so far.
fn is_behind(next: Stamped, last: Option<Stamped>, rows: &Rows) -> bool {
    last.is_none_or(|last| compare(last, next, rows).is_lt())
}

fn narrow(slot: usize) -> Slot {
    Slot::try_from(slot).unwrap_or(Slot::MAX)
}

fn widen(slot: Slot) -> usize {
    usize::try_from(slot).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{
        AggregateId, CommitSpan, Event, EventId, EventParts, EventType, Heads, Metadata, Payload,
        ReplicaId, Seq,
    };

    fn event(number: u64, stamp: u64) -> Event {
        let id = EventId::new(ReplicaId::new(1, 0), Seq::new(number + 1).unwrap());
        Event::assemble(EventParts {
            id,
            commit: CommitSpan::new(id.seq, 1).unwrap(),
            timestamp: Timestamp::from_bits(stamp),
            written_ms: 0,
            aggregate: AggregateId::new("a/1").unwrap(),
            event_type: EventType::new("noted").unwrap(),
            heads: Heads::default(),
            replaces: None,
            metadata: Metadata::new(),
            payload: Payload::encode(&number).unwrap(),
        })
        .unwrap()
    }

    /// Against a list that is sorted each time, through many splits of runs: mostly at the end, then
    /// mostly at one early place, then anywhere.
    #[test]
    fn an_order_in_runs_is_a_sorted_list() {
        let mut rows = Rows::default();
        let mut order = Order::default();
        let mut twin: Vec<(Option<OrderKey>, usize)> = Vec::new();
        let mut random = 7u64;
        for number in 0..3_000u64 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let stamp = match number {
                0..1_000 => number * 1_000 + (random >> 60) * 900,
                1_000..2_000 => 5_000 + number,
                _ => random >> 44,
            };
            let slot = rows.push(None, event(number, stamp), None, None);
            let entry = (rows.key(slot), slot);
            order.came();
            twin.insert(twin.partition_point(|other| *other < entry), entry);
            if number % 37 != 0 {
                continue;
            }
            assert_eq!(order.len(), twin.len());
            order.settle(&rows);
            let sorted: Vec<usize> = twin.iter().map(|(_, slot)| *slot).collect();
            assert_eq!(order.iter().collect::<Vec<_>>(), sorted);
            assert_eq!(
                (order.len(), order.last()),
                (sorted.len(), sorted.last().copied())
            );
            let at = usize::try_from(random >> 33).unwrap() % twin.len();
            let (key, _) = twin[at];
            let place = order.after(key, &rows);
            let back: Vec<usize> = sorted[..=at].iter().rev().copied().collect();
            assert_eq!(order.iter_back(place).collect::<Vec<_>>(), back);
            let mut forward = Vec::new();
            let mut place = place;
            while let Some((slot, next)) = order.next(place) {
                forward.push(slot);
                place = next;
            }
            assert_eq!(forward, sorted[at + 1..]);
        }
        order.settle(&rows);
        assert!(order.runs.len() > 4 && order.runs.iter().all(|run| run.len() <= RUN));
        assert_eq!(order.after(None, &rows), Place { run: 0, at: 0 });
        let slots: Vec<usize> = twin.iter().rev().map(|(_, slot)| *slot).collect();
        let sorted = Order::sorted(slots, &rows);
        assert_eq!(
            sorted.iter().collect::<Vec<_>>(),
            order.iter().collect::<Vec<_>>()
        );
    }
}
