use crate::event::Digest;

/// Which parts of a block are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Columns(u64);

impl Columns {
    pub(super) const COMMITS: Self = Self(1);
    pub(super) const WRITERS: Self = Self(1 << 1);
    pub(super) const AGGREGATES: Self = Self(1 << 2);
    pub(super) const TYPES: Self = Self(1 << 3);
    pub(super) const HEADS: Self = Self(1 << 4);
    pub(super) const SIZES: Self = Self(1 << 5);
    pub(super) const NAMES: Self = Self(1 << 6);
    pub(super) const LENGTHS: Self = Self(1 << 7);
    pub(super) const WALLS: Self = Self(1 << 8);
    pub(super) const STEPS: Self = Self(1 << 9);
    pub(super) const REPLACES: Self = Self(1 << 10);
    pub(super) const METADATA: Self = Self(1 << 11);

    const KNOWN: u64 = (1 << 12) - 1;

    /// The set with these bits, if each is known.
    pub(super) fn from_bits(bits: u64) -> Option<Self> {
        (bits & !Self::KNOWN == 0).then_some(Self(bits))
    }

    pub(super) const fn to_bits(self) -> u64 {
        self.0
    }

    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Those of either.
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there are none but these.
    pub(super) const fn are_among(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }

    pub(super) fn add_if(&mut self, condition: bool, other: Self) {
        if condition {
            self.0 |= other.0;
        }
    }
}

/// Milliseconds that the first stamp of a block is told from: with what came since, it takes six
/// bytes until the year 2046.
pub(super) const STAMP_ORIGIN: u64 = 1_700_000_000_000;
/// Bytes of an event's checksum.
pub(super) const CHECKSUM_LEN: usize = 2;

/// What the events of a block amount to: four bytes of each digest, those after its checksum, added
/// without carry. A single event's are two, so that it takes four bytes in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum([u8; 4]);

impl Sum {
    #[inline]
    pub(super) fn add(&mut self, digest: Digest) {
        let [_, _, rest @ ..] = digest.to_bytes();
        if let Some(bytes) = rest.first_chunk() {
            let sum = u32::from_ne_bytes(self.0) ^ u32::from_ne_bytes(*bytes);
            self.0 = sum.to_ne_bytes();
        }
    }

    pub(super) const fn len(events: usize) -> usize {
        if events == 1 { 2 } else { 4 }
    }

    pub(super) fn bytes(&self, events: usize) -> &[u8] {
        self.0.get(..Self::len(events)).unwrap_or_default()
    }
}

/// What follows a small number that does not fit four bits.
pub(super) const NIBBLE_FULL: usize = 15;

/// `to - from`, small for what is near in either direction.
pub(super) const fn zigzag(from: u64, to: u64) -> u64 {
    let difference = to.wrapping_sub(from);
    let sign = if difference >> 63 == 0 { 0 } else { u64::MAX };
    (difference << 1) ^ sign
}

/// The inverse of [`zigzag`]: what is that far from `from`.
pub(super) const fn unzigzag(from: u64, number: u64) -> u64 {
    let sign = if number & 1 == 0 { 0 } else { u64::MAX };
    from.wrapping_add((number >> 1) ^ sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_a_small_number_and_comes_back() {
        assert_eq!(
            [0, -1, 1, -2_i64].map(|d| zigzag(0, d.cast_unsigned())),
            [0, 1, 2, 3]
        );
        for from in [0, 1, 77, u64::MAX / 2, u64::MAX] {
            for to in [0, 1, 5, u64::MAX / 2 + 1, u64::MAX] {
                assert_eq!(unzigzag(from, zigzag(from, to)), to);
            }
        }
    }
}
