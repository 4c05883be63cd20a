//! The handle an application holds, and the shell that carries out what the engine decides.
//!
//! A [`Replica`] records, reads, watches and syncs. Behind it one [`Engine`](crate::engine::Engine)
//! takes every decision under one lock; the shell around it runs the store's writes in one task,
//! each connection in two, and never holds the lock across a wait.
//!
//! Invariants: effects are carried out in the order in which the engine gave them; everything a
//! caller can cancel leaves the replica as it was or as if it had not been cancelled.
//!
//! The handle knows no concrete store or carrier, and only [`environment`] reads the operating
//! system's clock and entropy.

pub mod environment;

mod access;
mod auto_sync;
mod builder;
mod commits;
mod connection;
mod error;
mod explain;
mod guard;
mod inline;
mod port;
mod reading;
mod serving;
mod shell;
mod subscribe;
mod sync;
mod upkeep;
mod write;
#[cfg(feature = "zstd")]
mod zstd;

use std::sync::Arc;

pub use self::access::Told;
pub use self::auto_sync::AutoSync;
pub use self::builder::{ReplicaBuilder, ReplicaOptions};
pub use self::commits::Commits;
pub use self::connection::{Connection, ConnectionStatus};
pub use self::error::{OpenError, ReadError, RecordError, SyncError, TailError};
pub use self::port::Closed;
pub use self::reading::Reading;
use self::shell::Shell;
pub use self::subscribe::{Tail, Watch};
pub use self::sync::{Peer, SyncOptions};
pub use self::upkeep::Verifying;
#[cfg(feature = "zstd")]
pub use self::zstd::Zstd;
use crate::engine::ReplicaStatus;
use crate::event::ReplicaId;

/// One replica of a shared log, as an application holds it. Cloning shares it.
///
/// Every method may be called from any task of the runtime in which it was opened. Reads see all
/// writes answered before. Unless a method says otherwise it is cancel-safe: dropping its future
/// takes nothing back that was begun, and breaks nothing.
#[derive(Clone)]
pub struct Replica {
    shell: Arc<Shell>,
}

impl Replica {
    /// Who this replica is. Changes when the store turns out to have been restored or cloned.
    pub fn id(&self) -> ReplicaId {
        self.shell.with(|engine| engine.replica())
    }

    /// The replica as it stands.
    pub fn status(&self) -> ReplicaStatus {
        self.shell.with(|engine| engine.status())
    }

    /// Whether the replica takes writes: it was not closed and its store did not fail.
    pub fn is_ready(&self) -> bool {
        !self.shell.is_closed() && !self.shell.with(|engine| engine.has_failed())
    }
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
