//! Connections between two replicas, and what their frames show of the promises.
//!
//! Frames of one direction do not overtake each other. What is under way when a connection breaks is
//! lost. A frame is looked at when it leaves, so what is damaged on its way shows nothing to anybody.

mod blockade;
mod dialing;
mod sending;
mod telling;

use std::collections::BTreeSet;

use bytes::Bytes;

pub(crate) use self::blockade::Blockades;
pub(crate) use self::dialing::BOTH;
pub(crate) use self::telling::told_commit;
use crate::engine::LinkId;
use crate::event::{Commit, EventId, ReplicaId};
use crate::protocol::{Message, decode_frame};

/// One end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) node: usize,
    /// The opening of the replica's store that the connection belongs to.
    pub(crate) opening: u64,
    pub(crate) link: LinkId,
    pub(crate) open: bool,
    /// When the last frame towards this end arrives: frames do not overtake each other.
    pub(crate) busy_until: u64,
    /// Bytes that came here, and that the other end has not been granted again.
    pub(crate) owed: u64,
    /// Parts of large commits that were stored here before the connection was made: of whom, of which
    /// commit, and which.
    pub(crate) staged: Vec<(ReplicaId, EventId, u32)>,
    /// What arrived here, by number of batch; nothing for what this end will not acknowledge.
    batches: Vec<Vec<EventId>>,
    discarding: bool,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and they combine"
)]
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) ends: [End; 2],
    pub(crate) edge: usize,
    /// Nothing gets through any more.
    pub(crate) cut: bool,
    pub(crate) once: bool,
    /// Events flow both ways.
    pub(crate) both: bool,
    /// A frame was damaged on its way, so an end may complain.
    pub(crate) mangled: bool,
    /// An end has told the other what it has received.
    pub(crate) summarizes: bool,
    /// Milliseconds for each KiB.
    pub(crate) slowness: u64,
}

/// What a frame holds that the checks ask about.
pub(crate) enum Seen {
    /// Whole commits.
    Commits(Vec<Commit>),
    /// Batches up to one are acknowledged, durably or not: these events.
    Acked(Vec<EventId>, bool),
    /// A piece of a large commit.
    Part(EventId, u32),
    /// A commit is refused.
    Refused,
    /// A summary had to be told.
    Summary,
    Other,
}

/// What a frame brings to the other end.
#[derive(Debug)]
pub(crate) enum Carried {
    Batch(Vec<EventId>),
    /// The last piece of a large commit.
    LastPart(EventId),
    /// Another piece of one.
    Part,
    Again,
    Other,
}

impl End {
    pub(crate) fn new(node: usize, opening: u64, link: LinkId) -> Self {
        Self {
            node,
            opening,
            link,
            open: false,
            busy_until: 0,
            owed: 0,
            staged: Vec::new(),
            batches: Vec::new(),
            discarding: false,
        }
    }
}

impl Connection {
    /// Looks at a frame that `from` sends.
    pub(crate) fn sends(&mut self, from: usize, frame: &Bytes) -> (Seen, Carried) {
        let end = &mut self.ends[from];
        match decode_frame(frame).unwrap() {
            Message::Batch(batch) => {
                let commits: Vec<Commit> = batch.commits.into_iter().map(|d| d.commit).collect();
                let ids: BTreeSet<EventId> = commits.iter().map(Commit::id).collect();
                (
                    Seen::Commits(commits),
                    Carried::Batch(ids.into_iter().collect()),
                )
            }
            Message::Ack { batch, durable } => {
                let acked = end.batches.iter().take(batch as usize + 1);
                (
                    Seen::Acked(acked.flatten().copied().collect(), durable),
                    Carried::Other,
                )
            }
            Message::Refuse(refusal) => {
                let at = |batch: &Vec<EventId>| batch.contains(&refusal.commit);
                let refused = end.batches.iter().rposition(at).unwrap();
                for batch in end.batches.iter_mut().skip(refused) {
                    batch.clear();
                }
                end.discarding = true;
                (Seen::Refused, Carried::Other)
            }
            Message::Part(part) if part.index + 1 == part.total => (
                Seen::Part(part.commit, part.index),
                Carried::LastPart(part.commit),
            ),
            Message::Part(part) => (Seen::Part(part.commit, part.index), Carried::Part),
            Message::Credit { bytes } => {
                end.owed = end.owed.saturating_sub(bytes);
                (Seen::Other, Carried::Other)
            }
            Message::Summary(_) => {
                self.summarizes = true;
                (Seen::Summary, Carried::Other)
            }
            Message::Again => (Seen::Other, Carried::Again),
            _ => (Seen::Other, Carried::Other),
        }
    }

    /// Takes note of what reaches `to`.
    pub(crate) fn arrives(&mut self, to: usize, carried: Carried, bytes: usize) {
        let end = &mut self.ends[to];
        if matches!(
            carried,
            Carried::Batch(_) | Carried::LastPart(_) | Carried::Part
        ) {
            end.owed += bytes as u64;
        }
        let taken = !end.discarding;
        match carried {
            Carried::Batch(ids) => end.batches.push(if taken { ids } else { Vec::new() }),
            Carried::LastPart(id) => end.batches.push(if taken { vec![id] } else { Vec::new() }),
            Carried::Again => end.discarding = false,
            Carried::Part | Carried::Other => {}
        }
    }

    /// Whether an end still takes it for open.
    pub(crate) fn is_open(&self) -> bool {
        self.ends.iter().any(|end| end.open)
    }
}
