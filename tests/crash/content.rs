//! What the tests of this file write: numbered groups whose every part says where it belongs.

use std::collections::BTreeMap;
use std::path::Path;

use anabranch::event::{
    AggregateId, Commit, CommitSpan, Event, EventId, EventParts, EventType, Heads, Metadata,
    Payload, ReplicaId, Seq, Timestamp,
};
use anabranch::log::{
    Durability, Entry, EntryKind, Epoch, Group, HistoryFrom, Note, Opening, ReadLimit, StateRow,
};
use anabranch::store::{EventStore, FjallStore, StoreError};
use tempfile::TempDir;

#[path = "../../benches/store/wait.rs"]
mod wait;

pub(super) use self::wait::wait;

pub(super) const ALL: ReadLimit = ReadLimit {
    entries: usize::MAX,
    bytes: usize::MAX,
};
pub(super) const EPOCH: Epoch = Epoch::from_bits(7);
const NOTE: &[u8] = b"group";

fn replica() -> ReplicaId {
    ReplicaId::new(1, 1)
}

/// Commits of a group, 1 to 4, each of 1 to 3 events.
fn sizes(number: u64) -> Vec<u64> {
    (0..=number % 4)
        .map(|commit| 1 + (number + commit) % 3)
        .collect()
}

/// The first seq of a group.
fn first_seq(number: u64) -> u64 {
    1 + (1..number).flat_map(sizes).sum::<u64>()
}

fn aggregate(number: u64) -> AggregateId {
    AggregateId::new(&format!("doc/{}", number % 5)).unwrap()
}

fn commit(first: u64, events: u64, group: u64, bytes: usize) -> Commit {
    let seq = |number| Seq::new(number).unwrap();
    let span = CommitSpan::new(seq(first), events.try_into().unwrap()).unwrap();
    let payload = format!("{group}").into_bytes();
    let payload: Vec<u8> = payload
        .into_iter()
        .chain([b' '])
        .cycle()
        .take(bytes)
        .collect();
    let events = (first..first + events).map(|number| {
        let parts = EventParts {
            id: EventId::new(replica(), seq(number)),
            commit: span,
            timestamp: Timestamp::at_millis(first),
            written_ms: first,
            aggregate: aggregate(number),
            event_type: EventType::new("changed").unwrap(),
            heads: Heads::NONE,
            replaces: None,
            metadata: Metadata::new(),
            payload: Payload::from_bytes(payload.clone().into()).unwrap(),
        };
        Event::assemble(parts).unwrap()
    });
    Commit::new(events.collect()).unwrap()
}

/// The group of this number, from 1.
pub(super) fn group(number: u64, bytes: usize, durability: Durability) -> Group {
    let mut first = first_seq(number);
    let mut entries = Vec::new();
    for events in sizes(number) {
        let commit = commit(first, events, number, bytes);
        entries.push(Entry {
            commit,
            kind: EntryKind::Ready,
            from: None,
            chain_before: None,
        });
        first += events;
    }
    let value = Some(number.to_be_bytes().to_vec().into());
    Group {
        entries,
        states: vec![StateRow {
            aggregate: aggregate(number),
            bytes: number.to_string().into(),
        }],
        notes: vec![Note {
            key: NOTE.to_vec(),
            value,
        }],
        durability,
    }
}

/// How many groups there are. The note that every group overwrites tells.
pub(super) fn groups(opening: &Opening) -> u64 {
    let note = opening.notes.iter().find(|(key, _)| key == NOTE);
    note.map_or(0, |(_, value)| {
        u64::from_be_bytes(value[..].try_into().unwrap())
    })
}

/// Demands that a store holds exactly the groups up to a number, each event once, and says whether
/// it could be read. What is read must be right even where the store is damaged.
pub(super) fn check(
    store: &FjallStore,
    opening: &Opening,
    number: u64,
    bytes: usize,
) -> Result<(), StoreError> {
    let wanted: Vec<_> = (1..=number)
        .flat_map(|n| group(n, bytes, Durability::Durable).entries)
        .collect();
    assert_eq!(usize::try_from(opening.end).unwrap(), wanted.len());
    assert_eq!(opening.received.events(), first_seq(number + 1) - 1);
    assert!(opening.waiting.is_empty());
    let mut answers = Answers::default();
    check_log(store, &wanted, &mut answers);
    check_aggregates(store, &wanted, number, &mut answers);
    answers.failed.map_or(Ok(()), Err)
}

/// Lets damage pass, and remembers it.
#[derive(Default)]
struct Answers {
    failed: Option<StoreError>,
}

impl Answers {
    fn take<T>(&mut self, answer: Result<T, StoreError>) -> Option<T> {
        let error = match answer {
            Ok(answer) => return Some(answer),
            Err(error) => error,
        };
        assert!(
            matches!(error, StoreError::Damaged { .. } | StoreError::Io { .. }),
            "{error}"
        );
        self.failed.get_or_insert(error);
        None
    }
}

fn check_log(store: &FjallStore, wanted: &[Entry], answers: &mut Answers) {
    let mut next = 0;
    while let Some(entry) = wanted.get(next) {
        let limit = ReadLimit {
            entries: 100,
            bytes: 1 << 20,
        };
        let position = u64::try_from(next).unwrap();
        let Some(page) = answers.take(wait(store.since(position, limit))) else {
            next += 1;
            continue;
        };
        assert_eq!(page.entries[0].1.commit, entry.commit);
        for ((position, entry), wanted) in page.entries.iter().zip(&wanted[next..]) {
            assert_eq!(usize::try_from(*position).unwrap(), next);
            assert_eq!(entry.commit, wanted.commit);
            next += 1;
        }
    }
    for entry in wanted {
        let ids = entry.commit.events().iter().map(Event::id).collect();
        if let Some(known) = answers.take(wait(store.known(ids))) {
            let digests = entry
                .commit
                .events()
                .iter()
                .map(|event| Some(event.digest()));
            assert!(
                known
                    .iter()
                    .map(|known| known.map(|known| known.digest))
                    .eq(digests)
            );
        }
    }
}

fn check_aggregates(store: &FjallStore, wanted: &[Entry], number: u64, answers: &mut Answers) {
    let mut histories: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for (position, entry) in (0..).zip(wanted) {
        for event in entry.commit.events() {
            let positions = histories.entry(event.aggregate()).or_default();
            if positions.last() != Some(&position) {
                positions.push(position);
            }
        }
    }
    for (name, positions) in &histories {
        let history = wait(store.history((*name).clone(), HistoryFrom::Start));
        if let Some(history) = answers.take(history) {
            let found = history.entries.iter().map(|(position, _)| position);
            assert!(found.eq(positions), "history of {name}");
        }
        let history = wait(store.history((*name).clone(), HistoryFrom::Fold));
        if let Some(history) = answers.take(history) {
            let newest = (1..=number).rev().find(|n| aggregate(*n) == **name);
            let newest = newest.map(|number| number.to_string().into());
            assert_eq!(history.fold, newest, "fold of {name}");
        }
    }
    let names = wait(store.aggregates(String::new(), None, usize::MAX));
    if let Some(names) = answers.take(names) {
        assert!(names.iter().eq(histories.keys().copied()));
    }
}

/// Opens a store, checks that it holds a number of groups of at least this many, and says how many.
pub(super) fn check_at_least(path: &Path, acknowledged: u64, bytes: usize) -> u64 {
    let store = FjallStore::open(path).unwrap();
    let opening = wait(store.begin(EPOCH)).unwrap();
    let number = groups(&opening);
    assert!(
        number >= acknowledged,
        "{acknowledged} acknowledged, {number} here"
    );
    check(&store, &opening, number, bytes).unwrap();
    number
}

/// A folder in memory where there is such a thing. A process that is killed, a byte that is changed
/// by hand and a limit on a file's size need no disk, and hundreds of stores are opened.
pub(super) fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}
