use core::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

/// xxh3-128 of some canonical bytes: proof against corruption and accident, not against malice.
/// Kept as bytes, which need no alignment where many are kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "[u8; 16]", from = "[u8; 16]")]
pub struct Digest([u8; 16]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(xxh3_128(bytes).to_be_bytes())
    }

    /// The sixteen bytes, big-endian.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The inverse of [`to_bytes`](Self::to_bytes).
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// What a replica's events up to one seq amount to: the digest of the previous chain value and the
/// event's own digest. Two replicas whose chain values agree at a seq agree on all events before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "[u8; 16]", from = "[u8; 16]")]
pub struct Chain([u8; 16]);

impl Chain {
    /// The value before a replica's first event.
    pub const START: Self = Self([0; 16]);

    /// The value after one more event.
    #[must_use]
    pub fn extend(self, event: Digest) -> Self {
        let both = [self.0, event.0];
        Self(xxh3_128(both.as_flattened()).to_be_bytes())
    }

    /// The short form that heads carry.
    pub fn tag(self) -> ChainTag {
        let [.., high, low] = self.0;
        ChainTag(u16::from_be_bytes([high, low]))
    }

    /// The sixteen bytes, big-endian.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The inverse of [`to_bytes`](Self::to_bytes).
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// Sixteen bits of a chain value: tells which branch of a fork a head means.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChainTag(u16);

impl ChainTag {
    /// The tag with these bits.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// The tag as a number.
    pub const fn to_bits(self) -> u16 {
        self.0
    }
}

macro_rules! hex_and_bytes {
    ($($name:ident),+) => {$(
        impl From<$name> for [u8; 16] {
            fn from(value: $name) -> Self {
                value.to_bytes()
            }
        }

        impl From<[u8; 16]> for $name {
            fn from(bytes: [u8; 16]) -> Self {
                Self::from_bytes(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", u128::from_be_bytes(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )+};
}

hex_and_bytes!(Digest, Chain);

impl fmt::Debug for ChainTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}", self.0)
    }
}
