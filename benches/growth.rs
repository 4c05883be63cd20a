//! What opening, a cold read and a resume cost at 10,000 and at 100,000 events.
//!
//! `cargo bench --bench growth` prints medians and their ratio; `-- --json` prints one object. Each
//! must stay below 1.5: none of the three may do anything in proportion to history.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a benchmark fails by panicking, and its numbers are small"
)]

use std::time::{Duration, Instant};

use anabranch::event::Draft;
use anabranch::replica::Replica;
use anabranch::resolver::{FieldEdit, FieldMerge, Registry};
use anabranch::store::FjallStore;

/// The smaller and the larger history, in events.
const SIZES: [usize; 2] = [10_000, 100_000];
/// Events of one commit while a store is filled.
const COMMIT: usize = 100;
/// Events per aggregate.
const PER_AGGREGATE: usize = 10;
/// Repetitions of an opening and of a resume.
const ROUNDS: usize = 9;
/// Aggregates that are read cold after each opening.
const COLD_READS: usize = 20;
/// Events that each end writes before a resume.
const NEW: usize = 10;

struct Figures {
    open: Duration,
    cold_read: Duration,
    resume: Duration,
    resume_bytes: u64,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    let mut figures = Vec::new();
    for size in SIZES {
        eprintln!("filling two stores with {size} events ...");
        figures.push(measure(size).await);
    }
    let [small, large] = &figures[..] else { return };
    let rows = [
        ("open after a clean close", small.open, large.open),
        (
            "cold read of one aggregate",
            small.cold_read,
            large.cold_read,
        ),
        ("resume with 10 + 10 new events", small.resume, large.resume),
    ];
    if json {
        let row = |(name, small, large): &(&str, Duration, Duration)| {
            serde_json::json!({
                "what": name,
                "micros": [small.as_micros(), large.as_micros()],
                "ratio": large.as_secs_f64() / small.as_secs_f64(),
            })
        };
        let rows: Vec<_> = rows.iter().map(row).collect();
        let bytes = [small.resume_bytes, large.resume_bytes];
        println!(
            "{}",
            serde_json::json!({"events": SIZES, "rows": rows, "resume_bytes": bytes})
        );
        return;
    }
    println!(
        "{:<32} {:>12} {:>12} {:>7}",
        "median", "10,000", "100,000", "ratio"
    );
    for (name, small, large) in rows {
        let ratio = large.as_secs_f64() / small.as_secs_f64();
        let micros = |duration: Duration| format!("{} us", duration.as_micros());
        println!(
            "{name:<32} {:>12} {:>12} {ratio:>7.2}",
            micros(small),
            micros(large)
        );
    }
    println!(
        "{:<32} {:>12} {:>12} {:>7.2}",
        "bytes of that resume, both ways",
        small.resume_bytes,
        large.resume_bytes,
        large.resume_bytes as f64 / small.resume_bytes as f64
    );
}

async fn measure(events: usize) -> Figures {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    let replica = open(&here).await;
    let peer = open(&there).await;
    for commit in 0..events / COMMIT {
        let drafts = (0..COMMIT)
            .map(|n| draft(commit * COMMIT + n, "x"))
            .collect();
        replica.record_all(drafts).await.unwrap();
    }
    replica.sync(&peer).await.unwrap();
    replica.close().await.unwrap();
    peer.close().await.unwrap();
    drop((replica, peer));

    let (mut opens, mut reads, mut resumes, mut bytes) = (vec![], vec![], vec![], 0);
    let aggregates = events / PER_AGGREGATE;
    for round in 0..ROUNDS {
        let (replica, open_time) = timed(open(&here)).await;
        opens.push(open_time);
        for read in 0..COLD_READS {
            let aggregate = (round * 7919 + read * 104_729) % aggregates;
            let name = format!("item/{aggregate}");
            let (state, time) = timed(replica.state::<serde_json::Value>(name.as_str())).await;
            assert!(state.unwrap().is_some());
            reads.push(time);
        }
        let peer = open(&there).await;
        for n in 0..NEW {
            replica
                .record(draft(round * NEW + n, "here"))
                .await
                .unwrap();
            peer.record(draft(round * NEW + n + 1, "there"))
                .await
                .unwrap();
        }
        let (report, time) = timed(replica.sync(&peer)).await;
        let report = report.unwrap();
        assert_eq!(
            (report.pushed, report.pulled),
            (NEW as u64, NEW as u64),
            "{report}"
        );
        resumes.push(time);
        bytes = report.bytes_sent + report.bytes_received;
        replica.close().await.unwrap();
        peer.close().await.unwrap();
    }
    Figures {
        open: median(opens),
        cold_read: median(reads),
        resume: median(resumes),
        resume_bytes: bytes,
    }
}

async fn open(path: &std::path::Path) -> Replica {
    let registry = Registry::new().with_default(FieldMerge);
    let store = FjallStore::open(path).unwrap();
    Replica::builder(store)
        .registry(registry)
        .open()
        .await
        .unwrap()
}

fn draft(event: usize, value: &str) -> Draft {
    let field = format!("field {}", event % PER_AGGREGATE);
    let edit = FieldEdit::new().set([field.as_str()], &value).unwrap();
    Draft::new(format!("item/{}", event / PER_AGGREGATE), "edited", &edit).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let result = work.await;
    (result, began.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
