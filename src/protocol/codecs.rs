/// Ways to compress frames, as a set.
///
/// Each end says in its hello which ones it can undo; the other may use any of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Codecs(u64);

impl Codecs {
    /// Frames go as they are.
    pub const NONE: Self = Self(0);
    /// Zstandard (RFC 8878), one frame of it per frame, any level.
    pub const ZSTD: Self = Self(1);

    /// The set with these bits. Unknown ones are kept: they stand for what is not known here.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// One bit for each member.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// Whether every member of `other` is one.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}
