use alloc::format;
use alloc::vec;

use proptest::prelude::*;

use super::*;
use crate::event::block::decode::{read_block, read_many};
use crate::event::block::encode::{encode_block_with, encode_many};
use crate::event::codec;
use crate::event::{CommitSpan, EventParts, EventType, Metadata};

fn replica(number: u8) -> ReplicaId {
    ReplicaId::new(u64::from(number) / 2, u64::from(number) % 2)
}

fn number() -> impl Strategy<Value = u64> {
    (1..u64::MAX, 0..64u32).prop_map(|(number, shift)| (number >> shift).max(1))
}

fn event() -> impl Strategy<Value = Event> {
    let head = (0..6u8, number(), any::<u16>());
    (
        (0..6u8, number(), any::<u64>(), any::<bool>(), any::<u64>()),
        prop::collection::vec(head, 0..7),
        (1..40usize, 1..20usize, 0..60usize),
        prop::option::weighted(0.1, number()),
        prop::option::weighted(0.1, any::<u8>()),
    )
        .prop_map(
            |((writer, seq, stamp, is_same, wall), heads, lens, replaced, metadata)| {
                let seq = Seq::new(seq).unwrap();
                let id = EventId::new(replica(writer), seq);
                let timestamp = Timestamp::from_bits(stamp);
                let mut named: Vec<Head> = Vec::new();
                for (of, seq, tag) in heads {
                    let head = EventId::new(replica(of), Seq::new(seq).unwrap());
                    let is_before = head.replica != id.replica || head.seq < id.seq;
                    if is_before && named.iter().all(|known| known.id != head) {
                        let tag = ChainTag::from_bits(tag);
                        named.push(Head { id: head, tag });
                    }
                }
                let mut other = Metadata::new();
                if let Some(byte) = metadata {
                    other.insert("key", &format!("{byte}")).unwrap();
                }
                let earlier = ReplicaId::new(id.replica.device(), 9);
                Event::assemble(EventParts {
                    id,
                    commit: CommitSpan::new(seq, 1).unwrap(),
                    timestamp,
                    written_ms: if is_same { timestamp.millis() } else { wall },
                    aggregate: AggregateId::new(&format!("n/{}", "x".repeat(lens.0))).unwrap(),
                    event_type: EventType::new(&"t".repeat(lens.1)).unwrap(),
                    heads: Heads::new(named).unwrap(),
                    replaces: replaced.map(|seq| EventId::new(earlier, Seq::new(seq).unwrap())),
                    metadata: other,
                    payload: Payload::from_bytes(vec![7; lens.2].into()).unwrap(),
                })
                .unwrap()
            },
        )
}

/// Numbers for some of the replicas, and for some types.
fn names(which: u64) -> BlockNames {
    let mut names = BlockNames::new();
    for bit in (0..6).filter(|bit| which >> bit & 1 == 1) {
        names.assign_replica(replica(bit));
    }
    for len in (1..20).filter(|len| which >> (len + 6) & 1 == 1) {
        names.assign_type(&EventType::new(&"t".repeat(len)).unwrap());
    }
    names
}

/// What the general way makes of some bytes.
fn read_plainly(bytes: &Bytes, names: &BlockNames) -> Result<Vec<Commit>, CodecError> {
    let mut input = Input::new(bytes);
    let what = "columns of a block";
    let value = input.number(what)?;
    let columns = Columns::from_bits(value).ok_or(CodecError::Unknown { what, value })?;
    read_many(bytes, input, columns, names, |commit| commit)
}

fn read_quickly(bytes: &Bytes, names: &BlockNames) -> Result<Vec<Commit>, CodecError> {
    read_block(bytes, Input::new(bytes), names, |commit| commit)
}

/// The bytes with the checksums of the event that they hold then, if they hold a usual one.
fn resealed(mut bytes: Vec<u8>, names: &BlockNames) -> Vec<u8> {
    let whole = Bytes::from(bytes.clone());
    let mut input = Input::new(&whole);
    let columns = input.number("columns").ok().and_then(Columns::from_bits);
    let columns = columns.filter(|columns| columns.are_among(USUAL));
    let read = columns.map(|columns| read_fields(&whole, input, columns, names));
    if let Some(Ok(Some((fields, _)))) = read {
        let (digest, _) = codec::digest(&fields, 0, &mut Scratch::new());
        let at = bytes.len() - fields.payload.len() - SEAL_LEN;
        bytes[at..at + SEAL_LEN].copy_from_slice(&digest.to_bytes()[..SEAL_LEN]);
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_lone_event_is_written_as_the_general_way_writes_it(event in event(), which: u64) {
        let commit = Commit::new(vec![event]).unwrap();
        for names in [BlockNames::new(), names(which)] {
            let (mut quick, mut plain) = (vec![9], vec![9]);
            encode_block_with([&commit], &names, &mut quick);
            encode_many(&[&commit], &names, &mut plain);
            prop_assert_eq!(&quick, &plain);
            let bytes = Bytes::from(quick).slice(1..);
            let commits = read_quickly(&bytes, &names);
            prop_assert_eq!(&commits, &read_plainly(&bytes, &names));
            let commits = commits.unwrap();
            prop_assert_eq!(commits[0].bytes(), commit.bytes());
            prop_assert_eq!(commits, [commit.clone()]);
            let is_usual = commit.events()[0].fields().rare.is_none();
            let mut input = Input::new(&bytes);
            let columns = Columns::from_bits(input.number("columns").unwrap()).unwrap();
            prop_assert_eq!(read(&bytes, input, columns, &names).is_some(), is_usual);
        }
    }

    #[test]
    fn whatever_was_written_over_a_lone_event_is_read_or_refused_as_by_the_general_way(
        event in event(),
        which: u64,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..4),
        columns in prop::option::weighted(0.3, any::<u8>()),
    ) {
        let commit = Commit::new(vec![event]).unwrap();
        let names = names(which);
        let mut bytes = Vec::new();
        encode_block_with([&commit], &names, &mut bytes);
        let front = bytes.len() - commit.events()[0].payload().len();
        for (at, byte, how) in changes {
            let at = at.index(front.min(bytes.len() - 1));
            match how {
                0 => bytes[at] = byte,
                1 => bytes[at] = byte % 4,
                2 => bytes[at] ^= 1 << (byte % 8),
                _ => bytes.insert(at, byte % 4),
            }
        }
        if let Some(columns) = columns {
            bytes[0] = columns;
        }
        for bytes in [bytes.clone(), resealed(bytes, &names)] {
            let bytes = Bytes::from(bytes);
            prop_assert_eq!(read_quickly(&bytes, &names), read_plainly(&bytes, &names));
        }
    }
}

#[test]
fn forms_that_nobody_writes_are_read_or_refused_as_by_the_general_way() {
    let writer = replica(2).to_bytes();
    let rest = [1, b't', 3, b'n', b'/', b'1', 5, 3];
    let (no_heads, one_head) = ([0].as_slice(), [2, 0, 3, 7, 7].as_slice());
    let mut read = 0;
    for columns in [0, 1 << 4, 1 << 8, 1 << 6, 1 << 4 | 1 << 8, 1 << 5, 1 << 1] {
        let has = |bit: u8| columns >> bit & 1 == 1;
        for others in 0..6_u8 {
            for (heads, wall) in [(no_heads, 0), (one_head, 0), (one_head, 4), (&[1], 1)] {
                let mut bytes = Vec::new();
                put_number(columns, &mut bytes);
                bytes.extend_from_slice(&writer);
                if has(4) {
                    bytes.push(others);
                    (0..others).for_each(|_| bytes.extend_from_slice(&writer));
                }
                bytes.extend_from_slice(&rest);
                bytes.extend((has(8)).then_some(wall));
                bytes.extend_from_slice(if has(4) { heads } else { &[] });
                bytes.extend_from_slice(&[0; 4]);
                bytes.extend_from_slice(b"payload");
                let names = BlockNames::new();
                let bytes = Bytes::from(resealed(bytes, &names));
                let quick = read_quickly(&bytes, &names);
                assert_eq!(quick, read_plainly(&bytes, &names));
                read += usize::from(quick.is_ok());
            }
        }
    }
    assert!(read >= 60, "{read} were read");
}

/// Any byte, in any place, with the checksums that the event has then.
#[test]
fn a_byte_that_was_changed_is_read_or_refused_as_by_the_general_way() {
    let head = |of: u8, seq: u64| Head {
        id: EventId::new(replica(of), Seq::new(seq).unwrap()),
        tag: ChainTag::from_bits(77),
    };
    let mut read = 0;
    for (name, heads) in [
        ("n/1", vec![]),
        ("n/of-more-than-15-bytes", vec![head(2, 300)]),
        ("n/1", vec![head(1, 3), head(1, 5), head(3, 1), head(4, 9)]),
    ] {
        let seq = Seq::new(400).unwrap();
        let event = Event::assemble(EventParts {
            id: EventId::new(replica(2), seq),
            commit: CommitSpan::new(seq, 1).unwrap(),
            timestamp: Timestamp::from_bits((STAMP_ORIGIN + 5) << 16 | 7),
            written_ms: STAMP_ORIGIN,
            aggregate: AggregateId::new(name).unwrap(),
            event_type: EventType::new("t").unwrap(),
            heads: Heads::new(heads).unwrap(),
            replaces: None,
            metadata: Metadata::new(),
            payload: Payload::from_bytes(vec![7; 3].into()).unwrap(),
        });
        let commit = Commit::new(vec![event.unwrap()]).unwrap();
        for names in [BlockNames::new(), names(0xff)] {
            let mut bytes = Vec::new();
            encode_block_with([&commit], &names, &mut bytes);
            for at in 0..bytes.len() {
                for byte in 0..=u8::MAX {
                    let mut changed = bytes.clone();
                    changed[at] = byte;
                    let changed = Bytes::from(resealed(changed, &names));
                    let quick = read_quickly(&changed, &names);
                    assert_eq!(
                        quick,
                        read_plainly(&changed, &names),
                        "{at} of {name} is {byte}"
                    );
                    read += usize::from(quick.is_ok());
                }
            }
        }
    }
    assert!(read > 10_000, "{read} were read");
}
