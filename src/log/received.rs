use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use crate::event::{Chain, Commit, Digest, EventId, ReplicaId, Seq, SeqRanges, VersionVector};

/// Some consecutive events of one replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdRange {
    /// The writer.
    pub replica: ReplicaId,
    /// Its seqs.
    pub seqs: RangeInclusive<Seq>,
}

/// What has been received of one replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    ranges: SeqRanges,
    chain: Chain,
    beyond: BTreeMap<Seq, Digest>,
}

impl Track {
    /// A track with everything up to a seq, as a store read it back.
    pub fn restored(ranges: SeqRanges, chain: Chain, beyond: BTreeMap<Seq, Digest>) -> Self {
        Self {
            ranges,
            chain,
            beyond,
        }
    }

    /// All received seqs.
    pub fn ranges(&self) -> &SeqRanges {
        &self.ranges
    }

    /// The last seq before the first gap, with the chain value there.
    pub fn chain(&self) -> Option<(Seq, Chain)> {
        self.ranges.prefix().map(|seq| (seq, self.chain))
    }

    /// Digests of the events after the first gap, which the chain does not cover yet.
    pub fn beyond(&self) -> &BTreeMap<Seq, Digest> {
        &self.beyond
    }
}

impl Default for Track {
    fn default() -> Self {
        Self {
            ranges: SeqRanges::new(),
            chain: Chain::START,
            beyond: BTreeMap::new(),
        }
    }
}

/// What has been received, per replica, with gaps, and each replica's chain up to its first gap.
///
/// Not to be confused with what is *ready*: a received commit may still wait for its past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received(BTreeMap<ReplicaId, Track>);

impl Received {
    /// Nothing received yet.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Puts a track that a store read back.
    pub fn restore(&mut self, replica: ReplicaId, track: Track) {
        self.0.insert(replica, track);
    }

    /// Whether an event is here.
    pub fn contains(&self, id: EventId) -> bool {
        self.0
            .get(&id.replica)
            .is_some_and(|track| track.ranges.contains(id.seq))
    }

    /// The track of one replica.
    pub fn track(&self, replica: ReplicaId) -> Option<&Track> {
        self.0.get(&replica)
    }

    /// The last seq before the first gap and the chain value there.
    pub fn chain(&self, replica: ReplicaId) -> Option<(Seq, Chain)> {
        self.0.get(&replica).and_then(Track::chain)
    }

    /// The chain value before `seq`, if everything before it and nothing from it on is in the chain.
    pub fn chain_before(&self, replica: ReplicaId, seq: Seq) -> Option<Chain> {
        match (seq.previous(), self.chain(replica)) {
            (None, None) => Some(Chain::START),
            (Some(before), Some((last, chain))) if before == last => Some(chain),
            _ => None,
        }
    }

    /// Adds a commit, none of whose events is here yet. Cost: its events; what it closes a gap to is
    /// taken into the chain.
    pub fn insert(&mut self, commit: &Commit) {
        let track = self.0.entry(commit.replica()).or_default();
        let span = commit.span();
        let before = track.ranges.prefix();
        track.ranges.insert(span.first()..=span.last());
        if span.first().previous() != before {
            track
                .beyond
                .extend(commit.events().iter().map(|e| (e.id().seq, e.digest())));
            return;
        }
        track.chain = commit.chain_after(track.chain);
        let mut next = span.last().next();
        while let Some(seq) = next
            && let Some(digest) = track.beyond.remove(&seq)
        {
            track.chain = track.chain.extend(digest);
            next = seq.next();
        }
    }

    /// Adds a commit that is the next one of a writer without gaps, with one search for the writer.
    /// Returns the chain value before it; nothing, and adds nothing, if it is not the next one.
    pub fn insert_next(&mut self, commit: &Commit) -> Option<Chain> {
        let (id, last) = (commit.id(), commit.span().last());
        let track = self.0.get_mut(&id.replica)?;
        track.ranges.extend_only(id.seq, last).then(|| {
            let before = track.chain;
            track.chain = commit.chain_after(before);
            before
        })
    }

    /// What `self` holds and `other` does not.
    pub fn without(&self, other: &Self) -> Vec<IdRange> {
        let nothing = SeqRanges::new();
        let mut ranges = Vec::new();
        for (replica, track) in &self.0 {
            let there = other.0.get(replica).map_or(&nothing, |track| &track.ranges);
            let missing = track.ranges.without(there);
            ranges.extend(missing.iter().map(|seqs| IdRange {
                replica: *replica,
                seqs,
            }));
        }
        ranges
    }

    /// How many events are here.
    pub fn events(&self) -> u64 {
        self.0.values().map(|track| track.ranges.count()).sum()
    }

    /// Each replica with its track, in the order of ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (ReplicaId, &Track)> {
        self.0.iter().map(|(replica, track)| (*replica, track))
    }

    /// The vector of what is here without a gap.
    pub fn version_vector(&self) -> VersionVector {
        let mut vector = VersionVector::new();
        for (replica, track) in &self.0 {
            if let Some(seq) = track.ranges.prefix() {
                vector.observe(EventId::new(*replica, seq));
            }
        }
        vector
    }
}
