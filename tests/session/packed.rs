//! Compressed frames, with a compression that anybody can undo in their head.

use std::sync::Arc;

use anabranch::event::BlockNames;
use anabranch::limits::{CREDIT_BYTES, FRAME_BYTES_MAX};
use anabranch::protocol::{
    CloseCode, Codecs, Compression, FrameError, Input, Message, Role, Session, SessionOptions,
    decode_frame, decode_frame_with, encode_frame,
};
use bytes::Bytes;

use crate::driven::{Driven, NOW, batch, cursor_into, hello, peer};
use crate::node::Node;
use crate::pair::{BOTH, Pair, small};

/// Pairs of a count and the byte that is there so often.
struct Runs;

impl Compression for Runs {
    fn codec(&self) -> Codecs {
        Codecs::ZSTD
    }

    fn compress(&self, pieces: &[&[u8]]) -> Option<Vec<u8>> {
        let whole = pieces.concat();
        let runs = whole
            .chunk_by(|a, b| a == b)
            .flat_map(|run| run.chunks(255));
        Some(runs.flat_map(|run| [run.len() as u8, run[0]]).collect())
    }

    fn decompress(&self, bytes: &[u8], len: usize) -> Option<Vec<u8>> {
        let mut plain = Vec::new();
        for run in bytes.chunks_exact(2) {
            plain.resize(plain.len() + usize::from(run[0]), run[1]);
            if plain.len() > len {
                return None;
            }
        }
        (plain.len() == len).then_some(plain)
    }
}

/// A frame of form 2 around a body, made beside the codec.
fn packed(kind: u8, claim: u32, compressed: &[u8]) -> Bytes {
    let first = 0x20 | kind;
    let mut rest = Vec::new();
    let mut claim = claim;
    while claim >= 0x80 {
        rest.push(claim as u8 | 0x80);
        claim >>= 7;
    }
    rest.push(claim as u8);
    rest.extend_from_slice(compressed);
    let sum = xxhash_rust::xxh3::xxh3_64_with_seed(&rest, first.into());
    let mut frame = vec![first];
    frame.extend_from_slice(&sum.to_le_bytes()[..4]);
    frame.extend_from_slice(&rest);
    frame.into()
}

/// Two ends that meet with something to tell and go on telling: bytes that the first one has sent.
fn bytes_sent(compressing: [bool; 2]) -> u64 {
    let mut nodes = [Node::new(1), Node::new(2)];
    for _ in 0..4 {
        nodes[0].record(1, 500);
    }
    let mut pair = Pair::connect(&nodes, [BOTH, BOTH]);
    for (at, role) in [(0, Role::Dialer), (1, Role::Listener)] {
        let local = nodes[at].local(&[nodes[1 - at].replica]);
        let compression = compressing[at].then(|| Arc::new(Runs) as Arc<dyn Compression>);
        let options = small(BOTH);
        pair.ends[at].session = Session::compressing(role, local, options, pair.now, compression);
    }
    pair.settle(&mut nodes, 0);
    pair.run(&mut nodes, 1_000);
    for _ in 0..3 {
        let prepared = nodes[0].record(1, 500);
        let prepared = Arc::new((*prepared).clone().packed(&Runs));
        pair.append(&mut nodes, 0, prepared);
    }
    pair.finish(&mut nodes);
    assert_eq!(nodes[1].arrived, 7);
    let compresses = pair.ends[0].session.compresses();
    assert_eq!(compresses, compressing == [true, true]);
    pair.ends[0].session.status().sent.bytes
}

#[test]
fn frames_go_compressed_where_both_ends_have_it() {
    let plain = bytes_sent([false, false]);
    assert!(bytes_sent([true, true]) * 2 < plain);
    // A hello that lists a codec has one byte more.
    assert_eq!(bytes_sent([true, false]), plain + 1);
    assert_eq!(bytes_sent([false, true]), plain);
}

#[test]
fn a_compressed_frame_is_read_by_those_alone_who_undo_it() {
    let message = batch();
    let frame = encode_frame(&message).unwrap();
    let body = &frame[5..];
    let compressed = Runs.compress(&[body]).unwrap();
    let frame = packed(5, body.len() as u32, &compressed);
    let mut names = BlockNames::new();
    assert_eq!(
        decode_frame_with(&frame, &mut names, Some(&Runs)),
        Ok(message)
    );
    assert!(matches!(
        decode_frame(&frame),
        Err(FrameError::UnknownFormat { format: 2, .. })
    ));
    for claim in [0, body.len() as u32 - 1, body.len() as u32 + 1, u32::MAX] {
        let frame = packed(5, claim, &compressed);
        let error = decode_frame_with(&frame, &mut names, Some(&Runs)).unwrap_err();
        assert_eq!(error.to_string(), "batch message cannot be decompressed");
    }
}

#[test]
fn a_body_that_would_be_larger_than_a_frame_is_not_decompressed() {
    struct Never;
    impl Compression for Never {
        fn codec(&self) -> Codecs {
            Codecs::ZSTD
        }
        fn compress(&self, _: &[&[u8]]) -> Option<Vec<u8>> {
            None
        }
        fn decompress(&self, _: &[u8], len: usize) -> Option<Vec<u8>> {
            panic!("asked for {len} bytes")
        }
    }
    let frame = packed(5, FRAME_BYTES_MAX as u32, &[1, 2]);
    let read = decode_frame_with(&frame, &mut BlockNames::new(), Some(&Never));
    assert_eq!(read, Err(FrameError::Compressed { kind: "batch" }));
}

/// Or a few bytes on the wire could fill the memory of an end.
#[test]
fn credit_counts_what_a_frame_takes_where_it_is_read() {
    let mut driven = Driven::open(BOTH, BOTH, false, 0);
    let local = driven.node.local(&[peer()]);
    let compression: Arc<dyn Compression> = Arc::new(Runs);
    let options = SessionOptions::default();
    driven.session = Session::compressing(Role::Listener, local, options, NOW, Some(compression));
    driven.answers = true;
    let cursor = cursor_into(&driven.node);
    driven.feed(&hello(Some(cursor), BOTH));
    driven.answers = false;
    let body = [
        &[0][..],
        &encode_frame(&Message::Batch(anabranch::protocol::Batch {
            position: None,
            commits: vec![anabranch::protocol::Delivered {
                commit: crate::node::commit(peer(), 1, 1, 200 * 1024),
                continues: None,
            }],
        }))
        .unwrap()[6..],
    ]
    .concat();
    let frame = packed(5, body.len() as u32, &Runs.compress(&[&body]).unwrap());
    assert!(frame.len() < 3_000);
    let mut sent = 0;
    while driven.closed.is_none() {
        driven.handle(Input::Frame(frame.clone()));
        sent += body.len() as u64;
        assert!(sent <= CREDIT_BYTES + 300 * 1024);
    }
    assert_eq!(driven.closed, Some(CloseCode::PROTOCOL_VIOLATION));
}
