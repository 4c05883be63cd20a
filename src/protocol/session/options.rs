use crate::limits::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, COMMIT_EVENTS_MAX, PART_BYTES_MAX};
use crate::protocol::Direction;

/// What an owner chooses for one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionOptions {
    /// Which way events flow.
    pub direction: Direction,
    /// A batch is closed when it holds this many events; 1 to 8,192, and other values count as the
    /// nearest of these.
    pub batch_events: usize,
    /// A batch is closed when its commits reach this many bytes; it holds at least one commit.
    /// At most 512 KiB.
    pub batch_bytes: usize,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            direction: Direction {
                push: true,
                pull: true,
            },
            batch_events: BATCH_EVENTS_MAX,
            batch_bytes: BATCH_BYTES_MAX,
        }
    }
}

impl SessionOptions {
    /// The options with every number within its bounds.
    pub(super) fn bounded(self) -> Self {
        Self {
            direction: self.direction,
            batch_events: self.batch_events.clamp(1, COMMIT_EVENTS_MAX),
            batch_bytes: self.batch_bytes.min(PART_BYTES_MAX),
        }
    }
}
