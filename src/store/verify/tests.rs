use futures::FutureExt;
use futures::future::{BoxFuture, ready};

use super::*;
use crate::event::{
    AggregateId, CommitSpan, EventParts, EventType, Heads, Metadata, Payload, ReplicaId, Timestamp,
};
use crate::log::{Epoch, Group, HistoryFrom, Known, Opening};
use crate::store::{History, MemoryStore};

/// `events` events of one writer from a seq on.
fn commit(writer: u64, first: u64, events: u64) -> Commit {
    let seq = |number| Seq::new(number).unwrap();
    let span = CommitSpan::new(seq(first), events.try_into().unwrap()).unwrap();
    let event = |number| {
        let parts = EventParts {
            id: EventId::new(ReplicaId::new(writer, 1), seq(number)),
            commit: span,
            timestamp: Timestamp::at_millis(first),
            written_ms: first,
            aggregate: AggregateId::new("doc/1").unwrap(),
            event_type: EventType::new("changed").unwrap(),
            heads: Heads::NONE,
            replaces: None,
            metadata: Metadata::new(),
            payload: Payload::from_bytes(vec![0].into()).unwrap(),
        };
        Event::assemble(parts).unwrap()
    };
    Commit::new((first..first + events).map(event).collect()).unwrap()
}

/// Entries with the chain values that a store would have worked out.
fn log(commits: impl IntoIterator<Item = (EntryKind, Commit)>) -> Vec<Entry> {
    let mut received = Received::new();
    let entry = |(kind, commit): (EntryKind, Commit)| {
        let before = received.chain_before(commit.replica(), commit.span().first());
        let chain_before = before.filter(|_| kind != EntryKind::Released);
        if kind != EntryKind::Released {
            received.insert(&commit);
        }
        Entry {
            commit,
            kind,
            from: None,
            chain_before,
        }
    };
    commits.into_iter().map(entry).collect()
}

use EntryKind::{Ready, Released, Waiting};

fn three_writers() -> Vec<Entry> {
    log([
        (Ready, commit(1, 1, 2)),
        (Ready, commit(2, 1, 1)),
        (Waiting, commit(3, 4, 2)),
        (Ready, commit(1, 3, 1)),
        (Ready, commit(3, 1, 3)),
        (Released, commit(3, 4, 2)),
        (Ready, commit(1, 4, 1)),
        (Ready, commit(3, 6, 1)),
    ])
}

/// The faults of a log of which some entries cannot be read, each as text.
fn faults(log: &[Entry], unreadable: &[u64]) -> Vec<String> {
    let mut walk = Walk::new(Inspection::new());
    for (position, entry) in (0..).zip(log) {
        if unreadable.contains(&position) {
            let error = StoreError::Damaged {
                what: "block".into(),
                reason: "unreadable".into(),
            };
            walk.unreadable(position, error).unwrap();
        } else {
            walk.entry(position, entry);
        }
    }
    walk.finish()
        .faults
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_log_as_a_store_writes_it_is_whole() {
    assert_eq!(faults(&three_writers(), &[]), [""; 0]);
}

#[test]
fn an_entry_that_is_missing_is_noticed_by_what_follows_it() {
    let mut log = three_writers();
    log.remove(0);
    let follows = "log entry 2: events of its writer before it are missing";
    assert_eq!(faults(&log, &[])[0], follows);
    let mut log = three_writers();
    log.remove(2);
    let released = "log entry 4: it releases a commit that does not wait";
    assert_eq!(faults(&log, &[])[0], released);
}

#[test]
fn an_entry_of_another_history_is_noticed() {
    let mut log = three_writers();
    log[3].chain_before = Some(Chain::START);
    assert_eq!(
        faults(&log, &[]),
        ["log entry 3: it does not continue its writer's chain"]
    );
    let mut log = three_writers();
    log[3].chain_before = None;
    assert_eq!(faults(&log, &[]).len(), 1);
    let mut log = three_writers();
    log[5].commit = commit(3, 4, 1);
    assert_eq!(
        faults(&log, &[]),
        ["log entry 5: it releases a commit that does not wait"]
    );
    let mut log = three_writers();
    let again = log[1].clone();
    log.push(again);
    assert_eq!(
        faults(&log, &[]),
        ["log entry 8: an event of it has come before"]
    );
}

#[test]
fn what_cannot_be_read_is_one_fault_and_no_other_follows_from_it() {
    let log = three_writers();
    for position in 0..8 {
        let expected = format!("log entry {position}: block: unreadable");
        assert_eq!(faults(&log, &[position]), [expected]);
    }
    let all: Vec<u64> = (0..8).collect();
    assert_eq!(faults(&log, &all).len(), 8);
}

#[test]
fn behind_damage_a_chain_is_followed_again() {
    let mut log = three_writers();
    log[6].chain_before = Some(Chain::START);
    let found = faults(&log, &[0]);
    let expected = "log entry 6: it does not continue its writer's chain";
    assert_eq!(found[1..], [expected], "{found:?}");
}

#[test]
fn only_so_many_faults_are_listed_and_all_are_counted() {
    let mut walk = Walk::new(Inspection::new());
    for _ in 0..FAULTS_MAX + 5 {
        walk.fault(None, "thing", "wrong");
    }
    let report = walk.finish();
    assert_eq!((report.faults.len(), report.more_faults), (FAULTS_MAX, 5));
    assert!(!report.is_whole());
}

/// A store that answers as it should but for one question.
struct Liar(MemoryStore, Lie);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lie {
    None,
    Entry,
    Known,
    Locate,
}

impl EventStore for Liar {
    fn begin(&self, epoch: Epoch) -> BoxFuture<'_, Result<Opening, StoreError>> {
        self.0.begin(epoch)
    }

    fn append(&self, group: Group) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.0.append(group)
    }

    fn since(&self, position: u64, limit: ReadLimit) -> BoxFuture<'_, Result<Page, StoreError>> {
        if self.1 == Lie::Entry && position <= 1 {
            return ready(Err(damaged())).boxed();
        }
        self.0.since(position, limit)
    }

    fn at(&self, positions: Vec<u64>, limit: ReadLimit) -> BoxFuture<'_, Result<Page, StoreError>> {
        if self.1 == Lie::Entry && positions.contains(&1) {
            return ready(Err(damaged())).boxed();
        }
        self.0.at(positions, limit)
    }

    fn locate(&self, ranges: Vec<IdRange>) -> BoxFuture<'_, Result<Vec<u64>, StoreError>> {
        let found = self.0.locate(ranges).now_or_never().unwrap();
        let lies = self.1 == Lie::Locate;
        let found = found.map(|at| {
            at.iter()
                .map(|at| at + u64::from(lies && *at == 1))
                .collect()
        });
        ready(found).boxed()
    }

    fn known(&self, ids: Vec<EventId>) -> BoxFuture<'_, Result<Vec<Option<Known>>, StoreError>> {
        let known = self.0.known(ids).now_or_never().unwrap();
        let lies = self.1 == Lie::Known;
        let forget = |known: &Option<Known>| known.filter(|_| !lies);
        ready(known.map(|known| known.iter().map(forget).collect())).boxed()
    }

    fn history(
        &self,
        aggregate: AggregateId,
        from: HistoryFrom,
    ) -> BoxFuture<'_, Result<History, StoreError>> {
        self.0.history(aggregate, from)
    }

    fn aggregates(
        &self,
        prefix: String,
        after: Option<AggregateId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<AggregateId>, StoreError>> {
        self.0.aggregates(prefix, after, limit)
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.flush()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.close()
    }
}

fn damaged() -> StoreError {
    StoreError::Damaged {
        what: "log entry 1".into(),
        reason: "its checksum is wrong".into(),
    }
}

#[test]
fn a_store_that_knows_no_better_is_verified_by_what_it_answers() {
    let verified = |lie| {
        let store = Liar(MemoryStore::new(), lie);
        store
            .begin(Epoch::from_bits(1))
            .now_or_never()
            .unwrap()
            .unwrap();
        let entries = log([
            (Ready, commit(1, 1, 2)),
            (Ready, commit(1, 3, 1)),
            (Ready, commit(1, 4, 1)),
        ]);
        let group = Group {
            entries,
            ..Group::default()
        };
        store.append(group).now_or_never().unwrap().unwrap();
        let report = store.verify(Inspection::new()).now_or_never().unwrap();
        let report = report.unwrap();
        let faults: Vec<_> = report.faults.iter().map(|fault| fault.position).collect();
        (report.entries, faults)
    };
    assert_eq!(verified(Lie::None), (3, vec![]));
    assert_eq!(verified(Lie::Entry), (2, vec![Some(1)]));
    assert_eq!(
        verified(Lie::Known),
        (3, vec![Some(0), Some(0), Some(1), Some(2)])
    );
    assert_eq!(verified(Lie::Locate), (3, vec![Some(1)]));
}
