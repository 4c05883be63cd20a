use std::pin::pin;
use std::string::{String, ToString};
use std::time::Duration;

use futures::future::select;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::port::Closed;
use super::serving::Serving;
use super::shell::told;
use super::sync::SyncOptions;
use super::{Replica, SyncError};
use crate::engine::Input;
use crate::protocol::{Backoff, CloseCode, Role};
use crate::transport::Link;

/// What a connection that stays live is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionStatus {
    /// Opening a connection.
    Connecting,
    /// Connected, and exchanging what either end lacks.
    CatchingUp,
    /// Both ends have everything; what is written now is passed on at once.
    Live,
    /// Waiting before the next attempt.
    Waiting {
        /// Until then, in milliseconds from when this was said.
        retry_ms: u64,
        /// What went wrong.
        reason: String,
    },
    /// Ended for good: by [`close`](Connection::close), because the replica was closed, or because
    /// trying again cannot help.
    Ended {
        /// Why.
        reason: String,
    },
}

/// A connection that stays live, coming back with growing, jittered delays. Dropping it ends it.
#[derive(Debug)]
pub struct Connection {
    status: watch::Receiver<ConnectionStatus>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Connection {
    /// What it is doing.
    pub fn status(&self) -> ConnectionStatus {
        self.status.borrow().clone()
    }

    /// Waits until it does something else, and says what. Cancel-safe.
    pub async fn changed(&mut self) -> ConnectionStatus {
        if self.status.changed().await.is_err() {
            return self.status();
        }
        self.status.borrow_and_update().clone()
    }

    /// Waits until both ends have everything, or it has ended. Cancel-safe.
    pub async fn caught_up(&mut self) -> ConnectionStatus {
        let settled = |status: &ConnectionStatus| {
            matches!(
                status,
                ConnectionStatus::Live | ConnectionStatus::Ended { .. }
            )
        };
        match self.status.wait_for(settled).await {
            Ok(status) => status.clone(),
            Err(_) => ConnectionStatus::Ended {
                reason: "the replica is gone".into(),
            },
        }
    }

    /// Says goodbye and ends it.
    pub async fn close(mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take() {
            drop(task.await);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl Replica {
    /// Keeps a connection to an address live: catches up, passes on what is written on either end at
    /// once, and comes back when the connection is lost.
    ///
    /// # Errors
    /// [`SyncError::UnknownAddress`] when no transport understands the address.
    pub fn connect(&self, address: &str) -> Result<Connection, SyncError> {
        self.connect_with(address, SyncOptions::default())
    }

    /// [`connect`](Self::connect) in one direction, or with other batches.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_with(
        &self,
        address: &str,
        options: SyncOptions,
    ) -> Result<Connection, SyncError> {
        self.transport(address)?;
        let (status, observed) = watch::channel(ConnectionStatus::Connecting);
        let (stop, stopped) = watch::channel(false);
        let keeper = Keeper {
            replica: self.clone(),
            address: address.into(),
            options,
            status,
            stopped,
            backoff: Backoff::new(),
        };
        let task = self.shell.runtime().spawn(keeper.run());
        Ok(Connection {
            status: observed,
            stop,
            task: Some(task),
        })
    }
}

struct Keeper {
    replica: Replica,
    address: String,
    options: SyncOptions,
    status: watch::Sender<ConnectionStatus>,
    stopped: watch::Receiver<bool>,
    backoff: Backoff,
}

impl Keeper {
    async fn run(mut self) {
        loop {
            self.status.send_replace(ConnectionStatus::Connecting);
            let (again, reason) = self.attempt().await;
            if *self.stopped.borrow() || self.replica.shell.is_closed() || !again {
                self.status.send_replace(ConnectionStatus::Ended { reason });
                return;
            }
            let retry_ms = self.backoff.failed(self.replica.shell.random());
            self.status
                .send_replace(ConnectionStatus::Waiting { retry_ms, reason });
            let mut stopping = self.replica.shell.stopping.subscribe();
            let stop = async {
                tokio::select! {
                    () = told(&mut self.stopped) => {}
                    () = told(&mut stopping) => {}
                }
            };
            let pause = self.replica.shell.pause(Duration::from_millis(retry_ms));
            drop(select(pause, pin!(stop)).await);
        }
    }

    /// One connection, from dialling to its end; whether to try again, and what went wrong.
    async fn attempt(&mut self) -> (bool, String) {
        let transport = match self.replica.transport(&self.address) {
            Ok(transport) => transport,
            Err(error) => return (false, error.to_string()),
        };
        let mut stopped = self.stopped.clone();
        let dialled = tokio::select! {
            dialled = transport.dial(&self.address) => dialled,
            () = told(&mut stopped) => return (false, "stopped".into()),
        };
        let link = match dialled {
            Ok(link) => link,
            Err(error) => return (true, error.to_string()),
        };
        let closed = self.serve(link, stopped).await;
        (closed.code.is_worth_a_retry(), Self::text(&closed))
    }

    /// Serves one connection and shows what it is doing.
    async fn serve(&mut self, connection: Link, mut stopped: watch::Receiver<bool>) -> Closed {
        let shell = self.replica.shell.clone();
        let options = self.options.link(Some(self.address.clone()), false);
        let serving = Serving::open(&shell, connection, Role::Dialer, options);
        let link = serving.link();
        let changes = shell.link_changes(link);
        self.status.send_replace(ConnectionStatus::CatchingUp);
        let session = serving.run();
        tokio::pin!(session);
        loop {
            tokio::select! {
                closed = &mut session => return closed,
                () = changes.notified() => {
                    let status = shell.with(|engine| engine.link_status(link));
                    if status.is_some_and(|status| status.live) {
                        self.backoff.succeeded();
                        self.status.send_replace(ConnectionStatus::Live);
                    }
                }
                () = told(&mut stopped) => {
                    let (code, reason) = (CloseCode::DONE, String::from("no longer wanted"));
                    shell.drive(Input::LinkEnd { link, code, reason });
                    return session.await;
                }
            }
        }
    }

    fn text(closed: &Closed) -> String {
        std::format!("{} ({})", closed.reason, closed.code)
    }
}
