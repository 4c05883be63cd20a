use crate::engine::Watched;
use crate::testing::sim::world::World;

impl World {
    /// Once nothing happens any more, whoever reads when woken has read everything.
    pub(crate) fn check_woken(&mut self) {
        for node in &mut self.nodes {
            let (number, engine) = (node.number, node.engine.as_mut().unwrap());
            assert_eq!(
                node.appended,
                engine.stored_end(),
                "tails of replica {number} sleep"
            );
            for (watch, _) in node.watchers.iter().filter(|(_, watcher)| watcher.reads) {
                let next = engine.next_change(*watch);
                assert_eq!(next, Watched::Idle, "{watch:?} of replica {number} sleeps");
            }
        }
    }

    /// Every watcher was told of everything since it came, and every tail shows every event once.
    pub(crate) fn check_subscribers(&mut self) {
        for node in 0..self.nodes.len() {
            self.check_watchers(node);
            self.read_tail(node, usize::MAX);
            let node = &self.nodes[node];
            let (seen, here) = (node.tailer.seen.len(), node.disk.len());
            assert_eq!(seen, here, "the tail of replica {}", node.number);
        }
    }
}
