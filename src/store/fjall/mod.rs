//! A store on disk, on the fjall storage engine.
//!
//! One thread owns all writes and commits those that are queued as one, with one fsync; another
//! serves reads. Callers never block: they wait for a channel.
//!
//! Invariants: what is acknowledged as durable was fsynced before; what comes back was checked
//! against its checksum; a log that ends before its high-water mark is damage, never a shorter log.
//! Rows are described in `rows`, the directory in `folder`.
//!
//! This module knows nothing of what the engine's folds and notes mean.

mod arrivals;
mod block;
mod check;
mod folder;
mod fresh;
mod looked_up;
mod loose;
mod manifest;
mod mark;
mod pages;
mod reader;
mod recent;
mod recovery;
mod rows;
mod staged;
mod tables;
mod writer;

use std::path::Path;
use std::string::{String, ToString};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::vec::Vec;

use futures::channel::oneshot;
use futures::future::BoxFuture;

use self::check::Check;
use self::folder::Folder;
use self::reader::Reader;
use self::tables::{Tables, guarded};
use self::writer::{Answer, Read, Request, Writer, serve_reads};
use crate::event::{AggregateId, EventId};
use crate::log::{Epoch, Group, IdRange, Known, Opening, Page};
use crate::store::{
    Compacted, EventStore, History, HistoryFrom, Inspection, ReadLimit, StoreError, VerifyReport,
};

/// A log in a directory.
///
/// Requests are queued when a method is called, in the order of the calls; dropping a future gives
/// up its answer, not the request. Dropping the store ends both threads and releases the directory,
/// but it is no clean end, and nobody hears whether what was buffered got to the disk: use
/// [`EventStore::close`].
#[derive(Debug)]
pub struct FjallStore {
    requests: Option<mpsc::Sender<Request>>,
    reads: mpsc::Sender<Read>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl FjallStore {
    /// Opens the store in a directory, or founds one where the directory is absent or empty.
    ///
    /// Blocks. After a clean close the cost is that of replicas and waiting commits; after an
    /// unclean end fjall's journals are read, at most about 130 MB, and the last entries verified.
    ///
    /// # Errors
    /// [`StoreError::Locked`] names the process that has it open, [`StoreError::NotAStore`] and
    /// [`StoreError::UnsupportedFormat`] leave the directory untouched, [`StoreError::Damaged`]
    /// says that something which was acknowledged is not there any more.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let mut folder = Folder::claim(path.as_ref())?;
        let data = folder.data();
        let tables = if folder.founding {
            Tables::found(&data)?
        } else {
            Tables::open(&data)?
        };
        let tables = Arc::new(tables);
        if folder.founding {
            tables.sync()?;
            folder.founded()?;
        }
        let recovered = guarded("tables", || {
            recovery::recover(&tables, folder.mark.extent, folder.mark.clean)
        })?;
        let end = Arc::new(AtomicU64::new(recovered.ledger.end()));
        let (reads, read_queue) = mpsc::channel();
        let reader = Reader::new(
            Arc::clone(&tables),
            Arc::clone(&end),
            Arc::clone(&recovered.fresh),
        );
        let reader = spawn("anabranch-read", move || serve_reads(&reader, &read_queue))?;
        let writer = Writer::new(tables, folder, recovered, end, reads.clone(), reader);
        let (requests, queue) = mpsc::channel();
        let writer = spawn("anabranch-write", move || writer.run(&queue))?;
        Ok(Self {
            requests: Some(requests),
            reads,
            writer: Mutex::new(Some(writer)),
        })
    }

    fn request<T: Send + 'static>(
        &self,
        request: impl FnOnce(Answer<T>) -> Request,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        let (answer, answered) = oneshot::channel();
        if let Some(requests) = &self.requests {
            drop(requests.send(request(answer)));
        }
        Box::pin(async move { answered.await.unwrap_or(Err(StoreError::Closed)) })
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        let (answer, answered) = oneshot::channel();
        drop(self.reads.send(Read::Job(Box::new(move |reader| {
            if !answer.is_canceled() {
                drop(answer.send(guarded("tables", || read(reader))));
            }
        }))));
        Box::pin(async move { answered.await.unwrap_or(Err(StoreError::Closed)) })
    }
}

impl Drop for FjallStore {
    /// Waits for the writer, so that the directory can be opened again at once; unless the writer
    /// itself, on whose thread answers are heard, is the last to let go.
    fn drop(&mut self) {
        self.requests = None;
        let writer = self
            .writer
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = writer
            && writer.thread().id() != thread::current().id()
        {
            drop(writer.join());
        }
    }
}

impl EventStore for FjallStore {
    fn begin(&self, epoch: Epoch) -> BoxFuture<'_, Result<Opening, StoreError>> {
        self.request(|answer| Request::Begin(epoch, answer))
    }

    fn append(&self, group: Group) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.request(|answer| Request::Append(group, answer))
    }

    fn since(&self, position: u64, limit: ReadLimit) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.read(move |reader| reader.since(position, limit))
    }

    fn at(&self, positions: Vec<u64>, limit: ReadLimit) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.read(move |reader| reader.at(&positions, limit))
    }

    fn locate(&self, ranges: Vec<IdRange>) -> BoxFuture<'_, Result<Vec<u64>, StoreError>> {
        self.read(move |reader| reader.locate(&ranges))
    }

    fn known(&self, ids: Vec<EventId>) -> BoxFuture<'_, Result<Vec<Option<Known>>, StoreError>> {
        self.read(move |reader| reader.known(&ids))
    }

    fn history(
        &self,
        aggregate: AggregateId,
        from: HistoryFrom,
    ) -> BoxFuture<'_, Result<History, StoreError>> {
        self.read(move |reader| reader.history(&aggregate, from))
    }

    fn aggregates(
        &self,
        prefix: String,
        after: Option<AggregateId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<AggregateId>, StoreError>> {
        self.read(move |reader| reader.aggregates(&prefix, after.as_ref(), limit))
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.request(Request::Flush)
    }

    /// Reads every row of every table, and what is beside the tables. Files that fjall keeps for
    /// itself are checked as far as rows are read from them; the journal was read when the store was
    /// opened.
    fn verify(&self, inspection: Inspection) -> BoxFuture<'_, Result<VerifyReport, StoreError>> {
        Box::pin(async move {
            let begun = self.read(move |reader| Check::begin(reader, inspection));
            let mut check = begun.await?;
            loop {
                let step = self.read(move |reader| {
                    let is_left = check.step(reader)?;
                    Ok((check, is_left))
                });
                let (stepped, is_left) = step.await?;
                check = stepped;
                if !is_left {
                    let mark = self.request(Request::VerifyMark).await;
                    return check.finish(mark);
                }
            }
        })
    }

    /// Counts the files of tables; the journal, at most 64 MiB, is emptied by a close.
    fn compact(&self) -> BoxFuture<'_, Result<Compacted, StoreError>> {
        self.request(Request::Compact)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        let closed = self.request(Request::Close);
        Box::pin(async move {
            match closed.await {
                Err(StoreError::Closed) => Ok(()),
                closed => closed,
            }
        })
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    thread::Builder::new()
        .name(name.into())
        .spawn(run)
        .map_err(|error| StoreError::Io {
            action: "start a thread".into(),
            reason: error.to_string(),
        })
}
