use core::fmt;

use crate::event::{AggregateId, Digest, ReplicaId, SetHash};
use crate::merge::{Evidence, Shortcuts};
use crate::resolver::ResolverId;

/// A state that is not a function of its events: somewhere a rule breaks its laws.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Divergence {
    /// The aggregate.
    pub aggregate: AggregateId,
    /// Its rule.
    pub resolver: ResolverId,
    /// What is wrong, as far as it can be told here.
    pub finding: Finding,
    /// How many ready events there were.
    pub events: u64,
    /// Which ones.
    pub set: SetHash,
    /// Digest of the state that stood here.
    pub ours: Digest,
    /// Digest of what a fold of all events came to, where it was made and always came to the same.
    pub replayed: Option<Digest>,
    /// The peer that had another state, and its digest; nothing where it was found here alone.
    pub peer: Option<(ReplicaId, Digest)>,
    /// Whether the state here is right now, or the peer's is the same again.
    pub is_healed: bool,
    /// The smallest history found that shows it, as a test. Once for a rule and a finding.
    pub evidence: Option<Evidence>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The rule comes to another state when it is asked again: it reads something that is not among
    /// its arguments, or lets the order of a hash map show. No replay can heal that; the state stays
    /// readable.
    NotDeterministic,
    /// What the rule says of itself and a shortcut relies on is not so. The shortcuts are taken no more
    /// for this rule, and what was owed to them is folded anew.
    FalseShortcut(Shortcuts),
    /// The state here is what the events come to here, each time: the peer is wrong, and may find out
    /// and heal itself, or the rule depends on the machine.
    ElsewhereDifferent,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDeterministic => f.write_str("the rule is not deterministic"),
            Self::FalseShortcut(shortcuts) => {
                write!(f, "a shortcut is false, and off from now on: {shortcuts}")
            }
            Self::ElsewhereDifferent => {
                f.write_str("the peer is wrong, or the rule depends on the machine")
            }
        }
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let healed = if self.is_healed { "; healed" } else { "" };
        let Self {
            aggregate,
            resolver,
            finding,
            ours,
            ..
        } = self;
        write!(
            f,
            "{aggregate} under {resolver}: {finding}{healed} (the state had the digest {ours}"
        )?;
        if let Some(replayed) = self.replayed.filter(|replayed| replayed != ours) {
            write!(f, ", a replay has {replayed}")?;
        }
        if let Some((peer, theirs)) = self.peer {
            write!(f, ", that of replica {peer} {theirs}")?;
        }
        f.write_str(")")
    }
}
