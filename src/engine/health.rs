use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::lag::{Gap, Lag};
use super::link::LinkState;
use super::status::{WaitingCommit, listed_waiting};
use super::{Distrusted, Divergence, Engine, LinkId};
use crate::event::{AggregateId, EventId, ReplicaId, SeqRanges};
use crate::limits::FORKS_LISTED_MAX;
use crate::log::IdRange;
use crate::merge::Unresolved;

/// What ails a replica, and what it and its peers do not have of each other.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Who it is.
    pub replica: ReplicaId,
    /// Why the store takes no more writes, if it does not: close it and open it again.
    pub failed: Option<Arc<str>>,
    /// A peer has refused commits, and they are being written again; local writes wait for that.
    pub is_restamping: bool,
    /// How many commits wait for their past.
    pub waiting: usize,
    /// The first of them, at most 64, with what they wait for.
    pub waiting_commits: Vec<WaitingCommit>,
    /// Aggregates that had no state when they were last folded in this opening, and why: at most
    /// 1,024, in the order of names. One that nobody has looked at is not among them.
    pub unresolved: Vec<(AggregateId, Unresolved)>,
    /// Whether there are more of these.
    pub more_unresolved: bool,
    /// Commits that contradict what is here of their writers and were not taken in this opening: two
    /// stores have written under one name. The first 64.
    pub forked: Vec<EventId>,
    /// States that are not functions of their events, by aggregate, as they were found in this
    /// opening: at most 64, healed ones included.
    pub divergences: Vec<Divergence>,
    /// Whether there are more of these.
    pub more_divergences: bool,
    /// Rules in use that were seen to break a law, in this opening or an earlier one.
    pub distrusted: Vec<Distrusted>,
    /// How often a state was compared with a peer's of the same events, in this opening.
    pub comparisons: u64,
    /// How often a shortcut was audited by a replay, in this opening.
    pub audits: u64,
    /// Everybody whose log was read from here or who has acknowledged something, in the order of ids.
    pub peers: Vec<PeerLag>,
}

impl Health {
    /// Whether there is nothing that somebody should look at. How far peers are behind is no
    /// ailment.
    pub fn is_well(&self) -> bool {
        self.failed.is_none()
            && self.waiting == 0
            && self.unresolved.is_empty()
            && self.forked.is_empty()
            && self.distrusted.is_empty()
            && !self.more_divergences
            && self.divergences.iter().all(|found| found.is_healed)
    }
}

/// What a replica and one peer do not have of each other, as far as this replica knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerLag {
    /// The peer, as it was called when last met.
    pub peer: ReplicaId,
    /// Whether there is a connection.
    pub is_connected: bool,
    /// Whether both ends have everything, so that what is written now is passed on at once.
    pub is_live: bool,
    /// What the peer has and this replica lacks: exact where the peer has told in this session all
    /// that it has, or has sent it; else of the peer's own events, as of the last meeting in this
    /// opening.
    pub behind: Gap,
    /// What is here and the peer has not acknowledged as durable, what came from it left out; until
    /// the first acknowledgement after it has told what it has, what it has not told. Exact; nothing
    /// where that is more than 65,536 entries of the log, or nothing was ever acknowledged.
    pub ahead: Option<Gap>,
    /// How many entries the log has behind the last one that the peer has acknowledged; nothing
    /// where it never has.
    pub unacknowledged: Option<u64>,
}

impl Health {
    /// Takes what was read of the log: see [`Lag::reads_from`].
    pub fn complete(&mut self, lag: Lag) {
        let mut gaps = lag.gaps();
        for peer in &mut self.peers {
            if let Some(gap) = gaps.remove(&peer.peer) {
                peer.ahead = Some(gap);
            }
        }
    }
}

impl Engine {
    /// The replica's health, and what has to be read of the log to make it complete: see
    /// [`Lag::reads_from`] and [`Health::complete`]. Cost: peers, and ranges that one end lacks.
    pub fn health(&self) -> (Health, Lag) {
        let (unresolved, more_unresolved) = self.cache.unresolved();
        let mut forked = self.forked.clone();
        for state in self.links.iter() {
            forked.extend(&state.forked);
        }
        // Of several connections with one peer, the latest of those that bring its events.
        let mut connected: BTreeMap<ReplicaId, (bool, LinkId)> = BTreeMap::new();
        for state in self.links.iter() {
            if let Some(peer) = state.peer {
                let best = connected.entry(peer).or_insert((false, state.id));
                *best = (state.receives, state.id).max(*best);
            }
        }
        let mut known: BTreeSet<ReplicaId> = self.peers.known_replicas().collect();
        known.extend(connected.keys());
        let mut lag = Lag::new(&self.log);
        let peers = known
            .into_iter()
            .map(|peer| {
                let link = connected.get(&peer).map(|(_, link)| *link);
                self.peer_lag(peer, link, &mut lag)
            })
            .collect();
        for (position, entry) in self.log.kept_between(self.log.stored_end(), self.log.end()) {
            self.count_lag(&mut lag, position, entry);
        }
        let (divergences, more_divergences) = self.audit.divergences();
        let (comparisons, audits) = self.audit.counts();
        let health = Health {
            replica: self.identity.replica,
            failed: self.writer.failed.clone(),
            is_restamping: self.restamping.is_some(),
            waiting: self.inbox.waiting_len(),
            waiting_commits: listed_waiting(&self.inbox),
            unresolved,
            more_unresolved,
            forked: forked.into_iter().take(FORKS_LISTED_MAX).collect(),
            divergences,
            more_divergences,
            distrusted: self.audit.distrusted(&self.registry),
            comparisons,
            audits,
            peers,
        };
        (health, lag)
    }

    fn peer_lag(&self, peer: ReplicaId, link: Option<LinkId>, lag: &mut Lag) -> PeerLag {
        let state = link.and_then(|link| self.links.get(link));
        let received = self.inbox.received();
        let lacks = |range: &IdRange| {
            let told: SeqRanges = core::iter::once(range.seqs.clone()).collect();
            let here = received.track(range.replica).map(crate::log::Track::ranges);
            (
                range.replica,
                told.without(here.unwrap_or(&SeqRanges::new())),
            )
        };
        let mut behind = Gap::default();
        let own = self.peers.own_of(peer);
        let own = own.map(|seqs| IdRange {
            replica: peer,
            seqs,
        });
        match state.and_then(|state| state.lacking.as_ref()) {
            Some(told) => told
                .iter()
                .map(lacks)
                .for_each(|(id, seqs)| behind.add(id, &seqs)),
            None => own
                .iter()
                .map(lacks)
                .for_each(|(id, seqs)| behind.add(id, &seqs)),
        }
        let summary = state.filter(|state| state.acked.is_none());
        let summary = summary.and_then(|state| state.session.peer_summary());
        let acked = self.peers.acked(peer).filter(|_| summary.is_none());
        let ahead = summary.map(|theirs| {
            let mut gap = Gap::default();
            for range in received.without(theirs) {
                gap.add(range.replica, &core::iter::once(range.seqs).collect());
            }
            gap
        });
        if let Some(acked) = acked {
            lag.want(peer, acked);
        }
        PeerLag {
            peer,
            is_connected: state.is_some(),
            is_live: state.is_some_and(LinkState::is_live),
            behind,
            ahead,
            unacknowledged: acked.map(|acked| self.log.end().saturating_sub(acked)),
        }
    }
}
