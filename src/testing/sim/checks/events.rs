use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Commit, EventId, ReplicaId, Timestamp};
use crate::testing::sim::plan::Wild;
use crate::testing::sim::users::marked;
use crate::testing::sim::world::World;
use crate::testing::sim::world::node::START;

/// Stamps after this follow a wild one.
const NEAR: u64 = START + 3_000_000;

impl World {
    /// All replicas hold the same events, nothing waits, and nothing acknowledged is lost.
    pub(crate) fn check_events(&mut self) {
        let lawful = self.plan.wild == Wild::Nobody;
        assert!(
            !lawful || self.tally.refused == 0,
            "a lawful write was refused"
        );
        let (all, replaced) = self.everything();
        for node in &self.nodes {
            let engine = node.engine.as_ref().unwrap();
            let number = node.number;
            let waiting = engine.waiting();
            assert_eq!(
                waiting,
                0,
                "replica {number} waits: {:?}",
                engine.status().waiting_commits
            );
            assert_eq!(node.disk.waiting(), 0);
            assert!(
                node.asks.is_empty(),
                "replica {number} owes {:?}",
                node.asks
            );
            let lacks = |id: &&EventId| !node.disk.has(**id) && !replaced.contains(id);
            let missing: Vec<_> = all.iter().filter(lacks).collect();
            assert!(missing.is_empty(), "replica {number} lacks {missing:?}");
            let mut strangers = self.strangers.iter().flat_map(Commit::events);
            assert!(strangers.all(|event| node.disk.has(event.id())));
        }
        for node in 0..self.nodes.len() {
            self.check_marks(node, &replaced);
        }
    }

    /// What was acknowledged stands once.
    fn check_marks(&self, node: usize, replaced: &BTreeSet<EventId>) {
        let effective = self
            .ready(node)
            .filter(|event| !replaced.contains(&event.id()));
        let mut marks: Vec<u64> = effective.filter_map(marked).collect();
        marks.sort_unstable();
        let twice = marks.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(twice, None, "a write stands twice on replica {node}");
        for (mark, writer) in &self.durable {
            let stands = marks.binary_search(mark).is_ok();
            assert!(stands, "replica {node} lost write {mark} of {writer}");
        }
    }

    /// Stamps of one writer rise, whatever its clock did and however often it was started, but for
    /// those that follow a wild one.
    pub(crate) fn check_stamps(&self) {
        let near = Timestamp::at_millis(NEAR);
        let mut last: BTreeMap<ReplicaId, (EventId, Timestamp)> = BTreeMap::new();
        let disk = &self.nodes[0].disk;
        for event in disk.ids().filter_map(|id| disk.event(id)) {
            let (id, timestamp) = (event.id(), event.timestamp());
            let wild = self.plan.is_wild((id.replica.device() - 1) as usize);
            if timestamp > near || wild || id.seq != event.commit().first() {
                continue;
            }
            if let Some((before, stamp)) = last.insert(id.replica, (id, timestamp)) {
                assert!(
                    stamp < timestamp,
                    "{before} at {stamp:?}, {id} at {timestamp:?}"
                );
            }
        }
    }
}
