use alloc::collections::BTreeSet;

use super::LinkId;

/// When each connection wants to be told the time, the earliest first; so neither asking for the
/// next deadline nor a tick costs as much as there are connections.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(u64, LinkId)>);

impl Timers {
    /// Replaces the deadline of one connection.
    pub(super) fn set(&mut self, link: LinkId, old: Option<u64>, new: Option<u64>) {
        if old == new {
            return;
        }
        if let Some(old) = old {
            self.0.remove(&(old, link));
        }
        if let Some(new) = new {
            self.0.insert((new, link));
        }
    }

    /// The earliest deadline, in milliseconds of the monotonic clock.
    pub(super) fn next(&self) -> Option<u64> {
        self.0.first().map(|(due, _)| *due)
    }

    /// The connections that are due.
    pub(super) fn due(&self, now_ms: u64) -> impl Iterator<Item = LinkId> {
        let due = self.0.iter().take_while(move |(due, _)| *due <= now_ms);
        due.map(|(_, link)| *link)
    }
}
