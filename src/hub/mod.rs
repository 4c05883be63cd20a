//! A replica that listens: `GET /sync` upgrades to a link, `/healthz` and `/readyz` answer.
//!
//! The hub reads the heads of requests itself, within limits of size, number and time, because no
//! stranger has introduced itself at that point. Invariant: whatever bytes come in, a connection
//! ends with an answer or a close, and costs the hub no more than [`crate::limits`] says.
//!
//! The hub decides who is let in and when to stop. What is exchanged over a link it leaves to the
//! [`Replica`]; it knows no store and no rules.

mod answer;
mod builder;
mod connection;
mod head;
mod listener;
mod origin;
mod route;
pub mod signals;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

pub use self::builder::{HubBuilder, HubError};
use crate::replica::Replica;
use crate::store::StoreError;

/// A handle of a listening replica. Clones are the same hub; when the last one is dropped without
/// [`stop`](Self::stop), the hub stops listening and its connections are cut.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    address: SocketAddr,
    service: Arc<Service>,
    stopping: watch::Sender<bool>,
    /// The task that accepts, until somebody waits for its end.
    listening: Mutex<Option<JoinHandle<()>>>,
}

/// What all connections share.
struct Service {
    replica: Replica,
    /// Pages of other hosts that may connect, beside those of this one.
    origins: Vec<String>,
    links_max: usize,
    links: AtomicUsize,
}

impl Hub {
    /// Prepares a hub for a replica; [`HubBuilder::start`] starts it.
    pub fn builder(replica: Replica) -> HubBuilder {
        HubBuilder::new(replica)
    }

    /// Where it listens; tells the port where 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.address
    }

    /// The number of links that are open now.
    pub fn connections(&self) -> usize {
        self.inner.service.links.load(Ordering::Relaxed)
    }

    /// The replica that listens.
    pub fn replica(&self) -> &Replica {
        &self.inner.service.replica
    }

    /// Stops: accepts nobody any more, closes every link with 1001, makes durable what was taken,
    /// and returns when that is done. Connections that do not end by themselves are cut after
    /// [`STOP_MS`](crate::limits::STOP_MS). A second call waits for the same end.
    ///
    /// Cancel-safe: a dropped call has begun the stop, the next one waits for it.
    ///
    /// # Errors
    /// What the replica's store said to the last flush.
    pub async fn stop(&self) -> Result<(), StoreError> {
        self.inner.stopping.send_replace(true);
        let ended = async {
            let mut listening = self.inner.listening.lock().await;
            if let Some(task) = &mut *listening {
                // A task that panicked has ended, too.
                let _ = task.await;
                *listening = None;
            }
        };
        join(self.inner.service.replica.close(), ended).await.0
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("address", &self.inner.address)
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

/// Returns at the stop, or when nobody is left who could ask for one: that is a stop, too.
async fn told(mut stop: watch::Receiver<bool>) {
    drop(stop.wait_for(|stopping| *stopping).await);
}

impl Service {
    /// Takes one of the places for links, given back when the seat is dropped.
    fn seat(self: &Arc<Self>) -> Option<Seat> {
        let taken = self
            .links
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |links| {
                (links < self.links_max).then_some(links.saturating_add(1))
            });
        taken.ok().map(|_| Seat(self.clone()))
    }
}

struct Seat(Arc<Service>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.links.fetch_sub(1, Ordering::Relaxed);
    }
}
