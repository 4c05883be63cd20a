//! What a write costs in a block, in bytes and in time, beside the plain encoding of its commit.
//!
//! `cargo bench --bench block` prints a table; `-- --json` prints one object a line. Bytes are the
//! same on every machine. `-- --once` writes and reads one block of each shape, for a profiler that
//! counts instructions.
#![expect(
    clippy::unwrap_used,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a benchmark fails by panicking, and its numbers are small"
)]

#[path = "../tests/wire/shapes.rs"]
mod shapes;

use std::hint::black_box;
use std::slice::from_ref;
use std::time::{Duration, Instant};

use anabranch::event::{Commit, decode_block, decode_commit, encode_block, encode_commit};
use bytes::Bytes;

/// Times that each measurement is made; the quickest one counts, which other work on the machine
/// disturbs least.
const ROUNDS: usize = 200;
/// Writes of each shape: few, so that some round is not interrupted.
const WRITES: u64 = 2_048;

struct Row {
    what: &'static str,
    form: &'static str,
    bytes: f64,
    write_ns: f64,
    read_ns: f64,
}

/// Commits in pieces of so many, as one form.
struct Form {
    name: &'static str,
    write: fn(&[Commit]) -> Bytes,
    read: fn(&Bytes) -> usize,
}

const BLOCK: Form = Form {
    name: "block",
    write: |commits| {
        let mut out = Vec::new();
        encode_block(commits, &mut out);
        out.into()
    },
    read: |bytes| decode_block(bytes).unwrap().len(),
};

/// Each with its length before it, as it would stand in a batch.
const PLAIN: Form = Form {
    name: "plain",
    write: |commits| {
        let mut out = Vec::new();
        for commit in commits {
            out.extend_from_slice(&u32::try_from(commit.bytes()).unwrap().to_le_bytes());
            encode_commit(commit, &mut out);
        }
        out.into()
    },
    read: |bytes| {
        let (mut rest, mut commits) = (&bytes[..], Vec::new());
        while let Some((len, content)) = rest.split_first_chunk::<4>() {
            let (commit, further) = content.split_at(u32::from_le_bytes(*len) as usize);
            commits.push(decode_commit(commit).unwrap());
            rest = further;
        }
        commits.len()
    },
};

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn quickest<R>(rounds: usize, mut work: impl FnMut() -> R) -> Duration {
    let once = || {
        let began = Instant::now();
        black_box(work());
        began.elapsed()
    };
    let took = std::iter::repeat_with(once).take(rounds);
    took.min().unwrap_or_default()
}

fn measure(
    what: &'static str,
    form: &Form,
    commits: &[Commit],
    piece: usize,
    rounds: usize,
) -> Row {
    let pieces: Vec<Bytes> = commits.chunks(piece).map(form.write).collect();
    let bytes: usize = pieces.iter().map(Bytes::len).sum();
    let each = |took: Duration| took.as_nanos() as f64 / commits.len() as f64;
    let written = || {
        commits
            .chunks(piece)
            .map(form.write)
            .map(|b| b.len())
            .sum::<usize>()
    };
    let read = || pieces.iter().map(form.read).sum::<usize>();
    Row {
        what,
        form: form.name,
        bytes: bytes as f64 / commits.len() as f64,
        write_ns: each(quickest(rounds, written)),
        read_ns: each(quickest(rounds, read)),
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    let rounds = if has("--once") { 1 } else { ROUNDS };
    let apart = shapes::concurrent(1, WRITES, 10_000);
    let causal = shapes::causal(16, WRITES, 10_000);
    let hot = shapes::causal(16, WRITES, 100);
    let shapes: [(&str, &[Commit], usize); 5] = [
        ("16 apart, a batch of 2,048", &apart, 2_048),
        ("16 apart, batches of 512", &apart, 512),
        ("16 in turn, 10,000 keys, 512", &causal, 512),
        ("16 in turn, 100 keys, 512", &hot, 512),
        ("16 in turn, one a message", &hot, 1),
    ];
    if !has("--json") {
        println!(
            "{:<32} {:<6} {:>12} {:>10} {:>10}",
            "what", "form", "bytes each", "write ns", "read ns"
        );
    }
    for (what, commits, piece) in shapes {
        assert_eq!(decode_block(&(BLOCK.write)(commits)).unwrap(), commits);
        assert!((BLOCK.read)(&(BLOCK.write)(from_ref(commits.first().unwrap()))) == 1);
        for form in [&BLOCK, &PLAIN] {
            let row = measure(what, form, commits, piece, rounds);
            if has("--json") {
                println!(
                    "{}",
                    serde_json::json!({
                        "what": row.what,
                        "form": row.form,
                        "bytes": row.bytes,
                        "write_ns": row.write_ns,
                        "read_ns": row.read_ns,
                    })
                );
            } else {
                println!(
                    "{:<32} {:<6} {:>12.2} {:>10.1} {:>10.1}",
                    row.what, row.form, row.bytes, row.write_ns, row.read_ns
                );
            }
        }
    }
}
