use alloc::sync::Arc;
use alloc::vec::Vec;

use super::codec;
use super::{Chain, CommitError, Event, EventId, ReplicaId, Seq, Timestamp};
use crate::limits::{COMMIT_BYTES_MAX, COMMIT_EVENTS_MAX};

/// Which consecutive seqs of a replica were written as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommitSpan {
    first: Seq,
    len: u32,
}

impl CommitSpan {
    /// A span of `len` seqs from `first`.
    ///
    /// # Errors
    /// [`CommitError`] when it is empty, longer than 8,192 or passes the end of the seqs.
    pub fn new(first: Seq, len: usize) -> Result<Self, CommitError> {
        if len == 0 {
            return Err(CommitError::Empty);
        }
        let too_many = CommitError::TooManyEvents {
            events: len,
            max: COMMIT_EVENTS_MAX,
        };
        if len > COMMIT_EVENTS_MAX {
            return Err(too_many);
        }
        let Ok(len) = u32::try_from(len) else {
            return Err(too_many);
        };
        if first.get().checked_add(u64::from(len) - 1).is_none() {
            return Err(too_many);
        }
        Ok(Self { first, len })
    }

    /// That of an event which was written alone.
    pub(super) const fn one(seq: Seq) -> Self {
        Self { first: seq, len: 1 }
    }

    /// The first seq, which names the commit.
    pub const fn first(self) -> Seq {
        self.first
    }

    /// The last seq.
    pub fn last(self) -> Seq {
        Seq::new(self.first.get() + (u64::from(self.len) - 1)).unwrap_or(self.first)
    }

    /// How many events, 1 to 8,192.
    pub const fn len(self) -> u32 {
        self.len
    }

    /// Always false; a commit holds at least one event.
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Whether the seq is one of the commit's.
    pub fn contains(self, seq: Seq) -> bool {
        self.first <= seq && seq <= self.last()
    }
}

/// Several events written as one: one writer, one timestamp, consecutive seqs.
///
/// Atomic in delivery, durability and visibility; each of its events is admitted or rejected by its
/// own aggregate. At least one event, at most 8,192, at most 8 MiB of canonical bytes. Cloning
/// shares the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit(Events);

/// One event needs no list.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Events {
    One { event: Event, bytes: u32 },
    Many(Arc<Many>),
}

/// Two events or more.
#[derive(Debug, PartialEq, Eq)]
struct Many {
    events: Vec<Event>,
    bytes: usize,
}

impl Commit {
    /// Checks that the events form one commit. Cost: their encoded size is computed.
    ///
    /// # Errors
    /// [`CommitError`] names the event and the field that do not fit.
    pub fn new(events: Vec<Event>) -> Result<Self, CommitError> {
        let bytes = codec::commit_bytes(&events);
        Self::with_bytes(events, bytes)
    }

    pub(super) fn with_bytes(mut events: Vec<Event>, bytes: usize) -> Result<Self, CommitError> {
        check(&events, bytes)?;
        match events.pop() {
            Some(event) if events.is_empty() => Self::one(event, bytes),
            last => {
                events.extend(last);
                events.shrink_to_fit();
                Ok(Self(Events::Many(Arc::new(Many { events, bytes }))))
            }
        }
    }

    /// The same of two events or more that are one commit, which the caller knows.
    pub(super) fn of_many(events: Vec<Event>, bytes: usize) -> Result<Self, CommitError> {
        if bytes > COMMIT_BYTES_MAX {
            return Err(too_large(bytes));
        }
        debug_assert_eq!(check(&events, bytes), Ok(()), "they are one commit");
        Ok(Self(Events::Many(Arc::new(Many { events, bytes }))))
    }

    /// The commit of an event that was written alone, which the caller knows.
    pub(super) fn of_one(event: Event, bytes: usize) -> Result<Self, CommitError> {
        debug_assert_eq!(event.commit().len(), 1, "it was written alone");
        Self::one(event, bytes)
    }

    #[inline]
    fn one(event: Event, bytes: usize) -> Result<Self, CommitError> {
        match u32::try_from(bytes) {
            Ok(short) if bytes <= COMMIT_BYTES_MAX => {
                let bytes = short;
                Ok(Self(Events::One { event, bytes }))
            }
            _ => Err(too_large(bytes)),
        }
    }

    /// The id of the first event, which names the commit.
    pub fn id(&self) -> EventId {
        EventId::new(self.replica(), self.span().first())
    }

    /// The writer.
    pub fn replica(&self) -> ReplicaId {
        self.head().id().replica
    }

    /// The seqs.
    pub fn span(&self) -> CommitSpan {
        self.head().commit()
    }

    /// The one timestamp of all its events.
    pub fn timestamp(&self) -> Timestamp {
        self.head().timestamp()
    }

    /// The events in the order of seqs, never empty.
    pub fn events(&self) -> &[Event] {
        match &self.0 {
            Events::One { event, .. } => core::slice::from_ref(event),
            Events::Many(many) => &many.events,
        }
    }

    /// Size of the encoded commit, in bytes.
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Events::One { bytes, .. } => usize::try_from(*bytes).unwrap_or(usize::MAX),
            Events::Many(many) => many.bytes,
        }
    }

    /// The chain value after this commit, given the one before it.
    #[must_use]
    pub fn chain_after(&self, before: Chain) -> Chain {
        self.events()
            .iter()
            .fold(before, |chain, event| chain.extend(event.digest()))
    }

    /// The same commit with payloads of its own: what is kept for long must not keep alive a block of
    /// which it is a small part.
    #[cfg(feature = "fjall")]
    pub(crate) fn detached(&self) -> Self {
        Self(match &self.0 {
            Events::One { event, bytes } => Events::One {
                event: event.detached(),
                bytes: *bytes,
            },
            Events::Many(many) => Events::Many(Arc::new(Many {
                events: many.events.iter().map(Event::detached).collect(),
                bytes: many.bytes,
            })),
        })
    }

    fn head(&self) -> &Event {
        match &self.0 {
            Events::One { event, .. } => event,
            #[expect(
                clippy::indexing_slicing,
                reason = "checked at construction: a commit is not empty"
            )]
            Events::Many(many) => &many.events[0],
        }
    }
}

/// Whether the events form one commit of so many encoded bytes.
fn check(events: &[Event], bytes: usize) -> Result<(), CommitError> {
    let Some(first) = events.first() else {
        return Err(CommitError::Empty);
    };
    let span = first.commit();
    if events.len() > COMMIT_EVENTS_MAX {
        let max = COMMIT_EVENTS_MAX;
        return Err(CommitError::TooManyEvents {
            events: events.len(),
            max,
        });
    }
    if u32::try_from(events.len()) != Ok(span.len()) || first.id().seq != span.first() {
        return Err(CommitError::OutOfPlace { id: first.id() });
    }
    if bytes > COMMIT_BYTES_MAX {
        return Err(too_large(bytes));
    }
    let mut expected = Some(span.first());
    for event in events {
        let id = event.id();
        let mixed = |what| CommitError::Mixed { id, what };
        if id.replica != first.id().replica {
            return Err(mixed("replica"));
        }
        if event.commit() != span {
            return Err(mixed("span"));
        }
        if event.timestamp() != first.timestamp() {
            return Err(mixed("timestamp"));
        }
        if event.written_ms() != first.written_ms() {
            return Err(mixed("wall time"));
        }
        if expected != Some(id.seq) {
            return Err(CommitError::OutOfPlace { id });
        }
        expected = id.seq.next();
    }
    Ok(())
}

fn too_large(bytes: usize) -> CommitError {
    let max = COMMIT_BYTES_MAX;
    CommitError::TooLarge { bytes, max }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_takes_little_beside_its_events() {
        assert_eq!(size_of::<Commit>(), 16);
    }
}
