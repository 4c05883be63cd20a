use alloc::vec::Vec;

use super::rows::Rows;
use crate::event::OrderKey;

/// The slots of an aggregate's events in canonical order.
///
/// Kept in short runs, so that an event far from the end costs a search and the move of one run, not
/// of everything behind it.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// None is empty, each is sorted, and so are they.
    runs: Vec<Vec<usize>>,
    len: usize,
}

/// A place between two events of an order, as long as nothing is put into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    run: usize,
    at: usize,
}

/// Slots in one run at most: moving so many costs about as much as finding the run.
const RUN: usize = 512;

impl Order {
    /// Puts slots in order that are distinct and whose events are known.
    pub(super) fn sorted(mut slots: Vec<usize>, rows: &Rows) -> Self {
        slots.sort_unstable_by_key(|slot| rows.key(*slot));
        let mut order = Self::default();
        for slot in slots {
            order.push(slot);
        }
        order
    }

    /// Puts a slot at its place. O(log n) and the move of one run; O(1) at the end.
    pub(super) fn insert(&mut self, slot: usize, rows: &Rows) {
        let key = rows.key(slot);
        let last = self.last().and_then(|last| rows.key(last));
        let stamp = |key: Option<OrderKey>| key.map(|key| key.timestamp);
        let is_tie = mutant!("tie-broken-by-arrival") && stamp(last) == stamp(key);
        if last < key || is_tie {
            self.push(slot);
            return;
        }
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

    fn push(&mut self, slot: usize) {
        self.len += 1;
        match self.runs.last_mut() {
            Some(run) if run.len() < RUN => run.push(slot),
            _ => self.runs.push(Vec::from([slot])),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The slot of the greatest key.
    pub(super) fn last(&self) -> Option<usize> {
        self.runs.last()?.last().copied()
    }

    /// The place behind all keys that are not greater; the first for no key.
    pub(super) fn after(&self, key: Option<OrderKey>, rows: &Rows) -> Place {
        if key.is_none() {
            return Place { run: 0, at: 0 };
        }
        let begins_before = |run: &Vec<usize>| run.first().and_then(|slot| rows.key(*slot)) <= key;
        let next = self.runs.partition_point(begins_before);
        let run = next.saturating_sub(1);
        let slots = self.runs.get(run).map(Vec::as_slice).unwrap_or_default();
        // What was put at the end is looked for most often.
        let near = slots.len().saturating_sub(4);
        let settled = slots.get(near).is_some_and(|slot| rows.key(*slot) <= key);
        let from = if settled { near } else { 0 };
        let rest = slots.get(from..).unwrap_or_default();
        let at = from + rest.partition_point(|slot| rows.key(*slot) <= key);
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
        Some((*slot, Place { run, at: at + 1 }))
    }

    /// The slots before a place, backwards.
    pub(super) fn iter_back(&self, place: Place) -> impl Iterator<Item = usize> {
        let last = self.runs.get(place.run).and_then(|run| run.get(..place.at));
        let rest = self.runs.get(..place.run).unwrap_or(&self.runs);
        let rest = rest.iter().rev().flat_map(|run| run.iter().rev());
        last.unwrap_or_default().iter().rev().chain(rest).copied()
    }

    /// All slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        self.runs.iter().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::Fate;
    use super::*;
    use crate::event::{
        AggregateId, CommitSpan, Event, EventId, EventParts, EventType, Heads, Metadata, Payload,
        ReplicaId, Seq, Timestamp,
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
            let slot = rows.push(event(number, stamp), None, Fate::Pending);
            order.insert(slot, &rows);
            let entry = (rows.key(slot), slot);
            twin.insert(twin.partition_point(|other| *other < entry), entry);
            if number % 37 != 0 {
                continue;
            }
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
