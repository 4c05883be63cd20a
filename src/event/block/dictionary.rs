use alloc::vec::Vec;

use xxhash_rust::xxh3::xxh3_64;

use crate::event::output::put_len;

/// Entries up to which looking at each is quicker than a table.
const FEW: usize = 8;

/// What occurs in a block, each once, in the order in which it first occurred.
///
/// Found by hash; the hashes order nothing.
pub(super) struct Dictionary<K> {
    entries: Vec<(u64, K)>,
    /// Index and one, at the place of its hash or after it; a power of two, at most half full.
    slots: Vec<u32>,
    last: usize,
}

impl<K: Copy + PartialEq + AsRef<[u8]>> Dictionary<K> {
    pub(super) const fn new() -> Self {
        Self {
            entries: Vec::new(),
            slots: Vec::new(),
            last: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = K> {
        self.entries.iter().map(|(_, key)| *key)
    }

    /// The index of a key, which is the number of entries before it was added.
    pub(super) fn index(&mut self, key: K) -> usize {
        if self
            .entries
            .get(self.last)
            .is_none_or(|(_, last)| *last != key)
        {
            self.last = self.search(key);
        }
        self.last
    }

    fn search(&mut self, key: K) -> usize {
        if self.slots.is_empty() {
            if let Some(index) = self.entries.iter().position(|(_, known)| *known == key) {
                return index;
            }
            self.entries.push((0, key));
            if self.entries.len() > FEW {
                for (hash, key) in &mut self.entries {
                    *hash = xxh3_64(key.as_ref());
                }
                self.grow();
            }
            return self.entries.len() - 1;
        }
        let hash = xxh3_64(key.as_ref());
        let found = |(known_hash, known): &(u64, K)| *known_hash == hash && *known == key;
        let mut at = place(hash, self.slots.len());
        loop {
            let Some(slot) = self.slots.get_mut(at) else {
                at = 0;
                continue;
            };
            let index = usize::try_from(*slot).unwrap_or_default();
            if index == 0 {
                self.entries.push((hash, key));
                *slot = u32::try_from(self.entries.len()).unwrap_or_default();
                break;
            }
            if self.entries.get(index - 1).is_some_and(found) {
                return index - 1;
            }
            at += 1;
        }
        if self.entries.len() * 2 > self.slots.len() {
            self.grow();
        }
        self.entries.len() - 1
    }

    fn grow(&mut self) {
        let len = (self.entries.len() * 4).next_power_of_two();
        self.slots.clear();
        self.slots.resize(len, 0);
        for (index, (hash, _)) in (1..).zip(&self.entries) {
            let mut at = place(*hash, len);
            while self.slots.get(at).is_some_and(|slot| *slot != 0) {
                at = (at + 1) % len;
            }
            if let Some(slot) = self.slots.get_mut(at) {
                *slot = index;
            }
        }
    }
}

/// Where a hash belongs in a table of a power of two.
fn place(hash: u64, len: usize) -> usize {
    let [a, b, c, d, ..] = hash.to_le_bytes();
    usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or_default() & (len - 1)
}

/// Which entries of a dictionary are meant, one after the other.
pub(super) struct References {
    /// References to the first entry while there is no other one; they are noted down once there is.
    alone: usize,
    /// Empty while all are zero, which takes no room for the many blocks of one event.
    bytes: Vec<u8>,
    zeros: usize,
    introduced: usize,
    /// The next one may be left out only if it is the last entry again.
    repeats: bool,
    is_plain: bool,
}

impl References {
    pub(super) const fn new() -> Self {
        Self {
            alone: 0,
            bytes: Vec::new(),
            zeros: 0,
            introduced: 0,
            repeats: false,
            is_plain: true,
        }
    }

    /// Notes down the next one. An entry's first reference comes before those to later entries.
    #[inline]
    pub(super) fn push(&mut self, index: usize) {
        if index == 0 && self.introduced == 0 {
            self.alone += 1;
        } else {
            self.push_told(index);
        }
    }

    #[inline(never)]
    fn push_told(&mut self, index: usize) {
        for _ in 0..core::mem::take(&mut self.alone) {
            self.note(0);
        }
        self.note(index);
    }

    fn note(&mut self, index: usize) {
        if index >= self.introduced {
            self.introduced = index + 1;
            self.is_plain &= !self.repeats;
            if self.bytes.is_empty() {
                self.zeros += 1;
            } else {
                self.bytes.push(0);
            }
        } else {
            self.is_plain &= index + 1 == self.introduced;
            self.repeats = true;
            self.bytes
                .resize(self.bytes.len() + core::mem::take(&mut self.zeros), 0);
            put_len(index + 1, &mut self.bytes);
        }
    }

    /// Whether there is more than one entry to be told.
    pub(super) const fn are_several(&self) -> bool {
        self.introduced > 1
    }

    /// Appends the number of entries, if they are several.
    pub(super) fn put_count(&self, out: &mut Vec<u8>) {
        if self.are_several() {
            put_len(self.introduced * 2 + usize::from(!self.is_plain), out);
        }
    }

    /// Appends the references, unless they follow from the number of entries.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        if self.are_several() && !self.is_plain {
            out.extend_from_slice(&self.bytes);
        }
    }
}
