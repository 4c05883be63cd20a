//! Whether the rules keep their laws, as far as it shows while they are at work.
//!
//! State is a function of an aggregate's events and its rule. So two replicas that tell each other of
//! the same events, the same rule and different states have found a mistake in the rule, and so has
//! one replica whose shortcut comes to another state than a fold of all events. [`telling`] says
//! what is told to peers and when, [`hearing`] compares, [`placed`] samples shortcuts, [`examining`]
//! finds out which it is and heals what a replay can heal.
//!
//! Invariants: what an audit costs is bounded, whatever a peer says; a rule is only asked under the
//! guard; no exchange of events and no read waits for an audit, but for the end of a one-time sync.

mod allowance;
mod divergence;
mod examining;
mod hearing;
mod moved;
mod placed;
mod relay;
mod telling;
mod trust;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

pub use self::divergence::{Divergence, Finding};
pub(super) use self::telling::LinkAudit;
pub use self::trust::Distrusted;

use self::allowance::Allowance;
use self::moved::Moved;
use self::relay::Relay;
use super::LinkId;
use crate::event::{AggregateId, Digest, ReplicaId};
use crate::limits::{
    AUDIT_LOADS_MAX, DIVERGENCES_MAX, EXAMINED_APPLIES_MAX, EXAMINED_APPLIES_PER_SECOND,
};
use crate::merge::{Shortcuts, Standing};
use crate::protocol::Round;
use crate::resolver::ResolverId;

/// What the audit of one replica knows and has under way.
#[derive(Debug)]
pub(super) struct Audit {
    /// Connections that are open.
    pub(super) links: usize,
    pub(super) moved: Moved,
    distrusted: BTreeMap<Digest, Distrusted>,
    divergences: BTreeMap<AggregateId, Divergence>,
    more_divergences: bool,
    pending: BTreeMap<AggregateId, Pending>,
    /// Those of them that can be gone on with.
    runnable: BTreeSet<AggregateId>,
    /// Aggregates that may still be brought into memory for this.
    loads: Allowance,
    /// Events that may still be folded anew because a peer says otherwise.
    examined: Allowance,
    relay: Relay,
    /// Audits of late events that were applied where they came, by rule.
    placed: BTreeMap<Digest, u32>,
    /// Events folded in all, and of them for audits of those.
    applies: u64,
    replayed: u64,
    comparisons: u64,
    audits: u64,
}

/// What is to be done with one aggregate once it is in memory.
#[derive(Debug, Default)]
struct Pending {
    /// Peers that told what it stands at there.
    heard: Vec<Heard>,
    /// Connections on which it is to be told.
    tells: Vec<LinkId>,
    /// What was found to be wrong with it, and is to be looked into with its history.
    suspicion: Option<Suspicion>,
}

/// What a peer told.
#[derive(Clone, Copy, Debug)]
struct Heard {
    link: LinkId,
    peer: ReplicaId,
    theirs: Standing,
    round: Round,
    /// The same events had come to another state here.
    differed: bool,
}

/// A state that is not what it should be, here or elsewhere.
#[derive(Clone, Copy, Debug)]
struct Suspicion {
    /// What stood here.
    stood: Standing,
    /// Which shortcuts may have led to it.
    used: Shortcuts,
    /// Who says otherwise, if a peer does, and what.
    peer: Option<(ReplicaId, Digest)>,
}

impl Audit {
    /// Nothing known yet. Whoever chooses names must not know the seed.
    pub(super) fn seeded(seed: u64) -> Self {
        Self {
            links: 0,
            moved: Moved::seeded(seed),
            distrusted: BTreeMap::new(),
            divergences: BTreeMap::new(),
            more_divergences: false,
            pending: BTreeMap::new(),
            runnable: BTreeSet::new(),
            loads: Allowance::new(AUDIT_LOADS_MAX, AUDIT_LOADS_MAX),
            examined: Allowance::new(EXAMINED_APPLIES_MAX, EXAMINED_APPLIES_PER_SECOND),
            relay: Relay::default(),
            placed: BTreeMap::new(),
            applies: 0,
            replayed: 0,
            comparisons: 0,
            audits: 0,
        }
    }
    /// An aggregate is in memory, or cannot be.
    pub(super) fn came(&mut self, aggregate: &AggregateId) {
        if self.pending.contains_key(aggregate) {
            self.runnable.insert(aggregate.clone());
        }
    }

    fn pending(&mut self, aggregate: &AggregateId) -> &mut Pending {
        self.runnable.insert(aggregate.clone());
        self.pending.entry(aggregate.clone()).or_default()
    }

    /// Events were folded.
    pub(super) fn applied(&mut self, events: usize) {
        let events = u64::try_from(events).unwrap_or(u64::MAX);
        self.applies = self.applies.saturating_add(events);
    }

    /// Keeps what was found of an aggregate, of as many as are listed.
    fn note(&mut self, divergence: Divergence) {
        let name = divergence.aggregate.clone();
        if !self.divergences.contains_key(&name) && !self.has_room() {
            self.more_divergences = true;
            return;
        }
        self.divergences.insert(name, divergence);
    }

    /// Whether something that is listed shows the same mistake of a rule.
    fn has_evidence(&self, resolver: &ResolverId, finding: Finding) -> bool {
        let same = |found: &&Divergence| found.resolver == *resolver && found.finding == finding;
        let mut found = self.divergences.values().filter(same);
        found.any(|found| found.evidence.is_some())
    }

    /// Whether one more can be listed; what has healed makes room.
    fn has_room(&mut self) -> bool {
        if self.divergences.len() >= DIVERGENCES_MAX {
            let healed = self.divergences.iter().find(|(_, found)| found.is_healed);
            if let Some(name) = healed.map(|(name, _)| name.clone()) {
                self.divergences.remove(&name);
            }
        }
        self.divergences.len() < DIVERGENCES_MAX
    }

    /// What was found, and whether there is more than is listed.
    pub(super) fn divergences(&self) -> (Vec<Divergence>, bool) {
        let listed = self.divergences.values().cloned().collect();
        (listed, self.more_divergences)
    }

    /// How often a state was compared with a peer's, and a shortcut with a replay.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.comparisons, self.audits)
    }
}
