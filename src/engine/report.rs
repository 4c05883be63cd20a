use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;

use crate::event::EventId;

/// A commit that a peer did not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedCommit {
    /// The commit.
    #[serde(serialize_with = "crate::engine::report::as_text")]
    pub commit: EventId,
    /// Why, for people.
    pub why: String,
    /// What was done about it or what can be, for people.
    pub remedy: String,
}

/// What one session came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SyncReport {
    /// Events sent and acknowledged by the peer as durable.
    pub pushed: u64,
    /// Events received that were new here.
    pub pulled: u64,
    /// Events received that were here already.
    pub duplicates: u64,
    /// Events received that contradict what is here of their writer: one store wrote on from an old
    /// copy of another. They were not taken.
    pub forked: u64,
    /// Commits that wait here for their past, whoever sent them.
    pub waiting: u64,
    /// Pulled events that their rule refused.
    pub rejected: u64,
    /// Commits that the peer refused.
    pub refused: Vec<RefusedCommit>,
    /// Bytes of frames sent.
    pub bytes_sent: u64,
    /// Bytes of frames received.
    pub bytes_received: u64,
    /// From the opening of the session to its end, in milliseconds.
    pub elapsed_ms: u64,
    /// Whether both ends had everything when it ended.
    pub caught_up: bool,
}

impl fmt::Display for SyncReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "pushed {}, pulled {}, {} duplicates, {} waiting, {} rejected, {} refused, {} bytes out, {} in, {} ms{}",
            self.pushed,
            self.pulled,
            self.duplicates,
            self.waiting,
            self.rejected,
            self.refused.len(),
            self.bytes_sent,
            self.bytes_received,
            self.elapsed_ms,
            if self.caught_up {
                ""
            } else {
                ", not caught up"
            },
        )?;
        if self.forked > 0 {
            write!(f, ", {} of a fork not taken", self.forked)?;
        }
        Ok(())
    }
}

pub(super) fn as_text<S: serde::Serializer, T: fmt::Display>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
