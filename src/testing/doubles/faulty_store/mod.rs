//! A store around another, with faults where a script wants them.
//!
//! It keeps the laws of [`EventStore`]: groups are written in the order of the calls however long one
//! of them hangs, and after a write that failed it refuses others until it is begun again. So whoever
//! cannot live with it cannot live with a disk.
//!
//! It knows nothing of what it wraps.

mod script;

use std::string::{String, ToString};
use std::sync::{Mutex, MutexGuard};
use std::vec::Vec;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{BoxFuture, pending};
use tokio::time::timeout;

use self::script::Call;
pub use self::script::{Made, Operation, StoreFault, StoreFaults, When};
use crate::event::{AggregateId, EventId};
use crate::log::{Epoch, Group, IdRange, Known, Opening, Page};
use crate::store::{
    Compacted, EventStore, History, HistoryFrom, Inspection, ReadLimit, StoreError, VerifyReport,
};

/// A store around another, with faults where its [script](StoreFaults) wants them.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use anabranch::testing::doubles::{FaultyStore, Operation, StoreFault, StoreFaults, When};
/// use anabranch::{Draft, LastWriteWins, MemoryStore, Registry, Replica};
///
/// let faults = StoreFaults::new();
/// let store = FaultyStore::new(MemoryStore::new(), faults.clone());
/// let rules = Registry::new().with_default(LastWriteWins);
/// let replica = Replica::builder(store).registry(rules).open().await?;
/// replica.record(Draft::new("note/1", "written", "kept")?).await?;
///
/// // The next write reaches the disk, but the answer is an error.
/// let next = faults.count(Operation::Append) + 1;
/// faults.put(When::NthOf(Operation::Append, next), StoreFault::FailAfter);
/// let unknown = replica.record(Draft::new("note/1", "written", "who knows")?).await;
/// assert!(unknown.is_err());
/// assert!(!replica.is_ready());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FaultyStore<S> {
    inner: S,
    faults: StoreFaults,
    power: Option<fn(&S)>,
    writes: Mutex<Writes>,
}

#[derive(Debug, Default)]
struct Writes {
    /// Resolves when the last write that was asked for is done, or given up.
    last: Option<oneshot::Receiver<()>>,
    /// Why no write is taken until the next begin.
    poisoned: Option<String>,
}

impl<S: EventStore> FaultyStore<S> {
    /// Puts a script around a store.
    pub fn new(store: S, faults: StoreFaults) -> Self {
        Self {
            inner: store,
            faults,
            power: None,
            writes: Mutex::default(),
        }
    }

    /// The same for a store that can lose what is not fsynced, such as
    /// [`MemoryStore::power_loss`](crate::store::MemoryStore::power_loss).
    #[must_use]
    pub fn with_power(self, power_loss: fn(&S)) -> Self {
        Self {
            power: Some(power_loss),
            ..self
        }
    }

    /// What it wraps.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// What becomes of one operation.
    async fn carry_out<'a, T>(
        &'a self,
        mut call: Call,
        work: impl FnOnce(&'a S) -> BoxFuture<'a, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match call.fault {
            Some(StoreFault::FailBefore) => return Err(call.error),
            Some(StoreFault::PowerLossBefore) => return Err(self.power_loss(call)),
            Some(StoreFault::Hang) => call.hang().await,
            Some(StoreFault::Slow(length)) => drop(timeout(length, pending::<()>()).await),
            _ => {}
        }
        let done = work(&self.inner).await;
        match call.fault {
            Some(StoreFault::FailAfter) => done.and(Err(call.error)),
            Some(StoreFault::PowerLossAfter) => done.and(Err(self.power_loss(call))),
            Some(StoreFault::HangAfter) => {
                call.hang().await;
                done
            }
            _ => done,
        }
    }

    fn power_loss(&self, call: Call) -> StoreError {
        if let Some(power_loss) = self.power {
            power_loss(&self.inner);
        }
        call.error
    }

    fn read<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        work: impl FnOnce(&'a S) -> BoxFuture<'a, Result<T, StoreError>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        let call = self.faults.call(operation);
        self.carry_out(call, work).boxed()
    }

    /// Writes follow one another in the order of the calls, and none follows one that failed.
    fn write<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        work: impl FnOnce(&'a S) -> BoxFuture<'a, Result<T, StoreError>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        let call = self.faults.call(operation);
        let (done, is_done) = oneshot::channel::<()>();
        let before = self.writes().last.replace(is_done);
        async move {
            if let Some(before) = before {
                // One that was given up is over, too.
                let _ = before.await;
            }
            let poisoned = self.writes().poisoned.clone();
            if let Some(reason) = poisoned {
                return Err(StoreError::Poisoned { reason });
            }
            let result = self.carry_out(call, work).await;
            if let Err(error @ (StoreError::Io { .. } | StoreError::Poisoned { .. })) = &result {
                self.writes().poisoned = Some(error.to_string());
            }
            drop(done);
            result
        }
        .boxed()
    }

    fn writes(&self) -> MutexGuard<'_, Writes> {
        self.writes.lock().expect("nothing panics under this lock")
    }
}

impl<S: EventStore> EventStore for FaultyStore<S> {
    fn begin(&self, epoch: Epoch) -> BoxFuture<'_, Result<Opening, StoreError>> {
        self.writes().poisoned = None;
        self.write(Operation::Begin, move |store| store.begin(epoch))
    }

    fn append(&self, group: Group) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.write(Operation::Append, move |store| store.append(group))
    }

    fn since(&self, position: u64, limit: ReadLimit) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.read(Operation::Since, move |store| store.since(position, limit))
    }

    fn at(&self, positions: Vec<u64>, limit: ReadLimit) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.read(Operation::At, move |store| store.at(positions, limit))
    }

    fn locate(&self, ranges: Vec<IdRange>) -> BoxFuture<'_, Result<Vec<u64>, StoreError>> {
        self.read(Operation::Locate, move |store| store.locate(ranges))
    }

    fn known(&self, ids: Vec<EventId>) -> BoxFuture<'_, Result<Vec<Option<Known>>, StoreError>> {
        self.read(Operation::Known, move |store| store.known(ids))
    }

    fn history(
        &self,
        aggregate: AggregateId,
        from: HistoryFrom,
    ) -> BoxFuture<'_, Result<History, StoreError>> {
        self.read(Operation::History, move |store| {
            store.history(aggregate, from)
        })
    }

    fn aggregates(
        &self,
        prefix: String,
        after: Option<AggregateId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<AggregateId>, StoreError>> {
        self.read(Operation::Aggregates, move |store| {
            store.aggregates(prefix, after, limit)
        })
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.write(Operation::Flush, EventStore::flush)
    }

    fn verify(&self, inspection: Inspection) -> BoxFuture<'_, Result<VerifyReport, StoreError>> {
        self.read(Operation::Verify, move |store| store.verify(inspection))
    }

    fn compact(&self) -> BoxFuture<'_, Result<Compacted, StoreError>> {
        self.read(Operation::Compact, EventStore::compact)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.write(Operation::Close, EventStore::close)
    }
}
