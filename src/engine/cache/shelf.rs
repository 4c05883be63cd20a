use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Bound;

use crate::event::AggregateId;
use crate::merge::NameTable;

/// What is kept per aggregate: found by its name, and listed in the order of use.
///
/// Finding one costs a hash of its name, using one two changes to a list, whatever the number of
/// others. The order of names, which is asked for now and then, is kept beside.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    places: Vec<Place<T>>,
    free: Vec<usize>,
    found: NameTable<usize>,
    by_name: BTreeMap<AggregateId, usize>,
    first: Option<usize>,
    last: Option<usize>,
}

#[derive(Debug)]
struct Place<T> {
    kept: Option<T>,
    /// Whether it is in the list, between which others.
    listed: bool,
    before: Option<usize>,
    behind: Option<usize>,
}

impl<T> Shelf<T> {
    /// An empty one. Whoever chooses names must not know the seed.
    pub(super) fn seeded(seed: u64) -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            found: NameTable::seeded(seed),
            by_name: BTreeMap::new(),
            first: None,
            last: None,
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
            listed: false,
            before: None,
            behind: None,
        };
        match self.places.get_mut(at) {
            Some(free) => *free = place,
            None => self.places.push(place),
        }
        self.found.insert(name.clone(), at);
        self.by_name.insert(name, at);
        at
    }

    pub(super) fn remove(&mut self, name: &AggregateId) -> Option<T> {
        let at = self.found.remove(name)?;
        self.by_name.remove(name);
        self.unlist(at);
        self.free.push(at);
        self.places.get_mut(at)?.kept.take()
    }

    /// Puts it at the end of the list.
    pub(super) fn used(&mut self, at: usize) {
        if self.last == Some(at) {
            return;
        }
        self.unlist(at);
        let before = self.last.replace(at);
        if let Some(place) = self.places.get_mut(at) {
            (place.listed, place.before) = (true, before);
        }
        match before.and_then(|before| self.places.get_mut(before)) {
            Some(before) => before.behind = Some(at),
            None => self.first = Some(at),
        }
    }

    /// Takes it out of the list.
    pub(super) fn unlist(&mut self, at: usize) {
        let Some(place) = self.places.get_mut(at).filter(|place| place.listed) else {
            return;
        };
        place.listed = false;
        let (before, behind) = (place.before.take(), place.behind.take());
        match before.and_then(|before| self.places.get_mut(before)) {
            Some(before) => before.behind = behind,
            None => self.first = behind,
        }
        match behind.and_then(|behind| self.places.get_mut(behind)) {
            Some(behind) => behind.before = before,
            None => self.last = before,
        }
    }

    /// What is listed, the one that was used last at the end.
    pub(super) fn list(&self) -> impl Iterator<Item = usize> {
        let behind = |at: &usize| self.places.get(*at)?.behind;
        core::iter::successors(self.first, behind)
    }

    /// The same, backwards.
    pub(super) fn list_back(&self) -> impl Iterator<Item = usize> {
        let before = |at: &usize| self.places.get(*at)?.before;
        core::iter::successors(self.last, before)
    }

    /// What is here, in the order of names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&AggregateId, &T)> {
        self.kept(self.by_name.iter())
    }

    /// What is here behind a name.
    pub(super) fn behind(&self, name: &AggregateId) -> impl Iterator<Item = (&AggregateId, &T)> {
        let behind = (Bound::Excluded(name), Bound::Unbounded);
        self.kept(self.by_name.range::<AggregateId, _>(behind))
    }

    fn kept<'a>(
        &'a self,
        places: impl Iterator<Item = (&'a AggregateId, &'a usize)>,
    ) -> impl Iterator<Item = (&'a AggregateId, &'a T)> {
        places.filter_map(|(name, at)| Some((name, self.at(*at)?)))
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    /// Against a tree of what is kept and a list of who was used when.
    #[test]
    fn a_shelf_finds_and_lists_what_a_tree_and_a_plain_list_do() {
        let name = |at: u64| AggregateId::new(&format!("a/{at}")).unwrap();
        let mut shelf = Shelf::seeded(3);
        let (mut kept, mut list) = (BTreeMap::new(), Vec::new());
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
                    list.retain(|other| *other != name);
                }
                (3, Some(at)) => {
                    shelf.unlist(at);
                    list.retain(|other| *other != name);
                }
                (4.., Some(at)) => {
                    shelf.used(at);
                    list.retain(|other| *other != name);
                    list.push(name);
                }
                _ => {}
            }
            let named: Vec<u64> = list.iter().map(|name| kept[name]).collect();
            let listed: Vec<u64> = shelf.list().map(|at| *shelf.at(at).unwrap()).collect();
            assert_eq!(listed, named);
            let mut back: Vec<u64> = shelf.list_back().map(|at| *shelf.at(at).unwrap()).collect();
            back.reverse();
            assert_eq!(back, named);
            assert!(shelf.iter().eq(kept.iter()));
        }
        let middle = name(20);
        let behind = (Bound::Excluded(&middle), Bound::Unbounded);
        assert!(
            shelf
                .behind(&middle)
                .eq(kept.range::<AggregateId, _>(behind))
        );
    }
}
