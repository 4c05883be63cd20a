//! Frames: golden bytes, every message there and back, and whatever else may come along a wire.

use std::collections::BTreeSet;

use anabranch::event::{
    AggregateId, Chain, ChainMark, Digest, EventId, ReplicaId, SeqRanges, SetHash,
};
use anabranch::limits::{
    DIGESTS_MAX, FRAME_BYTES_MAX, PART_BYTES_MAX, POSITION_MAX, REASON_BYTES_MAX,
};
use anabranch::log::{Cursor, Epoch};
use anabranch::merge::Standing;
use anabranch::protocol::{
    Batch, CloseCode, Codecs, Delivered, Digests, Direction, FrameError, Hello, HelloPeer,
    HelloStaged, Lineage, Message, Part, Reason, Refusal, Remedy, Round, Summary, SummaryTrack,
    Versions, decode_frame, encode_frame,
};
use bytes::Bytes;
use proptest::prelude::*;

use crate::node::{commit, seq};

fn replica() -> impl Strategy<Value = ReplicaId> {
    any::<[u8; 16]>().prop_map(ReplicaId::from_bytes)
}

fn chain() -> impl Strategy<Value = Chain> {
    any::<[u8; 16]>().prop_map(Chain::from_bytes)
}

fn mark() -> impl Strategy<Value = ChainMark> {
    any::<[u8; 4]>().prop_map(ChainMark::from_bytes)
}

fn cursor() -> impl Strategy<Value = Cursor> {
    any::<(u64, u64)>().prop_map(|(epoch, position)| Cursor {
        epoch: Epoch::from_bits(epoch),
        position,
    })
}

fn own() -> impl Strategy<Value = Option<(anabranch::event::Seq, Chain)>> {
    prop::option::of((1..=u64::MAX, chain()).prop_map(|(number, chain)| (seq(number), chain)))
}

fn id() -> impl Strategy<Value = EventId> {
    (replica(), 1..=u64::MAX).prop_map(|(replica, number)| EventId::new(replica, seq(number)))
}

fn hello() -> impl Strategy<Value = Message> {
    let peer = (replica(), prop::option::of(cursor()), own()).prop_map(|(replica, cursor, own)| {
        HelloPeer {
            replica,
            cursor,
            own,
        }
    });
    let staged =
        (replica(), id(), any::<u32>(), any::<u64>()).prop_map(|(peer, commit, parts, digest)| {
            HelloStaged {
                peer,
                commit,
                parts,
                digest,
            }
        });
    let who = (any::<u128>(), any::<bool>(), replica(), own(), any::<u64>());
    let what = (
        any::<(u16, u16)>(),
        any::<(bool, bool, bool)>(),
        any::<(u64, u64)>(),
    );
    (
        who,
        what,
        prop::collection::vec(peer, 0..=8),
        prop::option::of(staged),
    )
        .prop_map(
            |(
                (lineage, lineage_shared, replica, own, clock_ms),
                (versions, flags, (epoch, codecs)),
                peers,
                staged,
            )| {
                Message::Hello(Hello {
                    versions: Versions {
                        min: versions.0.min(versions.1),
                        max: versions.0.max(versions.1),
                    },
                    lineage: Lineage::from_bits(lineage),
                    lineage_shared,
                    replica,
                    epoch: Epoch::from_bits(epoch),
                    own,
                    clock_ms,
                    direction: Direction {
                        push: flags.0,
                        pull: flags.1,
                    },
                    resumes: flags.2,
                    codecs: Codecs::from_bits(codecs),
                    peers,
                    staged,
                })
            },
        )
}

fn summary() -> impl Strategy<Value = Message> {
    let ranges = prop::collection::vec((1..1_000_000u64, 0..1000u64), 1..20).prop_map(|ranges| {
        let ranges = ranges
            .into_iter()
            .map(|(first, more)| seq(first)..=seq(first + more));
        ranges.collect::<SeqRanges>()
    });
    let tracks = prop::collection::btree_map(replica(), (ranges, prop::option::of(chain())), 0..9);
    (any::<bool>(), tracks).prop_map(|(more, tracks)| {
        let tracks = tracks.into_iter();
        let tracks = tracks
            .map(|(replica, (ranges, chain))| SummaryTrack {
                replica,
                ranges,
                chain,
            })
            .collect();
        Message::Summary(Summary { more, tracks })
    })
}

fn batch() -> impl Strategy<Value = Message> {
    let commit = (replica(), 1..1000u64, 1..5u64, 0..200usize)
        .prop_map(|(replica, first, events, bytes)| commit(replica, first, events, bytes));
    let delivered = (commit, prop::option::of(mark()))
        .prop_map(|(commit, continues)| Delivered { commit, continues });
    (
        prop::option::of(0..=POSITION_MAX),
        prop::collection::vec(delivered, 0..6),
    )
        .prop_map(|(position, mut commits)| {
            let mut writers = BTreeSet::new();
            for delivered in &mut commits {
                if !writers.insert(delivered.commit.replica()) {
                    delivered.continues = None;
                }
            }
            Message::Batch(Batch { position, commits })
        })
}

fn part() -> impl Strategy<Value = Message> {
    (
        id(),
        2..=16u32,
        any::<u32>(),
        prop::option::of(mark()),
        prop::option::of(any::<u64>()),
    )
        .prop_map(|(commit, total, index, continues, position)| {
            let index = index % total;
            let len = if index + 1 == total {
                77
            } else {
                PART_BYTES_MAX
            };
            let bytes = vec![3; len].into();
            Message::Part(Part {
                commit,
                index,
                total,
                continues,
                position,
                bytes,
            })
        })
}

fn refusal() -> impl Strategy<Value = Message> {
    let why = prop_oneof![
        any::<(u64, u64)>().prop_map(|(ahead_ms, max_ms)| Reason::ClockSkew { ahead_ms, max_ms }),
        Just(Reason::Forked),
        id().prop_map(Reason::Behind),
    ];
    let remedy = prop_oneof![Just(Remedy::Restamp), Just(Remedy::Drop)];
    (id(), why, remedy, any::<u64>()).prop_map(|(commit, why, remedy, clock_ms)| {
        Message::Refuse(Refusal {
            commit,
            why,
            remedy,
            clock_ms,
        })
    })
}

fn digests() -> impl Strategy<Value = Message> {
    let round = prop_oneof![Just(Round::Tell), Just(Round::Ask), Just(Round::Answer)];
    let name = "[a-z]{1,5}/[a-zäö ]{1,9}".prop_map(|name| AggregateId::new(&name).unwrap());
    let standing = (1..=u64::MAX, any::<[[u8; 16]; 3]>()).prop_map(|(events, digests)| {
        let [set, fingerprint, state] = digests;
        Standing {
            events,
            set: SetHash::from_bytes(set),
            fingerprint: Digest::from_bytes(fingerprint),
            state: Digest::from_bytes(state),
        }
    });
    let entries = prop::collection::btree_map(name, standing, 0..9);
    (round, entries).prop_map(|(round, entries)| {
        let entries = entries.into_iter().collect();
        Message::Digests(Digests { round, entries })
    })
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        hello(),
        summary(),
        Just(Message::NeedSummary),
        Just(Message::Fill),
        batch(),
        part(),
        any::<(u64, bool)>().prop_map(|(batch, durable)| Message::Ack { batch, durable }),
        any::<u64>().prop_map(|bytes| Message::Credit { bytes }),
        Just(Message::CaughtUp),
        refusal(),
        Just(Message::Again),
        any::<u64>().prop_map(|clock_ms| Message::Ping { clock_ms }),
        any::<u64>().prop_map(|clock_ms| Message::Pong { clock_ms }),
        digests(),
        (any::<u16>(), ".{0,100}").prop_map(|(code, text)| Message::Error { code, text }),
    ]
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

proptest! {
    #[test]
    fn every_message_comes_back_as_it_went(message in message()) {
        let frame = encode_frame(&message).unwrap();
        prop_assert!(frame.len() <= FRAME_BYTES_MAX);
        let read = decode_frame(&frame).unwrap();
        prop_assert_eq!(encode_frame(&read).unwrap(), frame, "one message, one encoding");
        prop_assert_eq!(read, message);
    }

    #[test]
    fn a_frame_that_was_damaged_cut_or_joined_is_refused(
        message in message(),
        at in any::<prop::sample::Index>(),
        bit in 0..8u32,
    ) {
        let frame = encode_frame(&message).unwrap();
        let at = at.index(frame.len());
        let mut flipped = frame.to_vec();
        flipped[at] ^= 1 << bit;
        prop_assert!(decode_frame(&flipped.into()).is_err());
        prop_assert!(decode_frame(&frame.slice(..at)).is_err());
        let mut longer = frame.to_vec();
        longer.push(0);
        prop_assert!(decode_frame(&longer.into()).is_err());
    }

    /// With a right checksum, so that what is behind it is reached.
    #[test]
    fn a_body_of_any_bytes_is_read_or_refused(
        kind in 0..16u8,
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        comes_back(&sealed(kind, &body))?;
    }

    #[test]
    fn a_body_that_was_changed_before_it_was_sealed_is_read_or_refused(
        message in message(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let frame = encode_frame(&message).unwrap();
        let mut body = frame[5..].to_vec();
        if !body.is_empty() {
            let at = at.index(body.len());
            body[at] = byte;
        }
        comes_back(&sealed(frame[0] & 0x0f, &body))?;
    }

    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(decode_frame(&bytes.into()).is_err());
    }
}

/// A frame around any body, made beside the codec.
fn sealed(kind: u8, body: &[u8]) -> Bytes {
    let first = 0x10 | kind;
    let sum = xxhash_rust::xxh3::xxh3_64_with_seed(body, first.into());
    let mut frame = vec![first];
    frame.extend_from_slice(&sum.to_le_bytes()[..4]);
    frame.extend_from_slice(body);
    frame.into()
}

/// What could be read can be written and read again. A message has one encoding; only the columns of
/// a batch may be told in more than one way, of which one is written.
fn comes_back(frame: &Bytes) -> Result<(), TestCaseError> {
    if let Ok(message) = decode_frame(frame) {
        let again = encode_frame(&message).unwrap();
        if matches!(message, Message::Batch(_)) {
            prop_assert_eq!(decode_frame(&again).unwrap(), message);
        } else {
            prop_assert_eq!(&again, frame, "one message, one encoding");
        }
    }
    Ok(())
}

#[test]
fn the_bytes_of_version_1_are_these() {
    let cases = [
        (Message::NeedSummary, "13", ""),
        (Message::Fill, "14", ""),
        (
            Message::Ack {
                batch: 300,
                durable: true,
            },
            "17",
            "ac0201",
        ),
        (Message::Credit { bytes: 1 << 20 }, "18", "808040"),
        (Message::CaughtUp, "19", ""),
        (Message::Again, "1b", ""),
        (Message::Ping { clock_ms: 5 }, "1c", "05"),
        (
            Message::Error {
                code: 1002,
                text: "no".into(),
            },
            "1e",
            "ea07026e6f",
        ),
        (
            Message::Refuse(Refusal {
                commit: EventId::new(ReplicaId::new(1, 2), seq(3)),
                why: Reason::ClockSkew {
                    ahead_ms: 70_000,
                    max_ms: 60_000,
                },
                remedy: Remedy::Restamp,
                clock_ms: 9,
            }),
            "1a",
            "000000000000000100000000000000020301f0a204e0d4030109",
        ),
        (
            Message::Summary(Summary {
                more: false,
                tracks: vec![SummaryTrack {
                    replica: ReplicaId::new(1, 2),
                    ranges: [seq(1)..=seq(9), seq(12)..=seq(12)].into_iter().collect(),
                    chain: None,
                }],
            }),
            "12",
            "000100000000000000010000000000000002000201080300",
        ),
        (
            Message::Digests(Digests {
                round: Round::Ask,
                entries: vec![(AggregateId::new("a/1").unwrap(), standing(3))],
            }),
            "1f",
            "020103612f31030707070707070707070707070707070708080808080808080808080808080808\
             09090909090909090909090909090909",
        ),
    ];
    for (message, kind, body) in cases {
        let frame = encode_frame(&message).unwrap();
        assert_eq!(hex(&frame[..1]), kind, "{message:?}");
        assert_eq!(hex(&frame[5..]), body, "{message:?}");
    }
    let frame = encode_frame(&Message::CaughtUp).unwrap();
    assert_eq!(frame, sealed(9, &[]));
}

#[test]
fn each_wrong_thing_has_its_own_error() {
    let refused = |bytes: Bytes| decode_frame(&bytes).unwrap_err();
    assert!(matches!(
        refused(Bytes::new()),
        FrameError::TooShort { bytes: 0, .. }
    ));
    let large = refused(vec![0; FRAME_BYTES_MAX + 1].into());
    assert_eq!(large.close_code(), CloseCode::TOO_BIG);
    let mut frame = encode_frame(&Message::CaughtUp).unwrap().to_vec();
    frame[0] = 0x29;
    assert!(matches!(
        refused(frame.clone().into()),
        FrameError::UnknownFormat { format: 2, .. }
    ));
    frame[0] = 0x10;
    assert!(matches!(
        refused(frame.clone().into()),
        FrameError::UnknownKind { kind: 0 }
    ));
    frame[0] = 0x1b;
    assert!(matches!(
        refused(frame.into()),
        FrameError::Checksum { kind: "again" }
    ));
    let trailing = refused(sealed(9, &[0])).to_string();
    assert_eq!(trailing, "caught-up message: 1 bytes follow the end");
}

/// Bodies of a few bytes that claim billions.
#[test]
fn claims_of_huge_counts_are_refused() {
    let claim = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    for kind in 1..=15 {
        for before in 0..40 {
            let mut body = vec![0; before];
            body.extend_from_slice(&claim);
            drop(decode_frame(&sealed(kind, &body)));
        }
    }
    let mut batch = vec![1];
    batch.extend_from_slice(&claim);
    assert!(decode_frame(&sealed(5, &batch)).is_err());
    let mut summary = vec![0];
    summary.extend_from_slice(&claim);
    assert!(decode_frame(&sealed(2, &summary)).is_err());
}

fn standing(events: u64) -> Standing {
    Standing {
        events,
        set: SetHash::from_bytes([7; 16]),
        fingerprint: Digest::from_bytes([8; 16]),
        state: Digest::from_bytes([9; 16]),
    }
}

#[test]
fn digests_are_bounded_and_stand_in_order() {
    let entries = |count: usize| {
        let name = |at| AggregateId::new(&format!("{}/{at:04}", "a".repeat(1018))).unwrap();
        (0..count)
            .map(|at| (name(at), standing(u64::MAX)))
            .collect()
    };
    let round = Round::Tell;
    let frame = |entries| encode_frame(&Message::Digests(Digests { round, entries })).unwrap();
    assert!(decode_frame(&frame(entries(DIGESTS_MAX))).is_ok());
    assert!(decode_frame(&frame(entries(DIGESTS_MAX + 1))).is_err());
    let mut swapped: Vec<_> = entries(2);
    swapped.swap(0, 1);
    assert!(decode_frame(&frame(swapped)).is_err());
    let mut twice: Vec<_> = entries(1);
    twice.extend(entries(1));
    assert!(decode_frame(&frame(twice)).is_err());
    let none = vec![(AggregateId::new("a/1").unwrap(), standing(0))];
    assert!(decode_frame(&frame(none)).is_err());
}

#[test]
fn a_message_that_fits_no_frame_is_not_written() {
    let commit = commit(ReplicaId::new(1, 1), 1, 6, 200 * 1024);
    let commits = vec![Delivered {
        commit,
        continues: None,
    }];
    let batch = Message::Batch(Batch {
        position: None,
        commits,
    });
    assert!(matches!(
        encode_frame(&batch),
        Err(FrameError::TooLarge { .. })
    ));
}

#[test]
fn a_long_text_is_cut_between_characters() {
    let text = "é".repeat(REASON_BYTES_MAX);
    let frame = encode_frame(&Message::Error { code: 1000, text }).unwrap();
    let Message::Error { text, .. } = decode_frame(&frame).unwrap() else {
        panic!("an error")
    };
    assert_eq!(text.len(), REASON_BYTES_MAX);
}
