use core::fmt;

use serde::{Deserialize, Serialize};

use super::{EventId, ReplicaId, Seq};
use crate::limits::TIMESTAMP_FAR_MS;

/// A hybrid logical stamp: 48 bits of milliseconds since 1970, 16 bits of logic.
///
/// As one 64-bit number, so the logical part carries into the milliseconds and the order of
/// numbers is the order of stamps (Kulkarni et al., *Logical Physical Clocks*, 2014).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Before every stamp a clock makes.
    pub const ZERO: Self = Self(0);
    /// The last stamp there is.
    pub const MAX: Self = Self(u64::MAX);

    /// The stamp with this number.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The first stamp of a millisecond; a reading beyond 48 bits gives the greatest one.
    pub const fn at_millis(millis: u64) -> Self {
        if millis >> 48 == 0 {
            Self(millis << 16)
        } else {
            Self::MAX
        }
    }

    /// The stamp as one number.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The milliseconds since 1970.
    pub const fn millis(self) -> u64 {
        self.0 >> 16
    }

    /// The logical part, 0 to 65,535.
    pub const fn logic(self) -> u64 {
        self.0 & 0xffff
    }

    /// The next stamp, or nothing after the last.
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// Whether the stamp lies in the range where it must follow what it names exactly.
    pub const fn is_far(self) -> bool {
        self.millis() >= TIMESTAMP_FAR_MS
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.millis(), self.logic())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Position of an event in the one order that all replicas share.
///
/// Compared by timestamp, then replica, then seq. It extends causality within an aggregate,
/// because a valid event's timestamp is greater than that of every event it names, and the events
/// of one commit are ordered by their seqs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrderKey {
    /// The hybrid logical stamp, compared first.
    pub timestamp: Timestamp,
    /// The writer, which breaks ties between stamps.
    pub replica: ReplicaId,
    /// The seq, which orders the events of one commit.
    pub seq: Seq,
}

impl OrderKey {
    /// The id that is part of the key.
    pub const fn id(self) -> EventId {
        EventId::new(self.replica, self.seq)
    }
}
