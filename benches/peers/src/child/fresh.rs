//! Events that say when they were written, for those who measure how long they take.

use std::time::{SystemTime, UNIX_EPOCH};

use anabranch::Draft;
use anabranch::resolver::{LastWriteWins, Registry};
use serde::{Deserialize, Serialize};

use crate::Done;

/// The rule of everything here.
pub(crate) fn registry() -> Registry {
    Registry::new().with_default(LastWriteWins)
}

/// What an event says.
#[derive(Serialize, Deserialize)]
pub(crate) struct Fresh {
    /// Nanoseconds since 1970, on the clock that all processes of a machine share.
    pub(crate) written: u64,
    /// Bytes that make it as long as events are.
    pub(crate) text: String,
}

impl Fresh {
    /// Written now, with so many bytes of text.
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            written: nanos(),
            text: "x".repeat(bytes),
        }
    }

    /// How long ago that was, in nanoseconds.
    pub(crate) fn age(&self) -> u64 {
        nanos().saturating_sub(self.written)
    }

    /// To be written into one of 1,000 aggregates.
    pub(crate) fn draft(&self, at: usize) -> Done<Draft> {
        Ok(Draft::new(format!("fresh/{}", at % 1_000), "set", self)?)
    }
}

fn nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}
