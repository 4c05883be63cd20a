use std::vec::Vec;

use super::rows::{count, id_key, misfit, put_number, seal, take_number, unseal};
use crate::event::{Commit, EventId, ReplicaId, Seq};
use crate::store::StoreError;

/// Where a commit arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// The seq of its first event.
    pub(super) first: Seq,
    pub(super) events: u32,
    pub(super) position: u64,
}

impl Arrival {
    pub(super) fn of(commit: &Commit, position: u64) -> Self {
        let span = commit.span();
        Self {
            first: span.first(),
            events: span.len(),
            position,
        }
    }

    /// The last seq of the commit.
    pub(super) fn last(&self) -> Seq {
        let more = u64::from(self.events).saturating_sub(1);
        Seq::new(self.first.get().saturating_add(more)).unwrap_or(self.first)
    }
}

/// The commit that holds a seq, of some in the order of seqs.
pub(super) fn find(commits: &[Arrival], seq: Seq) -> Option<Arrival> {
    let after = commits.partition_point(|commit| commit.first <= seq);
    let commit = commits.get(after.checked_sub(1)?)?;
    (seq <= commit.last()).then_some(*commit)
}

/// The positions of those commits, of some in the order of seqs, that hold a seq of a range.
pub(super) fn between(commits: &[Arrival], first: Seq, last: Seq) -> impl Iterator<Item = u64> {
    let from = commits.partition_point(|commit| commit.last() < first);
    let inside = commits.get(from..).unwrap_or_default().iter();
    let inside = inside.take_while(move |commit| commit.first <= last);
    inside.map(|commit| commit.position)
}

/// The index row of consecutive commits of one writer.
pub(super) fn row(replica: ReplicaId, commits: &[Arrival]) -> Option<([u8; 24], Vec<u8>)> {
    let key = id_key(EventId::new(replica, commits.first()?.first));
    let mut row = Vec::new();
    let mut expected = 0_u64;
    let follows = |a: &Arrival, b: &Arrival| {
        a.events == b.events && a.position.checked_add(1) == Some(b.position)
    };
    for piece in commits.chunk_by(follows) {
        let Some(first) = piece.first() else { continue };
        put_number(first.events.into(), &mut row);
        put_number(count(piece.len()), &mut row);
        put_number(zigzag(first.position.wrapping_sub(expected)), &mut row);
        expected = first.position.wrapping_add(count(piece.len()));
    }
    Some((key, seal(&key, row)))
}

/// The commits of an index row, in the order of seqs.
pub(super) fn read_row(id: EventId, row: &[u8]) -> Result<Vec<Arrival>, StoreError> {
    let what = || format!("index row of {id}");
    let mut rest = unseal(&id_key(id), row, what)?;
    let parsed = (|| {
        let mut commits = Vec::new();
        let (mut expected, mut next) = (0_u64, Some(id.seq));
        while !rest.is_empty() {
            let events = u32::try_from(take_number(&mut rest)?).ok()?;
            let pieces = take_number(&mut rest)?;
            let position = expected.wrapping_add(unzigzag(take_number(&mut rest)?));
            for offset in 0..pieces {
                let commit = Arrival {
                    first: next?,
                    events,
                    position: position.checked_add(offset)?,
                };
                next = commit.last().next();
                commits.push(commit);
            }
            expected = position.wrapping_add(pieces);
        }
        (!commits.is_empty()).then_some(commits)
    })();
    parsed.ok_or_else(|| misfit(what(), "its content does not parse"))
}

/// 0, -1, 1, -2 as 0, 1, 2, 3: small differences of either sign are small numbers.
fn zigzag(difference: u64) -> u64 {
    let sign = (difference >> 63).wrapping_neg();
    (difference << 1) ^ sign
}

fn unzigzag(number: u64) -> u64 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(first: u64, events: u32, position: u64) -> Arrival {
        let first = Seq::new(first).unwrap();
        Arrival {
            first,
            events,
            position,
        }
    }

    #[test]
    fn a_row_tells_the_place_of_each_commit_in_whatever_order_they_arrived() {
        let writer = ReplicaId::new(1, 1);
        let far = u64::MAX - 5;
        for commits in [
            std::vec![arrival(1, 1, 0)],
            std::vec![arrival(7, 1, 9), arrival(8, 1, 10), arrival(9, 1, 11)],
            std::vec![arrival(7, 2, 9), arrival(9, 8192, 4), arrival(8201, 1, 5)],
            std::vec![arrival(1, 1, far), arrival(2, 1, 0), arrival(3, 1, far)],
        ] {
            let (_, row) = row(writer, &commits).unwrap();
            let id = EventId::new(writer, commits[0].first);
            assert_eq!(read_row(id, &row).unwrap(), commits);
            for commit in &commits {
                assert_eq!(find(&commits, commit.first), Some(*commit));
                assert_eq!(find(&commits, commit.last()), Some(*commit));
                let at: Vec<_> = between(&commits, commit.last(), commit.last()).collect();
                assert_eq!(at, [commit.position]);
            }
            let last = commits[commits.len() - 1].last();
            assert_eq!(find(&commits, last.next().unwrap()), None);
            assert_eq!(between(&commits, Seq::FIRST, last).count(), commits.len());
        }
    }

    #[test]
    fn a_long_run_is_a_short_row() {
        let commits: Vec<_> = (0..1000).map(|n| arrival(n + 1, 1, n)).collect();
        let (_, row) = row(ReplicaId::new(1, 1), &commits).unwrap();
        assert!(row.len() < 16, "{} bytes", row.len());
    }
}
