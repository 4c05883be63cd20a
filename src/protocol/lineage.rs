use core::fmt;

use serde::{Deserialize, Serialize};

/// Identity of one shared log: 128 random bits, drawn when a log is founded and inherited by every
/// replica that joins it. Two lineages never merge silently.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "[u8; 16]", from = "[u8; 16]")]
pub struct Lineage(u128);

impl Lineage {
    /// The lineage with these bits.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The lineage as a number.
    pub const fn to_bits(self) -> u128 {
        self.0
    }

    /// The sixteen bytes, big-endian.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The inverse of [`to_bytes`](Self::to_bytes).
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// The lineage that two ends use from now on, each given with whether it is shared with anybody
    /// yet. One that is not gives way; of two that are not, the smaller stays. Nothing when both
    /// are shared and differ. Both ends come to the same answer.
    pub fn joined(self, shared: bool, other: Self, other_shared: bool) -> Option<Self> {
        match (shared, other_shared) {
            _ if self == other => Some(self),
            (true, true) => None,
            (true, false) => Some(self),
            (false, true) => Some(other),
            (false, false) => Some(self.min(other)),
        }
    }
}

impl From<Lineage> for [u8; 16] {
    fn from(lineage: Lineage) -> Self {
        lineage.to_bytes()
    }
}

impl From<[u8; 16]> for Lineage {
    fn from(bytes: [u8; 16]) -> Self {
        Self::from_bytes(bytes)
    }
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
