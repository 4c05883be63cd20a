use std::string::String;
use std::sync::Arc;

use super::port::Closed;
use super::serving::Serving;
use super::{Replica, SyncError};
use crate::engine::{Engine, Input, LinkOptions, SyncReport};
use crate::limits::{BATCH_EVENTS_MAX, SYNC_TRIES_MAX};
use crate::protocol::{CloseCode, Direction, Role};
use crate::transport::{Link, Transport, pair};

/// Who to exchange events with.
#[derive(Clone, Debug)]
pub enum Peer {
    /// A replica behind an address, for example `ws://127.0.0.1:7171/sync`.
    Address(String),
    /// A replica of this process.
    Replica(Replica),
}

impl From<&str> for Peer {
    fn from(address: &str) -> Self {
        Self::Address(address.into())
    }
}

impl From<String> for Peer {
    fn from(address: String) -> Self {
        Self::Address(address)
    }
}

impl From<&Replica> for Peer {
    fn from(replica: &Replica) -> Self {
        Self::Replica(replica.clone())
    }
}

/// How to exchange events.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SyncOptions {
    /// Whether this replica sends what the peer lacks.
    pub push: bool,
    /// Whether this replica receives what it lacks.
    pub pull: bool,
    /// Events after which a batch is closed, 1 to 8,192; 512 unless set.
    pub batch_events: usize,
}

impl Default for SyncOptions {
    fn default() -> Self {
        Self {
            push: true,
            pull: true,
            batch_events: BATCH_EVENTS_MAX,
        }
    }
}

impl SyncOptions {
    /// Sends only.
    pub fn push_only() -> Self {
        Self {
            pull: false,
            ..Self::default()
        }
    }

    /// Receives only.
    pub fn pull_only() -> Self {
        Self {
            push: false,
            ..Self::default()
        }
    }

    /// Sets the events after which a batch is closed.
    #[must_use]
    pub fn batch_events(mut self, events: usize) -> Self {
        self.batch_events = events.clamp(1, crate::limits::COMMIT_EVENTS_MAX);
        self
    }

    pub(super) fn link(&self, address: Option<String>, once: bool) -> LinkOptions {
        let direction = Direction {
            push: self.push,
            pull: self.pull,
        };
        LinkOptions {
            direction,
            batch_events: self.batch_events.max(1),
            once,
            address,
        }
    }
}

impl Replica {
    /// Exchanges events with a peer until both have everything, and reports.
    ///
    /// Cancel-safe: what was exchanged before is kept.
    ///
    /// # Errors
    /// [`SyncError`] when there is no connection or it ends early.
    pub async fn sync(&self, peer: impl Into<Peer>) -> Result<SyncReport, SyncError> {
        self.sync_with(peer, SyncOptions::default()).await
    }

    /// [`sync`](Self::sync) in one direction, or with other batches.
    ///
    /// # Errors
    /// As [`sync`](Self::sync).
    pub async fn sync_with(
        &self,
        peer: impl Into<Peer>,
        options: SyncOptions,
    ) -> Result<SyncReport, SyncError> {
        let peer = peer.into();
        let mut tries = 0;
        loop {
            let closed = self.session(&peer, &options).await?;
            tries += 1;
            let again = [CloseCode::NEW_INCARNATION, CloseCode::OUTDATED].contains(&closed.code);
            if again && tries < SYNC_TRIES_MAX {
                continue;
            }
            if closed.code == CloseCode::DONE {
                return Ok(closed.report);
            }
            let Closed {
                code,
                reason,
                report,
            } = closed;
            return Err(SyncError::Ended {
                code,
                reason,
                report: Box::new(report),
            });
        }
    }

    /// Serves a connection that somebody else opened, until it ends. This is what a hub does with
    /// each of its connections. Dropping the future closes the connection.
    pub async fn accept(&self, link: Link) -> Closed {
        if self.shell.is_closed() {
            let report = SyncReport::default();
            let reason = String::from("the replica is closed");
            let Link { mut sender, .. } = link;
            sender.close(CloseCode::GOING_AWAY, reason.clone()).await;
            return Closed {
                code: CloseCode::GOING_AWAY,
                reason,
                report,
            };
        }
        let options = SyncOptions::default().link(None, false);
        Serving::open(&self.shell, link, Role::Listener, options)
            .run()
            .await
    }

    async fn session(&self, peer: &Peer, options: &SyncOptions) -> Result<Closed, SyncError> {
        if self.shell.is_closed() {
            return Err(SyncError::Closed);
        }
        match peer {
            Peer::Address(address) => {
                let link = self.transport(address)?.dial(address).await?;
                let options = options.link(Some(address.clone()), true);
                Ok(Serving::open(&self.shell, link, Role::Dialer, options)
                    .run()
                    .await)
            }
            Peer::Replica(other) => {
                let (ours, theirs) = pair("this replica", "peer of this process");
                let options = options.link(None, true);
                let dialer = Serving::open(&self.shell, ours, Role::Dialer, options);
                let (closed, _) = tokio::join!(dialer.run(), other.accept(theirs));
                Ok(closed)
            }
        }
    }

    pub(super) fn transport(&self, address: &str) -> Result<Arc<dyn Transport>, SyncError> {
        let mut transports = self.shell.transports.iter();
        let unknown = || SyncError::UnknownAddress {
            address: address.into(),
        };
        transports
            .find(|transport| transport.serves(address))
            .cloned()
            .ok_or_else(unknown)
    }

    /// Stops: no new work is taken, connections end with code 1001, what is worth keeping of the
    /// memory's states is written, everything is fsynced and the store is closed. Idempotent; a
    /// second call waits for nothing.
    ///
    /// # Errors
    /// The store's failure, if it could not be flushed or closed.
    pub async fn close(&self) -> Result<(), crate::store::StoreError> {
        if self.shell.set_closed() {
            return Ok(());
        }
        self.shell.stopping.send_replace(true);
        self.shell.with(Engine::say_goodbye);
        // A store that failed has nothing to settle; closing it says what is wrong.
        drop(
            self.shell
                .ask_to_the_last(|ticket| Input::Settle { ticket })
                .await,
        );
        self.shell.store.close().await
    }
}
