use alloc::vec::Vec;

use thiserror::Error;

use crate::event::cbor::{self, Kind, Reader, Writer};
use crate::event::{
    ChainTag, Digest, EventId, Head, OrderKey, PayloadError, ReplicaId, Seq, SetHash, Timestamp,
    VersionVector,
};
use crate::merge::Shortcuts;

/// The fold of one aggregate as a store keeps it: its state and what is needed to go on from there
/// without the events.
///
/// Stored as one item of canonical CBOR; the form is this version's own and a cache: whatever does
/// not read it loads the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFold {
    pub(super) fingerprint: Digest,
    pub(super) state: Vec<u8>,
    pub(super) heads: Vec<(Head, Timestamp)>,
    pub(super) last: Option<OrderKey>,
    pub(super) seen: VersionVector,
    pub(super) strays: VersionVector,
    pub(super) replaced: Vec<EventId>,
    pub(super) events: u64,
    pub(super) rejections: u64,
    /// What the events amount to as a set.
    pub(super) set: SetHash,
    /// Shortcuts that had nothing to do with it.
    pub(super) avoided: Shortcuts,
}

/// A fold that cannot be gone on from.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StaleFold {
    /// No rule is bound to the aggregate's type any more.
    #[error("no resolver is bound to this aggregate type")]
    NoResolver,
    /// It was made by another rule, version or configuration.
    #[error("the fold was made under the rule {stored}, the rule is now {current}")]
    OtherRule {
        /// Fingerprint of the rule that made it.
        stored: Digest,
        /// Fingerprint of the rule that is bound now.
        current: Digest,
    },
    /// The rule does not read the state.
    #[error(transparent)]
    Unreadable(#[from] PayloadError),
}

/// Bytes that are not a stored fold of this version.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("not a stored fold: {reason}")]
pub struct FoldError {
    /// What is wrong.
    pub reason: PayloadError,
}

/// Raised whenever the form changes.
const VERSION: u64 = 2;

impl StoredFold {
    /// Under which rule it was made.
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// The encoded state.
    pub fn state(&self) -> &[u8] {
        &self.state
    }

    /// The heads with their timestamps, in the order of ids.
    pub fn heads(&self) -> &[(Head, Timestamp)] {
        &self.heads
    }

    /// The greatest timestamp of the valid events.
    pub fn latest(&self) -> Option<Timestamp> {
        self.last.map(|key| key.timestamp)
    }

    /// What the valid events amount to as one past.
    pub fn vector(&self) -> &VersionVector {
        &self.seen
    }

    /// How many events were folded, and how many of them are refused.
    pub fn counts(&self) -> (u64, u64) {
        (self.events, self.rejections)
    }

    /// What the events amount to as a set.
    pub fn set(&self) -> SetHash {
        self.set
    }

    /// The shortcuts that were not taken on the way to it.
    pub fn avoided(&self) -> Shortcuts {
        self.avoided
    }

    /// The bytes to store.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.array(12)
            .uint(VERSION)
            .bytes(&self.fingerprint.to_bytes())
            .bytes(&self.state);
        out.array(self.heads.len());
        for (head, timestamp) in &self.heads {
            out.array(4);
            put_id(head.id, &mut out);
            out.uint(head.tag.to_bits().into())
                .uint(timestamp.to_bits());
        }
        match self.last {
            None => out.null(),
            Some(key) => {
                out.array(3);
                put_id(key.id(), &mut out);
                out.uint(key.timestamp.to_bits())
            }
        };
        put_ids(self.seen.iter(), &mut out);
        put_ids(self.strays.iter(), &mut out);
        put_ids(self.replaced.iter().copied(), &mut out);
        out.uint(self.events).uint(self.rejections);
        out.bytes(&self.set.to_bytes())
            .uint(self.avoided.to_bits().into());
        out.into_bytes()
    }

    /// Whether some bytes are a stored fold of an earlier version, which is no damage: the aggregate is
    /// folded from its events.
    pub fn is_earlier(bytes: &[u8]) -> bool {
        let mut input = Reader::new(bytes);
        let version = input.array().and_then(|_| input.uint());
        version.is_ok_and(|version| version < VERSION) && cbor::check(bytes).is_ok()
    }

    /// The inverse of [`encode`](Self::encode).
    ///
    /// # Errors
    /// [`FoldError`] when the bytes are damaged or of another version.
    pub fn decode(bytes: &[u8]) -> Result<Self, FoldError> {
        read(&mut Reader::new(bytes)).map_err(|reason| FoldError { reason })
    }
}

fn put_id(id: EventId, out: &mut Writer) {
    out.bytes(&id.replica.to_bytes()).uint(id.seq.get());
}

fn put_ids(ids: impl ExactSizeIterator<Item = EventId>, out: &mut Writer) {
    out.array(ids.len());
    for id in ids {
        out.array(2);
        put_id(id, out);
    }
}

fn read(input: &mut Reader<'_>) -> Result<StoredFold, PayloadError> {
    expect(input.array()?, 12)?;
    expect(input.uint()?, VERSION)?;
    let fingerprint = Digest::from_bytes(sixteen(input)?);
    let state = input.bytes()?.to_vec();
    let mut heads = Vec::new();
    for _ in 0..input.array()? {
        expect(input.array()?, 4)?;
        let id = read_id(input)?;
        let bits = u16::try_from(input.uint()?).map_err(|_| unreadable("a tag has 16 bits"))?;
        let head = Head {
            id,
            tag: ChainTag::from_bits(bits),
        };
        heads.push((head, Timestamp::from_bits(input.uint()?)));
    }
    let last = if input.peek()? == Kind::Null {
        input.null()?;
        None
    } else {
        expect(input.array()?, 3)?;
        let EventId { replica, seq } = read_id(input)?;
        Some(OrderKey {
            timestamp: Timestamp::from_bits(input.uint()?),
            replica,
            seq,
        })
    };
    let seen = read_ids(input)?.into_iter().collect();
    let strays = read_ids(input)?.into_iter().collect();
    let replaced = read_ids(input)?;
    let (events, rejections) = (input.uint()?, input.uint()?);
    let set = SetHash::from_bytes(sixteen(input)?);
    let avoided = u8::try_from(input.uint()?).map_err(|_| unreadable("shortcuts have 8 bits"))?;
    input.finish()?;
    Ok(StoredFold {
        fingerprint,
        state,
        heads,
        last,
        seen,
        strays,
        replaced,
        events,
        rejections,
        set,
        avoided: Shortcuts::from_bits(avoided),
    })
}

fn read_id(input: &mut Reader<'_>) -> Result<EventId, PayloadError> {
    let replica = ReplicaId::from_bytes(sixteen(input)?);
    let seq = Seq::new(input.uint()?).ok_or_else(|| unreadable("a seq is zero"))?;
    Ok(EventId::new(replica, seq))
}

fn read_ids(input: &mut Reader<'_>) -> Result<Vec<EventId>, PayloadError> {
    let mut ids = Vec::new();
    for _ in 0..input.array()? {
        expect(input.array()?, 2)?;
        ids.push(read_id(input)?);
    }
    Ok(ids)
}

fn sixteen(input: &mut Reader<'_>) -> Result<[u8; 16], PayloadError> {
    input
        .bytes()?
        .try_into()
        .map_err(|_| unreadable("expected 16 bytes"))
}

fn expect<T: Copy + PartialEq + core::fmt::Display>(
    found: T,
    expected: T,
) -> Result<(), PayloadError> {
    if found == expected {
        return Ok(());
    }
    Err(unreadable(&alloc::format!(
        "expected {expected}, found {found}"
    )))
}

fn unreadable(reason: &str) -> PayloadError {
    PayloadError::Unreadable {
        reason: reason.into(),
    }
}
