//! What replicas say that they and their peers do not have of each other.

use std::collections::BTreeSet;

use crate::engine::{Engine, Gap, Health};
use crate::event::{Event, ReplicaId};
use crate::limits::PAGE_ENTRIES_MAX;
use crate::log::{Entry, EntryKind, IdRange, ReadLimit};

use crate::testing::sim::disk::Disk;
use crate::testing::sim::plan::Wild;
use crate::testing::sim::world::World;
use crate::testing::sim::world::node::Node;

const PAGE: ReadLimit = ReadLimit {
    entries: PAGE_ENTRIES_MAX,
    bytes: usize::MAX,
};

fn health(engine: &Engine, disk: &Disk) -> Health {
    let (mut health, mut lag) = engine.health();
    while let Some(position) = lag.reads_from() {
        let Ok(page) = disk.since(position, PAGE) else {
            break;
        };
        engine.lag_page(&mut lag, &page);
    }
    health.complete(lag);
    health
}

impl World {
    /// Once nothing happens any more, nobody lacks anything of anybody that it is connected with.
    pub(crate) fn check_gaps(&self) {
        for node in &self.nodes {
            let health = health(node.engine.as_ref().unwrap(), &node.disk);
            let peers = self.exchanging_with(node);
            assert!(!peers.is_empty(), "replica {} has no peer", node.number);
            let live = health.peers.iter().filter(|peer| peer.is_live);
            for peer in live.filter(|lag| peers.contains(&lag.peer)) {
                let number = node.number;
                assert!(peer.behind.is_empty(), "replica {number} lacks {peer:?}");
                let is_told = peer.ahead.as_ref().is_some_and(Gap::is_empty);
                assert!(is_told, "replica {number} has more than {peer:?}");
            }
        }
    }

    /// Whom a replica both sends to and receives from, under the names by which they said hello.
    fn exchanging_with(&self, node: &Node) -> BTreeSet<ReplicaId> {
        let open = self
            .connections
            .iter()
            .filter(|connection| connection.both && !connection.cut);
        let ends = open.flat_map(|connection| &connection.ends);
        let here = ends.filter(|end| end.node == node.number && end.opening == node.opening);
        let engine = node.engine.as_ref().unwrap();
        let links = here.filter_map(|end| engine.link_status(end.link));
        links.filter_map(|link| link.session.peer).collect()
    }

    /// At any moment, what a peer has not durably is among what it has not acknowledged, but for what
    /// came from it. Only of worlds in which nobody loses what was durable or writes anything again.
    pub(crate) fn check_claims(&self) {
        if self.tally.restores > 0 || self.plan.wild != Wild::Nobody {
            return;
        }
        for node in &self.nodes {
            let Some(engine) = &node.engine else { continue };
            for lag in health(engine, &node.disk).peers {
                let is_it = |engine: &Engine| engine.replica() == lag.peer;
                let mut others = self.nodes.iter();
                let peer = others.find(|other| other.engine.as_ref().is_some_and(is_it));
                let is_all = |ahead: &Gap| ahead.more_ranges == 0 && lag.unacknowledged.is_some();
                let ahead = lag.ahead.filter(is_all);
                if let (Some(peer), Some(ahead)) = (peer, ahead) {
                    node.check_claim(lag.peer, &ahead, &peer.disk);
                }
            }
        }
    }
}

impl Node {
    fn check_claim(&self, peer: ReplicaId, ahead: &Gap, there: &Disk) {
        let sent = |entry: &&Entry| entry.kind != EntryKind::Released && entry.from != Some(peer);
        let entries = self.disk.entries.iter().filter(sent);
        for id in entries
            .flat_map(|entry| entry.commit.events())
            .map(Event::id)
        {
            let holds =
                |range: &IdRange| range.replica == id.replica && range.seqs.contains(&id.seq);
            let is_known = ahead.ranges.iter().any(holds) || there.has_durably(id);
            let number = self.number;
            assert!(
                is_known,
                "replica {number} takes {id} for delivered to {peer}"
            );
        }
    }
}
