//! The paved road: a replica opened in one line, with the carriers that were compiled in.
//!
//! Constructors that name a concrete back end live here, and only here, so that the handle itself
//! knows none. Each opens with its back end's feature and changes nothing that others do.
//!
//! What is opened here decides nothing: it is [`Replica::builder`] with its usual parts.

#[cfg(feature = "fjall")]
mod on_disk;

use crate::replica::{OpenError, Replica, ReplicaBuilder};
use crate::resolver::Registry;
use crate::store::{EventStore, MemoryStore};

impl Replica {
    /// A replica in memory, for tests and for those who keep nothing. With the feature `websocket`
    /// it understands addresses like `ws://127.0.0.1:7171`.
    ///
    /// # Errors
    /// [`OpenError::NoRuntime`] outside a tokio runtime.
    pub async fn in_memory(registry: Registry) -> Result<Self, OpenError> {
        with_carriers(MemoryStore::new(), registry).open().await
    }
}

/// A builder with every carrier that this build has. Replicas of one process reach each other by
/// their handles, so the in-process carrier needs no name here.
fn with_carriers(store: impl EventStore, registry: Registry) -> ReplicaBuilder {
    let builder = Replica::builder(store).registry(registry);
    #[cfg(feature = "websocket")]
    let builder = builder.transport(crate::transport::websocket::WebSocketTransport::new());
    builder
}
