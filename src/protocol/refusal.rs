use core::fmt;

use crate::event::EventId;

/// Why a first hop did not take a commit. Local circumstance, never a judgement on validity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Its stamp lies further ahead of the receiver's clock than is allowed, and not because of
    /// what it follows.
    ClockSkew {
        /// How far ahead, in milliseconds.
        ahead_ms: u64,
        /// The bound, in milliseconds.
        max_ms: u64,
    },
    /// Another commit with the same id is known: the writer was restored from an old copy, or
    /// cloned.
    Forked,
    /// An earlier commit of the same writer was refused.
    Behind(EventId),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClockSkew { ahead_ms, max_ms } => write!(
                f,
                "stamped {ahead_ms} ms ahead of the receiver's clock, at most {max_ms} ms are allowed"
            ),
            Self::Forked => f.write_str("another commit with the same id is known"),
            Self::Behind(id) => write!(f, "written after {id}, which was refused"),
        }
    }
}

/// What the writer of a refused commit can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Record it, and what was written after it, again under a new incarnation, naming what each
    /// event replaces.
    Restamp,
    /// Give it up, with the application's consent.
    Drop,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Restamp => "record it again under a new incarnation",
            Self::Drop => "give it up",
        })
    }
}
