//! A store in memory: for tests, for replicas that need no disk, and as the measure of other stores.
//!
//! It is honest about durability: what a buffered append wrote and no later durable append or flush
//! covers is thrown away by [`MemoryStore::power_loss`], so a test of the layers above can prove
//! that an fsync matters.
//!
//! It knows nothing of files, and nothing of it survives the process.

mod image;

use std::string::String;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use futures::future::{BoxFuture, FutureExt, ready};

use self::image::Image;
use crate::event::{AggregateId, EventId};
use crate::log::{Epoch, Group, IdRange, Known, Opening, Page};
use crate::store::{
    EventStore, History, HistoryFrom, Inspection, ReadLimit, StoreError, VerifyReport,
};

/// A handle to a log in memory.
///
/// Clones share the memory, as processes share a disk: [`begin`](EventStore::begin) on one of them
/// ends the right to write of the others, and begins again after a close or a loss of power. Work is
/// done when a method is called, so the futures are ready at once and dropping one undoes nothing.
#[derive(Debug)]
pub struct MemoryStore {
    image: Arc<Mutex<Image>>,
    /// Ordinal of the opening that this handle may write in; 0 for none.
    opening: AtomicU64,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self {
            image: Arc::new(Mutex::new(Image::new())),
            opening: AtomicU64::new(0),
        }
    }

    /// A store of its own with the same content, as a backup or a cloned disk would be.
    #[must_use]
    pub fn copy(&self) -> Self {
        let image = self.image().clone();
        Self {
            image: Arc::new(Mutex::new(image)),
            opening: AtomicU64::new(0),
        }
    }

    /// Throws away everything that no durable append and no flush covers, and ends the opening.
    pub fn power_loss(&self) {
        self.image().lose_power();
    }

    fn image(&self) -> MutexGuard<'_, Image> {
        self.image.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The memory, if this handle's opening is the latest one.
    fn writable(&self) -> Result<MutexGuard<'_, Image>, StoreError> {
        let image = self.image();
        if image.admits(self.opening.load(Ordering::SeqCst)) {
            Ok(image)
        } else {
            Err(StoreError::Closed)
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for MemoryStore {
    fn clone(&self) -> Self {
        let opening = AtomicU64::new(self.opening.load(Ordering::SeqCst));
        Self {
            image: Arc::clone(&self.image),
            opening,
        }
    }
}

impl EventStore for MemoryStore {
    fn begin(&self, epoch: Epoch) -> BoxFuture<'_, Result<Opening, StoreError>> {
        let (ordinal, opening) = self.image().begin(epoch);
        self.opening.store(ordinal, Ordering::SeqCst);
        ready(Ok(opening)).boxed()
    }

    fn append(&self, group: Group) -> BoxFuture<'_, Result<u64, StoreError>> {
        ready(self.writable().and_then(|mut image| image.append(&group))).boxed()
    }

    fn since(&self, position: u64, limit: ReadLimit) -> BoxFuture<'_, Result<Page, StoreError>> {
        ready(Ok(self.image().since(position, limit))).boxed()
    }

    fn at(&self, positions: Vec<u64>, limit: ReadLimit) -> BoxFuture<'_, Result<Page, StoreError>> {
        ready(Ok(self.image().at(positions, limit))).boxed()
    }

    fn locate(&self, ranges: Vec<IdRange>) -> BoxFuture<'_, Result<Vec<u64>, StoreError>> {
        ready(Ok(self.image().locate(&ranges))).boxed()
    }

    fn known(&self, ids: Vec<EventId>) -> BoxFuture<'_, Result<Vec<Option<Known>>, StoreError>> {
        let image = self.image();
        ready(Ok(ids.into_iter().map(|id| image.known(id)).collect())).boxed()
    }

    fn history(
        &self,
        aggregate: AggregateId,
        from: HistoryFrom,
    ) -> BoxFuture<'_, Result<History, StoreError>> {
        ready(Ok(self.image().history(&aggregate, from))).boxed()
    }

    fn aggregates(
        &self,
        prefix: String,
        after: Option<AggregateId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<AggregateId>, StoreError>> {
        ready(Ok(self.image().aggregates(&prefix, after.as_ref(), limit))).boxed()
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        ready(self.writable().map(|mut image| image.sync())).boxed()
    }

    fn verify(&self, inspection: Inspection) -> BoxFuture<'_, Result<VerifyReport, StoreError>> {
        ready(Ok(self.image().verify(inspection))).boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        if let Ok(mut image) = self.writable() {
            image.close();
        }
        ready(Ok(())).boxed()
    }
}
