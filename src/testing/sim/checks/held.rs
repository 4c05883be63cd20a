use std::collections::BTreeMap;

use crate::engine::Engine;
use crate::event::{EventId, ReplicaId};
use crate::limits::{CREDIT_BYTES, WATCH_CHANGES_MAX};
use crate::log::Cursor;
use crate::testing::sim::network::Connection;
use crate::testing::sim::world::World;
use crate::testing::sim::world::node::Node;

impl World {
    /// Once nothing happens any more, memory holds no more than it may: the states that fit the bound, or
    /// the one that was used last; nothing of the log that is stored; nothing that waits for a look.
    pub(crate) fn check_held(&self) {
        for node in &self.nodes {
            let held = node.engine.as_ref().unwrap().held();
            let fits = held.cache_bytes <= held.cache_bytes_max.max(held.last_used_bytes);
            let number = node.number;
            assert!(fits, "replica {number} holds too much: {held:?}");
            let is_free = held.entries == 0 && held.parked == 0 && held.pinned == 0;
            assert!(
                is_free,
                "replica {number} holds what nobody needs: {held:?}"
            );
            let staged = node
                .disk
                .staged()
                .find(|(_, commit, _)| node.disk.has(*commit));
            assert_eq!(
                staged, None,
                "parts of a commit that is here stay with replica {number}"
            );
        }
    }

    /// Once nothing happens any more, an end of a connection keeps back less than a quarter of what the
    /// other may send.
    pub(crate) fn check_credit(&self) {
        let live = self.live.iter().map(|at| &self.connections[*at]);
        for end in live
            .filter(|connection| !connection.cut)
            .flat_map(|connection| &connection.ends)
        {
            let is_kept = end.open && self.nodes[end.node].opening == end.opening;
            assert!(
                !is_kept || end.owed < CREDIT_BYTES / 4,
                "credit is not returned: {end:?}"
            );
        }
    }

    /// A large commit goes on behind the parts that the listener has stored. It tells of one commit, so
    /// this holds where it has parts of no other, and as long as it is sent no other, for which these
    /// would be let go.
    pub(crate) fn check_parts(
        &mut self,
        connection: usize,
        from: usize,
        commit: EventId,
        index: u32,
    ) {
        let ends = &mut self.connections[connection].ends;
        let sender = self.nodes[ends[from].node]
            .engine
            .as_ref()
            .map(Engine::replica);
        let staged = &mut ends[1 - from].staged;
        let is_one = staged.iter().all(|(_, other, _)| *other == commit);
        let is_there = |(peer, _, part): &(ReplicaId, EventId, u32)| {
            Some(*peer) == sender && *part == index && index == 0
        };
        let again = is_one && from == 0 && staged.iter().any(is_there);
        assert!(
            !again,
            "{commit} is sent from its beginning, but has parts there"
        );
        staged.retain(|(peer, other, _)| Some(*peer) != sender || *other == commit);
    }

    /// Over how many connections of a replica summaries were told; nothing while there is such a one.
    fn summaries_of(&self, node: usize) -> Option<usize> {
        let is_its = |connection: &&Connection| {
            connection.summarizes && connection.ends.iter().any(|end| end.node == node)
        };
        let mut live = self.live.iter().map(|at| &self.connections[*at]);
        if live.any(|connection| is_its(&connection)) {
            return None;
        }
        Some(self.connections.iter().filter(is_its).count())
    }

    /// At any moment, what a watch has not told is bounded, and no cursor has moved back.
    pub(crate) fn check_bounds(&mut self) {
        for node in 0..self.nodes.len() {
            let summaries = self.summaries_of(node);
            let node = &mut self.nodes[node];
            node.check_cursors(summaries);
            let held = node.engine.as_ref().map(Engine::held);
            let changes = held.map_or(0, |held| held.changes);
            assert!(
                changes <= WATCH_CHANGES_MAX,
                "{changes} changes on replica {}",
                node.number
            );
        }
    }
}

impl Node {
    /// Of one opening of a peer's store, how far it was read only grows, unless a peer is asked anew for
    /// what it has: then what was read of it does not count until that is settled.
    fn check_cursors(&mut self, summaries: Option<usize>) {
        let Some(engine) = &self.engine else { return };
        let before = self.cursors.take();
        let Some(summaries) = summaries else { return };
        let when = (self.opening, summaries);
        let now: BTreeMap<ReplicaId, Cursor> = engine.cursors().collect();
        let before = before.filter(|(then, _)| *then == when);
        for (peer, was) in before.iter().flat_map(|(_, cursors)| cursors) {
            let is_back = now
                .get(peer)
                .is_some_and(|is| is.epoch == was.epoch && is.position < was.position);
            let number = self.number;
            assert!(!is_back, "replica {number} moves its cursor back: {was:?}");
        }
        self.cursors = Some((when, now));
    }
}
