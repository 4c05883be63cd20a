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
    const NOTHING: Self = Self {
        ranges: SeqRanges::new(),
        chain: Chain::START,
        beyond: BTreeMap::new(),
    };

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
        Self::NOTHING
    }
}

/// What has been received, per replica, with gaps, and each replica's chain up to its first gap.
///
/// Not to be confused with what is *ready*: a received commit may still wait for its past. Finding a
/// replica costs the logarithm of their number, the one that something came from last nothing.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Where in `tracks` a replica's is.
    places: BTreeMap<ReplicaId, usize>,
    /// In the order in which something came from them first.
    tracks: Vec<(ReplicaId, Track)>,
    /// Where what came last belongs: commits of one writer mostly come one after another.
    latest: usize,
}

impl PartialEq for Received {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Received {}

impl Received {
    /// Nothing received yet.
    pub const fn new() -> Self {
        Self {
            places: BTreeMap::new(),
            tracks: Vec::new(),
            latest: 0,
        }
    }

    /// Puts a track that a store read back.
    pub fn restore(&mut self, replica: ReplicaId, track: Track) {
        if let Some(restored) = self.track_mut(replica) {
            *restored = track;
        }
    }

    fn place(&self, replica: ReplicaId) -> Option<usize> {
        match self.tracks.get(self.latest) {
            Some((latest, _)) if *latest == replica => Some(self.latest),
            _ => self.places.get(&replica).copied(),
        }
    }

    /// The track of a replica of which something comes now, a new one if need be.
    fn track_mut(&mut self, replica: ReplicaId) -> Option<&mut Track> {
        let place = self.place(replica);
        self.latest = place.unwrap_or(self.tracks.len());
        if place.is_none() {
            self.places.insert(replica, self.latest);
            self.tracks.push((replica, Track::NOTHING));
        }
        let (_, track) = self.tracks.get_mut(self.latest)?;
        Some(track)
    }

    /// Whether an event is here.
    pub fn contains(&self, id: EventId) -> bool {
        self.track(id.replica)
            .is_some_and(|track| track.ranges.contains(id.seq))
    }

    /// The track of one replica.
    pub fn track(&self, replica: ReplicaId) -> Option<&Track> {
        let (_, track) = self.tracks.get(self.place(replica)?)?;
        Some(track)
    }

    /// The last seq before the first gap and the chain value there.
    pub fn chain(&self, replica: ReplicaId) -> Option<(Seq, Chain)> {
        self.track(replica).and_then(Track::chain)
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
        let Some(track) = self.track_mut(commit.replica()) else {
            return;
        };
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

    /// The chain value before a commit that is the next one of a writer without gaps; nothing if it is
    /// not. Of such a one nothing is here.
    pub fn before_next(&self, commit: &Commit) -> Option<Chain> {
        let id = commit.id();
        let track = self.track(id.replica)?;
        track.ranges.ends_before(id.seq).then_some(track.chain)
    }

    /// Adds a commit that is the next one of a writer without gaps. Returns the chain value before it;
    /// nothing, and adds nothing, if it is not the next one.
    pub fn insert_next(&mut self, commit: &Commit) -> Option<Chain> {
        let (id, last) = (commit.id(), commit.span().last());
        let place = self.place(id.replica)?;
        let (_, track) = self.tracks.get_mut(place)?;
        self.latest = place;
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
        for (replica, track) in self.iter() {
            let there = other.track(replica);
            let there = there.map_or(&nothing, |track| &track.ranges);
            let missing = track.ranges.without(there);
            ranges.extend(missing.iter().map(|seqs| IdRange { replica, seqs }));
        }
        ranges
    }

    /// How many events are here.
    pub fn events(&self) -> u64 {
        let counts = self.tracks.iter().map(|(_, track)| track.ranges.count());
        counts.sum()
    }

    /// Each replica with its track, in the order of ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (ReplicaId, &Track)> {
        static NOTHING: Track = Track::NOTHING;
        self.places.iter().map(|(replica, place)| {
            let track = self.tracks.get(*place);
            (*replica, track.map_or(&NOTHING, |(_, track)| track))
        })
    }

    /// The vector of what is here without a gap.
    pub fn version_vector(&self) -> VersionVector {
        let mut vector = VersionVector::new();
        for (replica, track) in self.iter() {
            if let Some(seq) = track.ranges.prefix() {
                vector.observe(EventId::new(replica, seq));
            }
        }
        vector
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CommitSpan, Event, EventParts, Heads, Metadata, Payload, Timestamp};

    fn commit(replica: ReplicaId, first: u64, len: usize) -> Commit {
        let first = Seq::new(first).unwrap();
        let span = CommitSpan::new(first, len).unwrap();
        let event = |seq| {
            let event = Event::assemble(EventParts {
                id: EventId::new(replica, Seq::new(seq).unwrap()),
                commit: span,
                timestamp: Timestamp::at_millis(1),
                written_ms: 1,
                aggregate: "a/1".parse().unwrap(),
                event_type: "set".parse().unwrap(),
                heads: Heads::default(),
                replaces: None,
                metadata: Metadata::new(),
                payload: Payload::from_bytes(alloc::vec![0].into()).unwrap(),
            });
            event.unwrap()
        };
        Commit::new((first.get()..=span.last().get()).map(event).collect()).unwrap()
    }

    /// Against the events of each replica in a tree, whoever came last: alternating, in runs, with gaps.
    #[test]
    fn what_is_received_is_what_came_whoever_it_came_from_last() {
        let mut received = Received::new();
        let mut twin: BTreeMap<(ReplicaId, u64), Digest> = BTreeMap::new();
        let mut random = 7u64;
        let mut draw = |below: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) % below
        };
        let mut replica = ReplicaId::new(1, 0);
        for _ in 0..2_000 {
            if draw(3) == 0 {
                replica = ReplicaId::new(1, draw(9));
            }
            let here = |seq: &u64| twin.contains_key(&(replica, *seq));
            let (first, len) = (1 + draw(200), 1 + usize::try_from(draw(3)).unwrap());
            let end = (1..u64::MAX).find(|seq| !here(seq)).unwrap();
            let commit = commit(replica, if draw(2) == 0 { end } else { first }, len);
            let (first, last) = (commit.span().first(), commit.span().last());
            let is_new = !(first.get()..=last.get()).any(|seq| here(&seq));
            let chain_at = |end: u64| {
                let mut digests = (1..end).map(|seq| twin.get(&(replica, seq)));
                digests.try_fold(Chain::START, |chain, digest| Some(chain.extend(*digest?)))
            };
            // What is here behind the first gap is in ranges of its own.
            let is_next = end > 1
                && first.get() == end
                && !twin
                    .keys()
                    .any(|key| *key > (replica, end) && key.0 == replica);
            let before = chain_at(first.get()).filter(|_| is_next);
            assert_eq!(received.before_next(&commit), before);
            assert_eq!(received.contains(commit.id()), here(&first.get()));
            if is_new {
                let added = received.insert_next(&commit);
                assert_eq!(added, before);
                if added.is_none() {
                    received.insert(&commit);
                }
                let seqs = commit
                    .events()
                    .iter()
                    .map(|event| ((replica, event.id().seq.get()), event.digest()));
                twin.extend(seqs);
            }
            let end = (1..u64::MAX)
                .find(|seq| !twin.contains_key(&(replica, *seq)))
                .unwrap();
            let chain = (1..end).fold(Chain::START, |chain, seq| {
                chain.extend(twin[&(replica, seq)])
            });
            let last = Seq::new(end - 1);
            assert_eq!(received.chain(replica), last.map(|last| (last, chain)));
        }
        assert_eq!(received.events(), u64::try_from(twin.len()).unwrap());
        let ids: Vec<ReplicaId> = received.iter().map(|(replica, _)| replica).collect();
        assert!(ids.is_sorted() && ids.len() == 9);
        let mut again = Received::new();
        for (replica, track) in received.iter().collect::<Vec<_>>().into_iter().rev() {
            again.restore(replica, track.clone());
        }
        assert_eq!(again, received);
    }
}
