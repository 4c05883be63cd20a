use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::codec;
use super::{
    AggregateId, CommitSpan, Digest, EventError, EventId, EventType, Head, Heads, Metadata,
    OrderKey, Payload, Timestamp,
};

/// Everything an event consists of, by name; [`Event::assemble`] checks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventParts {
    /// Identity.
    pub id: EventId,
    /// The commit it was written with.
    pub commit: CommitSpan,
    /// The hybrid logical stamp, the same for the whole commit.
    pub timestamp: Timestamp,
    /// What the writer's own clock said, in milliseconds since 1970. For display; orders nothing.
    pub written_ms: u64,
    /// The aggregate it changes.
    pub aggregate: AggregateId,
    /// What kind of fact it states.
    pub event_type: EventType,
    /// What its writer had seen of this aggregate.
    pub heads: Heads,
    /// The event of an earlier incarnation that this one stands for.
    pub replaces: Option<EventId>,
    /// Text that travels along.
    pub metadata: Metadata,
    /// Its content.
    pub payload: Payload,
}

/// An immutable fact. Cloning shares it.
///
/// Well formed by construction; equal when all its parts are, which its [digest](Self::digest)
/// stands for. It takes one allocation of 192 bytes, a name of more than 22, a payload of more than 38,
/// several heads, and what few events have, aside.
#[derive(Clone)]
pub struct Event(Arc<Inner>);

struct Inner {
    /// As bytes, which need no alignment.
    digest: [u8; 16],
    fields: Fields,
}

/// The parts as they are kept.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) id: EventId,
    pub(super) timestamp: Timestamp,
    pub(super) written_ms: u64,
    pub(super) aggregate: AggregateId,
    pub(super) event_type: EventType,
    pub(super) heads: Heads,
    pub(super) payload: Payload,
    pub(super) rare: Option<Arc<Rare>>,
}

/// What most events do without. Events of one commit may share it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Rare {
    pub(super) commit: CommitSpan,
    pub(super) replaces: Option<EventId>,
    pub(super) metadata: Metadata,
}

impl Rare {
    /// Nothing for the usual event, which was written alone.
    pub(super) fn unless_usual(self) -> Option<Arc<Self>> {
        let is_usual =
            self.commit.len() == 1 && self.replaces.is_none() && self.metadata.is_empty();
        (!is_usual).then(|| Arc::new(self))
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Self>() + ALLOCATION_OVERHEAD + self.metadata.heap_bytes()
    }
}

/// What an allocation with its two counters takes beside its content.
const ALLOCATION_OVERHEAD: usize = 24;

impl Fields {
    #[inline]
    pub(super) fn commit(&self) -> CommitSpan {
        let rare = self.rare.as_deref();
        rare.map_or(CommitSpan::one(self.id.seq), |rare| rare.commit)
    }

    pub(super) fn replaces(&self) -> Option<EventId> {
        self.rare.as_deref()?.replaces
    }

    #[inline]
    pub(super) fn metadata(&self) -> &Metadata {
        static NONE: Metadata = Metadata::new();
        self.rare.as_deref().map_or(&NONE, |rare| &rare.metadata)
    }
}

impl From<EventParts> for Fields {
    fn from(parts: EventParts) -> Self {
        let rare = Rare {
            commit: parts.commit,
            replaces: parts.replaces,
            metadata: parts.metadata,
        };
        Self {
            id: parts.id,
            timestamp: parts.timestamp,
            written_ms: parts.written_ms,
            aggregate: parts.aggregate,
            event_type: parts.event_type,
            heads: parts.heads,
            payload: parts.payload,
            rare: rare.unless_usual(),
        }
    }
}

impl Event {
    /// Checks the parts and computes the digest. Cost: one pass over the payload.
    ///
    /// # Errors
    /// [`EventError`] names the first rule that the parts break.
    pub fn assemble(parts: EventParts) -> Result<Self, EventError> {
        let id = parts.id;
        if !parts.commit.contains(id.seq) {
            return Err(EventError::OutsideCommit { id });
        }
        let fields = Fields::from(parts);
        let mut scratch = Vec::with_capacity(fields.payload.len() + 192);
        let (digest, _) = codec::digest(&fields, &mut scratch);
        Self::with_digest(fields, digest)
    }

    /// Checks what an event names; the caller has computed the digest from the canonical bytes, and
    /// knows that the event is one of its commit.
    #[inline]
    pub(super) fn with_digest(fields: Fields, digest: Digest) -> Result<Self, EventError> {
        let id = fields.id;
        let is_before = |head: &Head| head.id.replica != id.replica || head.id.seq < id.seq;
        if !fields.heads.iter().all(is_before) {
            return Err(EventError::HeadNotBefore { id });
        }
        if let Some(replaced) = fields.replaces()
            && (replaced.replica.device() != id.replica.device() || replaced.replica == id.replica)
        {
            return Err(EventError::BadReplacement { id, replaced });
        }
        let digest = digest.to_bytes();
        Ok(Self(Arc::new(Inner { digest, fields })))
    }

    /// The same event with a payload of its own, where the bytes may be part of something larger.
    /// Nothing is copied of a short payload, which lies in the event.
    #[must_use]
    pub(crate) fn detached(&self) -> Self {
        if self.0.fields.payload.is_detached() {
            return self.clone();
        }
        let payload = self.0.fields.payload.detached();
        Self(Arc::new(Inner {
            digest: self.0.digest,
            fields: Fields {
                payload,
                ..self.0.fields.clone()
            },
        }))
    }

    /// Bytes of memory that it takes; what it may share with others is counted as its own.
    pub(crate) fn memory_bytes(&self) -> usize {
        let fields = &self.0.fields;
        size_of::<Inner>()
            + ALLOCATION_OVERHEAD
            + fields.aggregate.heap_bytes()
            + fields.heads.heap_bytes()
            + fields.payload.heap_bytes()
            + fields.rare.as_deref().map_or(0, Rare::memory_bytes)
    }

    pub(super) fn fields(&self) -> &Fields {
        &self.0.fields
    }

    /// Identity.
    #[inline]
    pub fn id(&self) -> EventId {
        self.0.fields.id
    }

    /// The commit it was written with.
    pub fn commit(&self) -> CommitSpan {
        self.0.fields.commit()
    }

    /// The hybrid logical stamp.
    #[inline]
    pub fn timestamp(&self) -> Timestamp {
        self.0.fields.timestamp
    }

    /// Position in the order that all replicas share.
    #[inline]
    pub fn order_key(&self) -> OrderKey {
        let EventId { replica, seq } = self.0.fields.id;
        OrderKey {
            timestamp: self.0.fields.timestamp,
            replica,
            seq,
        }
    }

    /// What the writer's own clock said, in milliseconds since 1970.
    pub fn written_ms(&self) -> u64 {
        self.0.fields.written_ms
    }

    /// The aggregate it changes.
    #[inline]
    pub fn aggregate(&self) -> &AggregateId {
        &self.0.fields.aggregate
    }

    /// What kind of fact it states.
    pub fn event_type(&self) -> &EventType {
        &self.0.fields.event_type
    }

    /// What its writer had seen of this aggregate.
    #[inline]
    pub fn heads(&self) -> &Heads {
        &self.0.fields.heads
    }

    /// The event of an earlier incarnation that this one stands for.
    #[inline]
    pub fn replaces(&self) -> Option<EventId> {
        self.0.fields.replaces()
    }

    /// Text that travels along.
    pub fn metadata(&self) -> &Metadata {
        self.0.fields.metadata()
    }

    /// Its content.
    #[inline]
    pub fn payload(&self) -> &Payload {
        &self.0.fields.payload
    }

    /// xxh3-128 over the canonical bytes.
    #[inline]
    pub fn digest(&self) -> Digest {
        Digest::from_bytes(self.0.digest)
    }

    /// All parts, for building a changed copy. Cost: a copy of each.
    pub fn parts(&self) -> EventParts {
        let fields = self.0.fields.clone();
        EventParts {
            id: fields.id,
            commit: fields.commit(),
            timestamp: fields.timestamp,
            written_ms: fields.written_ms,
            replaces: fields.replaces(),
            metadata: fields.metadata().clone(),
            aggregate: fields.aggregate,
            event_type: fields.event_type,
            heads: fields.heads,
            payload: fields.payload,
        }
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.digest == other.0.digest && self.0.fields == other.0.fields)
    }
}

impl Eq for Event {}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("id", &self.id())
            .field("timestamp", &self.timestamp())
            .field("aggregate", self.aggregate())
            .field("event_type", self.event_type())
            .field("heads", self.heads())
            .field("payload", self.payload())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_takes_192_bytes() {
        // Two counters are before it.
        assert!(size_of::<Inner>() + 16 <= 192, "{}", size_of::<Inner>());
    }
}
