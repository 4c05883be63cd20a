use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use thiserror::Error;

use super::{Basis, Divergence, Filter, SyncReport};
use crate::clock::{ClockError, Now};
use crate::event::{
    AggregateId, Commit, CommitError, CommitSpan, Draft, Event, EventError, EventId, ReplicaId,
    Timestamp,
};
use crate::log::{
    Cursor, Durability, EntryKind, Epoch, Group, History, HistoryFrom, IdRange, Known, Page,
    ReadLimit,
};
use crate::merge::{BasisError, Unresolved};
use crate::protocol::{CloseCode, Direction, Lineage, Role};
use crate::resolver::Rejection;

/// Names a caller who waits for a [`Reply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Names one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// Names one subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(pub u64);

/// Names one read that the store was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What comes from outside with every input: time, and 64 random bits.
#[derive(Clone, Copy, Debug)]
pub struct Outside {
    /// Both clocks.
    pub now: Now,
    /// Fresh random bits; drawn on when a new incarnation begins.
    pub entropy: u64,
}

/// Why an effect could not be carried out, or a caller's wish not be granted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Failure {
    /// The rule of the aggregate refuses the event as things stand; nothing was written.
    #[error("{aggregate} refuses event {index} of the commit: {reason}")]
    Rejected {
        /// Which of the drafts, from 0.
        index: usize,
        /// Its aggregate.
        aggregate: AggregateId,
        /// Why.
        reason: Rejection,
    },
    /// The aggregate has no state that an event could be judged against.
    #[error("{aggregate} is unresolved: {why}")]
    Unresolved {
        /// The aggregate.
        aggregate: AggregateId,
        /// Why.
        why: Unresolved,
    },
    /// The event breaks a bound.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The commit breaks a bound.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The clock or the seqs are at their end.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// This incarnation has written 2^64 - 1 events.
    #[error("replica has no seq left")]
    SeqsExhausted,
    /// Aggregates whose stamps lie beyond 2^47 ms cannot share a commit.
    #[error(
        "{aggregate} holds stamps of a clock that was millennia ahead: write it in a commit of its own"
    )]
    FarStamp {
        /// The aggregate.
        aggregate: AggregateId,
    },
    /// What the write rests on was read by another replica, or by this one before it took a new
    /// incarnation.
    #[error("{aggregate} was read by replica {reader}, this is {replica}: read it again")]
    OtherReader {
        /// The aggregate.
        aggregate: AggregateId,
        /// Who read it.
        reader: ReplicaId,
        /// Who was to write.
        replica: ReplicaId,
    },
    /// What the write rests on is not here, or not any more.
    #[error("the reading of {aggregate} cannot be written on: {why}; read it again")]
    LostBasis {
        /// The aggregate.
        aggregate: AggregateId,
        /// What is wrong with it.
        why: BasisError,
    },
    /// An event of the commit is here already with other content, or continues another past.
    #[error(
        "commit {commit} contradicts what is here of its writer: one of the two stores was cloned or restored"
    )]
    Forked {
        /// The commit.
        commit: EventId,
    },
    /// The events belong to a log that is not this replica's.
    #[error(
        "this replica's log has lineage {ours}, the events come from one with lineage {theirs}"
    )]
    OtherLineage {
        /// The lineage here.
        ours: Lineage,
        /// The lineage there.
        theirs: Lineage,
    },
    /// The store failed; what was being written is unknown, not absent.
    #[error("store failed: {reason}")]
    Store {
        /// What it said.
        reason: Arc<str>,
    },
    /// The replica was closed.
    #[error("replica is closed")]
    Closed,
}

impl Failure {
    /// A store's failure.
    pub fn store(reason: impl Into<Arc<str>>) -> Self {
        Self::Store {
            reason: reason.into(),
        }
    }
}

/// What one end wants of a connection.
#[derive(Clone, Debug)]
pub struct LinkOptions {
    /// Which way events flow.
    pub direction: Direction,
    /// A batch is closed at this many events.
    pub batch_events: usize,
    /// End the session as soon as both ends have everything, and report.
    pub once: bool,
    /// The address that was dialled, to remember who answers there.
    pub address: Option<String>,
}

/// What the outside tells the engine.
#[derive(Debug)]
pub enum Input {
    /// Write these drafts as one commit.
    Record {
        /// Who waits.
        ticket: Ticket,
        /// The events, in order.
        drafts: Vec<Draft>,
        /// What their writer had seen, of the aggregates of which that is not everything here. Those
        /// that no draft touches say nothing.
        bases: Vec<Basis>,
        /// What the answer stands for.
        durability: Durability,
    },
    /// Take commits that somebody else wrote.
    Ingest {
        /// Who waits.
        ticket: Ticket,
        /// The commits, in any order.
        commits: Vec<Commit>,
    },
    /// Be part of the log that events come from by another way than a connection.
    Join {
        /// Who waits.
        ticket: Ticket,
        /// Which log.
        lineage: Lineage,
        /// Whether its lineage has been shared with anybody.
        shared: bool,
    },
    /// Bring an aggregate into memory.
    Load {
        /// Who waits.
        ticket: Ticket,
        /// The aggregate.
        aggregate: AggregateId,
        /// Its events are wanted too, not only its state.
        whole: bool,
    },
    /// Fsync everything answered so far.
    Flush {
        /// Who waits.
        ticket: Ticket,
    },
    /// Write what is worth keeping of the memory's states, then fsync.
    Settle {
        /// Who waits.
        ticket: Ticket,
    },
    /// The group was written.
    Written,
    /// The group's fate is unknown; the store takes no more.
    WriteFailed {
        /// What the store said.
        reason: Arc<str>,
    },
    /// Answer to [`Effect::ReadHistory`].
    HistoryRead {
        /// The request.
        request: RequestId,
        /// What was read.
        result: Result<History, Failure>,
    },
    /// Answer to [`Effect::ReadSince`] and [`Effect::ReadAt`].
    PageRead {
        /// The request.
        request: RequestId,
        /// What was read.
        result: Result<Page, Failure>,
    },
    /// Answer to [`Effect::Locate`].
    Located {
        /// The request.
        request: RequestId,
        /// What was found.
        result: Result<Vec<u64>, Failure>,
    },
    /// Answer to [`Effect::Known`].
    KnownFound {
        /// The request.
        request: RequestId,
        /// What was found.
        result: Result<Vec<Option<Known>>, Failure>,
    },
    /// A connection is open.
    LinkOpened {
        /// The connection.
        link: LinkId,
        /// Who dialled.
        role: Role,
        /// What this end wants.
        options: LinkOptions,
    },
    /// A frame came.
    LinkFrame {
        /// The connection.
        link: LinkId,
        /// The frame.
        frame: Bytes,
    },
    /// A connection ended from outside.
    LinkClosed {
        /// The connection.
        link: LinkId,
        /// The code of the other end, where it said one.
        code: Option<CloseCode>,
        /// Text for people.
        reason: String,
    },
    /// This end wants to close a connection.
    LinkEnd {
        /// The connection.
        link: LinkId,
        /// The code the other end is shown.
        code: CloseCode,
        /// The text the other end is shown.
        reason: String,
    },
    /// Somebody wants to know of changes.
    Watch {
        /// The subscription.
        watch: WatchId,
        /// What it is about.
        filter: Filter,
    },
    /// Nobody wants to know any more.
    Unwatch {
        /// The subscription.
        watch: WatchId,
    },
    /// Time has passed; see [`Engine::deadline`](super::Engine::deadline).
    Tick,
}

/// What the engine wants done.
#[derive(Debug)]
pub enum Effect {
    /// Write this group; answered by [`Input::Written`] or [`Input::WriteFailed`]. Never a second
    /// one before that answer.
    Write(Group),
    /// Read what there is of an aggregate.
    ReadHistory {
        /// The request.
        request: RequestId,
        /// The aggregate.
        aggregate: AggregateId,
        /// From where.
        from: HistoryFrom,
    },
    /// Read a page of the log.
    ReadSince {
        /// The request.
        request: RequestId,
        /// First position wanted.
        position: u64,
        /// How much at most.
        limit: ReadLimit,
    },
    /// Read these entries.
    ReadAt {
        /// The request.
        request: RequestId,
        /// Ascending positions.
        positions: Vec<u64>,
        /// How much at most.
        limit: ReadLimit,
    },
    /// Find where these events arrived.
    Locate {
        /// The request.
        request: RequestId,
        /// The events.
        ranges: Vec<IdRange>,
    },
    /// Look up digests and chain values.
    Known {
        /// The request.
        request: RequestId,
        /// The events.
        ids: Vec<EventId>,
    },
    /// Send a frame.
    Send {
        /// The connection.
        link: LinkId,
        /// The frame.
        frame: Bytes,
    },
    /// Close a connection, after the frames sent before.
    CloseLink {
        /// The connection.
        link: LinkId,
        /// The code.
        code: CloseCode,
        /// The text.
        reason: String,
        /// What the session came to.
        report: alloc::boxed::Box<SyncReport>,
    },
    /// Answer a caller.
    Reply {
        /// Who waits.
        ticket: Ticket,
        /// The answer.
        reply: Result<Reply, Failure>,
    },
    /// A watch has a change to read.
    Wake(WatchId),
    /// The stored log has grown: tails go on.
    Appended {
        /// Its end.
        end: u64,
    },
    /// A rule was found to break its laws, or a state that differed does so no more.
    Diverged(alloc::boxed::Box<Divergence>),
    /// A connection's observable status changed.
    LinkChanged(LinkId),
}

/// An answer.
#[derive(Clone, Debug)]
pub enum Reply {
    /// To a record.
    Recorded(Recorded),
    /// To an ingest.
    Ingested(Ingested),
    /// To a join, a load, a flush or a settle.
    Done,
}

/// A local write that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Id of the commit's first event.
    pub commit: EventId,
    /// Seqs of its events.
    pub span: CommitSpan,
    /// The stamp all its events have.
    pub timestamp: Timestamp,
}

impl Recorded {
    /// Ids of the events, in the order of the drafts.
    pub fn events(&self) -> impl Iterator<Item = EventId> + use<> {
        let replica = self.commit.replica;
        let last = self.span.last();
        core::iter::successors(Some(self.span.first()), move |seq| {
            seq.next().filter(|next| *next <= last)
        })
        .map(move |seq| EventId::new(replica, seq))
    }
}

/// What an ingest came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Events that are new here.
    pub accepted: u64,
    /// Events that were here already.
    pub duplicates: u64,
    /// Events among the accepted that wait for their past.
    pub waiting: u64,
}

/// One event as a tail shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tailed {
    /// The event.
    pub event: Event,
    /// Where to go on after it. The events of one commit share the cursor before it until the last,
    /// so a tail that resumes sees a commit whole or not at all.
    pub cursor: Cursor,
}

/// What a tail shows of one page: ready events that pass the filter, in the order in which they
/// became ready.
pub fn tailed(page: &Page, filter: &Filter, epoch: Epoch) -> Vec<Tailed> {
    let mut events = Vec::new();
    for (position, entry) in &page.entries {
        let is_skipped = entry.kind == EntryKind::Released && mutant!("tail-skips-released");
        if entry.kind == EntryKind::Waiting || is_skipped {
            continue;
        }
        let before = Cursor {
            epoch,
            position: *position,
        };
        let after = Cursor {
            epoch,
            position: position.saturating_add(1),
        };
        let last = entry
            .commit
            .events()
            .iter()
            .rposition(|e| filter.passes(e.aggregate()));
        for (index, event) in entry.commit.events().iter().enumerate() {
            if filter.passes(event.aggregate()) {
                let is_last = Some(index) == last || mutant!("tail-cuts-commits");
                let cursor = if is_last { after } else { before };
                events.push(Tailed {
                    event: event.clone(),
                    cursor,
                });
            }
        }
    }
    events
}
