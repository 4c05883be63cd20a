//! One connection between two replicas, and what its frames show of the promises.
//!
//! Frames of one direction do not overtake each other. What is under way when a connection breaks is
//! lost.

use std::collections::BTreeSet;

use crate::engine::LinkId;
use crate::event::{Commit, EventId};
use crate::protocol::{Message, decode_frame};
use bytes::Bytes;

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
    /// What arrived here, by number of batch; nothing for what this end will not acknowledge.
    batches: Vec<Vec<EventId>>,
    discarding: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) ends: [End; 2],
    pub(crate) edge: usize,
    /// Nothing gets through any more.
    pub(crate) cut: bool,
    pub(crate) once: bool,
    /// Events flow both ways.
    pub(crate) both: bool,
}

/// What a frame holds that the checks ask about.
pub(crate) enum Seen {
    /// Whole commits.
    Commits(Vec<Commit>),
    /// Batches up to one are acknowledged, durably or not: these events.
    Acked(Vec<EventId>, bool),
    /// A piece of a large commit.
    Part(EventId),
    /// A commit is refused.
    Refused,
    /// A summary had to be told.
    Summary,
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
            batches: Vec::new(),
            discarding: false,
        }
    }
}

impl Connection {
    /// Looks at a frame that `from` sends.
    pub(crate) fn sends(&mut self, from: usize, frame: &Bytes) -> Seen {
        let end = &mut self.ends[from];
        match decode_frame(frame).unwrap() {
            Message::Batch(batch) => {
                Seen::Commits(batch.commits.into_iter().map(|d| d.commit).collect())
            }
            Message::Ack { batch, durable } => {
                let acked = end.batches.iter().take(batch as usize + 1);
                Seen::Acked(acked.flatten().copied().collect(), durable)
            }
            Message::Refuse(refusal) => {
                let at = |batch: &Vec<EventId>| batch.contains(&refusal.commit);
                let refused = end.batches.iter().rposition(at).unwrap();
                for batch in end.batches.iter_mut().skip(refused) {
                    batch.clear();
                }
                end.discarding = true;
                Seen::Refused
            }
            Message::Part(part) => Seen::Part(part.commit),
            Message::Summary(_) => Seen::Summary,
            _ => Seen::Other,
        }
    }

    /// Looks at a frame that reaches `to`.
    pub(crate) fn arrives(&mut self, to: usize, frame: &Bytes) {
        let end = &mut self.ends[to];
        match decode_frame(frame).unwrap() {
            Message::Batch(batch) => {
                let ids: BTreeSet<EventId> = batch.commits.iter().map(|d| d.commit.id()).collect();
                let ids = ids.into_iter().filter(|_| !end.discarding);
                end.batches.push(ids.collect());
            }
            Message::Part(part) if part.index + 1 == part.total => {
                let ids = Some(part.commit).filter(|_| !end.discarding);
                end.batches.push(ids.into_iter().collect());
            }
            Message::Again => end.discarding = false,
            _ => {}
        }
    }
}
