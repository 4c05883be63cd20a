use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::shell::told;
use super::sync::{Peer, SyncOptions};
use super::{Replica, SyncError};
use crate::engine::SyncReport;

/// A sync that repeats. Dropping it stops it.
#[derive(Debug)]
pub struct AutoSync {
    task: Option<JoinHandle<()>>,
    latest: watch::Receiver<Option<Arc<Result<SyncReport, SyncError>>>>,
}

impl AutoSync {
    /// What the latest round came to, if there was one.
    pub fn latest(&self) -> Option<Arc<Result<SyncReport, SyncError>>> {
        self.latest.borrow().clone()
    }

    /// Waits for the next round to end. Nothing once stopped. Cancel-safe.
    pub async fn next(&mut self) -> Option<Arc<Result<SyncReport, SyncError>>> {
        self.latest.changed().await.ok()?;
        self.latest.borrow_and_update().clone()
    }

    /// Stops; a round under way is cut off, and what it exchanged is kept.
    pub async fn stop(mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            drop(task.await);
        }
    }
}

impl Drop for AutoSync {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Replica {
    /// Exchanges events with a peer at once and then every `interval`, until stopped.
    pub fn sync_every(
        &self,
        peer: impl Into<Peer>,
        interval: Duration,
        options: SyncOptions,
    ) -> AutoSync {
        let (replica, peer) = (self.clone(), peer.into());
        let (results, latest) = watch::channel(None);
        let mut stopping = self.shell.stopping.subscribe();
        let task = self.shell.runtime().spawn(async move {
            loop {
                let next = replica.shell.pause(interval.max(Duration::from_millis(1)));
                let result = replica.sync_with(peer.clone(), options.clone()).await;
                results.send_replace(Some(Arc::new(result)));
                tokio::select! {
                    () = next => {}
                    () = told(&mut stopping) => return,
                }
            }
        });
        AutoSync {
            task: Some(task),
            latest,
        }
    }
}
