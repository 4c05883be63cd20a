use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::{fmt, mem, slice};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{EventId, ReplicaId, Seq};

/// How two events, or two pasts, relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Causality {
    /// The first is in the past of the second.
    Before,
    /// The second is in the past of the first.
    After,
    /// Both are the same.
    Equal,
    /// Neither knew of the other.
    Concurrent,
}

/// A set of events that has no holes: of each replica, every event up to some seq.
///
/// As every past is such a set, this is what a writer had seen, in the form of Fidge and Mattern's
/// vector clocks (1988). Events do not carry it (they name their [`Heads`](super::Heads)); it is
/// derived where somebody asks. Its size is the number of replicas in it, whatever the seqs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[doc(alias = "vector clock")]
pub struct VersionVector {
    /// Ascending, each replica once. Most have few replicas and are read and copied much more often
    /// than they take one in, so they lie in a row.
    last: Vec<EventId>,
}

impl VersionVector {
    /// The empty set: nothing has been seen.
    pub const fn new() -> Self {
        Self { last: Vec::new() }
    }

    /// Adds an event and all earlier ones of its replica. O(log n) in the number of replicas; the first
    /// event of a replica moves those behind it.
    pub fn observe(&mut self, id: EventId) {
        match self.place(id.replica) {
            Ok(at) => {
                if let Some(last) = self.last.get_mut(at) {
                    last.seq = last.seq.max(id.seq);
                }
            }
            Err(at) => self.last.insert(at, id),
        }
    }

    /// Whether an event is in the set. O(log n) in the number of replicas.
    pub fn contains(&self, id: EventId) -> bool {
        self.get(id.replica).is_some_and(|seq| id.seq <= seq)
    }

    /// The greatest seq of a replica, or nothing if none of its events is in the set.
    pub fn get(&self, replica: ReplicaId) -> Option<Seq> {
        let at = self.place(replica).ok()?;
        self.last.get(at).map(|last| last.seq)
    }

    /// Adds everything that another set holds.
    ///
    /// A join of a semilattice: order, grouping and repetition do not matter. O(m log n) for m
    /// replicas in the other set, or O(m + n) where it has some that are new.
    #[doc(alias = "merge")]
    pub fn join(&mut self, other: &Self) {
        if self.last.is_empty() {
            return self.last.clone_from(&other.last);
        }
        for (at, id) in other.iter().enumerate() {
            match self.place(id.replica) {
                Ok(_) => self.observe(id),
                // A second one may be new as well, so all of them are merged in one go.
                Err(_) => return self.merge(other.last.get(at..).unwrap_or_default()),
            }
        }
    }

    /// Both rows as one.
    fn merge(&mut self, theirs: &[EventId]) {
        let ours = mem::take(&mut self.last);
        self.last.reserve(ours.len() + theirs.len());
        let mut theirs = theirs.iter().copied().peekable();
        for our in ours {
            while let Some(their) = theirs.next_if(|their| their.replica < our.replica) {
                self.last.push(their);
            }
            let same = theirs.next_if(|their| their.replica == our.replica);
            self.last.push(our.max(same.unwrap_or(our)));
        }
        self.last.extend(theirs);
    }

    /// Where a replica stands, or would.
    fn place(&self, replica: ReplicaId) -> Result<usize, usize> {
        // A writer's own events are mostly asked about with it alone, or where it comes last.
        match self.last.last().map(|last| last.replica.cmp(&replica)) {
            None => Err(0),
            Some(Ordering::Less) => Err(self.last.len()),
            Some(Ordering::Equal) => Ok(self.last.len() - 1),
            Some(Ordering::Greater) => self
                .last
                .binary_search_by_key(&replica, |last| last.replica),
        }
    }

    /// How this set relates to another: [`Before`](Causality::Before) is a true subset. O((m + n)
    /// log(m + n)).
    pub fn compare(&self, other: &Self) -> Causality {
        match (self.is_within(other), other.is_within(self)) {
            (true, true) => Causality::Equal,
            (true, false) => Causality::Before,
            (false, true) => Causality::After,
            (false, false) => Causality::Concurrent,
        }
    }

    /// The greatest event of each replica, in the order of replicas.
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.last.iter())
    }

    /// How many replicas have an event in the set.
    pub fn len(&self) -> usize {
        self.last.len()
    }

    /// Whether no event is in the set.
    pub fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    /// Whether another set holds everything of this one.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.len() <= other.len() && self.iter().all(|id| other.contains(id))
    }
}

/// The greatest event of each replica of a [`VersionVector`], in the order of replicas.
#[derive(Clone, Debug)]
pub struct Iter<'a>(slice::Iter<'a, EventId>);

impl Iterator for Iter<'_> {
    type Item = EventId;

    fn next(&mut self) -> Option<EventId> {
        self.0.next().copied()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl<'a> IntoIterator for &'a VersionVector {
    type Item = EventId;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl Extend<EventId> for VersionVector {
    fn extend<I: IntoIterator<Item = EventId>>(&mut self, ids: I) {
        ids.into_iter().for_each(|id| self.observe(id));
    }
}

impl FromIterator<EventId> for VersionVector {
    fn from_iter<I: IntoIterator<Item = EventId>>(ids: I) -> Self {
        let mut last: Vec<EventId> = ids.into_iter().collect();
        last.sort_unstable_by(|one, other| other.cmp(one));
        last.dedup_by_key(|id| id.replica);
        last.reverse();
        Self { last }
    }
}

/// As a map from replicas to seqs.
impl Serialize for VersionVector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|id| (id.replica, id.seq)))
    }
}

impl<'de> Deserialize<'de> for VersionVector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = BTreeMap::<ReplicaId, Seq>::deserialize(deserializer)?;
        let last = map.into_iter();
        let last = last.map(|(replica, seq)| EventId::new(replica, seq));
        Ok(Self {
            last: last.collect(),
        })
    }
}

/// The events of [`iter`](VersionVector::iter), separated by spaces; `-` when there are none.
impl fmt::Display for VersionVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("-");
        }
        for (position, id) in self.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            fmt::Display::fmt(&id, f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::format;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::super::cbor;
    use super::*;

    fn id(replica: u64, seq: u64) -> EventId {
        EventId::new(ReplicaId::new(replica, 0), Seq::new(seq).unwrap())
    }

    /// The obvious model: the set itself, written out.
    fn written_out(vector: &VersionVector) -> BTreeSet<EventId> {
        vector
            .iter()
            .flat_map(|last| (1..=last.seq.get()).map(move |seq| id(last.replica.device(), seq)))
            .collect()
    }

    fn vectors() -> impl Strategy<Value = VersionVector> {
        prop::collection::vec((0..4u64, 1..5u64), 0..6).prop_map(|ids| {
            ids.into_iter()
                .map(|(replica, seq)| id(replica, seq))
                .collect()
        })
    }

    fn joined(one: &VersionVector, other: &VersionVector) -> VersionVector {
        let mut joined = one.clone();
        joined.join(other);
        joined
    }

    proptest! {
        #[test]
        fn join_is_a_semilattice(a in vectors(), b in vectors(), c in vectors()) {
            prop_assert_eq!(joined(&a, &b), joined(&b, &a));
            prop_assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
            prop_assert_eq!(&joined(&a, &a), &a);
            prop_assert_eq!(&joined(&a, &VersionVector::new()), &a);
        }

        #[test]
        fn join_is_union_and_the_least_vector_above_both(a in vectors(), b in vectors()) {
            let join = joined(&a, &b);
            let union: BTreeSet<_> = written_out(&a).union(&written_out(&b)).copied().collect();
            prop_assert_eq!(written_out(&join), union);
            prop_assert!(matches!(a.compare(&join), Causality::Before | Causality::Equal));
        }

        #[test]
        fn compare_is_inclusion_of_the_sets(a in vectors(), b in vectors()) {
            let (one, other) = (written_out(&a), written_out(&b));
            let expected = match (one.is_subset(&other), other.is_subset(&one)) {
                (true, true) => Causality::Equal,
                (true, false) => Causality::Before,
                (false, true) => Causality::After,
                (false, false) => Causality::Concurrent,
            };
            prop_assert_eq!(a.compare(&b), expected);
        }

        #[test]
        fn contains_is_membership(a in vectors(), replica in 0..5u64, seq in 1..6u64) {
            let id = id(replica, seq);
            prop_assert_eq!(a.contains(id), written_out(&a).contains(&id));
        }

        #[test]
        fn a_vector_survives_its_encoding(a in vectors()) {
            let bytes = cbor::to_vec(&a).unwrap();
            prop_assert_eq!(cbor::from_slice::<VersionVector>(&bytes).unwrap(), a);
        }
    }

    #[test]
    fn the_greatest_seq_costs_no_more_than_the_first() {
        let vector: VersionVector = [id(1, u64::MAX), id(1, 3)].into_iter().collect();
        assert_eq!(vector.len(), 1);
        assert!(vector.contains(id(1, u64::MAX)));
        assert_eq!(vector.get(ReplicaId::new(2, 0)), None);
    }

    #[test]
    fn a_vector_is_shown_as_its_last_events() {
        assert_eq!(format!("{}", VersionVector::new()), "-");
        let ids = [id(2, 7), id(1, 3)];
        let vector: VersionVector = ids.into_iter().collect();
        assert_eq!(format!("{vector}"), format!("{} {}", ids[1], ids[0]));
        assert_eq!(vector.iter().collect::<Vec<_>>(), [ids[1], ids[0]]);
    }
}
