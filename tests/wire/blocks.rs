//! Blocks: there and back, and whatever else may stand on a disk or come along a wire.

use anabranch::event::{
    BlockNames, CodecError, Commit, Event, Payload, decode_block, decode_block_with, encode_block,
    encode_block_with,
};
use anabranch::limits::BLOCK_BYTES_MAX;
use bytes::Bytes;
use proptest::prelude::*;

use crate::arbitrary::commits;
use crate::shapes;

fn encoded(commits: &[Commit]) -> Bytes {
    let mut out = Vec::new();
    encode_block(commits, &mut out);
    out.into()
}

fn digests(commits: &[Commit]) -> Vec<anabranch::event::Digest> {
    commits
        .iter()
        .flat_map(Commit::events)
        .map(Event::digest)
        .collect()
}

/// What was read is well formed, holds what its digests say, and has an encoding that says the same.
fn is_honest(bytes: &Bytes) -> bool {
    let Ok(commits) = decode_block(bytes) else {
        return false;
    };
    for event in commits.iter().flat_map(Commit::events) {
        let again = Event::assemble(event.parts().clone()).unwrap();
        assert_eq!(again.digest(), event.digest());
    }
    assert_eq!(decode_block(&encoded(&commits)).unwrap(), commits);
    true
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_read_is_what_was_written(commits in commits(12)) {
        let bytes = encoded(&commits);
        let read = decode_block(&bytes).unwrap();
        prop_assert_eq!(digests(&read), digests(&commits));
        prop_assert!(read.iter().zip(&commits).all(|(a, b)| a.bytes() == b.bytes()));
        prop_assert_eq!(encoded(&read), bytes, "the same commits, the same bytes");
        prop_assert_eq!(read, commits);
    }

    #[test]
    fn replicas_and_types_that_have_numbers_are_told_by_them(commits in commits(8), every in 1..4usize) {
        let mut names = BlockNames::new();
        for commit in commits.iter().step_by(every) {
            names.assign_replica(commit.replica());
            names.assign_type(commit.events()[0].event_type());
        }
        let mut out = Vec::new();
        encode_block_with(&commits, &names, &mut out);
        let bytes = out.into();
        prop_assert_eq!(decode_block_with(&bytes, &names).unwrap(), commits.clone());
        prop_assert!(commits.is_empty() || decode_block(&bytes).is_err());
    }

    #[test]
    fn a_block_that_was_cut_or_went_on_is_refused(commits in commits(6), at in any::<prop::sample::Index>()) {
        let bytes = encoded(&commits);
        prop_assert!(decode_block(&bytes.slice(..at.index(bytes.len()))).is_err());
        let mut longer = bytes.to_vec();
        longer.push(0);
        prop_assert!(decode_block(&longer.into()).is_err());
    }

    #[test]
    fn a_bit_that_was_turned_is_found(
        commits in commits(6),
        at in any::<prop::sample::Index>(),
        bit in 0..8u32,
    ) {
        let mut bytes = encoded(&commits).to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let read = decode_block(&bytes.into());
        prop_assert!(read.is_err() || read == Ok(commits), "another form at best, never other events");
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        is_honest(&bytes.into());
    }

    #[test]
    fn bytes_that_were_written_over_are_read_or_refused(
        commits in commits(5),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encoded(&commits).to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        is_honest(&bytes.into());
    }
}

#[test]
fn no_commits_are_a_block() {
    let bytes = encoded(&[]);
    assert_eq!(bytes.len(), 2);
    assert_eq!(decode_block(&bytes), Ok(Vec::new()));
}

#[test]
fn long_payloads_share_the_bytes_and_long_names_are_shared() {
    let longer = |commit: &Commit| {
        let mut parts = commit.events()[0].parts();
        let name = format!("{}/of-more-than-a-few-letters", parts.aggregate);
        parts.aggregate = name.parse().unwrap();
        parts.payload = Payload::encode(&name.repeat(2)).unwrap();
        Commit::new(vec![Event::assemble(parts).unwrap()]).unwrap()
    };
    let commits: Vec<Commit> = shapes::causal(4, 60, 3).iter().map(longer).collect();
    let bytes = encoded(&commits);
    let range = bytes.as_ptr() as usize..bytes.as_ptr() as usize + bytes.len();
    let read = decode_block(&bytes).unwrap();
    assert_eq!(read, commits);
    let events = || read.iter().flat_map(Commit::events);
    assert!(events().all(|e| range.contains(&(e.payload().as_bytes().as_ptr() as usize))));
    let mut names: Vec<_> = events().map(|e| e.aggregate().as_str().as_ptr()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 3);
}

#[test]
fn events_of_short_payloads_keep_nothing_of_their_block() {
    let bytes = encoded(&shapes::causal(4, 60, 3));
    let read = decode_block(&bytes).unwrap();
    assert_eq!(read.len(), 60);
    assert!(bytes.is_unique());
}

#[test]
fn a_damaged_event_is_named() {
    let commits = shapes::concurrent(3, 40, 40);
    let mut bytes = encoded(&commits).to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let id = commits.last().unwrap().id();
    assert_eq!(
        decode_block(&bytes.into()),
        Err(CodecError::Checksum { id })
    );
}

/// Numbers in front of next to nothing.
#[test]
fn claims_of_huge_counts_are_refused() {
    let claims: [&[u8]; 3] = [
        &[0xff, 0xff, 0x03],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    ];
    for columns in 0..1_u16 << 12 {
        for claim in claims {
            for before in 0..4 {
                let mut bytes = Vec::new();
                let [low, high] = [columns & 0x7f, columns >> 7].map(|bits| bits.to_le_bytes()[0]);
                if high == 0 {
                    bytes.push(low);
                } else {
                    bytes.extend_from_slice(&[low | 0x80, high]);
                }
                bytes.resize(bytes.len() + before, 1);
                bytes.extend_from_slice(claim);
                bytes.resize(bytes.len() + 64, 0xff);
                assert!(decode_block(&bytes.into()).is_err());
            }
        }
    }
}

/// Two bytes can stand for a name of a thousand, so it is their sum that counts.
#[test]
fn names_that_share_nearly_everything_do_not_fill_the_memory() {
    let events = 30_000usize;
    let mut bytes = vec![0b101, 0xb0, 0xea, 0x01];
    bytes.extend_from_slice(&[7; 16]);
    bytes.extend_from_slice(&[1, b't']);
    bytes.extend_from_slice(&[0xe0, 0xd4, 0x03]);
    bytes.push(0x0f);
    bytes.resize(bytes.len() + events - 1, 0xf1);
    let mut rests = vec![0xe6, 0x07];
    for _ in 1..events {
        rests.extend_from_slice(&[0xe5, 0x07]);
    }
    bytes.extend_from_slice(&rests);
    bytes.extend_from_slice(b"n/");
    bytes.resize(bytes.len() + 1_011, b'x');
    bytes.resize(bytes.len() + 6 * events, b'y');
    let error = decode_block(&bytes.into()).unwrap_err();
    assert_eq!(error.to_string(), "sum of aggregate ids is out of range");
    assert!(events * 1_013 > BLOCK_BYTES_MAX);
}
