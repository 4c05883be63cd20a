use alloc::vec::Vec;

use super::tier::{Tier, Tiers};
use crate::event::AggregateId;
use crate::merge::NameTable;

/// What is kept per aggregate: found by its name, and listed by tier in the order of use.
///
/// Finding one costs a hash of its name, using one two changes to a list, whatever the number of
/// others.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    places: Vec<Place<T>>,
    free: Vec<usize>,
    found: NameTable<usize>,
    lists: Tiers<List>,
}

#[derive(Debug)]
struct Place<T> {
    kept: Option<T>,
    /// In which list it is, between which others.
    listed: Option<Tier>,
    before: Option<usize>,
    behind: Option<usize>,
}

/// The ends of a list.
#[derive(Debug, Default)]
struct List {
    first: Option<usize>,
    last: Option<usize>,
}

impl<T> Shelf<T> {
    /// An empty one. Whoever chooses names must not know the seed.
    pub(super) fn seeded(seed: u64) -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            found: NameTable::seeded(seed),
            lists: Tiers::default(),
        }
    }

    /// Where an aggregate is; it stays there until it is removed.
    pub(super) fn find(&self, name: &AggregateId) -> Option<usize> {
        self.found.get(name)
    }

    pub(super) fn at(&self, at: usize) -> Option<&T> {
        self.places.get(at)?.kept.as_ref()
    }

    pub(super) fn at_mut(&mut self, at: usize) -> Option<&mut T> {
        self.places.get_mut(at)?.kept.as_mut()
    }

    pub(super) fn named(&self, name: &AggregateId) -> Option<&T> {
        self.at(self.find(name)?)
    }

    pub(super) fn named_mut(&mut self, name: &AggregateId) -> Option<&mut T> {
        let at = self.find(name)?;
        self.at_mut(at)
    }

    /// Keeps something of an aggregate of which nothing is here, and does not list it.
    pub(super) fn insert(&mut self, name: AggregateId, kept: T) -> usize {
        let at = self.free.pop().unwrap_or(self.places.len());
        let place = Place {
            kept: Some(kept),
            listed: None,
            before: None,
            behind: None,
        };
        match self.places.get_mut(at) {
            Some(free) => *free = place,
            None => self.places.push(place),
        }
        self.found.insert(name, at);
        at
    }

    pub(super) fn remove(&mut self, name: &AggregateId) -> Option<T> {
        let at = self.found.remove(name)?;
        self.unlist(at);
        self.free.push(at);
        self.places.get_mut(at)?.kept.take()
    }

    /// Puts it at the end of a list, and into no other one.
    pub(super) fn list(&mut self, at: usize, tier: Tier) {
        let listed = self.places.get(at).and_then(|place| place.listed);
        if listed == Some(tier) && self.lists.of(tier).last == Some(at) {
            return;
        }
        self.unlist(at);
        let list = self.lists.of_mut(tier);
        let before = list.last.replace(at);
        if before.is_none() {
            list.first = Some(at);
        }
        if let Some(place) = self.places.get_mut(at) {
            (place.listed, place.before) = (Some(tier), before);
        }
        if let Some(before) = before.and_then(|before| self.places.get_mut(before)) {
            before.behind = Some(at);
        }
    }

    /// Takes it out of its list.
    fn unlist(&mut self, at: usize) {
        let Some(place) = self.places.get_mut(at) else {
            return;
        };
        let Some(tier) = place.listed.take() else {
            return;
        };
        let (before, behind) = (place.before.take(), place.behind.take());
        match before.and_then(|before| self.places.get_mut(before)) {
            Some(before) => before.behind = behind,
            None => self.lists.of_mut(tier).first = behind,
        }
        match behind.and_then(|behind| self.places.get_mut(behind)) {
            Some(behind) => behind.before = before,
            None => self.lists.of_mut(tier).last = before,
        }
    }

    /// The one in a list that was used longest ago.
    pub(super) fn coldest(&self, tier: Tier) -> Option<usize> {
        self.lists.of(tier).first
    }

    /// The one behind another in its list, used after it.
    pub(super) fn behind(&self, at: usize) -> Option<usize> {
        self.places.get(at)?.behind
    }

    /// What is here, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().filter_map(|place| place.kept.as_ref())
    }

    /// What is here with its places, each once, beginning behind a place.
    pub(super) fn iter_behind(&self, at: usize) -> impl Iterator<Item = (usize, &T)> {
        let (before, behind) = self.places.split_at((at + 1).min(self.places.len()));
        let all = (at + 1..).zip(behind).chain((0..).zip(before));
        all.filter_map(|(at, place)| Some((at, place.kept.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::format;

    use super::*;

    /// Against a tree of what is kept and lists of who was used when.
    #[test]
    fn a_shelf_finds_and_lists_what_a_tree_and_plain_lists_do() {
        let tiers = [Tier::Full, Tier::Lean, Tier::Leaving];
        let name = |at: u64| AggregateId::new(&format!("a/{at}")).unwrap();
        let mut shelf = Shelf::seeded(3);
        let mut kept = BTreeMap::new();
        let mut lists = [const { Vec::new() }; 3];
        let mut random = 7u64;
        for step in 0..6_000u64 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let name = name((random >> 33) % 40);
            let at = shelf.find(&name);
            assert_eq!(at.is_some(), kept.contains_key(&name));
            match (random >> 61, at) {
                (0..=1, None) => {
                    shelf.insert(name.clone(), step);
                    kept.insert(name, step);
                }
                (2, Some(_)) => {
                    assert_eq!(shelf.remove(&name), kept.remove(&name));
                    for list in &mut lists {
                        list.retain(|other| *other != name);
                    }
                }
                (3.., Some(at)) => {
                    let tier = usize::try_from((random >> 50) % 3).unwrap();
                    shelf.list(at, tiers[tier]);
                    for list in &mut lists {
                        list.retain(|other| *other != name);
                    }
                    lists[tier].push(name);
                }
                _ => {}
            }
            for (tier, list) in tiers.into_iter().zip(&lists) {
                let places = core::iter::successors(shelf.coldest(tier), |at| shelf.behind(*at));
                let listed: Vec<u64> = places.map(|at| *shelf.at(at).unwrap()).collect();
                let named: Vec<u64> = list.iter().map(|name| kept[name]).collect();
                assert_eq!(listed, named);
            }
            let mut here: Vec<u64> = shelf.iter().copied().collect();
            let from = usize::try_from(step % 50).unwrap();
            let mut in_turn: Vec<(usize, u64)> = shelf
                .iter_behind(from)
                .map(|(at, kept)| (at, *kept))
                .collect();
            assert!(in_turn.is_sorted_by_key(|(at, _)| (*at <= from, *at)));
            in_turn.sort_unstable();
            assert!(in_turn.iter().map(|(_, kept)| kept).eq(&here));
            here.sort_unstable();
            let mut all: Vec<u64> = kept.values().copied().collect();
            all.sort_unstable();
            assert_eq!(here, all);
        }
    }
}
