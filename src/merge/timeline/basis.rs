use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use thiserror::Error;

use super::Timeline;
use crate::event::{EventId, Head, Heads, ReplicaId, Timestamp, VersionVector};

/// What a new event names, and the stamp above which it must lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    /// The heads.
    pub heads: Heads,
    /// The greatest stamp of what they stand for; nothing where they stand for nothing.
    pub latest: Option<Timestamp>,
}

/// Why an event cannot rest on what somebody has seen of an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BasisError {
    /// Something else has come since, and only the fold is in memory: load the history first.
    #[error("its history is not loaded")]
    HistoryMissing,
    /// An event that was seen is not here, or not of this aggregate, or is another one here.
    #[error("{event} was seen and is not here")]
    Unknown {
        /// The event.
        event: EventId,
    },
    /// An event that was seen has been written again by its writer, and nobody else may ever get it.
    #[error("{event} was seen and has been replaced since")]
    Replaced {
        /// The event.
        event: EventId,
    },
}

impl Timeline {
    /// Whether these are exactly the present [heads](Self::heads): nothing has come since whoever
    /// saw them looked.
    pub fn is_headed_by(&self, seen: &BTreeSet<Head>) -> bool {
        seen.iter().eq(self.heads().iter().map(|(head, _)| head))
    }

    /// What a new event of `own` names whose writer has seen what `seen` stands for and not what
    /// came since, but for its own events: an event always has its writer's previous one in its
    /// past. What another one's past covers is left out; beyond 1,024 as in
    /// [`heads_for_write`](Self::heads_for_write).
    ///
    /// Costs a walk back from the named events to the nearest vectors that are known.
    ///
    /// # Errors
    /// [`BasisError`]; never [`HistoryMissing`](BasisError::HistoryMissing) where the history is in
    /// memory or nothing has come since.
    pub fn ground(&mut self, own: ReplicaId, seen: &BTreeSet<Head>) -> Result<Ground, BasisError> {
        if self.is_headed_by(seen) {
            return Ok(self.whole_ground(own));
        }
        if !self.has_history() {
            return Err(BasisError::HistoryMissing);
        }
        let mut named = Vec::with_capacity(seen.len() + 1);
        for head in seen {
            let event = head.id;
            let row = self.rows.find_valid(event);
            let row = row.filter(|row| row.tag().is_none_or(|tag| tag == head.tag));
            let Some(row) = row else {
                return Err(BasisError::Unknown { event });
            };
            if self.replacements.is_replaced(event) {
                return Err(BasisError::Replaced { event });
            }
            named.push((*head, row.event.timestamp()));
        }
        let newest = self.newest_of(own);
        let newest = newest.filter(|(head, _)| !seen.contains(head));
        named.extend(newest.filter(|(head, _)| !self.replacements.is_replaced(head.id)));
        let mut covered = VersionVector::new();
        for (head, _) in &named {
            if let Some(slot) = self.rows.slot(head.id) {
                covered.join(&self.past.of(slot, &self.rows));
            }
        }
        named.retain(|(head, _)| !covered.contains(head.id));
        let latest = named.iter().map(|(_, timestamp)| *timestamp).max();
        Ok(Ground {
            heads: self.at_most_allowed(own, named),
            latest,
        })
    }

    /// What an event that names these heads has in its past.
    pub(super) fn past_of(&mut self, heads: &Heads) -> VersionVector {
        let mut past = VersionVector::new();
        for head in heads {
            if let Some(slot) = self.rows.slot(head.id) {
                past.join(&self.past.of(slot, &self.rows));
            }
            past.observe(head.id);
        }
        past
    }
}
