use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{Codecs, Delivered, Direction, Lineage, Reason, Remedy};
use crate::event::{AggregateId, Chain, ChainMark, EventId, ReplicaId, Seq, SeqRanges};
use crate::log::{Cursor, Epoch};
use crate::merge::Standing;

/// Versions of the protocol that an end speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The oldest.
    pub min: u16,
    /// The newest.
    pub max: u16,
}

impl Versions {
    /// What this build speaks.
    pub const SPOKEN: Self = Self { min: 1, max: 1 };

    /// The newest version that both speak.
    pub fn common(self, other: Self) -> Option<u16> {
        let version = self.max.min(other.max);
        (version >= self.min.max(other.min)).then_some(version)
    }
}

/// What an end says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Versions it speaks.
    pub versions: Versions,
    /// Identity of its log.
    pub lineage: Lineage,
    /// Whether anybody else holds a part of that log.
    pub lineage_shared: bool,
    /// Who it is.
    pub replica: ReplicaId,
    /// The opening of its store: positions that it tells lie in it.
    pub epoch: Epoch,
    /// Its last own event, with the chain value there.
    pub own: Option<(Seq, Chain)>,
    /// Its wall clock, in milliseconds since 1970.
    pub clock_ms: u64,
    /// What it wants to do.
    pub direction: Direction,
    /// A listener's answer to the dialer's cursor: it streams on from there.
    pub resumes: bool,
    /// How frames to it may be compressed.
    pub codecs: Codecs,
    /// What it knows of peers that may be at the other end; a listener knows which one is.
    pub peers: Vec<HelloPeer>,
    /// Parts of a large commit of the peer that are here.
    pub staged: Option<HelloStaged>,
}

/// What an end knows of one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloPeer {
    /// The peer.
    pub replica: ReplicaId,
    /// How far its log has been read; nothing if it has to be asked for a summary.
    pub cursor: Option<Cursor>,
    /// Its last own event that is here, with the chain value there.
    pub own: Option<(Seq, Chain)>,
}

/// How much of a large commit is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloStaged {
    /// Who sent it.
    pub peer: ReplicaId,
    /// The commit.
    pub commit: EventId,
    /// Parts from the first on.
    pub parts: u32,
    /// xxh3-64 of their bytes, so that parts of another branch of a fork are not mixed.
    pub digest: u64,
}

/// A piece of what an end has received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Another piece follows.
    pub more: bool,
    /// Ascending by writer, also across pieces; a writer whose ranges do not fit one piece goes on
    /// in the next.
    pub tracks: Vec<SummaryTrack>,
}

/// What an end has received of one writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryTrack {
    /// The writer.
    pub replica: ReplicaId,
    /// Its events, never none.
    pub ranges: SeqRanges,
    /// The chain value before the first gap, where the ranges start with the first event.
    pub chain: Option<Chain>,
}

/// Some whole commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Where to go on in the sender's log, in the epoch that its hello told; nothing while a summary
    /// is being answered.
    pub position: Option<u64>,
    /// The commits in the order of the sender's log. Only the first of each writer says what it
    /// continues.
    pub commits: Vec<Delivered>,
}

/// A piece of a commit that is too large for a batch. All pieces together count as one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The commit.
    pub commit: EventId,
    /// Number of the piece, from 0.
    pub index: u32,
    /// How many pieces there are, at least 2.
    pub total: u32,
    /// The chain value that the commit continues.
    pub continues: Option<ChainMark>,
    /// Where to go on in the sender's log once the last piece is here.
    pub position: Option<u64>,
    /// Its content; every piece but the last is
    /// [`PART_BYTES_MAX`](crate::limits::PART_BYTES_MAX) long.
    pub bytes: Bytes,
}

/// A commit that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The commit.
    pub commit: EventId,
    /// Why.
    pub why: Reason,
    /// What its writer can do.
    pub remedy: Remedy,
    /// The refusing end's wall clock, in milliseconds since 1970.
    pub clock_ms: u64,
}

/// What some aggregates stand at, for the other end to compare with what they stand at there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    /// Why it is told.
    pub round: Round,
    /// Ascending by aggregate, each once, at most
    /// [`DIGESTS_MAX`](crate::limits::DIGESTS_MAX); none without events.
    pub entries: Vec<(AggregateId, Standing)>,
}

/// Why digests are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Events of these aggregates have moved. Answered where something differs.
    Tell,
    /// The same, and this end is about to leave: it waits for an answer, if an empty one.
    Ask,
    /// Of what was told or asked: where the same events came to another state here, and, if it was
    /// asked, where they came to the same.
    Answer,
}

/// Everything that one end can say to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Introduces an end; the first thing it says, and said once.
    Hello(Hello),
    /// What an end has received. Whoever gets it streams what is missing there.
    Summary(Summary),
    /// The other end's cursor is not honoured here: it is to send a summary instead.
    NeedSummary,
    /// What follows is what the summary lacks and then the log: from here on cursors count.
    Fill,
    /// Commits. Batches are numbered from 0 by the order in which they are sent.
    Batch(Batch),
    /// A piece of a large commit.
    Part(Part),
    /// Everything up to and with this batch has been taken.
    Ack {
        /// Number of the batch.
        batch: u64,
        /// Whether it is fsynced.
        durable: bool,
    },
    /// The other end may send so many bytes more.
    Credit {
        /// Bytes of frames that carry commits.
        bytes: u64,
    },
    /// Everything there is has been sent; what follows is live.
    CaughtUp,
    /// A commit was not taken; everything that follows it is discarded until `Again`.
    Refuse(Refusal),
    /// What follows begins again after the last batch that was acknowledged.
    Again,
    /// Asks for a `Pong`.
    Ping {
        /// The sender's wall clock, in milliseconds since 1970.
        clock_ms: u64,
    },
    /// Answers a `Ping`.
    Pong {
        /// The sender's wall clock, in milliseconds since 1970.
        clock_ms: u64,
    },
    /// What aggregates stand at.
    Digests(Digests),
    /// The last thing an end says.
    Error {
        /// A [`CloseCode`](super::CloseCode) as a number.
        code: u16,
        /// Text for people.
        text: String,
    },
}

impl Message {
    /// What kind of message this is, as errors and traces name it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Summary(_) => "summary",
            Self::NeedSummary => "need-summary",
            Self::Fill => "fill",
            Self::Batch(_) => "batch",
            Self::Part(_) => "part",
            Self::Ack { .. } => "ack",
            Self::Credit { .. } => "credit",
            Self::CaughtUp => "caught-up",
            Self::Refuse(_) => "refuse",
            Self::Again => "again",
            Self::Ping { .. } => "ping",
            Self::Pong { .. } => "pong",
            Self::Error { .. } => "error",
            Self::Digests(_) => "digests",
        }
    }
}
