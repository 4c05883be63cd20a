use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::codec;
use super::{
    AggregateId, CommitSpan, Digest, EventError, EventId, EventType, Heads, Metadata, OrderKey,
    Payload, Timestamp,
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
/// stands for.
#[derive(Clone)]
pub struct Event(Arc<Inner>);

struct Inner {
    parts: EventParts,
    digest: Digest,
}

impl Event {
    /// Checks the parts and computes the digest. Cost: one pass over the payload.
    ///
    /// # Errors
    /// [`EventError`] names the first rule that the parts break.
    pub fn assemble(parts: EventParts) -> Result<Self, EventError> {
        let mut scratch = Vec::with_capacity(parts.payload.len() + 192);
        let digest = codec::digest(&parts, &mut scratch);
        Self::with_digest(parts, digest)
    }

    /// Checks the parts; the caller has computed the digest from their canonical bytes.
    pub(super) fn with_digest(parts: EventParts, digest: Digest) -> Result<Self, EventError> {
        let id = parts.id;
        if !parts.commit.contains(id.seq) {
            return Err(EventError::OutsideCommit { id });
        }
        if parts
            .heads
            .iter()
            .any(|head| head.id.replica == id.replica && head.id.seq >= id.seq)
        {
            return Err(EventError::HeadNotBefore { id });
        }
        if let Some(replaced) = parts.replaces
            && (replaced.replica.device() != id.replica.device() || replaced.replica == id.replica)
        {
            return Err(EventError::BadReplacement { id, replaced });
        }
        Ok(Self(Arc::new(Inner { parts, digest })))
    }

    /// The same event with a payload of its own, where the bytes may be part of something larger.
    pub(crate) fn detached(&self) -> Self {
        let payload = self.0.parts.payload.detached();
        Self(Arc::new(Inner {
            parts: EventParts {
                payload,
                ..self.0.parts.clone()
            },
            digest: self.0.digest,
        }))
    }

    /// Identity.
    pub fn id(&self) -> EventId {
        self.0.parts.id
    }

    /// The commit it was written with.
    pub fn commit(&self) -> CommitSpan {
        self.0.parts.commit
    }

    /// The hybrid logical stamp.
    pub fn timestamp(&self) -> Timestamp {
        self.0.parts.timestamp
    }

    /// Position in the order that all replicas share.
    pub fn order_key(&self) -> OrderKey {
        let EventId { replica, seq } = self.0.parts.id;
        OrderKey {
            timestamp: self.0.parts.timestamp,
            replica,
            seq,
        }
    }

    /// What the writer's own clock said, in milliseconds since 1970.
    pub fn written_ms(&self) -> u64 {
        self.0.parts.written_ms
    }

    /// The aggregate it changes.
    pub fn aggregate(&self) -> &AggregateId {
        &self.0.parts.aggregate
    }

    /// What kind of fact it states.
    pub fn event_type(&self) -> &EventType {
        &self.0.parts.event_type
    }

    /// What its writer had seen of this aggregate.
    pub fn heads(&self) -> &Heads {
        &self.0.parts.heads
    }

    /// The event of an earlier incarnation that this one stands for.
    pub fn replaces(&self) -> Option<EventId> {
        self.0.parts.replaces
    }

    /// Text that travels along.
    pub fn metadata(&self) -> &Metadata {
        &self.0.parts.metadata
    }

    /// Its content.
    pub fn payload(&self) -> &Payload {
        &self.0.parts.payload
    }

    /// xxh3-128 over the canonical bytes.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// All parts, for building a changed copy.
    pub fn parts(&self) -> &EventParts {
        &self.0.parts
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.digest == other.0.digest && self.0.parts == other.0.parts)
    }
}

impl Eq for Event {}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("id", &self.0.parts.id)
            .field("timestamp", &self.0.parts.timestamp)
            .field("aggregate", &self.0.parts.aggregate)
            .field("event_type", &self.0.parts.event_type)
            .field("heads", &self.0.parts.heads)
            .field("payload", &self.0.parts.payload)
            .finish_non_exhaustive()
    }
}
