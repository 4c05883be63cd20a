//! Canonical bytes of events and commits.
//!
//! All integers that say `varint` are LEB128 in their shortest form; the others are little-endian.
//!
//! ```text
//! header   version u8 = 1 | replica 16 | first seq varint | events varint | timestamp u64 | written_ms varint
//! body     aggregate text | event type text | heads varint, each: replica 16, seq varint, tag u16
//!          | 0, or 1 and replaced: replica 16, seq varint | metadata varint, each: key text, value text
//!          | payload bytes                                         (text, bytes: length varint, content)
//! commit   header | for each event: body
//! digest   xxh3-128 of: header | seq varint | body
//! ```

use alloc::vec::Vec;

use super::fact::{Fields, Rare, UNKNOWN};
use super::input::Input;
use super::output::{number_len, put_number};
use super::scratch::{Output, Pen, Scratch};
use super::{
    AggregateId, ChainTag, CodecError, Commit, CommitError, CommitSpan, Digest, Event, EventError,
    EventId, EventType, Head, Heads, Metadata, Payload, ReplicaId, Timestamp,
};
use crate::limits::{
    AGGREGATE_ID_BYTES_MAX, COMMIT_BYTES_MAX, COMMIT_EVENTS_MAX, DIGEST_SCRATCH_BYTES,
    EVENT_TYPE_BYTES_MAX, HEADS_MAX, METADATA_BYTES_MAX, METADATA_ENTRIES_MAX, PAYLOAD_BYTES_MAX,
};

const VERSION: u8 = 1;

/// Appends the canonical bytes of a commit.
pub fn encode_commit(commit: &Commit, out: &mut Vec<u8>) {
    let [first, ..] = commit.events() else { return };
    out.reserve(commit.bytes());
    put_header(first.fields(), out);
    for event in commit.events() {
        put_body(event.fields(), out);
    }
}

/// Reads one commit, which must fill the bytes. Payloads are copied, so the input is not kept
/// alive; nothing is allocated in proportion to a length that the bytes merely claim.
///
/// # Errors
/// [`CodecError`] names what is wrong with the bytes, the event or the commit.
pub fn decode_commit(bytes: &[u8]) -> Result<Commit, CodecError> {
    if bytes.len() > COMMIT_BYTES_MAX {
        let max = COMMIT_BYTES_MAX;
        return Err(CommitError::TooLarge {
            bytes: bytes.len(),
            max,
        }
        .into());
    }
    let mut input = Input::new(bytes);
    let header = read_header(&mut input)?;
    let head = bytes.get(..bytes.len() - input.len());
    let mut digested = Vec::with_capacity(bytes.len() + 16);
    digested.extend_from_slice(head.unwrap_or_default());
    let mut event = |input: &mut Input<'_>, seq| {
        let before = input.rest();
        let fields = read_body(input, &header, EventId::new(header.replica, seq))?;
        let body = before.get(..before.len() - input.len());
        let kept = digested.len();
        put_number(seq.get(), &mut digested);
        digested.extend_from_slice(body.unwrap_or_default());
        let digest = Digest::of(&digested);
        digested.truncate(kept);
        Ok::<_, CodecError>(Event::with_digest(fields, digest)?)
    };
    let first = event(&mut input, header.span.first())?;
    let mut others = Vec::new();
    let mut seq = header.span.first().next();
    while let Some(next) = seq.filter(|seq| header.span.contains(*seq)) {
        others.push(event(&mut input, next)?);
        seq = next.next();
    }
    input.finish()?;
    if others.is_empty() {
        return Ok(Commit::of_one(first, bytes.len())?);
    }
    others.insert(0, first);
    Ok(Commit::with_bytes(others, bytes.len())?)
}

pub(super) fn commit_bytes(events: &[Event]) -> usize {
    let header = events.first().map(|first| header_bytes(first.fields()));
    header.unwrap_or_default()
        + events
            .iter()
            .map(|event| body_bytes(event.fields()))
            .sum::<usize>()
}

/// What the canonical form of an event takes: its commit's header, and what is its own.
#[derive(Clone, Copy)]
pub(super) struct CanonicalBytes {
    pub(super) header: usize,
    pub(super) body: usize,
}

/// The digest of an event. In `scratch` stand as many bytes as are `known` of its header: those that
/// an event of the same commit was digested with, or none. What else is in it is lost.
#[inline]
pub(super) fn digest(
    fields: &Fields,
    known: usize,
    scratch: &mut Scratch,
) -> (Digest, CanonicalBytes) {
    let mut pen = scratch.pen_behind(known);
    if known == 0 {
        put_header(fields, &mut pen);
    }
    let bytes = put_digested(fields, &mut pen, Pen::len);
    match pen.written() {
        Some(digested) => (Digest::of(digested), bytes),
        None => digest_of_many_bytes(fields),
    }
}

/// The same, of an event of any size.
#[inline(never)]
fn digest_of_many_bytes(fields: &Fields) -> (Digest, CanonicalBytes) {
    let mut digested = Vec::with_capacity(fields.payload.len() + DIGEST_SCRATCH_BYTES);
    put_header(fields, &mut digested);
    let bytes = put_digested(fields, &mut digested, Vec::len);
    (Digest::of(&digested), bytes)
}

/// What the digest of an event is made of, behind the header.
#[inline]
fn put_digested<O: Output>(
    fields: &Fields,
    out: &mut O,
    len: impl Fn(&O) -> usize,
) -> CanonicalBytes {
    let header = len(out);
    out.put_number(fields.id.seq.get());
    let before = len(out);
    put_body(fields, out);
    let body = len(out) - before;
    CanonicalBytes { header, body }
}

#[inline]
fn put_header(fields: &Fields, out: &mut impl Output) {
    let commit = fields.commit();
    out.put([VERSION]);
    out.put(fields.id.replica.to_bytes());
    out.put_number(commit.first().get());
    out.put_number(commit.len().into());
    out.put(fields.timestamp.to_bits().to_le_bytes());
    out.put_number(fields.written_ms);
}

#[inline]
fn put_body(fields: &Fields, out: &mut impl Output) {
    fields.aggregate.put_to(out);
    out.put_bytes(fields.event_type.as_str().as_bytes());
    out.put_len(fields.heads.len());
    for head in &fields.heads {
        put_id(head.id, out);
        out.put(head.tag.to_bits().to_le_bytes());
    }
    match &fields.rare {
        Some(rare) if !rare.is_bare() => put_rare(rare, out),
        // Replaces nothing, and no metadata.
        _ => out.put([0, 0]),
    }
    fields.payload.put_to(out);
}

#[inline(never)]
fn put_rare(rare: &Rare, out: &mut impl Output) {
    match rare.replaces {
        None => out.put([0]),
        Some(replaced) => {
            out.put([1]);
            put_id(replaced, out);
        }
    }
    out.put_len(rare.metadata.len());
    for (key, value) in rare.metadata.iter() {
        out.put_bytes(key.as_bytes());
        out.put_bytes(value.as_bytes());
    }
}

#[inline]
fn put_id(id: EventId, out: &mut impl Output) {
    out.put(id.replica.to_bytes());
    out.put_number(id.seq.get());
}

fn header_bytes(fields: &Fields) -> usize {
    1 + 16
        + number_len(fields.commit().first().get())
        + number_len(fields.commit().len().into())
        + 8
        + number_len(fields.written_ms)
}

fn body_bytes(fields: &Fields) -> usize {
    let text = |len: usize| len_bytes(len) + len;
    let id = |id: EventId| 16 + number_len(id.seq.get());
    text(fields.aggregate.as_bytes().len())
        + text(fields.event_type.as_str().len())
        + len_bytes(fields.heads.len())
        + fields
            .heads
            .iter()
            .map(|head| id(head.id) + 2)
            .sum::<usize>()
        + 1
        + fields.replaces().map_or(0, id)
        + len_bytes(fields.metadata().len())
        + fields
            .metadata()
            .iter()
            .map(|(k, v)| text(k.len()) + text(v.len()))
            .sum::<usize>()
        + text(fields.payload.len())
}

fn len_bytes(len: usize) -> usize {
    number_len(u64::try_from(len).unwrap_or(u64::MAX))
}

struct Header {
    replica: ReplicaId,
    span: CommitSpan,
    timestamp: Timestamp,
    written_ms: u64,
}

fn read_header(input: &mut Input<'_>) -> Result<Header, CodecError> {
    let [version] = input.array("format version")?;
    if version != VERSION {
        return Err(CodecError::Unknown {
            what: "event format",
            value: version.into(),
        });
    }
    let replica = input.replica()?;
    let first = input.seq()?;
    let events = input.count("number of events", COMMIT_EVENTS_MAX)?;
    Ok(Header {
        replica,
        span: CommitSpan::new(first, events)?,
        timestamp: Timestamp::from_bits(u64::from_le_bytes(input.array("timestamp")?)),
        written_ms: input.number("wall time")?,
    })
}

fn read_body(input: &mut Input<'_>, header: &Header, id: EventId) -> Result<Fields, CodecError> {
    let aggregate = AggregateId::from_utf8(input.bytes("aggregate id", AGGREGATE_ID_BYTES_MAX)?)?;
    let event_type = input.text("event type", EVENT_TYPE_BYTES_MAX)?;
    Ok(Fields {
        id,
        timestamp: header.timestamp,
        written_ms: header.written_ms,
        aggregate,
        event_type: EventType::new(event_type).map_err(EventError::from)?,
        heads: read_heads(input)?,
        rare: read_rare(input, header.span)?.unless_usual(),
        payload: Payload::copy_of(input.bytes("payload", PAYLOAD_BYTES_MAX)?)
            .map_err(EventError::from)?,
        digest: UNKNOWN,
    })
}

fn read_rare(input: &mut Input<'_>, commit: CommitSpan) -> Result<Rare, CodecError> {
    let replaces = match input.array("replacement flag")? {
        [0] => None,
        [1] => Some(input.id()?),
        [_] => {
            return Err(CodecError::OutOfRange {
                what: "replacement flag",
            });
        }
    };
    Ok(Rare {
        commit,
        replaces,
        metadata: read_metadata(input)?,
    })
}

fn read_heads(input: &mut Input<'_>) -> Result<Heads, CodecError> {
    let count = input.count("number of heads", HEADS_MAX)?;
    if count <= 1 {
        let head = (count == 1).then(|| read_head(input)).transpose()?;
        return Ok(Heads::at_most_one(head));
    }
    let mut heads = Vec::new();
    for _ in 0..count {
        heads.push(read_head(input)?);
    }
    if !heads.is_sorted() {
        return Err(CodecError::Unsorted { what: "heads" });
    }
    Ok(Heads::new(heads)?)
}

fn read_head(input: &mut Input<'_>) -> Result<Head, CodecError> {
    let id = input.id()?;
    let tag = ChainTag::from_bits(u16::from_le_bytes(input.array("tag of a head")?));
    Ok(Head { id, tag })
}

fn read_metadata(input: &mut Input<'_>) -> Result<Metadata, CodecError> {
    let count = input.count("number of metadata entries", METADATA_ENTRIES_MAX)?;
    let mut metadata = Metadata::new();
    let mut last: Option<&str> = None;
    for _ in 0..count {
        let key = input.text("metadata key", METADATA_BYTES_MAX)?;
        let value = input.text("metadata value", METADATA_BYTES_MAX)?;
        if last.is_some_and(|last| last >= key) {
            return Err(CodecError::Unsorted {
                what: "metadata keys",
            });
        }
        last = Some(key);
        metadata.insert(key, value)?;
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventParts, Seq};

    fn event(at: u64, heads: u64, payload: usize) -> Event {
        let seq = |number| Seq::new(number).unwrap();
        let head = |number| Head {
            id: EventId::new(ReplicaId::new(9, number), seq(number)),
            tag: ChainTag::from_bits(7),
        };
        let parts = EventParts {
            id: EventId::new(ReplicaId::new(1, 1), seq(300 + at)),
            commit: CommitSpan::new(seq(300), 4).unwrap(),
            timestamp: Timestamp::at_millis(1_750_000_000_000),
            written_ms: 1_750_000_000_000,
            aggregate: AggregateId::new("item/7").unwrap(),
            event_type: EventType::new("set").unwrap(),
            heads: Heads::new((1..=heads).map(head).collect()).unwrap(),
            replaces: None,
            metadata: Metadata::new(),
            payload: Payload::copy_of(&alloc::vec![7; payload]).unwrap(),
        };
        Event::assemble(parts).unwrap()
    }

    #[test]
    fn an_event_behind_a_known_header_has_the_digest_that_it_has_alone() {
        // The second and the third do not fit the place, and leave the header as it is.
        let events = [
            event(0, 1, 3),
            event(1, 60, 3),
            event(2, 1, 900),
            event(3, 2, 90),
        ];
        let (mut scratch, mut known) = (Scratch::new(), 0);
        for event in &events {
            let (digested, bytes) = digest(event.fields(), known, &mut scratch);
            assert_eq!(digested, event.digest());
            assert_eq!(bytes.header, header_bytes(event.fields()));
            assert_eq!(bytes.body, body_bytes(event.fields()));
            known = bytes.header;
        }
    }
}
