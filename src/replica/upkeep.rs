use std::string::ToString;

use super::Replica;
use crate::engine::Health;
use crate::limits::{PAGE_BYTES_MAX, PAGE_ENTRIES_MAX};
use crate::log::ReadLimit;
use crate::merge::StoredFold;
use crate::store::{Compacted, Inspection, StoreError, VerifyReport};

const PAGE: ReadLimit = ReadLimit {
    entries: PAGE_ENTRIES_MAX,
    bytes: PAGE_BYTES_MAX,
};

/// How far a verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verifying {
    /// Entries of the log that have been read.
    pub entries: u64,
    /// Entries that there were when it began.
    pub of: u64,
}

impl Replica {
    /// What ails this replica, and what it and its peers do not have of each other: waiting commits,
    /// aggregates without a state, forks, a store that failed, rules that the audit has found to break a
    /// law, the gaps to each peer.
    ///
    /// Works while the store fails; then, or when the replica is closed, what peers lack may be
    /// unknown. Cost: the part of the log that some peer has not acknowledged, at most 65,536 entries,
    /// is read.
    pub async fn health(&self) -> Health {
        let (mut health, mut lag) = self.shell.with(|engine| engine.health());
        while let Some(position) = lag.reads_from() {
            if self.shell.is_closed() {
                break;
            }
            let Ok(page) = self.shell.store.since(position, PAGE).await else {
                break;
            };
            self.shell.with(|engine| engine.lag_page(&mut lag, &page));
        }
        health.complete(lag);
        health
    }

    /// Reads everything that the store holds and says what of it is damaged or does not go together:
    /// each entry with its checksum, digests and place in its writer's chain, the indexes, the stored
    /// states, the bookkeeping. `progress` is told after each page and must be quick; reads and writes
    /// go on meanwhile, and what is written meanwhile may be left out.
    ///
    /// Nothing is repaired. What has been received can be had again from a peer, by a new store.
    ///
    /// # Errors
    /// [`StoreError`] when the store is closed; damage is told in the report.
    pub async fn verify(
        &self,
        mut progress: impl FnMut(Verifying) + Send + 'static,
    ) -> Result<VerifyReport, StoreError> {
        let of = self.open_store()?;
        let inspection = Inspection::new()
            .with_progress(move |entries| progress(Verifying { entries, of }))
            .with_folds(|fold| {
                if StoredFold::is_earlier(fold) {
                    return Ok(());
                }
                let decoded = StoredFold::decode(fold);
                decoded.map(drop).map_err(|error| error.to_string())
            });
        self.shell.store.verify(inspection).await
    }

    /// Gives back what the store's own files hold in vain, as states that were written anew since. No
    /// event goes. Seldom worth while: stores do most of that by themselves.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be done, or is being done.
    pub async fn compact(&self) -> Result<Compacted, StoreError> {
        self.open_store()?;
        self.shell.store.compact().await
    }

    /// The end of the stored log, unless the replica was closed.
    fn open_store(&self) -> Result<u64, StoreError> {
        if self.shell.is_closed() {
            return Err(StoreError::Closed);
        }
        Ok(self.shell.with(|engine| engine.stored_end()))
    }
}
