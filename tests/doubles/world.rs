use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anabranch::replica::environment::Environment;
use anabranch::store::EventStore;
use anabranch::testing::doubles::ManualClock;
use anabranch::transport::Transport;
use anabranch::transport::in_process::{InProcess, Listener};
use anabranch::{Draft, LastWriteWins, MemoryStore, Registry, Replica};

pub(super) fn rules() -> Registry {
    Registry::new().with_default(LastWriteWins)
}

pub(super) fn note(name: &str, text: &str) -> Draft {
    Draft::new(name, "written", text).unwrap()
}

/// A replica over a store, at the time at which all of them are.
pub(super) async fn over(store: impl EventStore) -> Replica {
    static SEEDS: AtomicU64 = AtomicU64::new(1_000);
    let seed = SEEDS.fetch_add(1, Ordering::Relaxed);
    let builder = Replica::builder(store).registry(rules());
    builder.environment(clock(seed)).open().await.unwrap()
}

/// A replica that dials through a transport, and whose time stands still unless the clock is moved.
pub(super) async fn dialing(transport: impl Transport, clock: impl Environment) -> Replica {
    let builder = Replica::builder(MemoryStore::new()).registry(rules());
    let builder = builder.transport(transport).environment(clock);
    builder.open().await.unwrap()
}

/// A replica that serves whoever dials `mem://hub`.
pub(super) async fn hub(network: &InProcess) -> Replica {
    let hub = over(MemoryStore::new()).await;
    serve(&hub, network.listen("hub").unwrap());
    hub
}

pub(super) fn serve(replica: &Replica, mut listener: Listener) {
    let replica = replica.clone();
    tokio::spawn(async move {
        loop {
            let link = listener.accept().await;
            let serving = replica.clone();
            tokio::spawn(async move { serving.accept(link).await });
        }
    });
}

pub(super) fn clock(seed: u64) -> ManualClock {
    ManualClock::at(1_700_000_000_000).with_seed(seed)
}

/// Lets every task of a runtime with one thread do what it can.
pub(super) async fn settle() {
    for _ in 0..300 {
        tokio::task::yield_now().await;
    }
}

/// A hang is a failure.
pub(super) async fn soon<T>(work: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(20), work).await;
    waited.unwrap()
}
