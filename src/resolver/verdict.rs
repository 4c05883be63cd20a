use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

/// Name and version of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResolverId {
    /// For example `cart`.
    pub name: Cow<'static, str>,
    /// Raised whenever the same events would give another state.
    pub version: u32,
}

impl ResolverId {
    /// An id with a name known at compile time.
    pub const fn new(name: &'static str, version: u32) -> Self {
        Self {
            name: Cow::Borrowed(name),
            version,
        }
    }
}

impl fmt::Display for ResolverId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// Why a resolver refuses one event.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rejection {
    reason: String,
}

impl Rejection {
    /// A refusal with a reason for people, for example `only 2 left in stock`.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }

    /// The reason.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// What became of two concurrent events that touch the same keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Verdict {
    /// The one that is later in canonical order overruled the other.
    LaterWins,
    /// The one that is earlier in canonical order stood.
    EarlierWins,
    /// Both had their effect.
    Merged,
    /// Both are kept for a reader to see.
    BothKept,
    /// They say the same.
    Agree,
    /// A person has to decide.
    Open,
}

/// What a resolver promises beyond the laws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claims {
    /// Concurrent events commute, rejections included.
    pub commutes: bool,
}

impl Claims {
    /// No promise.
    pub const fn none() -> Self {
        Self { commutes: false }
    }

    /// Concurrent events commute, rejections included.
    pub const fn commuting() -> Self {
        Self { commutes: true }
    }
}
