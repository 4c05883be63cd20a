use core::fmt;

use super::{ChainTag, Digest};

/// What a set of events amounts to, whatever the order in which they came: equal where the sets are.
///
/// The sum of the events' digests modulo 2^128, each times an odd number that stands for its chain
/// tag, as far as that is known: whether an event is valid may depend on the tags of those it names.
/// Finds differences by accident, not by malice. Adding an event costs O(1).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetHash(u128);

impl SetHash {
    /// Of no events.
    pub const EMPTY: Self = Self(0);

    /// Of one event more.
    #[must_use]
    pub fn with(self, event: Digest, tag: Option<ChainTag>) -> Self {
        let known = tag.map_or(1 << 17, |tag| u32::from(tag.to_bits()) << 1);
        let factor = u128::from(known | 1);
        let digest = u128::from_be_bytes(event.to_bytes());
        Self(self.0.wrapping_add(digest.wrapping_mul(factor)))
    }

    /// The sixteen bytes, big-endian.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The inverse of [`to_bytes`](Self::to_bytes).
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl fmt::Debug for SetHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SetHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_known_by_its_events_and_their_tags_whatever_their_order() {
        let digests: [Digest; 3] = [b"a", b"b", b"c"].map(|bytes| Digest::of(bytes));
        let tag = |bits| Some(ChainTag::from_bits(bits));
        let of = |events: &[(usize, Option<ChainTag>)]| {
            let add = |set: SetHash, (at, tag): &(usize, _)| set.with(digests[*at], *tag);
            events.iter().fold(SetHash::EMPTY, add)
        };
        let all = of(&[(0, tag(1)), (1, None), (2, tag(7))]);
        assert_eq!(all, of(&[(2, tag(7)), (0, tag(1)), (1, None)]));
        assert_ne!(all, of(&[(2, tag(7)), (0, tag(1))]));
        assert_ne!(all, of(&[(2, tag(7)), (0, tag(1)), (1, tag(0))]));
        assert_ne!(all, of(&[(2, tag(1)), (0, tag(7)), (1, None)]));
        assert_eq!(SetHash::from_bytes(all.to_bytes()), all);
    }
}
