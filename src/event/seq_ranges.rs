use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::Seq;

/// A set of seqs of one replica, kept as disjoint ranges: what has been received, with gaps.
///
/// Every operation costs the logarithm of the number of ranges, or their number where one is
/// inserted or removed in the middle. A replica without gaps needs one range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeqRanges(Vec<(u64, u64)>);

impl SeqRanges {
    /// The empty set.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// All seqs from the first to `last`.
    pub fn up_to(last: Seq) -> Self {
        Self(alloc::vec![(1, last.get())])
    }

    /// Adds a range, joining what it touches.
    pub fn insert(&mut self, range: RangeInclusive<Seq>) {
        let (mut first, mut last) = (range.start().get(), range.end().get());
        if first > last {
            return;
        }
        // Mostly it follows what came last.
        if let Some((_, end)) = self.0.last_mut()
            && end.checked_add(1) == Some(first)
        {
            *end = last;
            return;
        }
        let from = self
            .0
            .partition_point(|(_, end)| end.saturating_add(1) < first);
        let to = self
            .0
            .partition_point(|(start, _)| *start <= last.saturating_add(1));
        for (start, end) in self.0.get(from..to).unwrap_or_default() {
            first = first.min(*start);
            last = last.max(*end);
        }
        self.0.splice(from..to.max(from), [(first, last)]);
    }

    /// Whether it is one range from the first seq on, which ends right before another seq.
    #[inline]
    pub(crate) fn ends_before(&self, next: Seq) -> bool {
        matches!(self.0.as_slice(), [(1, end)] if end.checked_add(1) == Some(next.get()))
    }

    /// Adds what follows all that is there, if that is one range from the first seq on.
    #[inline]
    pub(crate) fn extend_only(&mut self, first: Seq, last: Seq) -> bool {
        match self.0.as_mut_slice() {
            [(1, end)] if end.checked_add(1) == Some(first.get()) && first <= last => {
                *end = last.get();
                true
            }
            _ => false,
        }
    }

    /// Whether the seq is in the set.
    pub fn contains(&self, seq: Seq) -> bool {
        let at = self.0.partition_point(|(_, end)| *end < seq.get());
        self.0.get(at).is_some_and(|(start, _)| *start <= seq.get())
    }

    /// The last seq of the run that starts at the first one, if the first is in the set.
    pub fn prefix(&self) -> Option<Seq> {
        self.0
            .first()
            .filter(|(start, _)| *start == 1)
            .and_then(|(_, end)| Seq::new(*end))
    }

    /// The greatest seq in the set.
    pub fn last(&self) -> Option<Seq> {
        self.0.last().and_then(|(_, end)| Seq::new(*end))
    }

    /// What this set holds and the other does not.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut holes = other.0.iter().peekable();
        for &(start, end) in &self.0 {
            let mut from = start;
            while holes.next_if(|(_, last)| *last < from).is_some() {}
            while let Some(&&(first, last)) = holes.peek() {
                if first > end {
                    break;
                }
                if first > from {
                    left.push((from, first - 1));
                }
                let Some(next) = last.checked_add(1) else {
                    return Self(left);
                };
                from = from.max(next);
                if last >= end {
                    break;
                }
                holes.next();
            }
            if from <= end {
                left.push((from, end));
            }
        }
        Self(left)
    }

    /// The ranges in ascending order, disjoint and not adjacent.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = RangeInclusive<Seq>> {
        self.0.iter().map(|(start, end)| {
            let first = Seq::new(*start).unwrap_or(Seq::FIRST);
            first..=Seq::new(*end).unwrap_or(first)
        })
    }

    /// How many ranges there are.
    pub fn ranges(&self) -> usize {
        self.0.len()
    }

    /// How many seqs there are.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(start, end)| end - start + 1).sum()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<RangeInclusive<Seq>> for SeqRanges {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<Seq>>>(ranges: I) -> Self {
        let mut set = Self::new();
        for range in ranges {
            set.insert(range);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn seq(number: u64) -> Seq {
        Seq::new(number).unwrap()
    }

    fn build(ranges: &[(u64, u64)]) -> (SeqRanges, BTreeSet<u64>) {
        let mut set = SeqRanges::new();
        let mut model = BTreeSet::new();
        for &(start, len) in ranges {
            set.insert(seq(start)..=seq(start + len));
            model.extend(start..=start + len);
        }
        (set, model)
    }

    fn members(set: &SeqRanges) -> BTreeSet<u64> {
        set.iter()
            .flat_map(|range| range.start().get()..=range.end().get())
            .collect()
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_set(
            a in prop::collection::vec((1u64..60, 0u64..8), 0..12),
            b in prop::collection::vec((1u64..60, 0u64..8), 0..12),
        ) {
            let (left, left_model) = build(&a);
            let (right, right_model) = build(&b);
            prop_assert_eq!(members(&left), left_model.clone());
            prop_assert_eq!(usize::try_from(left.count()), Ok(left_model.len()));
            for number in 1..80 {
                prop_assert_eq!(left.contains(seq(number)), left_model.contains(&number));
            }
            if let Some(end) = left.last().filter(|end| left.prefix() == Some(*end)) {
                let (mut extended, mut inserted) = (left.clone(), left.clone());
                let (first, last) = (end.next().unwrap(), seq(end.get() + 3));
                prop_assert!(!extended.extend_only(end, last));
                prop_assert!(!extended.extend_only(last, last));
                prop_assert!(extended.extend_only(first, last));
                inserted.insert(first..=last);
                prop_assert_eq!(extended, inserted);
            }
            let difference: BTreeSet<u64> = left_model.difference(&right_model).copied().collect();
            prop_assert_eq!(members(&left.without(&right)), difference);
            let prefix = (1..80).take_while(|n| left_model.contains(n)).last();
            prop_assert_eq!(left.prefix().map(Seq::get), prefix);
            let disjoint = left.iter().zip(left.iter().skip(1))
                .all(|(x, y)| x.end().get() + 1 < y.start().get());
            prop_assert!(disjoint);
        }
    }

    #[test]
    fn the_greatest_seq_does_not_overflow() {
        let mut set = SeqRanges::up_to(seq(u64::MAX));
        set.insert(seq(u64::MAX)..=seq(u64::MAX));
        assert_eq!(set.ranges(), 1);
        assert!(SeqRanges::up_to(seq(5)).without(&set).is_empty());
        assert_eq!(set.without(&SeqRanges::up_to(seq(5))).prefix(), None);
    }
}
