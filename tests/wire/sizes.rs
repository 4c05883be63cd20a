//! What a write costs at most.

use std::slice::from_ref;

use anabranch::event::{Commit, encode_block};

use crate::shapes::{causal, concurrent};

fn size(commits: &[Commit]) -> usize {
    let mut out = Vec::new();
    encode_block(commits, &mut out);
    out.len()
}

#[test]
fn a_write_among_many_takes_less_than_fifty_bytes() {
    for writes in [512, 6_250] {
        let bytes = size(&concurrent(5, writes, 10_000));
        assert!(bytes <= 50 * usize::try_from(writes).unwrap(), "{bytes}");
    }
}

#[test]
fn a_single_write_has_little_around_it() {
    let commits = causal(16, 2_000, 100);
    let alone = commits.iter().map(|commit| size(from_ref(commit)));
    // Two ids of 16 bytes, of the writer and of the head, and 34 bytes of payload among them.
    assert!(alone.max() <= Some(102));
    assert!(size(&commits) <= 50 * commits.len());
}

/// In three pieces, as a frame is compressed: 17.7 bytes of a write cannot be avoided, four are the
/// CBOR header's and the checksum's.
#[cfg(feature = "zstd")]
#[test]
fn a_write_among_many_takes_less_than_twenty_four_bytes_compressed() {
    use anabranch::event::block_tail;
    use anabranch::protocol::Compression as _;
    use anabranch::replica::Zstd;

    for (writes, most) in [(512, 24), (6_250, 23)] {
        let commits = concurrent(5, writes, 10_000);
        let mut block = Vec::new();
        encode_block(&commits, &mut block);
        let tail = block_tail(&commits);
        let (rest, payloads) = block.split_at(block.len() - tail[1]);
        let (columns, checksums) = rest.split_at(rest.len() - tail[0]);
        let packed = Zstd::new()
            .compress(&[columns, checksums, payloads])
            .unwrap();
        assert!(
            packed.len() <= most * commits.len(),
            "{writes}: {}",
            packed.len()
        );
    }
}
