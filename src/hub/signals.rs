//! The signals that end a process, received instead: the first asks for a graceful stop, the second
//! for an immediate one.
//!
//! Once installed they no longer end the process by themselves, so whoever installs them has to
//! listen. Knows nothing of exit codes.

use tokio::signal;

use super::{Hub, HubError};
use crate::store::StoreError;

/// How a hub came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every link was told, everything taken is durable.
    Graceful,
    /// A second signal came before that was done.
    Immediate,
}

/// SIGTERM and SIGINT, or Ctrl-C where there are no signals.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    terminate: signal::unix::Signal,
    #[cfg(unix)]
    interrupt: signal::unix::Signal,
}

impl Signals {
    /// Receives the signals from now on. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`HubError::Signals`] when the system does not let it.
    #[cfg(unix)]
    pub fn install() -> Result<Self, HubError> {
        use signal::unix::{SignalKind, signal};
        let failed = |error: std::io::Error| HubError::Signals {
            reason: error.to_string(),
        };
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    /// Receives Ctrl-C from now on.
    ///
    /// # Errors
    /// None here.
    #[cfg(not(unix))]
    pub fn install() -> Result<Self, HubError> {
        Ok(Self {})
    }

    /// Returns when the next signal comes. Cancel-safe.
    #[cfg(unix)]
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Returns when Ctrl-C comes. Cancel-safe.
    #[cfg(not(unix))]
    pub async fn next(&mut self) {
        if signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }

    /// Serves until the first signal, then stops the hub; a second signal ends the waiting.
    ///
    /// # Errors
    /// What the replica's store said to the last flush.
    pub async fn serve(&mut self, hub: &Hub) -> Result<Ending, StoreError> {
        self.next().await;
        tokio::select! {
            stopped = hub.stop() => stopped.map(|()| Ending::Graceful),
            () = self.next() => Ok(Ending::Immediate),
        }
    }
}
