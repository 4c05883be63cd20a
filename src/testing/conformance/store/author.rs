use std::vec::Vec;

use bytes::Bytes;

use crate::event::{
    AggregateId, Commit, CommitSpan, Event, EventId, EventParts, EventType, Heads, Metadata,
    Payload, ReplicaId, Seq, Timestamp,
};
use crate::log::{Entry, EntryKind};

/// A writer whose commits follow one another without holes.
#[derive(Clone, Debug)]
pub(super) struct Author {
    replica: ReplicaId,
    next: u64,
    /// Added to its stamps, in bits, and to its wall time.
    lead: u64,
}

impl Author {
    pub(super) fn new(number: u64) -> Self {
        Self {
            replica: ReplicaId::new(number, number << 8),
            next: 1,
            lead: 0,
        }
    }

    /// A writer all of whose numbers are among the greatest there are: those that a signed column
    /// takes for negative.
    pub(super) fn far(number: u64) -> Self {
        Self {
            replica: ReplicaId::new(u64::MAX - number, u64::MAX - number),
            next: u64::MAX - 64,
            lead: 0xffff_ffff_0000_0000,
        }
    }

    pub(super) fn replica(&self) -> ReplicaId {
        self.replica
    }

    /// The next commit: one event for each name, with a small payload that is unlike any other.
    pub(super) fn commit(&mut self, names: &[&str]) -> Commit {
        let payload = std::format!("{}:{}", self.replica, self.next);
        self.commit_with(names, &Bytes::from(payload))
    }

    pub(super) fn commit_with(&mut self, names: &[&str], payload: &Bytes) -> Commit {
        let first = Seq::new(self.next).unwrap();
        let commit = CommitSpan::new(first, names.len()).unwrap();
        let mut events = Vec::with_capacity(names.len());
        for name in names {
            let id = EventId::new(self.replica, Seq::new(self.next).unwrap());
            self.next += 1;
            // The seqs of a writer who begins at 1 are small, those of a far one are cut short.
            let count = 1_000 + (first.get() & 0xffff);
            let parts = EventParts {
                id,
                commit,
                timestamp: Timestamp::from_bits(self.lead + (count << 8)),
                written_ms: self.lead + count,
                aggregate: AggregateId::new(name).unwrap(),
                event_type: EventType::new("changed").unwrap(),
                heads: Heads::NONE,
                replaces: None,
                metadata: Metadata::new(),
                payload: Payload::from_bytes(payload.clone()).unwrap(),
            };
            events.push(Event::assemble(parts).unwrap());
        }
        Commit::new(events).unwrap()
    }
}

/// An entry of a commit that came from nobody.
pub(super) fn entry(kind: EntryKind, commit: &Commit) -> Entry {
    Entry {
        commit: commit.clone(),
        kind,
        from: None,
        chain_before: None,
    }
}

pub(super) fn ready(commit: &Commit) -> Entry {
    entry(EntryKind::Ready, commit)
}

pub(super) fn waiting(commit: &Commit) -> Entry {
    entry(EntryKind::Waiting, commit)
}

pub(super) fn released(commit: &Commit) -> Entry {
    entry(EntryKind::Released, commit)
}
