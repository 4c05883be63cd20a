use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket, lookup_host};
use tokio::sync::{Mutex, watch};

use super::{Hub, Inner, Service, listener};
use crate::limits::{CONNECTIONS_MAX, LISTEN_QUEUE_MAX};
use crate::replica::Replica;

/// Where a hub listens when nothing else is said: on this machine only.
const ADDRESS: &str = "127.0.0.1:7171";

/// What a hub cannot do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HubError {
    /// The address cannot be listened at.
    #[error("cannot listen at {address}: {reason}; another process may hold the port")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// The system's signals cannot be received.
    #[error("cannot receive signals: {reason}")]
    Signals {
        /// What the system said.
        reason: String,
    },
}

/// Options of a hub that is about to start.
#[derive(Debug)]
#[must_use = "a hub listens once it was started"]
pub struct HubBuilder {
    replica: Replica,
    address: String,
    connections_max: usize,
    origins: Vec<String>,
}

impl HubBuilder {
    pub(super) fn new(replica: Replica) -> Self {
        Self {
            replica,
            address: ADDRESS.to_owned(),
            connections_max: CONNECTIONS_MAX,
            origins: Vec::new(),
        }
    }

    /// Listens at `host:port`, with port 0 at any free one. The default is `127.0.0.1:7171`: a hub
    /// that is to be reached from other machines has to be told so.
    pub fn bind(mut self, address: impl Into<String>) -> Self {
        self.address = address.into();
        self
    }

    /// Serves this many links at a time; who comes later is told to come back. The default is
    /// [`CONNECTIONS_MAX`].
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections;
        self
    }

    /// Lets pages of this origin connect, for example `https://app.example`. A browser names the
    /// origin of a page, and pages of other hosts than the hub's own are refused, or any page that
    /// its user visits could read the hub. Programs name no origin and are let in.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Listens. Must be called within a tokio runtime, which the hub's tasks then run on.
    ///
    /// Cancel-safe: a dropped future leaves nothing behind.
    ///
    /// # Errors
    /// [`HubError::Listen`] when the address is taken, not of this machine or not allowed.
    pub async fn start(self) -> Result<Hub, HubError> {
        let failed = |error: io::Error| HubError::Listen {
            address: self.address.clone(),
            reason: error.to_string(),
        };
        let socket = listen(&self.address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let service = Arc::new(Service {
            replica: self.replica,
            origins: self.origins,
            links_max: self.connections_max,
            links: AtomicUsize::new(0),
        });
        let (stopping, stop) = watch::channel(false);
        let task = tokio::spawn(listener::run(socket, service.clone(), stop));
        let listening = Mutex::new(Some(task));
        Ok(Hub {
            inner: Arc::new(Inner {
                address,
                service,
                stopping,
                listening,
            }),
        })
    }
}

/// Listens at the first of a name's addresses that can be had.
async fn listen(address: &str) -> io::Result<TcpListener> {
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in lookup_host(address).await? {
        match listen_at(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// As [`TcpListener::bind`], whose queue of 128 is full at once when everybody comes back after a
/// restart.
fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() {
        TcpSocket::new_v6()?
    } else {
        TcpSocket::new_v4()?
    };
    // A restart must not wait for the old connections' last packets. On Windows the option would
    // let another process take the port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(LISTEN_QUEUE_MAX)
}
