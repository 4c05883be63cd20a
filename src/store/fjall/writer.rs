//! The one thread that writes.
//!
//! What readers can find without, as rows of the indexes and joined blocks, is written when nothing
//! else is asked for; if there is no such pause, along with a group.
//!
//! Invariant: a durable append is answered after its rows are fsynced and the mark says so, in that
//! order. What is queued meanwhile becomes one write with one fsync. After a write that failed none
//! is tried again, for nobody knows what an fsync that failed has left behind.

use std::string::{String, ToString};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard, mpsc};
use std::thread::JoinHandle;
use std::vec::Vec;

use futures::channel::oneshot;

use super::folder::Folder;
use super::fresh::{Drain, Fresh};
use super::loose::Loose;
use super::mark::Extent;
use super::reader::{Reader, pair};
use super::recovery::Recovered;
use super::rows;
use super::spawn;
use super::staged::{Committed, Staged};
use super::tables::{Tables, empty_journal, failed, guarded, journal_bytes};
use crate::limits::{GROUP_BYTES_MAX, STORE_CLOSE_JOURNAL_BYTES, STORE_INDEX_ROWS_MIN};
use crate::log::{Durability, Epoch, Epochs, Group, Opening};
use crate::store::ledger::Ledger;
use crate::store::{Compacted, StoreError};

pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;
pub(super) type Job = Box<dyn FnOnce(&Reader) + Send>;

/// What the writer is asked for.
pub(super) enum Request {
    Begin(Epoch, Answer<Opening>),
    Append(Group, Answer<u64>),
    Flush(Answer<()>),
    VerifyMark(Answer<()>),
    Compact(Answer<Compacted>),
    Close(Answer<()>),
}

/// What the reader is asked for.
pub(super) enum Read {
    Job(Job),
    Stop,
}

pub(super) struct Writer {
    tables: Arc<Tables>,
    folder: Folder,
    ledger: Ledger,
    epochs: Epochs,
    extent: Extent,
    /// What the indexes do not tell yet; readers look at it too.
    fresh: Arc<RwLock<Fresh>>,
    drain: Drain,
    loose: Loose,
    begun: bool,
    poisoned: Option<String>,
    journal_bytes: u64,
    /// The end of the log for readers.
    end: Arc<AtomicU64>,
    reads: mpsc::Sender<Read>,
    reader: Option<JoinHandle<()>>,
    /// Works on the tables beside this thread, and must have let go of them before the folder is.
    compaction: Option<JoinHandle<()>>,
    is_compacting: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn new(
        tables: Arc<Tables>,
        folder: Folder,
        recovered: Recovered,
        end: Arc<AtomicU64>,
        reads: mpsc::Sender<Read>,
        reader: JoinHandle<()>,
    ) -> Self {
        let Recovered {
            ledger,
            epochs,
            extent,
            fresh,
        } = recovered;
        Self {
            tables,
            journal_bytes: journal_bytes(&folder.data()),
            folder,
            ledger,
            epochs,
            extent,
            fresh,
            drain: Drain::default(),
            loose: Loose::default(),
            begun: false,
            poisoned: None,
            end,
            reads,
            reader: Some(reader),
            compaction: None,
            is_compacting: Arc::default(),
        }
    }

    /// Serves requests until a close, or until nobody is left who could ask.
    pub(super) fn run(mut self, requests: &mpsc::Receiver<Request>) {
        let mut next = requests.recv().ok();
        while let Some(request) = next.take() {
            match request {
                Request::Begin(epoch, answer) => drop(answer.send(self.begin(epoch))),
                Request::Flush(answer) => drop(answer.send(self.flush())),
                Request::VerifyMark(answer) => drop(answer.send(self.folder.mark.verify())),
                Request::Compact(answer) => self.compact(answer),
                Request::Append(group, answer) => {
                    let (groups, other) = gather(group, answer, requests);
                    self.append(groups);
                    next = other;
                }
                Request::Close(answer) => {
                    let closed = self.close();
                    drop(answer.send(closed));
                    return;
                }
            }
            if next.is_none() {
                next = self.next(requests);
            }
        }
        self.stop_others();
    }

    /// The next request. While there is none, what was left for later is done.
    fn next(&mut self, requests: &mpsc::Receiver<Request>) -> Option<Request> {
        loop {
            match requests.try_recv() {
                Ok(request) => return Some(request),
                Err(mpsc::TryRecvError::Disconnected) => return None,
                Err(mpsc::TryRecvError::Empty) => {
                    if !self.tidy() {
                        return requests.recv().ok();
                    }
                }
            }
        }
    }

    fn begin(&mut self, epoch: Epoch) -> Result<Opening, StoreError> {
        self.refuse_if_poisoned()?;
        let clean = self.folder.mark.clean;
        let begun = self.try_begin(epoch);
        self.poison_on_error(&begun);
        begun?;
        let mut waiting: Vec<u64> = self.ledger.waiting().collect();
        waiting.sort_unstable();
        let tables = Arc::clone(&self.tables);
        let reader = Reader::new(tables, Arc::clone(&self.end), Arc::clone(&self.fresh));
        let waiting: Result<_, _> = waiting.into_iter().map(|at| reader.entry_at(at)).collect();
        let mut notes = Vec::new();
        for row in self.tables.notes.prefix([rows::NOTE]) {
            let (key, row) = pair(row, "notes")?;
            let note = key.get(1..).unwrap_or_default();
            let value = rows::unseal(&key, &row, || format!("note {}", note.escape_ascii()))?;
            notes.push((note.to_vec(), bytes::Bytes::copy_from_slice(value)));
        }
        Ok(Opening {
            epochs: self.epochs.clone(),
            end: self.ledger.end(),
            received: self.ledger.received().clone(),
            waiting: waiting?,
            notes,
            clean,
        })
    }

    /// The mark loses its cleanliness durably before anything is written that a crash could spoil.
    fn try_begin(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        if self.folder.mark.clean {
            let extent = self.folder.mark.extent;
            self.folder.mark.write(false, extent)?;
            self.folder.mark.sync()?;
        }
        let mut epochs = self.epochs.clone();
        epochs.begin(epoch, self.ledger.end());
        self.epochs = epochs;
        let tables = Arc::clone(&self.tables);
        let mut staged = Staged::new(&tables);
        staged.epochs(&self.epochs);
        self.commit(staged)?;
        self.sync()?;
        self.begun = true;
        Ok(())
    }

    fn append(&mut self, groups: Vec<(Group, Answer<u64>)>) {
        let tables = Arc::clone(&self.tables);
        let mut staged = Staged::new(&tables);
        let mut accepted = Vec::with_capacity(groups.len());
        let (mut durable, mut events) = (false, 0_usize);
        for (group, answer) in groups {
            let checked = if self.begun {
                self.refuse_if_poisoned()
            } else {
                Err(StoreError::Closed)
            };
            match checked.and_then(|()| self.ledger.check(&group)) {
                Ok(()) => {
                    durable |= group.durability == Durability::Durable;
                    let commits = group.entries.iter().map(|entry| &entry.commit);
                    events += commits.map(|commit| commit.events().len()).sum::<usize>();
                    staged.group(group, &mut self.ledger);
                    accepted.push((self.ledger.end(), answer));
                }
                Err(error) => drop(answer.send(Err(error))),
            }
        }
        if accepted.is_empty() {
            return;
        }
        while self.loose.is_behind()
            && let Some(blocks) = self.loose.take()
        {
            staged.join(&blocks);
        }
        // Since half a segment is left, the rows have been written before it is full too.
        if self.fresh().is_behind() {
            self.index(
                &mut staged,
                events.saturating_mul(4).max(STORE_INDEX_ROWS_MIN),
            );
        }
        let mut written = self.commit(staged);
        if written.is_ok() && durable {
            written = self.sync();
        }
        self.poison_on_error(&written);
        if written.is_ok() {
            self.end.store(self.ledger.end(), Ordering::Release);
        }
        for (end, answer) in accepted {
            drop(answer.send(written.clone().map(|()| end)));
        }
        self.fresh().settle();
    }

    fn commit(&mut self, staged: Staged<'_>) -> Result<(), StoreError> {
        let extent = Extent {
            end: self.ledger.end(),
            writes: self.extent.writes.saturating_add(1),
        };
        let committed = guarded("journal", || {
            let committed = staged.commit(&self.ledger, extent);
            committed.map_err(|error| failed("write to the journal", "journal", &error))
        })?;
        self.extent = extent;
        self.committed(committed);
        Ok(())
    }

    /// Writes something that readers need not wait for, and that a crash may take back.
    fn commit_later(&mut self, staged: Staged<'_>) -> Result<(), StoreError> {
        let committed = guarded("journal", || {
            let committed = staged.finish();
            committed.map_err(|error| failed("write to the journal", "journal", &error))
        })?;
        self.committed(committed);
        Ok(())
    }

    fn committed(&mut self, committed: Committed) {
        self.journal_bytes = self.journal_bytes.saturating_add(committed.bytes);
        let mut fresh = self.fresh.write().unwrap_or_else(PoisonError::into_inner);
        fresh.forget(committed.indexed);
        for block in committed.blocks {
            let ends_segment = fresh.queue(&block);
            self.loose.add(block);
            if ends_segment {
                self.loose.end();
            }
        }
    }

    fn fresh(&self) -> RwLockWriteGuard<'_, Fresh> {
        self.fresh.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does one piece of what was left for later: blocks that make a whole one are joined, or rows
    /// of the indexes written. Tells whether there was any.
    fn tidy(&mut self) -> bool {
        if !self.begun || self.poisoned.is_some() {
            return false;
        }
        let tables = Arc::clone(&self.tables);
        let mut staged = Staged::new(&tables);
        if let Some(blocks) = self.loose.take() {
            staged.join(&blocks);
        } else if !self.index(&mut staged, STORE_INDEX_ROWS_MIN) {
            return false;
        }
        let written = self.commit_later(staged);
        self.poison_on_error(&written);
        true
    }

    /// Adds rows of the oldest segment to a write, about so many. Tells whether there is one.
    fn index(&mut self, staged: &mut Staged<'_>, rows: usize) -> bool {
        let oldest = self.fresh().full().next().cloned();
        let Some(segment) = oldest else { return false };
        let (rows, indexed) = self.drain.rows(&segment, rows);
        staged.index(rows, indexed);
        true
    }

    /// Writes all index rows that are not written yet, so that the next open finds nothing to do.
    fn index_all(&mut self) -> Result<(), StoreError> {
        self.fresh().end_segment();
        let full: Vec<_> = self.fresh().full().cloned().collect();
        if full.is_empty() {
            return Ok(());
        }
        let tables = Arc::clone(&self.tables);
        let mut staged = Staged::new(&tables);
        for segment in full {
            let (rows, indexed) = self.drain.rows(&segment, usize::MAX);
            staged.index(rows, indexed);
        }
        self.commit(staged)
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.tables.sync()?;
        self.folder.mark.write(false, self.extent)
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.refuse_if_poisoned()?;
        if self.folder.mark.extent == self.extent {
            return Ok(());
        }
        let synced = self.sync();
        self.poison_on_error(&synced);
        synced
    }

    fn refuse_if_poisoned(&self) -> Result<(), StoreError> {
        match &self.poisoned {
            Some(reason) => Err(StoreError::Poisoned {
                reason: reason.clone(),
            }),
            None => Ok(()),
        }
    }

    fn poison_on_error<T>(&mut self, outcome: &Result<T, StoreError>) {
        if let Err(error) = outcome {
            self.poisoned.get_or_insert_with(|| error.to_string());
        }
    }

    /// Lets go of everything. Where the journal has grown, its content goes to tables and it is
    /// emptied, since the next open reads all of it.
    fn close(mut self) -> Result<(), StoreError> {
        self.stop_others();
        let indexed = self.refuse_if_poisoned().and_then(|()| self.index_all());
        self.poison_on_error(&indexed);
        let flushed = self.flush();
        let settled = flushed.is_ok()
            && self.journal_bytes > STORE_CLOSE_JOURNAL_BYTES
            && guarded("tables", || Ok(self.tables.settle())).unwrap_or(false);
        let Self {
            tables,
            mut folder,
            extent,
            ..
        } = self;
        drop(tables);
        flushed?;
        if settled {
            empty_journal(&folder.data())?;
        }
        folder.mark.write(true, extent)?;
        folder.mark.sync()
    }

    /// Begins a compaction on a thread of its own; there is one at a time.
    fn compact(&mut self, answer: Answer<Compacted>) {
        let refused = |reason: String| StoreError::Io {
            action: "compact the tables".into(),
            reason,
        };
        if self.is_compacting.swap(true, Ordering::AcqRel) {
            drop(answer.send(Err(refused("they are being compacted".into()))));
            return;
        }
        let tables = Arc::clone(&self.tables);
        let is_compacting = Arc::clone(&self.is_compacting);
        let compaction = spawn("anabranch-compact", move || {
            let compacted = guarded("tables", || tables.compact());
            drop(tables);
            is_compacting.store(false, Ordering::Release);
            drop(answer.send(compacted));
        });
        self.compaction = compaction.ok();
        if self.compaction.is_none() {
            self.is_compacting.store(false, Ordering::Release);
        }
    }

    fn stop_others(&mut self) {
        if let Some(reader) = self.reader.take() {
            drop(self.reads.send(Read::Stop));
            drop(reader.join());
        }
        if let Some(compaction) = self.compaction.take() {
            drop(compaction.join());
        }
    }
}

/// Takes the groups that are queued behind one, up to a bound, and the first other request.
fn gather(
    group: Group,
    answer: Answer<u64>,
    requests: &mpsc::Receiver<Request>,
) -> (Vec<(Group, Answer<u64>)>, Option<Request>) {
    let size = |group: &Group| {
        group
            .entries
            .iter()
            .map(|e| e.commit.bytes())
            .sum::<usize>()
    };
    let mut bytes = size(&group);
    let mut groups = Vec::from([(group, answer)]);
    while bytes < GROUP_BYTES_MAX {
        match requests.try_recv() {
            Ok(Request::Append(group, answer)) => {
                bytes = bytes.saturating_add(size(&group));
                groups.push((group, answer));
            }
            Ok(other) => return (groups, Some(other)),
            Err(_) => break,
        }
    }
    (groups, None)
}

/// Serves reads until it is told to stop.
pub(super) fn serve_reads(reader: &Reader, reads: &mpsc::Receiver<Read>) {
    while let Ok(Read::Job(job)) = reads.recv() {
        job(reader);
    }
}
