//! What replicas say that they and their peers do not have of each other.

use anabranch::engine::{Engine, Gap, Health};
use anabranch::event::{Event, EventId, ReplicaId};
use anabranch::limits::PAGE_ENTRIES_MAX;
use anabranch::log::{Entry, EntryKind, IdRange, ReadLimit};

use crate::disk::Disk;
use crate::network::World;
use crate::node::Node;

const PAGE: ReadLimit = ReadLimit {
    entries: PAGE_ENTRIES_MAX,
    bytes: usize::MAX,
};

fn health(engine: &Engine, disk: &Disk) -> Health {
    let (mut health, mut lag) = engine.health();
    while let Some(position) = lag.reads_from() {
        let page = disk.since(position, PAGE);
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
            let mut live = health.peers.iter().filter(|peer| peer.is_live).peekable();
            assert!(live.peek().is_some(), "replica {} has no peer", node.number);
            for peer in live {
                let number = node.number;
                assert!(peer.behind.is_empty(), "replica {number} lacks {peer:?}");
                let is_told = peer.ahead.as_ref().is_some_and(Gap::is_empty);
                assert!(is_told, "replica {number} has more than {peer:?}");
            }
        }
    }

    /// At any moment, what a peer has not durably is among what it is said to lack, but for what
    /// came from it, and for what it has just told to have. Only of worlds in which nobody loses what
    /// was durable or writes anything again.
    pub(crate) fn check_claims(&self) {
        if self.tally.restores > 0 || self.plan.skewed.is_some() {
            return;
        }
        for node in &self.nodes {
            let Some(engine) = &node.engine else { continue };
            for lag in health(engine, &node.disk).peers {
                let is_it = |engine: &Engine| engine.replica() == lag.peer;
                let mut others = self.nodes.iter();
                let peer = others.find(|other| other.engine.as_ref().is_some_and(is_it));
                let ahead = lag.ahead.filter(|ahead| ahead.more_ranges == 0);
                if let (Some(peer), Some(ahead)) = (peer, ahead) {
                    let has_told = lag.unacknowledged.is_none();
                    node.check_claim(lag.peer, &ahead, |id| {
                        peer.disk.has_durably(id) || (has_told && peer.has(id))
                    });
                }
            }
        }
    }
}

impl Node {
    /// Whether an event is here, written or not.
    fn has(&self, id: EventId) -> bool {
        let vector = self.engine.as_ref().map(|engine| engine.status().vector);
        self.disk.received().contains(id) || vector.is_some_and(|vector| vector.contains(id))
    }

    fn check_claim(&self, peer: ReplicaId, ahead: &Gap, has: impl Fn(EventId) -> bool) {
        let sent = |entry: &&Entry| entry.kind != EntryKind::Released && entry.from != Some(peer);
        let entries = self.disk.entries.iter().filter(sent);
        for id in entries
            .flat_map(|entry| entry.commit.events())
            .map(Event::id)
        {
            let holds =
                |range: &IdRange| range.replica == id.replica && range.seqs.contains(&id.seq);
            let is_known = ahead.ranges.iter().any(holds) || has(id);
            let number = self.number;
            assert!(
                is_known,
                "replica {number} takes {id} for delivered to {peer}"
            );
        }
    }
}
