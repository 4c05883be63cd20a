use std::path::PathBuf;

use super::with_carriers;
use crate::replica::{OpenError, Replica};
use crate::resolver::Registry;
use crate::store::{FjallStore, StoreError};

impl Replica {
    /// A replica in a directory, founded where the directory is absent or empty. With the feature
    /// `websocket` it understands addresses like `ws://127.0.0.1:7171`.
    ///
    /// The store is opened on a thread that may block. Cost: that of [`FjallStore::open`].
    ///
    /// # Errors
    /// [`OpenError`]; a directory that another process has open is [`StoreError::Locked`] within.
    pub async fn open_fjall(
        path: impl Into<PathBuf>,
        registry: Registry,
    ) -> Result<Self, OpenError> {
        let path = path.into();
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| OpenError::NoRuntime)?;
        let opened = runtime.spawn_blocking(move || FjallStore::open(path)).await;
        let store = opened.map_err(|ended| StoreError::Io {
            action: "be opened".into(),
            reason: ended.to_string(),
        })??;
        with_carriers(store, registry).open().await
    }
}
