use alloc::collections::{BTreeMap, btree_map};
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::{fmt, slice};

/// A map in the order of its keys that is small most of the time: an aggregate's writers, its heads.
///
/// Up to [`FEW`] entries lie in one sorted list, which is looked through faster than a tree and takes
/// no more memory than the entries; more are kept in a tree, so that no operation costs more than
/// O(log n) and the move of a short list. What it shows does not depend on which of the two it is.
pub(crate) enum SortedMap<K, V> {
    Few(Vec<(K, V)>),
    Many(BTreeMap<K, V>),
}

/// Entries in a list at most: moving half of them costs about as much as an insertion into a tree.
const FEW: usize = 128;

impl<K: Ord + Copy, V> SortedMap<K, V> {
    pub(crate) const fn new() -> Self {
        Self::Few(Vec::new())
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        match self {
            Self::Few(list) => {
                let at = list.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
                list.get(at).map(|(_, value)| value)
            }
            Self::Many(tree) => tree.get(key),
        }
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Sets an entry and returns what was there.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let list = match self {
            Self::Few(list) => list,
            Self::Many(tree) => return tree.insert(key, value),
        };
        match list.binary_search_by(|(other, _)| other.cmp(&key)) {
            Ok(at) => {
                let (_, old) = list.get_mut(at)?;
                Some(core::mem::replace(old, value))
            }
            Err(at) if list.len() < FEW => {
                list.insert(at, (key, value));
                None
            }
            Err(_) => {
                let mut tree: BTreeMap<K, V> = list.drain(..).collect();
                tree.insert(key, value);
                *self = Self::Many(tree);
                None
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        match self {
            Self::Few(list) => {
                let at = list.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
                Some(list.remove(at).1)
            }
            Self::Many(tree) => tree.remove(key),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Few(list) => list.len(),
            Self::Many(tree) => tree.len(),
        }
    }

    pub(crate) fn iter(&self) -> Entries<'_, K, V> {
        match self {
            Self::Few(list) => Entries::Few(list.iter()),
            Self::Many(tree) => Entries::Many(tree.iter()),
        }
    }
}

/// The entries in the order of keys.
pub(crate) enum Entries<'a, K, V> {
    Few(slice::Iter<'a, (K, V)>),
    Many(btree_map::Iter<'a, K, V>),
}

impl<'a, K, V> Iterator for Entries<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Few(list) => list.next().map(|(key, value)| (key, value)),
            Self::Many(tree) => tree.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Few(list) => list.size_hint(),
            Self::Many(tree) => tree.size_hint(),
        }
    }
}

impl<K, V> ExactSizeIterator for Entries<'_, K, V> {}

impl<K, V> Clone for Entries<'_, K, V> {
    fn clone(&self) -> Self {
        match self {
            Self::Few(list) => Self::Few(list.clone()),
            Self::Many(tree) => Self::Many(tree.clone()),
        }
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Entries<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.clone()).finish()
    }
}

impl<K: Ord + Copy, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Clone, V: Clone> Clone for SortedMap<K, V> {
    fn clone(&self) -> Self {
        match self {
            Self::Few(list) => Self::Few(list.clone()),
            Self::Many(tree) => Self::Many(tree.clone()),
        }
    }
}

impl<K: Ord + Copy, V: PartialEq> PartialEq for SortedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<K: Ord + Copy, V: Eq> Eq for SortedMap<K, V> {}

impl<K: Ord + Copy + Hash, V: Hash> Hash for SortedMap<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.len());
        self.iter().for_each(|entry| entry.hash(state));
    }
}

impl<K: Ord + Copy + fmt::Debug, V: fmt::Debug> fmt::Debug for SortedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Ord + Copy, V> FromIterator<(K, V)> for SortedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_shows_what_a_tree_shows(
            steps in prop::collection::vec((any::<bool>(), 0u16..300, any::<u8>()), 0..900),
        ) {
            let (mut map, mut tree) = (SortedMap::new(), BTreeMap::new());
            for (inserts, key, value) in steps {
                if inserts {
                    prop_assert_eq!(map.insert(key, value), tree.insert(key, value));
                } else {
                    prop_assert_eq!(map.remove(&key), tree.remove(&key));
                }
                prop_assert_eq!(map.len(), tree.len());
                prop_assert_eq!(map.get(&value.into()), tree.get(&value.into()));
                prop_assert_eq!(map.contains_key(&key), tree.contains_key(&key));
            }
            prop_assert!(map.iter().eq(tree.iter()));
            prop_assert_eq!(&map.clone(), &map);
            let small: SortedMap<u16, u8> = tree.iter().take(9).map(|(k, v)| (*k, *v)).collect();
            prop_assert_eq!(small == map, tree.len() < 10);
        }

        #[test]
        fn what_has_been_large_equals_what_never_was(keys in prop::collection::btree_set(0u16..99, 0..40)) {
            let mut large: SortedMap<u16, u16> = (0..400).map(|key| (key, key)).collect();
            for key in 0..400 {
                if !keys.contains(&key) {
                    large.remove(&key);
                }
            }
            let small: SortedMap<u16, u16> = keys.iter().map(|key| (*key, *key)).collect();
            prop_assert_eq!(large, small);
        }
    }
}
