use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use super::hearing::is_comparable;
use crate::engine::LinkId;
use crate::event::{AggregateId, ReplicaId};
use crate::limits::{RELAYED_MAX, RELAYED_TO_MAX};
use crate::merge::Standing;

/// What peers told last of aggregates that have no rule here. A replica that stores and forwards
/// cannot say who is right, but that two of its peers differ it can tell them.
#[derive(Debug, Default)]
pub(super) struct Relay {
    held: BTreeMap<AggregateId, Held>,
    order: VecDeque<AggregateId>,
}

#[derive(Debug)]
struct Held {
    standing: Standing,
    peer: ReplicaId,
    link: LinkId,
    /// Connections whose peers were told that somebody differs.
    told: BTreeSet<LinkId>,
}

/// What is to be told of a pair of peers.
pub(super) struct Meeting {
    /// What somebody else told, for whoever speaks now.
    pub(super) other: Standing,
    /// To whom it is news that the two differ, or that they do so no more.
    pub(super) concerns: BTreeSet<LinkId>,
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
        let Some(held) = self.held.get_mut(aggregate) else {
            self.hold(aggregate, standing, peer, link);
            return None;
        };
        let (before, speaker, other_link) = (held.standing, held.peer, held.link);
        (held.standing, held.peer, held.link) = (standing, peer, link);
        if speaker.device() == peer.device() || !is_comparable(&before, &standing) {
            return None;
        }
        let concerns = if before.state == standing.state {
            core::mem::take(&mut held.told)
        } else {
            if held.told.len() < RELAYED_TO_MAX {
                held.told.extend([link, other_link]);
            }
            BTreeSet::from([link, other_link])
        };
        Some(Meeting {
            other: before,
            concerns,
        })
    }

    fn hold(&mut self, aggregate: &AggregateId, standing: Standing, peer: ReplicaId, link: LinkId) {
        let held = Held {
            standing,
            peer,
            link,
            told: BTreeSet::new(),
        };
        self.held.insert(aggregate.clone(), held);
        self.order.push_back(aggregate.clone());
        if self.order.len() > RELAYED_MAX
            && let Some(first) = self.order.pop_front()
        {
            self.held.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Digest, SetHash};

    fn standing(set: u8, state: u8) -> Standing {
        Standing {
            events: 1,
            set: SetHash::from_bytes([set; 16]),
            fingerprint: Digest::from_bytes([0; 16]),
            state: Digest::from_bytes([state; 16]),
        }
    }

    #[test]
    fn who_was_told_that_somebody_differs_is_told_when_nobody_does_any_more() {
        let name = AggregateId::new("a/1").unwrap();
        let mut relay = Relay::default();
        let mut hear = |peer: u64, set, state| {
            let (peer, link) = (ReplicaId::new(peer, 0), LinkId(peer));
            let met = relay.hear(&name, standing(set, state), peer, link)?;
            let concerns: alloc::vec::Vec<u64> = met.concerns.iter().map(|link| link.0).collect();
            Some((met.other.state.to_bytes()[0], concerns))
        };
        assert_eq!(hear(1, 1, 7), None);
        assert_eq!(
            hear(1, 1, 7),
            None,
            "one peer is compared with itself by nobody"
        );
        assert_eq!(hear(2, 2, 8), None, "of other events nothing can be said");
        assert_eq!(hear(1, 2, 8), Some((8, alloc::vec![])));
        assert_eq!(hear(2, 2, 9), Some((8, alloc::vec![1, 2])));
        assert_eq!(hear(3, 2, 8), Some((9, alloc::vec![2, 3])));
        assert_eq!(hear(2, 2, 8), Some((8, alloc::vec![1, 2, 3])));
        assert_eq!(hear(1, 2, 8), Some((8, alloc::vec![])));
    }

    #[test]
    fn no_more_is_remembered_than_is_allowed() {
        let mut relay = Relay::default();
        for number in 0..RELAYED_MAX + 10 {
            let name = AggregateId::new(&alloc::format!("a/{number}")).unwrap();
            relay.hear(&name, standing(1, 1), ReplicaId::new(1, 0), LinkId(1));
        }
        assert_eq!(
            (relay.held.len(), relay.order.len()),
            (RELAYED_MAX, RELAYED_MAX)
        );
    }
}
