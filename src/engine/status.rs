use alloc::vec::Vec;

use super::{Engine, LinkId};
use crate::event::{AggregateId, Digest, EventId, Head, ReplicaId, VersionVector};
use crate::log::{Cursor, Epoch};
use crate::merge::{Inbox, Outcome, Timeline, Unresolved};
use crate::protocol::{Lineage, Status};
use crate::resolver::{Rejection, ResolverId};

/// A commit that waits for its past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingCommit {
    /// The commit.
    pub commit: EventId,
    /// Events that are not here.
    pub missing: Vec<EventId>,
}

/// One connection as it stands.
#[derive(Clone, Debug)]
pub struct LinkStatus {
    /// The connection.
    pub link: LinkId,
    /// The session's own view.
    pub session: Status,
    /// Both ends have everything; what is written now is passed on at once.
    pub live: bool,
    /// Events received that were here already.
    pub duplicates: u64,
    /// Commits of others that contradict what is here of their writers; the first 64.
    pub forked: Vec<EventId>,
}

/// A replica as it stands.
#[derive(Clone, Debug)]
pub struct ReplicaStatus {
    /// Who it is.
    pub replica: ReplicaId,
    /// Identity of the shared log.
    pub lineage: Lineage,
    /// Whether another replica has met this log; a lineage that nobody shares yet can give way.
    pub lineage_shared: bool,
    /// This opening of its store.
    pub epoch: Option<Epoch>,
    /// Events received.
    pub events: u64,
    /// End of the log, in entries.
    pub end: u64,
    /// How much of it is fsynced, in entries.
    pub durable_end: u64,
    /// What is here without gaps.
    pub vector: VersionVector,
    /// How many commits wait for their past.
    pub waiting: usize,
    /// The first of them, at most 64, with what they wait for.
    pub waiting_commits: Vec<WaitingCommit>,
    /// Aggregates in memory that have no state, and why.
    pub unresolved: Vec<(AggregateId, Unresolved)>,
    /// Bytes of timelines in memory.
    pub cache_bytes: usize,
    /// How far other replicas' logs were read.
    pub peers: Vec<(ReplicaId, Cursor)>,
    /// Open connections.
    pub links: Vec<LinkStatus>,
    /// Why the store takes no more writes, if it does not.
    pub failed: Option<alloc::sync::Arc<str>>,
}

/// One aggregate as it stands.
#[derive(Clone, Debug)]
pub struct AggregateStatus {
    /// The aggregate.
    pub aggregate: AggregateId,
    /// Its ready events.
    pub events: u64,
    /// How many of them its rule refused.
    pub rejections: u64,
    /// The refused ones that are in memory, with the reasons.
    pub rejected: Vec<(EventId, Rejection)>,
    /// Its maximal events.
    pub heads: Vec<Head>,
    /// The rule.
    pub resolver: Option<ResolverId>,
    /// Digest of its state.
    pub digest: Option<Digest>,
    /// Why it has no state, if it has none.
    pub unresolved: Option<Unresolved>,
}

/// Waiting commits that a status lists.
const WAITING_LISTED: usize = 64;

/// The first commits that wait, and for what.
pub(super) fn listed_waiting(inbox: &Inbox) -> Vec<WaitingCommit> {
    let waiting = inbox.waiting().take(WAITING_LISTED);
    let listed = waiting.map(|(commit, missing)| WaitingCommit {
        commit: commit.id(),
        missing,
    });
    listed.collect()
}

impl Engine {
    /// Whether the store failed, so that nothing more is written.
    pub fn has_failed(&self) -> bool {
        self.writer.failed.is_some()
    }

    /// The replica as it stands. Cost: the waiting commits it lists, the connections, and the aggregates
    /// in memory, if any of them has had no state.
    pub fn status(&self) -> ReplicaStatus {
        let received = self.inbox.received();
        ReplicaStatus {
            replica: self.identity.replica,
            lineage: self.identity.lineage,
            lineage_shared: self.identity.lineage_shared,
            epoch: self.log.epochs.current(),
            events: received.events(),
            end: self.log.end(),
            durable_end: self.log.durable_end(),
            vector: received.version_vector(),
            waiting: self.inbox.waiting_len(),
            waiting_commits: listed_waiting(&self.inbox),
            unresolved: self.cache.unresolved_in_memory(),
            cache_bytes: self.cache.bytes(),
            peers: self.peers.cursors().collect(),
            links: self
                .links
                .ids()
                .filter_map(|link| self.link_status(link))
                .collect(),
            failed: self.writer.failed.clone(),
        }
    }

    /// Who this replica is now.
    pub fn replica(&self) -> ReplicaId {
        self.identity.replica
    }

    /// This opening of the store.
    pub fn epoch(&self) -> Option<Epoch> {
        self.log.epochs.current()
    }

    /// Whether a cursor points into this store's actual past.
    pub fn honours(&self, cursor: Cursor) -> bool {
        self.log.epochs.honours(cursor, self.log.stored_end())
    }

    /// End of what the store has answered.
    pub fn stored_end(&self) -> u64 {
        self.log.stored_end()
    }

    /// How many commits wait for their past.
    pub fn waiting(&self) -> usize {
        self.inbox.waiting_len()
    }

    /// Whether nothing is being written or waits to be.
    pub fn is_idle(&self) -> bool {
        self.writer.is_idle()
    }

    /// One connection as it stands.
    pub fn link_status(&self, link: LinkId) -> Option<LinkStatus> {
        let state = self.links.get(link)?;
        Some(LinkStatus {
            link,
            session: state.session.status(),
            live: state.is_live(),
            duplicates: state.report.duplicates,
            forked: state.forked.clone(),
        })
    }

    /// An aggregate that is in memory; nothing if it has to be loaded first. Its timeline is folded
    /// unless it has no state.
    pub fn timeline(&mut self, aggregate: &AggregateId) -> Option<&Timeline> {
        self.fold(aggregate);
        self.cache.timeline(aggregate)
    }

    /// What there is to say of an aggregate; nothing if it has to be loaded first.
    pub fn aggregate_status(&mut self, aggregate: &AggregateId) -> Option<AggregateStatus> {
        let timeline = self.timeline(aggregate)?;
        let rejected = |id: EventId| match timeline.outcome(id) {
            Some(Outcome::Rejected(rejection)) => Some((id, rejection)),
            _ => None,
        };
        Some(AggregateStatus {
            aggregate: aggregate.clone(),
            events: timeline.len(),
            rejections: timeline.rejections(),
            rejected: timeline
                .events()
                .filter_map(|event| rejected(event.id()))
                .collect(),
            heads: timeline.heads().into_iter().map(|(head, _)| head).collect(),
            resolver: timeline.route().map(|route| route.resolver().id()),
            digest: timeline.digest(),
            unresolved: timeline.condition().cloned(),
        })
    }
}
