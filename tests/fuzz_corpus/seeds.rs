//! Valid inputs of each target, built with the library itself, so that they follow its encoding.
#![expect(
    clippy::unwrap_used,
    reason = "the seeds are constants; a bad one has to stop the test"
)]

use anabranch::event::cbor::to_vec;
use anabranch::event::{
    AggregateId, Chain, ChainTag, Commit, CommitSpan, Digest, Event, EventId, EventParts,
    EventType, Head, Heads, Metadata, Payload, ReplicaId, Seq, SeqRanges, SetHash, Timestamp,
    encode_block, encode_commit,
};
use anabranch::log::{Cursor, Epoch};
use anabranch::merge::Standing;
use anabranch::protocol::{
    Batch, Codecs, Delivered, Digests, Direction, Hello, HelloPeer, HelloStaged, Lineage, Message,
    Part, Reason, Refusal, Remedy, Round, Summary, SummaryTrack, Versions, encode_frame,
};
use bytes::Bytes;
use ciborium::Value;

fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap()
}

fn id(device: u64, number: u64) -> EventId {
    EventId::new(ReplicaId::new(device, 1), seq(number))
}

fn chain(byte: u8) -> Chain {
    Chain::from_bytes([byte; 16])
}

fn cursor(position: u64) -> Cursor {
    Cursor {
        epoch: Epoch::from_bits(7),
        position,
    }
}

/// A commit of so many events, with as many heads and metadata entries in each.
fn commit(first: u64, events: usize, heads: u64, metadata: usize) -> Commit {
    let span = CommitSpan::new(seq(first), events).unwrap();
    let numbers = (first..).take(events);
    let events = numbers.map(|number| {
        let seen = (1..=heads).map(|device| Head {
            id: id(device + 100, number),
            tag: ChainTag::from_bits(0xbeef),
        });
        let mut notes = Metadata::new();
        for entry in 0..metadata {
            notes.insert(&format!("key {entry}"), "wért").unwrap();
        }
        let parts = EventParts {
            id: id(9, number),
            commit: span,
            timestamp: Timestamp::at_millis(1_700_000_000_000),
            written_ms: 1_700_000_000_123,
            aggregate: AggregateId::new(&format!("cart/Ångström {number}")).unwrap(),
            event_type: EventType::new("item added").unwrap(),
            heads: Heads::new(seen.collect()).unwrap(),
            replaces: (metadata > 1).then(|| EventId::new(ReplicaId::new(9, 0), seq(number))),
            metadata: notes,
            payload: Payload::encode(&("apples", number, [1.5, -0.25])).unwrap(),
        };
        Event::assemble(parts).unwrap()
    });
    Commit::new(events.collect()).unwrap()
}

pub(crate) fn commits() -> Vec<Vec<u8>> {
    let shapes = [
        commit(1, 1, 0, 0),
        commit(5, 1, 1, 0),
        commit(200, 3, 2, 1),
        commit(1 << 40, 2, 5, 4),
    ];
    let encode = |commit: &Commit| {
        let mut bytes = Vec::new();
        encode_commit(commit, &mut bytes);
        bytes
    };
    shapes.iter().map(encode).collect()
}

pub(crate) fn blocks() -> Vec<Vec<u8>> {
    let shapes = [
        Vec::new(),
        vec![commit(1, 1, 0, 0)],
        vec![commit(5, 1, 1, 0), commit(6, 1, 1, 0), commit(9, 1, 0, 0)],
        vec![commit(200, 3, 2, 1), commit(1 << 40, 2, 5, 4)],
    ];
    let encode = |commits: &Vec<Commit>| {
        let mut bytes = Vec::new();
        encode_block(commits, &mut bytes);
        bytes
    };
    shapes.iter().map(encode).collect()
}

pub(crate) fn values() -> Vec<Vec<u8>> {
    let map = Value::Map(vec![
        (
            Value::Text("b".into()),
            Value::Array(vec![Value::Null, Value::Bool(true), Value::Float(0.1)]),
        ),
        (Value::Integer(300.into()), Value::Bytes(vec![1, 2, 3])),
        (Value::Integer((-7).into()), Value::Map(Vec::new())),
        (
            Value::Text(String::new()),
            Value::Tag(32, Box::new(Value::Text("https://a.example".into()))),
        ),
    ]);
    let deep = (0..31).fold(Value::Integer(1.into()), |inner, _| {
        Value::Array(vec![inner])
    });
    let numbers = [0.0, -0.0, 1.5, f64::INFINITY, f64::NAN, 65_504.0, 1e300].map(Value::Float);
    let long = Value::Array(
        (0..40_u64)
            .map(|number| Value::Integer((number << 20).into()))
            .collect(),
    );
    let all = [
        map,
        deep,
        Value::Array(numbers.into()),
        long,
        Value::Text("ünïcode ".repeat(40)),
    ];
    all.iter().map(|value| to_vec(value).unwrap()).collect()
}

fn hello() -> Hello {
    Hello {
        versions: Versions::SPOKEN,
        lineage: Lineage::from_bits(42),
        lineage_shared: true,
        replica: ReplicaId::new(3, 1),
        epoch: Epoch::from_bits(7),
        own: Some((seq(12), chain(7))),
        clock_ms: 1_700_000_000_000,
        direction: Direction {
            push: true,
            pull: true,
        },
        resumes: false,
        codecs: Codecs::NONE,
        peers: vec![HelloPeer {
            replica: ReplicaId::new(4, 0),
            cursor: Some(cursor(77)),
            own: None,
        }],
        staged: Some(HelloStaged {
            peer: ReplicaId::new(4, 0),
            commit: id(4, 9),
            parts: 2,
            digest: 5,
        }),
    }
}

fn summary() -> Summary {
    let mut ranges = SeqRanges::up_to(seq(40));
    ranges.insert(seq(50)..=seq(60));
    let track = SummaryTrack {
        replica: ReplicaId::new(1, 1),
        ranges,
        chain: Some(chain(3)),
    };
    Summary {
        more: false,
        tracks: vec![track],
    }
}

fn standing(events: u64) -> Standing {
    Standing {
        events,
        set: SetHash::from_bytes([1; 16]),
        fingerprint: Digest::from_bytes([2; 16]),
        state: Digest::from_bytes([3; 16]),
    }
}

pub(crate) fn frames() -> Vec<Vec<u8>> {
    let commits = vec![
        Delivered {
            commit: commit(1, 1, 0, 0),
            continues: None,
        },
        Delivered {
            commit: commit(2, 2, 2, 2),
            continues: Some(chain(1).mark()),
        },
    ];
    let part = Part {
        commit: id(2, 5),
        index: 1,
        total: 2,
        continues: Some(chain(9).mark()),
        position: Some(5),
        bytes: Bytes::from_static(&[1, 2, 3, 4]),
    };
    let refusal = |why| {
        Message::Refuse(Refusal {
            commit: id(2, 5),
            why,
            remedy: Remedy::Restamp,
            clock_ms: 9,
        })
    };
    let messages = [
        Message::Hello(hello()),
        Message::Summary(summary()),
        Message::NeedSummary,
        Message::Fill,
        Message::Batch(Batch {
            position: Some(512),
            commits,
        }),
        Message::Part(part),
        Message::Ack {
            batch: 4,
            durable: true,
        },
        Message::Credit { bytes: 1 << 20 },
        Message::CaughtUp,
        refusal(Reason::ClockSkew {
            ahead_ms: 90_000,
            max_ms: 60_000,
        }),
        refusal(Reason::Behind(id(2, 4))),
        refusal(Reason::Forked),
        Message::Again,
        Message::Ping { clock_ms: 1 },
        Message::Pong { clock_ms: 2 },
        Message::Digests(Digests {
            round: Round::Ask,
            entries: vec![
                (AggregateId::new("cart/1").unwrap(), standing(300)),
                (AggregateId::new("cart/2").unwrap(), standing(1)),
            ],
        }),
        Message::Error {
            code: 1002,
            text: "gone".into(),
        },
    ];
    messages
        .iter()
        .map(|message| encode_frame(message).unwrap().to_vec())
        .collect()
}

/// Conversations as the session target reads them: circumstances, then records. Each begins with
/// the hello and says everything, a second hello included, in an order of its own.
pub(crate) fn scripts() -> Vec<Vec<u8>> {
    let record = |what: u8, content: &[u8]| {
        let len = u16::try_from(content.len()).unwrap().to_le_bytes();
        [&[what], len.as_slice(), content].concat()
    };
    let is_error = |frame: &[u8]| frame.first().is_some_and(|kind| kind & 0x0f == 14);
    let spoken = |frame: &[u8]| record(frame.first().unwrap() & 0x0f, frame.get(5..).unwrap());
    let hello = Message::Hello(Hello {
        staged: None,
        ..hello()
    });
    let opening = spoken(&encode_frame(&hello).unwrap());
    let others = frames()
        .into_iter()
        .skip(1)
        .filter(|frame| !is_error(frame));
    let mut records: Vec<_> = others.map(|frame| spoken(&frame)).collect();
    records.extend([opening.clone(), record(0x20, &[110])]);
    let script = |byte: u8| {
        records.rotate_left(1);
        [&[byte], opening.as_slice(), &records.concat()].concat()
    };
    (0..64_u8).step_by(3).map(script).collect()
}
