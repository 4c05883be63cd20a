use std::sync::Arc;
use std::vec::Vec;

use tokio::runtime::Handle;

use super::environment::{Environment, OperatingSystem};
use super::guard::CatchPanics;
use super::shell::Shell;
use super::{OpenError, Replica};
use crate::engine::{Birth, Engine, Outside};
use crate::limits::CACHE_BYTES;
use crate::log::Epoch;
use crate::protocol::Lineage;
use crate::resolver::Registry;
use crate::store::EventStore;
use crate::transport::Transport;

/// Settings of a replica; none of them changes any state.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReplicaOptions {
    /// Bytes of aggregates kept in memory; the coldest leave above it. 64 MiB unless set.
    pub cache_bytes: usize,
}

impl Default for ReplicaOptions {
    fn default() -> Self {
        Self {
            cache_bytes: CACHE_BYTES,
        }
    }
}

/// Collects what a replica consists of.
#[must_use = "a builder does nothing until it is opened"]
pub struct ReplicaBuilder {
    store: Arc<dyn EventStore>,
    registry: Registry,
    transports: Vec<Arc<dyn Transport>>,
    environment: Arc<dyn Environment>,
    options: ReplicaOptions,
}

impl Replica {
    /// A replica over a store.
    pub fn builder(store: impl EventStore) -> ReplicaBuilder {
        ReplicaBuilder {
            store: Arc::new(store),
            registry: Registry::new(),
            transports: Vec::new(),
            environment: Arc::new(OperatingSystem::new()),
            options: ReplicaOptions::default(),
        }
    }
}

impl ReplicaBuilder {
    /// Which rule each type of aggregate has. None at all is fine for one that only stores and
    /// forwards.
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Adds a way to reach peers; the first that understands an address is used.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transports.push(Arc::new(transport));
        self
    }

    /// Where time and random bits come from, instead of the operating system.
    pub fn environment(mut self, environment: impl Environment) -> Self {
        self.environment = Arc::new(environment);
        self
    }

    /// Settings.
    pub fn options(mut self, options: ReplicaOptions) -> Self {
        self.options = options;
        self
    }

    /// Opens the store and starts the replica's tasks in the current runtime.
    ///
    /// # Errors
    /// [`OpenError`] when the store cannot be opened or there is no tokio runtime.
    pub async fn open(self) -> Result<Replica, OpenError> {
        let runtime = Handle::try_current().map_err(|_| OpenError::NoRuntime)?;
        let random = || self.environment.entropy();
        let birth = Birth {
            epoch: Epoch::from_bits(random()),
            device: random(),
            incarnation: random(),
            lineage: Lineage::from_bits((u128::from(random()) << 64) | u128::from(random())),
        };
        let opening = self.store.begin(birth.epoch).await?;
        let outside = Outside {
            now: self.environment.now(),
            entropy: random(),
        };
        let guard = Arc::new(CatchPanics);
        let cache_bytes = self.options.cache_bytes;
        let engine = Engine::open(opening, &birth, self.registry, guard, cache_bytes, outside);
        #[cfg(feature = "zstd")]
        let engine = engine.with_compression(Arc::new(super::zstd::Zstd::new()));
        let shell = Shell::start(
            engine,
            self.store,
            self.transports,
            self.environment,
            &runtime,
        );
        Ok(Replica { shell })
    }
}
