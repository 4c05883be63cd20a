//! Version 1, byte by byte: what every message and several blocks look like, for ever.
//!
//! `tests/wire/golden` holds them in hexadecimal digits; a file is never changed, only added.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anabranch::event::{
    AggregateId, BlockNames, Chain, ChainTag, Commit, CommitSpan, Digest, Event, EventId,
    EventParts, EventType, Head, Heads, Metadata, Payload, ReplicaId, Seq, SeqRanges, SetHash,
    Timestamp, decode_block, decode_block_with, decode_commit, encode_block, encode_block_with,
    encode_commit,
};
use anabranch::log::{Cursor, Epoch};
use anabranch::merge::Standing;
use anabranch::protocol::{
    Batch, Codecs, Delivered, Digests, Direction, Hello, HelloPeer, HelloStaged, Lineage, Message,
    Part, Reason, Refusal, Remedy, Round, Summary, SummaryTrack, Versions, decode_frame,
    decode_frame_with, encode_frame,
};
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64_with_seed;

const ADA: ReplicaId = ReplicaId::new(0xada, 1);
const BOB: ReplicaId = ReplicaId::new(0xb0b, 1);

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire/golden")
}

/// The digits of a golden file, without the spaces between them.
pub(crate) fn golden(name: &str) -> String {
    let text = fs::read_to_string(folder().join(name).with_extension("hex")).unwrap_or_default();
    text.split_whitespace().collect()
}

fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap()
}

fn id(replica: ReplicaId, number: u64) -> EventId {
    EventId::new(replica, seq(number))
}

fn at(ms: u64) -> Timestamp {
    Timestamp::at_millis(1_800_000_000_000 + ms)
}

/// An event that is a commit of its own and follows nothing.
fn parts(replica: ReplicaId, number: u64, aggregate: &str, text: &str) -> EventParts {
    EventParts {
        id: id(replica, number),
        commit: CommitSpan::new(seq(number), 1).unwrap(),
        timestamp: at(number),
        written_ms: 1_800_000_000_000 + number,
        aggregate: AggregateId::new(aggregate).unwrap(),
        event_type: EventType::new("set").unwrap(),
        heads: Heads::NONE,
        replaces: None,
        metadata: Metadata::new(),
        payload: Payload::encode(text).unwrap(),
    }
}

fn commit(all: Vec<EventParts>) -> Commit {
    let events = all.into_iter().map(|parts| Event::assemble(parts).unwrap());
    Commit::new(events.collect()).unwrap()
}

fn head(id: EventId, tag: u16) -> Heads {
    let tag = ChainTag::from_bits(tag);
    Heads::new(vec![Head { id, tag }]).unwrap()
}

fn one() -> Vec<Commit> {
    vec![commit(vec![parts(ADA, 1, "note/1", "hello")])]
}

/// Bob has seen what Ada wrote, and answers; Ada goes on with a commit of two.
fn several() -> Vec<Commit> {
    let answer = EventParts {
        heads: head(id(ADA, 1), 0xbeef),
        timestamp: Timestamp::from_bits(at(7).to_bits() + 1),
        written_ms: 1_800_000_000_004,
        ..parts(BOB, 4, "note/1", "hi")
    };
    let span = CommitSpan::new(seq(2), 2).unwrap();
    let mut metadata = Metadata::new();
    metadata.insert("user", "ada").unwrap();
    let first = EventParts {
        commit: span,
        timestamp: at(20),
        written_ms: 1_800_000_000_020,
        heads: head(id(BOB, 3), 0x0102),
        metadata,
        ..parts(ADA, 2, "note/12", "")
    };
    let second = EventParts {
        id: id(ADA, 3),
        event_type: EventType::new("cut").unwrap(),
        heads: Heads::NONE,
        replaces: Some(id(ReplicaId::new(0xada, 0), 9)),
        metadata: Metadata::new(),
        aggregate: AggregateId::new("cart/é").unwrap(),
        ..first.clone()
    };
    let mut all = one();
    all.extend([commit(vec![answer]), commit(vec![first, second])]);
    all
}

/// A stamp that was lifted twice, seqs with a hole, and a writer who comes back.
fn odd() -> Vec<Commit> {
    let lifted = |parts: EventParts, logic| EventParts {
        timestamp: Timestamp::from_bits(at(5).to_bits() + logic),
        ..parts
    };
    vec![
        commit(vec![lifted(parts(BOB, 10, "note/1", "x"), 9)]),
        commit(vec![parts(ADA, 1, "note/1", "x")]),
        commit(vec![parts(BOB, 12, "note/1", "y")]),
        commit(vec![lifted(parts(BOB, 13, "note/2", "z"), 1)]),
    ]
}

fn blocks() -> Vec<(&'static str, Vec<Commit>)> {
    vec![
        ("block_empty", Vec::new()),
        ("block_one", one()),
        ("block_several", several()),
        ("block_odd", odd()),
    ]
}

fn chain(byte: u8) -> Chain {
    Chain::from_bytes([byte; 16])
}

fn hello() -> Hello {
    Hello {
        versions: Versions::SPOKEN,
        lineage: Lineage::from_bits(42),
        lineage_shared: true,
        replica: ADA,
        epoch: Epoch::from_bits(0x1122_3344_5566_7788),
        own: Some((seq(12), chain(7))),
        clock_ms: 1_800_000_000_000,
        direction: Direction {
            push: true,
            pull: true,
        },
        resumes: false,
        codecs: Codecs::NONE,
        peers: vec![HelloPeer {
            replica: BOB,
            cursor: Some(Cursor {
                epoch: Epoch::from_bits(9),
                position: 300,
            }),
            own: Some((seq(4), chain(8))),
        }],
        staged: None,
    }
}

fn hello_of_a_stranger() -> Hello {
    Hello {
        lineage_shared: false,
        own: None,
        direction: Direction {
            push: true,
            pull: false,
        },
        codecs: Codecs::ZSTD,
        peers: Vec::new(),
        staged: Some(HelloStaged {
            peer: BOB,
            commit: id(BOB, 9),
            parts: 2,
            digest: 5,
        }),
        ..hello()
    }
}

fn batch(commits: Vec<Commit>, marks: &[Option<u8>], position: Option<u64>) -> Message {
    let marks = marks.iter().map(|mark| mark.map(|byte| chain(byte).mark()));
    let marks = marks.chain(std::iter::repeat(None));
    let commits = commits.into_iter().zip(marks);
    let commits = commits.map(|(commit, continues)| Delivered { commit, continues });
    Message::Batch(Batch {
        position,
        commits: commits.collect(),
    })
}

fn refusal(why: Reason, remedy: Remedy) -> Message {
    Message::Refuse(Refusal {
        commit: id(BOB, 5),
        why,
        remedy,
        clock_ms: 9,
    })
}

fn messages() -> Vec<(&'static str, Message)> {
    let mut all = greetings_and_batches();
    all.extend(other_messages());
    all
}

fn greetings_and_batches() -> Vec<(&'static str, Message)> {
    let ranges = [seq(1)..=seq(9), seq(12)..=seq(12)];
    vec![
        ("hello", Message::Hello(hello())),
        ("hello_stranger", Message::Hello(hello_of_a_stranger())),
        (
            "summary",
            Message::Summary(Summary {
                more: false,
                tracks: vec![SummaryTrack {
                    replica: ADA,
                    ranges: ranges.into_iter().collect::<SeqRanges>(),
                    chain: Some(chain(3)),
                }],
            }),
        ),
        ("need_summary", Message::NeedSummary),
        ("fill", Message::Fill),
        ("batch_position", batch(Vec::new(), &[], Some(1_000))),
        ("batch_one", batch(one(), &[Some(0)], Some(301))),
        ("batch_filling", batch(one(), &[], None)),
        (
            "batch_marks",
            batch(several(), &[Some(0), Some(4)], Some(304)),
        ),
        (
            "batch_some_marks",
            batch(several(), &[None, Some(4)], Some(304)),
        ),
    ]
}

fn other_messages() -> Vec<(&'static str, Message)> {
    let standing = Standing {
        events: 3,
        set: SetHash::from_bytes([1; 16]),
        fingerprint: Digest::from_bytes([2; 16]),
        state: Digest::from_bytes([3; 16]),
    };
    let (ahead_ms, max_ms) = (70_000, 60_000);
    vec![
        (
            "part",
            Message::Part(Part {
                commit: id(BOB, 5),
                index: 1,
                total: 2,
                continues: Some(chain(9).mark()),
                position: Some(5),
                bytes: Bytes::from_static(&[1, 2, 3]),
            }),
        ),
        (
            "ack",
            Message::Ack {
                batch: 300,
                durable: true,
            },
        ),
        ("credit", Message::Credit { bytes: 1 << 20 }),
        ("caught_up", Message::CaughtUp),
        (
            "refuse_skew",
            refusal(Reason::ClockSkew { ahead_ms, max_ms }, Remedy::Restamp),
        ),
        ("refuse_fork", refusal(Reason::Forked, Remedy::Restamp)),
        (
            "refuse_behind",
            refusal(Reason::Behind(id(BOB, 4)), Remedy::Drop),
        ),
        ("again", Message::Again),
        ("ping", Message::Ping { clock_ms: 5 }),
        ("pong", Message::Pong { clock_ms: 300 }),
        (
            "digests",
            Message::Digests(Digests {
                round: Round::Ask,
                entries: vec![(AggregateId::new("note/1").unwrap(), standing)],
            }),
        ),
        (
            "error",
            Message::Error {
                code: 1002,
                text: "no".into(),
            },
        ),
    ]
}

/// Ada is number 3 and `set` number 0.
fn numbers() -> BlockNames {
    let mut names = BlockNames::new();
    assert!(names.set_replica(3, ADA) && names.set_type(0, EventType::new("set").unwrap()));
    names
}

#[test]
fn each_message_has_the_bytes_of_version_1() {
    for (name, message) in messages() {
        let frame = encode_frame(&message).unwrap();
        assert_eq!(hex(&frame), golden(name), "{name}");
        assert_eq!(decode_frame(&frame), Ok(message), "{name}");
    }
}

#[test]
fn each_block_has_the_bytes_of_version_1() {
    for (name, commits) in blocks() {
        let mut out = Vec::new();
        encode_block(&commits, &mut out);
        assert_eq!(hex(&out), golden(name), "{name}");
        assert_eq!(decode_block(&out.into()), Ok(commits), "{name}");
    }
    let mut out = Vec::new();
    encode_block_with(&one(), &numbers(), &mut out);
    assert_eq!(hex(&out), golden("block_numbers"));
    assert_eq!(decode_block_with(&out.into(), &numbers()), Ok(one()));
}

#[test]
fn a_commit_has_the_canonical_bytes_and_digests_of_version_1() {
    let commit = one().remove(0);
    let mut out = Vec::new();
    encode_commit(&commit, &mut out);
    assert_eq!(hex(&out), golden("commit_one"));
    assert_eq!(decode_commit(&out), Ok(commit.clone()));
    let digest = commit.events()[0].digest();
    assert_eq!(digest.to_string(), golden("digest_one"));
    let chain = commit.chain_after(Chain::START);
    assert_eq!(chain.to_string(), golden("chain_one"));
    assert!(golden("chain_one").ends_with(&hex(&chain.mark().to_bytes())));
}

/// Made here as somebody else would make it: what numbers stand for, and a block that uses them.
#[test]
fn a_batch_that_tells_numbers_is_read_like_one_that_does_not() {
    let mark = chain(4).mark();
    let mut body = vec![0xb6, 0x09, 2];
    body.push(3 << 2 | 2);
    body.extend_from_slice(&ADA.to_bytes());
    body.extend_from_slice(&mark.to_bytes());
    body.extend_from_slice(b"\x01\x03set");
    let mut block = Vec::new();
    encode_block_with(&one(), &numbers(), &mut block);
    body.extend_from_slice(&block);
    let sealed = |body: &[u8]| {
        let mut frame = vec![0x15];
        frame.extend_from_slice(&xxh3_64_with_seed(body, 0x15).to_le_bytes()[..4]);
        frame.extend_from_slice(body);
        Bytes::from(frame)
    };
    let telling = sealed(&body);
    assert_eq!(hex(&telling), golden("batch_telling"));
    let mut names = BlockNames::new();
    let read = decode_frame_with(&telling, &mut names, None);
    assert_eq!(read, Ok(batch(one(), &[Some(4)], Some(300))));

    let told = sealed(&[&[0xb8, 0x09], block.as_slice()].concat());
    assert_eq!(hex(&told), golden("batch_told"));
    let read = decode_frame_with(&told, &mut names, None);
    assert_eq!(read, Ok(batch(one(), &[None], Some(301))));
    assert!(decode_frame(&told).is_err());
}

#[test]
fn every_golden_file_is_looked_at() {
    let others = ["block_numbers", "commit_one", "digest_one", "chain_one"];
    let batches = ["batch_telling", "batch_told"];
    let named = messages().into_iter().map(|(name, _)| name);
    let named = named.chain(blocks().into_iter().map(|(name, _)| name));
    let known: BTreeSet<_> = named
        .chain(others)
        .chain(batches)
        .map(String::from)
        .collect();
    let files = fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().path());
    let found: BTreeSet<_> = files
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(found, known);
}
