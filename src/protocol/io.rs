//! What goes into a [`Session`](super::Session) and what comes out of it.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{CloseCode, Digests, Lineage, Prepared, Reason, Remedy};
use crate::event::{Chain, ChainMark, Commit, EventId, ReplicaId, Seq};
use crate::log::{Cursor, Entry, Epochs, Received};

/// Which end speaks first; the ends are equal in everything after the hellos.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Opened the connection and sends its hello at once.
    Dialer,
    /// Accepted it and answers the dialer's hello with one that knows whom it greets.
    Listener,
}

/// Which way events flow, as seen from this end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction {
    /// Whether this end sends.
    pub push: bool,
    /// Whether this end wants to receive.
    pub pull: bool,
}

/// What this end knows of a peer from earlier sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownPeer {
    /// The peer.
    pub replica: ReplicaId,
    /// How far its log has been read.
    pub cursor: Cursor,
    /// The peer's own last event that is here, with the chain value there.
    pub own: Option<(Seq, Chain)>,
}

/// This end as it stands when a session begins.
#[derive(Clone, Debug)]
pub struct Local {
    /// This replica.
    pub replica: ReplicaId,
    /// Its last own event with the chain value there.
    pub own: Option<(Seq, Chain)>,
    /// Identity of the shared log.
    pub lineage: Lineage,
    /// Whether anybody else holds a part of that log; a lineage that was never shared gives way.
    pub lineage_shared: bool,
    /// The openings of this end's store.
    pub epochs: Epochs,
    /// End of what may be sent: the position after the last sendable entry.
    pub end: u64,
    /// Peers that may be at the other end, the most likely first, with cursors as they are durably
    /// stored; a dialer's hello lists at most
    /// [`HELLO_PEERS_MAX`](crate::limits::HELLO_PEERS_MAX) of them.
    pub peers: Vec<KnownPeer>,
    /// Parts of a large commit that an earlier session with one of these peers staged.
    pub staged: Option<Staged>,
}

/// The parts of one large commit that are here, from the first on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// Who sent them.
    pub peer: ReplicaId,
    /// The commit.
    pub commit: EventId,
    /// Their content, in order.
    pub parts: Vec<Bytes>,
}

/// The owner's answer to [`Output::Greeted`].
#[derive(Clone, Debug)]
pub struct Standing {
    /// What is known of the peer, now that its name is known.
    pub peer: Option<KnownPeer>,
    /// Everything received, for a summary should one be needed.
    pub received: Arc<Received>,
}

/// What the owner of a session tells it.
#[derive(Clone, Debug)]
pub enum Input {
    /// A frame came from the carrier.
    Frame(Bytes),
    /// Answer to [`Output::Greeted`] and [`Output::Stand`].
    Standing(Standing),
    /// Answer to [`Output::Read`] and [`Output::ReadAt`]: entries in ascending order, where to go on
    /// (for `ReadAt`: the position after the last one read), and the sendable end of the log now.
    Entries {
        /// Entries with their positions.
        entries: Vec<(u64, Entry)>,
        /// First position not yet read.
        next: u64,
        /// Sendable end of the log.
        end: u64,
    },
    /// Answer to [`Output::Locate`]: where the entries stand that the peer lacks, and the sendable
    /// end of the log at the moment of asking (positions beyond it are not listed).
    Located {
        /// Ascending positions.
        positions: Vec<u64>,
        /// Sendable end of the log.
        end: u64,
    },
    /// Entries were appended to the log and may be sent.
    Appended(Arc<Prepared>),
    /// A delivery was taken: merged and handed to the store, or stored durably. Deliveries are
    /// taken in order, each at most twice (first not durable, then durable).
    Taken {
        /// Number of the delivery.
        delivery: u64,
        /// Whether everything in it is fsynced.
        durable: bool,
    },
    /// A staged part is durable.
    Staged {
        /// The commit.
        commit: EventId,
        /// Number of the part, from 0.
        index: u32,
    },
    /// A delivered commit was refused. Comes before its delivery is [taken](Self::Taken); what came
    /// before it in its delivery may be kept, and deliveries after it that were polled already are
    /// the peer's to send again: they are answered by `Taken` and otherwise ignored. What the peer
    /// sends from now on is discarded until it begins again.
    Refuse {
        /// The commit.
        commit: EventId,
        /// Why.
        why: Reason,
        /// What its writer can do.
        remedy: Remedy,
    },
    /// The commits that the peer refused were withdrawn: go on after the last position the peer
    /// has acknowledged.
    Again,
    /// Tell the peer what aggregates stand at; nothing happens unless the session is
    /// [open](super::Session::is_open).
    Digests(Digests),
    /// End the session.
    Close {
        /// The code the peer is shown.
        code: CloseCode,
        /// The text the peer is shown.
        reason: String,
    },
    /// Time has passed; see [`Session::deadline`](super::Session::deadline).
    Tick,
}

/// The peer, as its hello introduces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The peer.
    pub replica: ReplicaId,
    /// The peer's last own event.
    pub own: Option<(Seq, Chain)>,
    /// What the peer knows of this end's own events: its proof that this end was restored or
    /// cloned, where it disagrees.
    pub knows_of_us: Option<(Seq, Chain)>,
    /// The peer's wall clock, in milliseconds since 1970.
    pub clock_ms: u64,
    /// The lineage that both ends use from now on, and mark as shared.
    pub lineage: Lineage,
    /// Which way events flow, as seen from this end, both ends' wishes considered.
    pub direction: Direction,
}

/// Some commits that the peer sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its number in this session, from 0.
    pub number: u64,
    /// The commits, in the order of the peer's log. May be empty: then only the cursor moves.
    pub commits: Vec<Delivered>,
    /// How far the peer's log has been read with this delivery; to be stored with it, atomically,
    /// in place of an earlier one. Nothing where the stored one stays as it is. While two ends tell
    /// each other what they lack it is one that no store honours: what the stored one promised does
    /// not hold any more. Not to be stored when a commit of the delivery is refused. Of several
    /// sessions with one peer one may lag behind: within one epoch a stored position never goes back.
    pub cursor: Option<Cursor>,
    /// The commit was assembled from staged parts, which can go once it is stored.
    pub unstage: Option<EventId>,
    /// Bytes that crossed the carrier for it.
    pub bytes: usize,
}

/// One commit that the peer sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The commit.
    pub commit: Commit,
    /// The chain value of its writer that it continues, where the peer knows it and it is the first
    /// of that writer in its batch.
    pub continues: Option<ChainMark>,
}

/// What a session asks of its owner or tells it.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send this frame.
    Send(Bytes),
    /// The peer said who it is. The owner answers with [`Input::Standing`] (or closes).
    Greeted(Greeting),
    /// A summary is needed: the owner answers with [`Input::Standing`].
    Stand,
    /// Read sendable entries from a position on, for sending. Answered by [`Input::Entries`].
    Read {
        /// First position wanted.
        since: u64,
        /// Entries at most.
        entries: usize,
        /// Bytes at most (one entry at least).
        bytes: usize,
    },
    /// Read these entries, for sending. Answered by [`Input::Entries`].
    ReadAt {
        /// Ascending positions.
        positions: Vec<u64>,
        /// Bytes at most (one entry at least).
        bytes: usize,
    },
    /// The peer has only this: find out where the entries stand that it lacks. Answered by
    /// [`Input::Located`].
    Locate(Received),
    /// The peer sent commits. Answered by [`Input::Taken`], and by [`Input::Refuse`] for one that
    /// is not taken.
    Deliver(Delivery),
    /// The peer sent a part of a large commit: to be stored durably. Answered by [`Input::Staged`].
    Stage {
        /// The commit.
        commit: EventId,
        /// Number of the part, from 0.
        index: u32,
        /// Its content.
        bytes: Bytes,
    },
    /// The peer has everything up to this position of the log.
    Acked {
        /// First position not acknowledged.
        position: u64,
        /// Whether it is fsynced there.
        durable: bool,
    },
    /// The peer refused a commit; sending is paused until [`Input::Again`].
    Refused {
        /// The commit.
        commit: EventId,
        /// Why.
        why: Reason,
        /// What its writer can do.
        remedy: Remedy,
        /// The peer's wall clock when it refused, in milliseconds since 1970.
        clock_ms: u64,
    },
    /// Everything that the peer's log held has been delivered; what follows is live. Comes at once
    /// where this end does not receive.
    PeerCaughtUp,
    /// Everything sendable has been sent; what follows is live. Comes at once where this end does
    /// not send, and once more after a refusal.
    CaughtUp,
    /// The peer told what aggregates stand at there.
    Digests(Digests),
    /// The session is over; nothing may follow. The carrier is to be closed with this code.
    Closed {
        /// The code.
        code: CloseCode,
        /// Text for people.
        reason: String,
    },
}
