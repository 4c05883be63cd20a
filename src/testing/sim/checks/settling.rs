use crate::engine::Engine;
use crate::event::ReplicaId;
use crate::testing::sim::faults::Fault;
use crate::testing::sim::network::{BOTH, Connection};
use crate::testing::sim::world::World;

/// Steps within which a healed world has fallen silent.
const SETTLING: u64 = 60_000;

impl World {
    /// No more faults, and everybody connects.
    pub(crate) fn heal(&mut self) {
        // A failed store is no excuse not to answer.
        self.run_until(self.now + 5_000);
        for node in self.nodes.iter().filter(|node| node.failed && !node.paused) {
            assert!(
                node.asks.is_empty(),
                "replica {} owes {:?}",
                node.number,
                node.asks
            );
        }
        self.healed = true;
        self.trace.say(self.now, || String::from("HEALED"));
        self.blockades.lift();
        for node in 0..self.nodes.len() {
            self.nodes[node].fail_next = None;
            self.resume(node);
            if self.nodes[node].disk.flipped.is_some() {
                // Somebody verifies the store.
                self.replace_damaged(node);
            }
            let is_plain = self.plan.plain == Some(node);
            let rules = if is_plain {
                None
            } else {
                Some(self.cast.registry.clone())
            };
            let rules = rules.unwrap_or_default();
            let upgraded = rules.fingerprint() != self.nodes[node].registry.fingerprint();
            self.nodes[node].registry = rules;
            if (self.nodes[node].failed || upgraded) && self.nodes[node].engine.is_some() {
                self.end(node, false);
            }
            self.reopen(node);
        }
        let forgetful = self.forgetful();
        let strangers = self.strangers.clone();
        let half = strangers.len() / 2;
        self.hand_over(0, strangers[half..].to_vec());
        let last = self.nodes.len() - 1;
        self.hand_over(last, strangers[..half].to_vec());
        self.settle();
        if self.counts.of(Fault::Clone) > 0 {
            // A session goes on under the name that both had; the next one tells them apart.
            self.reconnect();
        }
        for (node, was) in forgetful {
            let is = self.nodes[node].engine.as_ref().unwrap().replica();
            assert_ne!(
                is, was,
                "replica {node} goes on under the name of what it lost"
            );
        }
    }

    /// Runs until nothing happens any more. Whoever lost a connection dials again.
    pub(crate) fn settle(&mut self) {
        let limit = self.tally.steps + SETTLING;
        loop {
            assert!(self.tally.steps < limit, "no end in sight: a livelock");
            self.connect_all();
            if !self.is_quiet() {
                self.step(u64::MAX);
                continue;
            }
            let is_idle = |engine: &Engine| engine.is_idle();
            let idle = self
                .nodes
                .iter()
                .all(|node| node.engine.as_ref().is_some_and(is_idle));
            // Half-open connections and buffered writes end by a deadline.
            let end = self.now + 2_000;
            if !idle || self.is_half_open() {
                assert!(self.step(u64::MAX), "stuck");
            } else if !self.step(end) {
                return;
            }
        }
    }

    fn connect_all(&mut self) {
        self.sweep_connections();
        for edge in 0..self.plan.edges.len() {
            let is_whole = |at: &usize| self.is_whole(&self.connections[*at], edge);
            if !self.live.iter().any(is_whole) {
                self.dial(edge, BOTH, false);
            }
        }
    }

    /// Whether a connection carries an edge: both ways, for good, between the processes of now.
    fn is_whole(&self, connection: &Connection, edge: usize) -> bool {
        let mut ends = connection.ends.iter();
        connection.edge == edge
            && !connection.cut
            && !connection.once
            && connection.both
            && connection.ends[0].open
            && ends.all(|end| self.nodes[end.node].opening == end.opening)
    }

    fn is_half_open(&self) -> bool {
        let cut = self
            .live
            .iter()
            .map(|at| &self.connections[*at])
            .filter(|at| at.cut);
        let mut ends = cut.flat_map(|connection| &connection.ends);
        ends.any(|end| end.open && self.nodes[end.node].opening == end.opening)
    }

    /// Replicas that were restored, and whose only peer knows more of them than they do.
    fn forgetful(&self) -> Vec<(usize, ReplicaId)> {
        let mut found = Vec::new();
        let Some(hub) = self.hub() else { return found };
        for node in &self.nodes {
            if node.number == hub || node.restored.is_none() {
                continue;
            }
            let me = node.engine.as_ref().unwrap().replica();
            let there = self.nodes[hub].disk.received().chain(me);
            if there > node.disk.received().chain(me) {
                found.push((node.number, me));
            }
        }
        found
    }
}
