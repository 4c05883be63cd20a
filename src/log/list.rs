use alloc::vec::Vec;

use super::{Entry, EntryKind};
use crate::event::{Chain, Commit, ReplicaId};

/// Entries of a log that lie in memory, in half the room of a list of them: 32 bytes each, and what
/// entries behind one another have in common once.
///
/// Adding one and finding one cost O(1), and at most the logarithm of how often neighbours differ.
#[derive(Clone, Debug, Default)]
pub struct EntryList {
    /// All but the last are full. In pieces, so that what has grown large is never moved.
    pieces: Vec<Piece>,
}

/// An entry where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryRef<'a> {
    /// The commit.
    pub commit: &'a Commit,
    /// Why it stands here.
    pub kind: EntryKind,
    /// The peer it came from; nothing for local writes.
    pub from: Option<ReplicaId>,
    /// Chain value of the writer before the commit's first event, where everything before is here.
    pub chain_before: Option<Chain>,
}

#[derive(Clone, Debug, Default)]
struct Piece {
    /// Each commit with the chain value before it, or any where there is none.
    commits: Vec<(Commit, Chain)>,
    /// What holds from some place on, up to the next.
    runs: Vec<Run>,
}

#[derive(Clone, Debug)]
struct Run {
    first: usize,
    common: Common,
}

/// What entries behind one another mostly have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Common {
    kind: EntryKind,
    from: Option<ReplicaId>,
    has_chain: bool,
}

/// Entries of a full piece: what an allocator keeps beside them has room in 16 KiB.
const PIECE: usize = 500;

impl EntryList {
    /// Without entries.
    pub const fn new() -> Self {
        Self { pieces: Vec::new() }
    }

    /// Adds an entry behind all others.
    pub fn push(&mut self, entry: Entry) {
        let last = self.pieces.last();
        if last.is_none_or(|piece| piece.commits.len() == PIECE) {
            let mut piece = Piece::default();
            if last.is_some() {
                piece.commits.reserve_exact(PIECE);
            }
            self.pieces.push(piece);
        }
        if let Some(piece) = self.pieces.last_mut() {
            piece.push(entry);
        }
    }

    /// The entry at a place, counted from 0.
    pub fn get(&self, place: usize) -> Option<EntryRef<'_>> {
        self.pieces.get(place / PIECE)?.get(place % PIECE)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        let full = self.pieces.len().saturating_sub(1) * PIECE;
        full + self.pieces.last().map_or(0, |piece| piece.commits.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The entries from a place on, in their order.
    pub fn iter_from(&self, place: usize) -> impl Iterator<Item = EntryRef<'_>> {
        (place..self.len()).filter_map(|place| self.get(place))
    }
}

impl Extend<Entry> for EntryList {
    fn extend<I: IntoIterator<Item = Entry>>(&mut self, entries: I) {
        entries.into_iter().for_each(|entry| self.push(entry));
    }
}

impl Piece {
    fn push(&mut self, entry: Entry) {
        let common = Common {
            kind: entry.kind,
            from: entry.from,
            has_chain: entry.chain_before.is_some(),
        };
        if self.runs.last().is_none_or(|run| run.common != common) {
            let first = self.commits.len();
            self.runs.push(Run { first, common });
        }
        let chain = entry.chain_before.unwrap_or(Chain::START);
        self.commits.push((entry.commit, chain));
    }

    fn get(&self, place: usize) -> Option<EntryRef<'_>> {
        let (commit, chain) = self.commits.get(place)?;
        let next = self.runs.partition_point(|run| run.first <= place);
        let Common {
            kind,
            from,
            has_chain,
        } = self.runs.get(next.checked_sub(1)?)?.common;
        Some(EntryRef {
            commit,
            kind,
            from,
            chain_before: has_chain.then_some(*chain),
        })
    }
}

impl EntryRef<'_> {
    /// The entry by itself; its commit is shared.
    pub fn to_entry(self) -> Entry {
        Entry {
            commit: self.commit.clone(),
            kind: self.kind,
            from: self.from,
            chain_before: self.chain_before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{
        CommitSpan, Event, EventId, EventParts, Heads, Metadata, Payload, Seq, Timestamp,
    };

    fn commit(seq: u64) -> Commit {
        let id = EventId::new(ReplicaId::new(1, 0), Seq::new(seq).unwrap());
        let event = Event::assemble(EventParts {
            id,
            commit: CommitSpan::new(id.seq, 1).unwrap(),
            timestamp: Timestamp::at_millis(seq),
            written_ms: 1,
            aggregate: "a/1".parse().unwrap(),
            event_type: "set".parse().unwrap(),
            heads: Heads::default(),
            replaces: None,
            metadata: Metadata::new(),
            payload: Payload::from_bytes(alloc::vec![0].into()).unwrap(),
        });
        Commit::new(alloc::vec![event.unwrap()]).unwrap()
    }

    /// Against a plain list: long runs of equals, then neighbours that differ in each way.
    #[test]
    fn a_list_in_pieces_holds_what_a_plain_one_does() {
        let (mut list, mut twin) = (EntryList::new(), Vec::new());
        let kinds = [EntryKind::Ready, EntryKind::Waiting, EntryKind::Released];
        let mut random = 7u64;
        for number in 0..1_600u64 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let draw = |shift: u64, below: u64| {
                let calm = number < 700 && !number.is_multiple_of(300);
                if calm { 0 } else { (random >> shift) % below }
            };
            let entry = Entry {
                commit: commit(number + 1),
                kind: kinds[usize::try_from(draw(40, 3)).unwrap()],
                from: (draw(45, 3) > 0).then(|| ReplicaId::new(draw(45, 3), 0)),
                chain_before: (draw(50, 2) == 0).then(|| {
                    let low = u128::from(number).to_be_bytes();
                    Chain::from_bytes(low)
                }),
            };
            list.push(entry.clone());
            twin.push(entry);
            assert_eq!((list.len(), list.is_empty()), (twin.len(), false));
        }
        for (place, entry) in twin.iter().enumerate() {
            assert_eq!(
                list.get(place).map(EntryRef::to_entry).as_ref(),
                Some(entry)
            );
        }
        assert!(list.get(twin.len()).is_none() && EntryList::new().is_empty());
        assert!(list.pieces[0].runs.len() < 10 && list.pieces[2].runs.len() > 100);
        for from in [0, 499, 500, 1_000, twin.len()] {
            let rest: Vec<Entry> = list.iter_from(from).map(EntryRef::to_entry).collect();
            assert_eq!(rest, twin[from..]);
        }
    }

    #[test]
    fn an_entry_of_a_list_takes_32_bytes() {
        assert_eq!(size_of::<(Commit, Chain)>(), 32);
    }
}
