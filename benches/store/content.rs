//! The events that are written: 174 bytes of canonical encoding each, as a commit of its own.

use anabranch::event::{
    AggregateId, ChainTag, Commit, CommitSpan, Event, EventId, EventParts, EventType, Head, Heads,
    Metadata, Payload, ReplicaId, Seq, Timestamp,
};
use anabranch::log::{Durability, Entry, EntryKind, Group};

/// Names of aggregates, written to in no order.
const AGGREGATES: u64 = 10_000;
/// Bytes of a payload; with it a commit of one event has 174.
const PAYLOAD: usize = 97;

/// What payloads are made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    /// Nothing that could be compressed.
    Random,
    /// Field names and words.
    Words,
}

/// Writers that write in turn, a stretch each.
pub(super) struct Authors {
    fill: Fill,
    state: u64,
    next: Vec<u64>,
    stamp: u64,
    names: Vec<AggregateId>,
}

impl Authors {
    pub(super) fn new(writers: usize, fill: Fill) -> Self {
        let name = |n: u64| AggregateId::new(&format!("item/{n:05}")).unwrap();
        Self {
            fill,
            state: 7,
            next: vec![1; writers],
            stamp: 1_700_000_000_000,
            names: (0..AGGREGATES).map(name).collect(),
        }
    }

    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn payload(&mut self) -> Payload {
        const WORDS: [&str; 8] = [
            "title", "given", "name", "state", "harbour", "sailing", "district", "party",
        ];
        let mut bytes = vec![0x78, PAYLOAD as u8 - 2];
        while bytes.len() < PAYLOAD {
            let random = self.random();
            match self.fill {
                Fill::Random => bytes.extend(random.to_le_bytes()),
                Fill::Words => {
                    bytes.extend(WORDS[random as usize % 8].as_bytes());
                    bytes.extend(format!("={} ", (random >> 8) % 1_000).bytes());
                }
            }
        }
        bytes.truncate(PAYLOAD);
        Payload::from_bytes(bytes.into()).unwrap()
    }

    /// The next commit of a writer, with so many events.
    pub(super) fn commit(&mut self, writer: usize, events: u64) -> Commit {
        let replica = ReplicaId::new(0x1234_5678_9abc + writer as u64, 1);
        let first = self.next[writer];
        self.next[writer] += events;
        self.stamp += 1 + self.random() % 4;
        let seq = |number| Seq::new(number).unwrap();
        let span = CommitSpan::new(seq(first), events as usize).unwrap();
        let stamp = self.stamp;
        let events = (first..first + events).map(|number| {
            let aggregate = self.random() % AGGREGATES;
            let id = EventId::new(replica, seq(number));
            let previous = Seq::new(first - 1).map(|seq| Head {
                id: EventId::new(replica, seq),
                tag: ChainTag::from_bits(self.random() as u16),
            });
            let parts = EventParts {
                id,
                commit: span,
                timestamp: Timestamp::at_millis(stamp),
                written_ms: stamp,
                aggregate: self.names[aggregate as usize].clone(),
                event_type: EventType::new("changed").unwrap(),
                heads: Heads::new(previous.into_iter().collect()).unwrap(),
                replaces: None,
                metadata: Metadata::new(),
                payload: self.payload(),
            };
            Event::assemble(parts).unwrap()
        });
        Commit::new(events.collect()).unwrap()
    }

    /// A durable group of so many commits of one event each, in stretches of 512 from each writer.
    pub(super) fn group(&mut self, commits: u64) -> Group {
        let entries = (0..commits).map(|n| {
            let writer = (n / 512) as usize % self.next.len();
            entry(self.commit(writer, 1))
        });
        group(entries.collect())
    }
}

pub(super) fn entry(commit: Commit) -> Entry {
    Entry {
        commit,
        kind: EntryKind::Ready,
        from: None,
        chain_before: None,
    }
}

pub(super) fn group(entries: Vec<Entry>) -> Group {
    Group {
        entries,
        durability: Durability::Durable,
        ..Group::default()
    }
}
