use alloc::vec::Vec;

use super::{Ground, Timeline};
use crate::event::{ChainTag, Event, EventId, Head, Heads, OrderKey, ReplicaId, Timestamp};
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
        let mut heads: Vec<_> = self.each_head().collect();
        heads.sort_unstable_by_key(|(head, _)| head.id);
        heads
    }

    /// The same in an order that must not show.
    fn each_head(&self) -> impl Iterator<Item = (Head, Timestamp)> {
        let heads = self.rows.writers().each_head();
        heads.filter_map(|(id, known)| {
            let head = Head {
                id,
                tag: known.tag?,
            };
            (!self.replacements.is_replaced(id)).then_some((head, known.timestamp))
        })
    }

    /// What a new event of `own` names: all heads, or, beyond 1,024, its writer's newest event here
    /// and the greatest in canonical order. Fewer names cost concurrency, nothing else.
    pub fn heads_for_write(&self, own: ReplicaId) -> Heads {
        self.whole_ground(own).heads
    }

    /// The same, with the greatest timestamp of the [heads](Self::heads), named or not.
    pub fn whole_ground(&self, own: ReplicaId) -> Ground {
        let is_named = |head: &Head| !mutant!("own-past-not-named") || head.id.replica != own;
        // As is usual.
        if self.rows.writers().heads_len() <= 1 {
            let head = self.each_head().next();
            let named = head.map(|(head, _)| head).filter(is_named);
            return Ground {
                heads: Heads::at_most_one(named),
                latest: head.map(|(_, timestamp)| timestamp),
            };
        }
        let mut heads = self.heads();
        let latest = heads.iter().map(|(_, timestamp)| *timestamp).max();
        heads.retain(|(head, _)| is_named(head));
        Ground {
            heads: self.at_most_allowed(own, heads),
            latest,
        }
    }

    /// Whether an event that is not here yet names exactly the present [heads](Self::heads), so that
    /// it has everything here in its past.
    pub fn is_followed_by(&self, event: &Event) -> bool {
        let named = event.heads().as_slice();
        let mut count = 0;
        let all = self.each_head().all(|(head, _)| {
            count += 1;
            named.binary_search(&head).is_ok()
        });
        all && count == named.len()
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
        self.each_head().map(|(_, timestamp)| timestamp).max()
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
