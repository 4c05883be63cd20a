use alloc::collections::{BTreeMap, VecDeque};

use super::hearing::is_comparable;
use crate::engine::LinkId;
use crate::event::{AggregateId, ReplicaId};
use crate::limits::RELAYED_MAX;
use crate::merge::Standing;

/// What peers told last of aggregates that have no rule here. A replica that stores and forwards
/// cannot say who is right, but that two of its peers differ it can tell them.
#[derive(Debug, Default)]
pub(super) struct Relay {
    held: BTreeMap<AggregateId, Held>,
    order: VecDeque<AggregateId>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    standing: Standing,
    peer: ReplicaId,
    link: LinkId,
}

/// What is to be told of a pair of peers.
pub(super) struct Meeting {
    /// What somebody else told, for whoever speaks now.
    pub(super) other: Standing,
    /// Who that was, if the two differ.
    pub(super) differs_from: Option<LinkId>,
}

impl Relay {
    /// Keeps what a peer told, of as many aggregates as are remembered, and holds it against what
    /// another peer told of the same events under the same rule.
    pub(super) fn hear(
        &mut self,
        aggregate: &AggregateId,
        standing: Standing,
        peer: ReplicaId,
        link: LinkId,
    ) -> Option<Meeting> {
        let held = Held {
            standing,
            peer,
            link,
        };
        let before = self.held.insert(aggregate.clone(), held);
        if before.is_none() {
            self.order.push_back(aggregate.clone());
            if self.order.len() > RELAYED_MAX
                && let Some(first) = self.order.pop_front()
            {
                self.held.remove(&first);
            }
        }
        let before = before.filter(|before| {
            before.peer.device() != peer.device() && is_comparable(&before.standing, &standing)
        })?;
        Some(Meeting {
            other: before.standing,
            differs_from: (before.standing.state != standing.state).then_some(before.link),
        })
    }
}
