//! All logic of one replica as one state machine: `(now, entropy, input) -> effects`.
//!
//! What to write and when to acknowledge it, what to send to whom, what a subscriber sees, which
//! aggregates are in memory: every such decision is taken here, over [`merge`](crate::merge) and
//! [`protocol`](crate::protocol). The shell around it carries out the [`Effect`]s and reports what
//! came of them as [`Input`]s; it decides nothing.
//!
//! Invariants: at most one group write is in flight; positions of the log are assigned here and
//! nowhere else; nothing that this replica wrote is sent before it is fsynced; nothing is
//! acknowledged to a peer as durable before it is.
//!
//! The engine knows no store, no carrier and no executor.

mod arrival;
mod audit;
mod basis;
mod cache;
mod change;
mod explaining;
mod filter;
mod handling;
mod health;
mod held;
mod identity;
mod io;
mod joining;
mod judging;
mod lag;
mod link;
mod log_tail;
mod looking;
mod notes;
mod peers;
mod reading;
mod record;
mod report;
mod restamp;
mod status;
mod timers;
mod untold;
mod watching;
mod writer;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

pub use audit::{Distrusted, Divergence, Finding};
pub use basis::Basis;
pub use change::Change;
pub use filter::{Filter, FilterError};
pub use health::{Health, PeerLag};
pub use held::Held;
pub use identity::Birth;
pub use io::{
    Effect, Failure, Ingested, Input, LinkId, LinkOptions, Outside, Recorded, Reply, RequestId,
    Tailed, Ticket, WatchId, tailed,
};
pub use lag::{Gap, Lag};
pub use report::{RefusedCommit, SyncReport};
pub use status::{AggregateStatus, LinkStatus, ReplicaStatus, WaitingCommit};
pub use watching::Watched;

use self::audit::Audit;
use self::cache::Cache;
use self::identity::Identity;
use self::link::{Links, Pace};
use self::log_tail::LogTail;
use self::peers::Peers;
use self::reading::{LoadWaiting, Pending};
use self::record::RecordWaiting;
use self::restamp::Restamping;
use self::timers::Timers;
use self::watching::Watches;
use self::writer::Writer;
use crate::clock::{HybridClock, Now};
use crate::event::{AggregateId, BlockNames, EventId};
use crate::log::Received;
use crate::merge::{Guard, Inbox};
use crate::protocol::Compression;
use crate::resolver::Registry;

/// One replica's decisions.
pub struct Engine {
    identity: Identity,
    registry: Registry,
    guard: Arc<dyn Guard + Send + Sync>,
    clock: HybridClock,
    /// Added to the wall clock when stamping: negative once a peer has shown this clock to be ahead.
    clock_offset_ms: i64,
    inbox: Inbox,
    log: LogTail,
    compression: Option<Arc<dyn Compression>>,
    /// Numbers by which live batches tell replicas and event types.
    names: BlockNames,
    writer: Writer,
    cache: Cache,
    /// The log was empty when it was opened, and what has become ready since came into memory.
    holds_all: bool,
    peers: Peers,
    links: Links,
    pace: Pace,
    timers: Timers,
    /// One-time syncs, which count the rejections among what they brought.
    counting: BTreeSet<LinkId>,
    /// What is received, as it was at an end of the log.
    standing: Option<(u64, Arc<Received>)>,
    watches: Watches,
    records: BTreeMap<AggregateId, Vec<RecordWaiting>>,
    restamping: Option<Restamping>,
    /// Commits that contradict what is here and were left where they are, by connections that ended.
    forked: BTreeSet<EventId>,
    loads: BTreeMap<AggregateId, Vec<LoadWaiting>>,
    settling: BTreeMap<AggregateId, Vec<LinkId>>,
    pending: BTreeMap<RequestId, Pending>,
    next_request: u64,
    flush_due: Option<u64>,
    audit: Audit,
    effects: VecDeque<Effect>,
    now: Now,
    entropy: u64,
}
