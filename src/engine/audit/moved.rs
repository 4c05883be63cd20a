use alloc::collections::VecDeque;
use alloc::vec::Vec;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::event::AggregateId;
use crate::limits::MOVED_KEPT_MAX;

/// The aggregates that events have come to lately, the latest last. One list serves all connections:
/// each knows how far it has told of them. Noting one costs O(1).
#[derive(Debug)]
pub(in crate::engine) struct Moved {
    seed: u64,
    touches: u64,
    /// Ascending by touch.
    notes: VecDeque<Note>,
    /// The number of the first of them.
    first: u64,
    listed: usize,
    /// By the hash of a name: the number of the latest note of a name that has it. From there the
    /// notes of other names lead on to each other. What leads to one that is not kept is the end.
    latest: Vec<u64>,
}

#[derive(Debug)]
struct Note {
    touch: u64,
    /// Nothing where the aggregate was touched again since.
    name: Option<AggregateId>,
    hash: u64,
    /// The number of the next one to look at.
    next: u64,
}

/// As many as there are names, so that few of them have to be looked at.
const HASHES: u64 = 1_024;
/// The number of no note.
const NONE: u64 = u64::MAX;

impl Moved {
    /// Nothing moved yet. Whoever chooses names must not know the seed.
    pub(super) const fn seeded(seed: u64) -> Self {
        Self {
            seed,
            touches: 0,
            notes: VecDeque::new(),
            first: 0,
            listed: 0,
            latest: Vec::new(),
        }
    }

    /// An event has come; of many aggregates the first are forgotten.
    pub(in crate::engine) fn note(&mut self, aggregate: &AggregateId) {
        let hash = xxh3_64_with_seed(aggregate.as_bytes(), self.seed);
        self.forget(hash, aggregate);
        let touch = self.touches;
        self.touches += 1;
        self.listed += 1;
        self.put(Note {
            touch,
            name: Some(aggregate.clone()),
            hash,
            next: NONE,
        });
        while self.listed > MOVED_KEPT_MAX
            && let Some(first) = self.notes.pop_front()
        {
            self.first += 1;
            self.listed -= usize::from(first.name.is_some());
        }
        if self.notes.len() > 2 * MOVED_KEPT_MAX {
            self.compact();
        }
    }

    /// What a connection that has told of everything goes on from.
    pub(in crate::engine) fn end(&self) -> u64 {
        self.touches
    }

    /// The first aggregate from there on, and what to go on from after it.
    pub(super) fn next(&self, from: u64) -> Option<(&AggregateId, u64)> {
        let at = self.notes.partition_point(|note| note.touch < from);
        let mut listed = self.notes.range(at..);
        listed.find_map(|note| Some((note.name.as_ref()?, note.touch + 1)))
    }

    fn put(&mut self, mut note: Note) {
        if self.latest.is_empty() {
            let all = usize::try_from(HASHES).unwrap_or_default();
            self.latest.resize(all, NONE);
        }
        let number = self.first + u64::try_from(self.notes.len()).unwrap_or_default();
        if let Some(latest) = self.latest.get_mut(place(note.hash)) {
            note.next = core::mem::replace(latest, number);
        }
        self.notes.push_back(note);
    }

    /// Where a note is, if it is still kept.
    fn at(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }

    /// An aggregate that is noted is so no more.
    fn forget(&mut self, hash: u64, aggregate: &AggregateId) {
        let mut before = None;
        let mut number = self.latest.get(place(hash)).copied().unwrap_or(NONE);
        while let Some(at) = self.at(number)
            && let Some(note) = self.notes.get_mut(at)
        {
            let next = note.next;
            if note.hash == hash && note.name.as_ref() == Some(aggregate) {
                note.name = None;
                self.listed -= 1;
                // What led to it leads on.
                let leads = match before.and_then(|before| self.notes.get_mut(before)) {
                    Some(before) => Some(&mut before.next),
                    None => self.latest.get_mut(place(hash)),
                };
                if let Some(leads) = leads {
                    *leads = next;
                }
                return;
            }
            (before, number) = (Some(at), next);
        }
    }

    /// Lets the notes go that say nothing any more.
    fn compact(&mut self) {
        let notes = core::mem::take(&mut self.notes);
        self.latest.clear();
        for note in notes {
            if note.name.is_some() {
                self.put(note);
            }
        }
    }
}

fn place(hash: u64) -> usize {
    usize::try_from(hash % HASHES).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::format;

    use super::*;

    /// Against a list of all touches, with more aggregates than are listed and with few.
    #[test]
    fn the_latest_touches_are_listed_in_order() {
        let mut random = 7u64;
        for names in [3, 900, 3_000] {
            let (mut moved, mut twin) = (Moved::seeded(names), BTreeMap::new());
            for touch in 0..9_000u64 {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let name = AggregateId::new(&format!("a/{}", (random >> 33) % names)).unwrap();
                moved.note(&name);
                twin.retain(|_, other| *other != name);
                twin.insert(touch, name);
                if twin.len() > MOVED_KEPT_MAX {
                    twin.pop_first();
                }
                if touch % 500 != 0 {
                    continue;
                }
                for from in [0, touch / 2, touch, touch + 1] {
                    let mut told = Vec::new();
                    let mut next = from;
                    while let Some((name, behind)) = moved.next(next) {
                        told.push((behind - 1, name.clone()));
                        next = behind;
                    }
                    let listed = twin
                        .range(from..)
                        .map(|(touch, name)| (*touch, name.clone()));
                    assert_eq!(told, listed.collect::<Vec<_>>());
                }
            }
            assert!(moved.notes.len() <= 2 * MOVED_KEPT_MAX);
        }
    }
}
