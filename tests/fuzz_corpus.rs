//! The checks of the fuzz targets on stable: the corpus as it is, and some thousand mutations of it
//! and of valid inputs, the same ones every time.

#[path = "../fuzz/checks/block.rs"]
mod block;
#[path = "../fuzz/checks/cbor.rs"]
mod cbor;
#[path = "../fuzz/checks/event_codec.rs"]
mod event_codec;
#[path = "../fuzz/checks/frame.rs"]
mod frame;
#[path = "fuzz_corpus/mutation.rs"]
mod mutation;
#[path = "fuzz_corpus/seeds.rs"]
mod seeds;
#[path = "../fuzz/checks/session.rs"]
mod session;

use std::fs;
use std::path::Path;

use mutation::Mutator;

/// Mutations per target: a second or two without optimization.
const MUTATIONS: usize = 20_000;
/// Longer inputs are replayed as they are, or most of the time would go into a few of them.
const MUTATED_BYTES: usize = 4_096;

/// The inputs that were kept for a target: shapes of attacks, and whatever once broke it.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
        .iter()
        .filter_map(|path| fs::read(path).ok())
        .collect()
}

/// Runs a check over seeds, corpus and mutations, and demands that neither outcome is rare: a
/// mutation that is always refused at the first byte tests nothing.
fn replay(target: &str, seeds: Vec<Vec<u8>>, check: fn(&[u8]) -> bool) {
    for (index, seed) in seeds.iter().enumerate() {
        assert!(check(seed), "seed {index} of {target} is valid");
    }
    let kept = corpus(target);
    assert!(
        kept.len() >= 3,
        "fuzz/corpus/{target} holds only {} inputs",
        kept.len()
    );
    for input in &kept {
        check(input);
    }
    let known = seeds
        .into_iter()
        .chain(kept)
        .filter(|input| input.len() <= MUTATED_BYTES);
    let mut mutator = Mutator::new(known.collect());
    let accepted = (0..MUTATIONS)
        .filter(|_| check(&mutator.next_input()))
        .count();
    println!("{target}: {accepted} of {MUTATIONS} mutations were accepted");
    assert!(
        accepted > MUTATIONS / 100,
        "only {accepted} mutations got through {target}"
    );
    assert!(
        accepted < MUTATIONS * 99 / 100,
        "all but a few mutations got through {target}"
    );
}

#[test]
fn no_bytes_make_the_event_codec_panic_or_lie() {
    replay("event_codec", seeds::commits(), event_codec::check);
}

#[test]
fn no_bytes_make_the_block_codec_panic_or_lie() {
    replay("block", seeds::blocks(), block::check);
}

#[test]
fn no_bytes_make_the_cbor_reader_panic_or_lie() {
    replay("cbor", seeds::values(), cbor::check);
}

#[test]
fn no_bytes_make_the_frame_codec_panic_or_lie() {
    replay("frame", seeds::frames(), frame::check);
}

#[test]
fn no_bytes_make_a_session_panic_or_loop() {
    replay("session", seeds::scripts(), session::check);
}

#[test]
fn the_same_mutations_come_every_time() {
    let inputs = || {
        let mut mutator = Mutator::new(seeds::values());
        (0..200).map(|_| mutator.next_input()).collect::<Vec<_>>()
    };
    assert_eq!(inputs(), inputs());
}
