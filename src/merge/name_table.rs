use alloc::vec::Vec;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::event::AggregateId;

/// Finds what is kept of an aggregate, as a rule a number, without comparing names on the way.
///
/// A hash table with open addressing. It can be asked for one name and for nothing else, so the order
/// of hashes cannot show. Whoever chooses names could make
/// many of them meet in one place: where they come from strangers, give it a seed that these do not know.
/// Looking up, adding and removing cost O(1), growing included.
#[derive(Clone, Debug)]
pub(crate) struct NameTable<N> {
    /// Never full: its length is a power of two and more than the number of entries.
    places: Vec<Option<Entry<N>>>,
    len: usize,
    seed: u64,
}

#[derive(Clone, Debug)]
struct Entry<N> {
    hash: u64,
    name: AggregateId,
    value: N,
}

/// Places of the smallest table that holds anything.
const SMALLEST: usize = 16;

impl<N: Copy> NameTable<N> {
    /// An empty table. Names from strangers take a seed that these do not know.
    pub(crate) const fn seeded(seed: u64) -> Self {
        Self {
            places: Vec::new(),
            len: 0,
            seed,
        }
    }

    /// What is kept of a name.
    pub(crate) fn get(&self, name: &AggregateId) -> Option<N> {
        let place = self.place(name)?;
        let entry = self.places.get(place)?.as_ref()?;
        Some(entry.value)
    }

    /// What is kept of a name; if nothing is, keeps this.
    pub(crate) fn find_or_insert(&mut self, name: &AggregateId, value: N) -> Option<N> {
        self.make_room();
        let hash = self.hash(name);
        let place = self.place_of(hash, name)?;
        let place = self.places.get_mut(place)?;
        if let Some(entry) = place {
            return Some(entry.value);
        }
        let name = name.clone();
        *place = Some(Entry { hash, name, value });
        self.len += 1;
        None
    }

    /// Adds a name that is not here.
    pub(crate) fn insert(&mut self, name: AggregateId, value: N) {
        self.make_room();
        let hash = self.hash(&name);
        self.put(Entry { hash, name, value });
        self.len += 1;
    }

    /// Takes a name out and returns what was kept of it.
    pub(crate) fn remove(&mut self, name: &AggregateId) -> Option<N> {
        let mut hole = self.place(name)?;
        let removed = self.places.get_mut(hole)?.take()?;
        self.len -= 1;
        // Entries behind the hole that would not be found any more move up.
        let mask = self.places.len() - 1;
        let mut at = (hole + 1) & mask;
        while let Some(Some(entry)) = self.places.get(at) {
            let distance = at.wrapping_sub(self.home(entry.hash)) & mask;
            if distance >= at.wrapping_sub(hole) & mask {
                self.places.swap(hole, at);
                hole = at;
            }
            at = (at + 1) & mask;
        }
        Some(removed.value)
    }

    /// Where a name is, if it is here.
    fn place(&self, name: &AggregateId) -> Option<usize> {
        if self.len == 0 {
            return None;
        }
        let place = self.place_of(self.hash(name), name)?;
        self.places.get(place)?.is_some().then_some(place)
    }

    /// Where a name of that hash is, or would be.
    fn place_of(&self, hash: u64, name: &AggregateId) -> Option<usize> {
        self.probe(hash, |entry| entry.hash == hash && entry.name == *name)
    }

    /// The first place from where a hash belongs on that is free, or has what is looked for.
    #[inline]
    fn probe(&self, hash: u64, is_it: impl Fn(&Entry<N>) -> bool) -> Option<usize> {
        let mask = self.places.len().checked_sub(1)?;
        let mut at = self.home(hash);
        for _ in &self.places {
            match self.places.get(at)? {
                Some(entry) if !is_it(entry) => at = (at + 1) & mask,
                _ => return Some(at),
            }
        }
        None
    }

    fn put(&mut self, entry: Entry<N>) {
        let free = self.probe(entry.hash, |_| false);
        if let Some(place) = free.and_then(|free| self.places.get_mut(free)) {
            *place = Some(entry);
        }
    }

    /// At most three quarters are taken, so that what is looked for is found soon.
    fn make_room(&mut self) {
        if (self.len + 1) * 4 > self.places.len() * 3 {
            self.grow();
        }
    }

    fn grow(&mut self) {
        let places = (self.places.len() * 2).max(SMALLEST);
        let mut larger = Vec::new();
        larger.resize_with(places, || None);
        let old = core::mem::replace(&mut self.places, larger);
        for entry in old.into_iter().flatten() {
            self.put(entry);
        }
    }

    fn home(&self, hash: u64) -> usize {
        let mask = self.places.len().wrapping_sub(1);
        usize::try_from(hash & u64::try_from(mask).unwrap_or(u64::MAX)).unwrap_or_default()
    }

    fn hash(&self, name: &AggregateId) -> u64 {
        xxh3_64_with_seed(name.as_bytes(), self.seed)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::btree_map::{BTreeMap, Entry};
    use alloc::format;

    use proptest::prelude::*;

    use super::{AggregateId, NameTable};

    proptest! {
        #[test]
        fn it_answers_what_a_tree_answers(
            seed in any::<u64>(),
            steps in prop::collection::vec((0u8..3, 0u32..60), 0..400),
        ) {
            let (mut table, mut tree) = (NameTable::seeded(seed), BTreeMap::new());
            for (number, (step, name)) in steps.into_iter().enumerate() {
                let name = AggregateId::new(&format!("a/{name}")).unwrap();
                prop_assert_eq!(table.get(&name), tree.get(&name).copied());
                if step == 0 {
                    prop_assert_eq!(table.remove(&name), tree.remove(&name));
                } else if step == 1 {
                    let kept = tree.get(&name).copied();
                    prop_assert_eq!(table.find_or_insert(&name, number), kept);
                    tree.entry(name).or_insert(number);
                } else if let Entry::Vacant(place) = tree.entry(name.clone()) {
                    table.insert(name, number);
                    place.insert(number);
                }
                prop_assert_eq!(table.len, tree.len());
                prop_assert!(table.len < table.places.len() || table.len == 0);
                for (name, number) in &tree {
                    prop_assert_eq!(table.get(name), Some(*number));
                }
            }
        }
    }
}
