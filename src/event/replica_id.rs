use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::NameError;

/// One durable writer: 64 bits for the device, 64 for its incarnation.
///
/// A device takes a new incarnation when its past can no longer be trusted (a restored backup, a
/// clone, a clock that had jumped years ahead). The order of ids is the order of their bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "[u8; 16]", from = "[u8; 16]")]
pub struct ReplicaId {
    device: u64,
    incarnation: u64,
}

impl ReplicaId {
    /// An id from its two halves.
    pub const fn new(device: u64, incarnation: u64) -> Self {
        Self {
            device,
            incarnation,
        }
    }

    /// The device, equal across the incarnations of one installation.
    pub const fn device(self) -> u64 {
        self.device
    }

    /// Which life of the device this is. Drawn at random, so it says nothing about order.
    pub const fn incarnation(self) -> u64 {
        self.incarnation
    }

    /// The sixteen bytes, big-endian, whose order is the order of ids.
    pub fn to_bytes(self) -> [u8; 16] {
        ((u128::from(self.device) << 64) | u128::from(self.incarnation)).to_be_bytes()
    }

    /// The inverse of [`to_bytes`](Self::to_bytes).
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let [
            d0,
            d1,
            d2,
            d3,
            d4,
            d5,
            d6,
            d7,
            i0,
            i1,
            i2,
            i3,
            i4,
            i5,
            i6,
            i7,
        ] = bytes;
        Self {
            device: u64::from_be_bytes([d0, d1, d2, d3, d4, d5, d6, d7]),
            incarnation: u64::from_be_bytes([i0, i1, i2, i3, i4, i5, i6, i7]),
        }
    }
}

impl From<ReplicaId> for [u8; 16] {
    fn from(id: ReplicaId) -> Self {
        id.to_bytes()
    }
}

impl From<[u8; 16]> for ReplicaId {
    fn from(bytes: [u8; 16]) -> Self {
        Self::from_bytes(bytes)
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}", self.device, self.incarnation)
    }
}

impl fmt::Debug for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ReplicaId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let half = |digits: &str| {
            (digits.len() == 16)
                .then(|| u64::from_str_radix(digits, 16).ok())
                .flatten()
        };
        text.split_once('-')
            .and_then(|(device, incarnation)| Some(Self::new(half(device)?, half(incarnation)?)))
            .ok_or(NameError::NotAReplicaId)
    }
}
