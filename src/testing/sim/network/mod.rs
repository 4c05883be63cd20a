//! Connections between two replicas, and what their frames show of the promises.
//!
//! Frames of one direction do not overtake each other. What is under way when a connection breaks is
//! lost. A frame is looked at when it leaves, so what is damaged on its way shows nothing to anybody.

mod blockade;
mod dialing;
mod sending;
mod telling;

use std::collections::BTreeSet;
use std::rc::Rc;

use bytes::Bytes;

pub(crate) use self::blockade::Blockades;
pub(crate) use self::dialing::BOTH;
pub(crate) use self::telling::told_commit;
use crate::engine::LinkId;
use crate::event::{BlockNames, Commit, EventId, ReplicaId};
use crate::protocol::{Message, decode_frame_with};

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
    /// How many of these were acknowledged as durable.
    acked: usize,
    discarding: bool,
    /// What the numbers stand for that this end has sent.
    pub(crate) names: BlockNames,
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

/// The batch that was looked at last. What is appended to a log is encoded once for everybody, so the
/// next frame often is the same one.
#[derive(Debug, Default)]
pub(crate) struct LastBatch(Option<(Bytes, Rc<[Commit]>)>);

impl LastBatch {
    fn commits_of(&self, frame: &Bytes) -> Option<Rc<[Commit]>> {
        let (last, commits) = self.0.as_ref()?;
        // Kept, so nothing else can be at its place.
        let is_it = last.as_ptr() == frame.as_ptr() && last.len() == frame.len();
        is_it.then(|| Rc::clone(commits))
    }

    fn keep(&mut self, frame: &Bytes, commits: Vec<Commit>) -> Rc<[Commit]> {
        let commits: Rc<[Commit]> = commits.into();
        self.0 = Some((frame.clone(), Rc::clone(&commits)));
        commits
    }
}

fn brought(commits: Rc<[Commit]>) -> (Seen, Carried) {
    let ids: BTreeSet<EventId> = commits.iter().map(Commit::id).collect();
    let ids = ids.into_iter().collect();
    (Seen::Commits(commits), Carried::Batch(ids))
}

/// What a frame holds that the checks ask about.
pub(crate) enum Seen {
    /// Whole commits.
    Commits(Rc<[Commit]>),
    /// Batches up to one are acknowledged as durable: the events of those that were not before.
    Acked(Vec<EventId>),
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
            acked: 0,
            discarding: false,
            names: BlockNames::new(),
        }
    }
}

impl Connection {
    /// Looks at a frame that `from` sends.
    pub(crate) fn sends(
        &mut self,
        from: usize,
        frame: &Bytes,
        last: &mut LastBatch,
    ) -> (Seen, Carried) {
        if let Some(commits) = last.commits_of(frame) {
            return brought(commits);
        }
        let end = &mut self.ends[from];
        match decode_frame_with(frame, &mut end.names, None).unwrap() {
            Message::Batch(batch) => {
                let commits: Vec<Commit> = batch.commits.into_iter().map(|d| d.commit).collect();
                brought(last.keep(frame, commits))
            }
            Message::Ack { batch, durable } => {
                if !durable {
                    return (Seen::Other, Carried::Other);
                }
                let until = (batch as usize + 1).min(end.batches.len());
                let acked = end.batches[end.acked.min(until)..until].concat();
                end.acked = end.acked.max(until);
                (Seen::Acked(acked), Carried::Other)
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
