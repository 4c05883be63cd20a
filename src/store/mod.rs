//! The durable home of a replica's log, behind one object-safe trait.
//!
//! A store keeps an append-only log of commits in the order of arrival, finds events by id and by
//! aggregate, and carries two things it does not understand: folds of aggregates and the engine's
//! notes. What is written in one [`Group`] is there entirely or not at all after any crash.
//!
//! A store knows nothing of resolvers, peers or protocols, and it never decides what to write.

mod answering;
mod error;
#[cfg(feature = "fjall")]
pub mod fjall;
mod ledger;
pub mod memory;
mod names;
pub(crate) mod verify;

use std::string::String;
use std::vec::Vec;

use futures::future::BoxFuture;

pub use self::answering::answer;
pub(crate) use self::answering::written;
pub use self::error::StoreError;
#[cfg(feature = "fjall")]
pub use self::fjall::FjallStore;
pub use self::memory::MemoryStore;
pub use self::verify::{Compacted, Fault, Inspection, VerifyReport};
use crate::event::{AggregateId, EventId};
use crate::log::{Epoch, Group, IdRange, Known, Opening, Page};
pub use crate::log::{History, HistoryFrom, ReadLimit};

/// A replica's log on some medium.
///
/// # Laws (each is a test of the conformance suite)
/// - `append` is atomic: after any crash either the whole group is there or nothing of it.
/// - A `Durable` append that was answered survives a loss of power; an answered `Buffered` one is
///   covered by the next `Durable` append or `flush`.
/// - Positions count entries from 0 without holes; the engine that called [`begin`](Self::begin) is
///   the only writer, and a second `begin` ends the first one's right to write.
/// - A group that brings an event that is here already, releases a commit that does not wait, or has
///   a note whose key is empty or longer than 1 KiB is refused with [`StoreError::BadGroup`], and
///   nothing of it is written. Before `begin` an append is [`StoreError::Closed`].
/// - The store works out each entry's `chain_before` itself; what the caller put there is not looked
///   at. A release is read back with the one its commit arrived with.
/// - Reads see groups whole, in the order in which they were appended.
/// - A released entry keeps the chain value it is given: what was before it may not have been here
///   when it arrived.
/// - Bytes that were damaged are never returned: reads answer with [`StoreError::Damaged`].
/// - After any other error of `append` the outcome is *unknown*, not absent; the store then refuses further
///   writes until it is opened again.
///
/// # Freedoms
/// Reads may run beside writes; they see all writes answered before they began, and may see others.
/// No method is called after [`close`](Self::close), but for `close` itself.
pub trait EventStore: Send + Sync + 'static {
    /// Begins an opening: appends the epoch, durably, and tells what is here.
    ///
    /// Cost: proportional to replicas, notes and waiting commits, not to history, after a clean
    /// close; after an unclean end the tail of the log is verified.
    fn begin(&self, epoch: Epoch) -> BoxFuture<'_, Result<Opening, StoreError>>;

    /// Writes a group atomically and returns the end of the log after it. Groups are written in the
    /// order of the calls; those that wait for one another may share an fsync.
    fn append(&self, group: Group) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Entries from a position on. Past the end the page is empty.
    fn since(&self, position: u64, limit: ReadLimit) -> BoxFuture<'_, Result<Page, StoreError>>;

    /// The entries at these ascending positions, as many as the limit allows; `next` of the page is
    /// the position after the last one read. Positions past the end are left out.
    fn at(&self, positions: Vec<u64>, limit: ReadLimit) -> BoxFuture<'_, Result<Page, StoreError>>;

    /// Positions at which the commits of these events arrived, ascending, each once.
    fn locate(&self, ranges: Vec<IdRange>) -> BoxFuture<'_, Result<Vec<u64>, StoreError>>;

    /// Digest, chain value and stamp of each event, or nothing for one that is not here.
    fn known(&self, ids: Vec<EventId>) -> BoxFuture<'_, Result<Vec<Option<Known>>, StoreError>>;

    /// What there is of one aggregate.
    fn history(
        &self,
        aggregate: AggregateId,
        from: HistoryFrom,
    ) -> BoxFuture<'_, Result<History, StoreError>>;

    /// Names of aggregates with ready events under a prefix of whole segments, ascending, after
    /// `after`, at most `limit`.
    fn aggregates(
        &self,
        prefix: String,
        after: Option<AggregateId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<AggregateId>, StoreError>>;

    /// Returns when everything answered so far is fsynced.
    fn flush(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Reads everything that is here and says what of it is not as it was written or does not go
    /// together: every entry of the log, whether each writer's events follow one another without a
    /// hole where the log says so, whether what is known of each event and where it is found agrees
    /// with the log, and as much of the rest as the store has. It goes on after a fault.
    ///
    /// May run beside reads and writes; what is written meanwhile may be left out. Cost: all that is
    /// here is read; memory in proportion to replicas and waiting commits. What a store has cached
    /// counts as read.
    ///
    /// Unless a store knows better, entries and what is known of events are asked for as any reader
    /// would.
    ///
    /// # Errors
    /// Why it could not be done; damage is told in the report.
    fn verify(&self, inspection: Inspection) -> BoxFuture<'_, Result<VerifyReport, StoreError>> {
        Box::pin(verify::by_reading(self, inspection))
    }

    /// Gives back what the medium holds in vain, as rows that were overwritten. No event goes. May
    /// run beside reads and writes. A store that has nothing to give back says that it takes 0 bytes.
    fn compact(&self) -> BoxFuture<'_, Result<Compacted, StoreError>> {
        Box::pin(std::future::ready(Ok(Compacted::default())))
    }

    /// Flushes and marks the end of this use as clean. Idempotent.
    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}
