//! Callers of `Replica::record` side by side, each waiting for its fsync.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anabranch::event::Draft;
use anabranch::replica::Replica;
use anabranch::resolver::{LastWriteWins, Registry};
use anabranch::store::FjallStore;

use super::Wishes;
use super::rows::{Rows, computed, median, now};

pub(super) fn measure(wishes: &Wishes, rows: &mut Rows) {
    rows.title("callers of `record` side by side (each on an aggregate of its own)");
    let rounds = if wishes.quick { 1 } else { 5 };
    for callers in [1, 64, 256] {
        let (mut rates, mut halves, mut worst) = (Vec::new(), Vec::new(), Vec::new());
        let mut costs = Vec::new();
        for _ in 0..rounds {
            let (rate, mut latencies, computing) = run(wishes, callers);
            costs.push(computing / latencies.len() as f64);
            latencies.sort_unstable();
            let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
            rates.push(rate);
            halves.push(at(50).as_secs_f64() * 1e6);
            worst.push(at(99).as_secs_f64() * 1e6);
        }
        rows.row(
            &format!("{callers} callers"),
            &[
                ("events/s", median(rates), 0),
                ("us p50", median(halves), 0),
                ("us p99", median(worst), 0),
                ("ns computing", median(costs), 0),
            ],
        );
    }
}

/// Events per second, how long each caller waited each time, and what it took of processors.
fn run(wishes: &Wishes, callers: usize) -> (f64, Vec<Duration>, f64) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let folder = tempfile::tempdir_in(&wishes.folder).unwrap();
    runtime.block_on(async {
        let registry = Registry::new().with_default(LastWriteWins);
        let store = FjallStore::open(folder.path()).unwrap();
        let builder = Replica::builder(store).registry(registry);
        let replica = builder.open().await.unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (began, before) = (now(), computed());
        let tasks: Vec<_> = (0..callers)
            .map(|caller| tokio::spawn(call(replica.clone(), caller, stop.clone())))
            .collect();
        let length = Duration::from_millis(if wishes.quick { 500 } else { 2_000 });
        tokio::time::sleep(length).await;
        stop.store(true, Ordering::Release);
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await.unwrap());
        }
        let rate = latencies.len() as f64 / began.elapsed().as_secs_f64();
        let computing = computed() - before;
        replica.close().await.unwrap();
        (rate, latencies, computing)
    })
}

async fn call(replica: Replica, caller: usize, stop: Arc<AtomicBool>) -> Vec<Duration> {
    let name = format!("item/{caller}");
    let payload = "x".repeat(95);
    let mut latencies = Vec::new();
    while !stop.load(Ordering::Acquire) {
        let draft = Draft::new(name.as_str(), "changed", payload.as_str()).unwrap();
        let began = now();
        replica.record(draft).await.unwrap();
        latencies.push(began.elapsed());
    }
    latencies
}
