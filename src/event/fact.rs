use alloc::sync::Arc;
use core::fmt;

use super::codec::{self, CanonicalBytes};
use super::scratch::Scratch;
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
/// stands for. It takes one allocation of 184 bytes, a name of more than 22, a payload of more than 38,
/// several heads, and what few events have, aside.
#[derive(Clone)]
pub struct Event(Arc<Fields>);

/// The parts as they are kept, with their digest.
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
    /// As bytes, which need no alignment; zeros before it is known.
    pub(super) digest: [u8; 16],
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
        let is_usual = self.commit.len() == 1 && self.is_bare();
        (!is_usual).then(|| Arc::new(self))
    }

    /// Whether it tells nothing but the commit.
    #[inline]
    pub(super) fn is_bare(&self) -> bool {
        self.replaces.is_none() && self.metadata.is_empty()
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Self>() + ALLOCATION_OVERHEAD + self.metadata.heap_bytes()
    }
}

/// The digest of an event before it is known.
pub(super) const UNKNOWN: [u8; 16] = [0; 16];

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

    /// Whether what the event names can be: each head is before it, and what it replaces is of another
    /// incarnation of its device.
    #[inline]
    fn check(&self) -> Result<(), EventError> {
        let id = self.id;
        let is_before = |head: &Head| head.id.replica != id.replica || head.id.seq < id.seq;
        if !self.heads.iter().all(is_before) {
            return Err(EventError::HeadNotBefore { id });
        }
        if let Some(replaced) = self.replaces()
            && (replaced.replica.device() != id.replica.device() || replaced.replica == id.replica)
        {
            return Err(EventError::BadReplacement { id, replaced });
        }
        Ok(())
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
            digest: UNKNOWN,
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
        let mut fields = Fields::from(parts);
        let check = |_| Ok::<_, EventError>(());
        Self::digested(&mut fields, 0, &mut Scratch::new(), check)?;
        Ok(Self::of(fields))
    }

    /// Digests the parts, and checks what they name; the caller knows that the event is one of its
    /// commit, and says whether the digest is that which it should be. Told is what the canonical form
    /// takes. Of its header so many bytes are known, see [`codec::digest`].
    #[inline]
    pub(super) fn digested<E: From<EventError>>(
        fields: &mut Fields,
        known: usize,
        scratch: &mut Scratch,
        check: impl FnOnce(Digest) -> Result<(), E>,
    ) -> Result<CanonicalBytes, E> {
        let (digest, bytes) = codec::digest(fields, known, scratch);
        check(digest)?;
        fields.digest = digest.to_bytes();
        fields.check()?;
        Ok(bytes)
    }

    /// The event of parts that were [digested](Self::digested).
    #[expect(
        clippy::inline_always,
        reason = "the parts are large, and are not copied on their way here"
    )]
    #[inline(always)]
    pub(super) fn of(fields: Fields) -> Self {
        Self(Arc::new(fields))
    }

    /// The same, where the caller has computed the digest.
    pub(super) fn with_digest(mut fields: Fields, digest: Digest) -> Result<Self, EventError> {
        fields.digest = digest.to_bytes();
        fields.check()?;
        Ok(Self(Arc::new(fields)))
    }

    /// The same event with a payload of its own, where the bytes may be part of something larger.
    /// Nothing is copied of a short payload, which lies in the event.
    #[must_use]
    pub(crate) fn detached(&self) -> Self {
        if self.0.payload.is_detached() {
            return self.clone();
        }
        let payload = self.0.payload.detached();
        Self(Arc::new(Fields {
            payload,
            ..Fields::clone(&self.0)
        }))
    }

    /// Bytes of memory that it takes; what it may share with others is counted as its own.
    pub(crate) fn memory_bytes(&self) -> usize {
        let fields = &self.0;
        size_of::<Fields>()
            + ALLOCATION_OVERHEAD
            + fields.aggregate.heap_bytes()
            + fields.heads.heap_bytes()
            + fields.payload.heap_bytes()
            + fields.rare.as_deref().map_or(0, Rare::memory_bytes)
    }

    pub(super) fn fields(&self) -> &Fields {
        &self.0
    }

    /// Identity.
    #[inline]
    pub fn id(&self) -> EventId {
        self.0.id
    }

    /// The commit it was written with.
    pub fn commit(&self) -> CommitSpan {
        self.0.commit()
    }

    /// The hybrid logical stamp.
    #[inline]
    pub fn timestamp(&self) -> Timestamp {
        self.0.timestamp
    }

    /// Position in the order that all replicas share.
    #[inline]
    pub fn order_key(&self) -> OrderKey {
        let EventId { replica, seq } = self.0.id;
        OrderKey {
            timestamp: self.0.timestamp,
            replica,
            seq,
        }
    }

    /// What the writer's own clock said, in milliseconds since 1970.
    pub fn written_ms(&self) -> u64 {
        self.0.written_ms
    }

    /// The aggregate it changes.
    #[inline]
    pub fn aggregate(&self) -> &AggregateId {
        &self.0.aggregate
    }

    /// What kind of fact it states.
    pub fn event_type(&self) -> &EventType {
        &self.0.event_type
    }

    /// What its writer had seen of this aggregate.
    #[inline]
    pub fn heads(&self) -> &Heads {
        &self.0.heads
    }

    /// The event of an earlier incarnation that this one stands for.
    #[inline]
    pub fn replaces(&self) -> Option<EventId> {
        self.0.replaces()
    }

    /// Text that travels along.
    pub fn metadata(&self) -> &Metadata {
        self.0.metadata()
    }

    /// Its content.
    #[inline]
    pub fn payload(&self) -> &Payload {
        &self.0.payload
    }

    /// xxh3-128 over the canonical bytes.
    #[inline]
    pub fn digest(&self) -> Digest {
        Digest::from_bytes(self.0.digest)
    }

    /// All parts, for building a changed copy. Cost: a copy of each.
    pub fn parts(&self) -> EventParts {
        let fields = Fields::clone(&self.0);
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
            || (self.0.digest == other.0.digest && Fields::eq(&self.0, &other.0))
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
    fn an_event_takes_184_bytes() {
        // Two counters are before it, and an allocator that keeps eight bytes of its own has room for
        // these in 192.
        assert!(size_of::<Fields>() + 16 <= 184, "{}", size_of::<Fields>());
    }
}
