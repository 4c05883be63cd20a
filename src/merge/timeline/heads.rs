use alloc::vec::Vec;

use super::Timeline;
use crate::event::{ChainTag, EventId, Head, Heads, OrderKey, ReplicaId, Timestamp};
use crate::limits::HEADS_MAX;

/// What is kept of a head.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub(super) tag: Option<ChainTag>,
    pub(super) timestamp: Timestamp,
}

impl Timeline {
    /// The maximal valid events with their timestamps, in the order of ids. One whose tag is not
    /// known is left out, as nobody can name it; so is one that was replaced, as nobody else may
    /// ever get it.
    pub fn heads(&self) -> Vec<(Head, Timestamp)> {
        let head = |(id, known): (EventId, Known)| {
            let named = !self.replacements.is_replaced(id);
            known
                .tag
                .filter(|_| named)
                .map(|tag| (Head { id, tag }, known.timestamp))
        };
        let heads = self.rows.writers().heads();
        heads.into_iter().filter_map(head).collect()
    }

    /// What a new event of `own` names: all heads, or, beyond 1,024, its writer's newest event here
    /// and the greatest in canonical order. Fewer names cost concurrency, nothing else.
    pub fn heads_for_write(&self, own: ReplicaId) -> Heads {
        let mut heads = self.heads();
        heads.retain(|(head, _)| !mutant!("own-past-not-named") || head.id.replica != own);
        self.at_most_allowed(own, heads)
    }

    /// As many of these as an event may name.
    pub(super) fn at_most_allowed(
        &self,
        own: ReplicaId,
        mut heads: Vec<(Head, Timestamp)>,
    ) -> Heads {
        if heads.len() > HEADS_MAX {
            heads.sort_unstable_by_key(|(head, timestamp)| {
                let EventId { replica, seq } = head.id;
                core::cmp::Reverse(OrderKey {
                    timestamp: *timestamp,
                    replica,
                    seq,
                })
            });
            heads.truncate(HEADS_MAX);
            if let Some(newest) = self.newest_of(own)
                && !heads.iter().any(|(head, _)| head.id == newest.0.id)
            {
                heads.pop();
                heads.push(newest);
            }
        }
        // They are distinct and at most as many as allowed.
        Heads::new(heads.into_iter().map(|(head, _)| head).collect()).unwrap_or_default()
    }

    /// The greatest timestamp of the [heads](Self::heads), above which a new event must lie.
    pub fn latest(&self) -> Option<Timestamp> {
        self.heads()
            .into_iter()
            .map(|(_, timestamp)| timestamp)
            .max()
    }

    /// The newest valid event of one writer, where it is in memory.
    pub(super) fn newest_of(&self, own: ReplicaId) -> Option<(Head, Timestamp)> {
        let row = self.rows.valid_before(own, None)?;
        let head = Head {
            id: row.event.id(),
            tag: row.tag()?,
        };
        Some((head, row.event.timestamp()))
    }
}
