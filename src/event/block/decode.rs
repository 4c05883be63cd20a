use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::columns::{CHECKSUM_LEN, Columns, STAMP_ORIGIN, Sum, unzigzag};
use super::layout::{Layout, Track};
use super::lone;
use super::names::BlockNames;
use crate::event::codec::CanonicalBytes;
use crate::event::fact::{Fields, Rare, UNKNOWN};
use crate::event::input::Input;
use crate::event::scratch::Scratch;
use crate::event::{
    ChainTag, CodecError, Commit, CommitSpan, Event, EventError, EventId, Head, Heads, Metadata,
    Payload, ReplicaId, Seq, Timestamp,
};
use crate::limits::{
    COMMIT_EVENTS_MAX, HEADS_MAX, METADATA_BYTES_MAX, METADATA_ENTRIES_MAX, PAYLOAD_BYTES_MAX,
};

/// Reads a block, which must fill the bytes: its commits in their order. See the
/// [format](crate::protocol::wire).
///
/// Payloads share `bytes` and keep it alive; a name that occurs often is read once and shared.
/// Nothing is allocated in proportion to a length that the bytes merely claim. Cost: one look at
/// each event, and its digest.
///
/// # Errors
/// [`CodecError`] names what is wrong with the bytes, an event or a commit; an event that was
/// damaged is [named](CodecError::Checksum).
pub fn decode_block(bytes: &Bytes) -> Result<Vec<Commit>, CodecError> {
    decode_block_with(bytes, BlockNames::NONE)
}

/// The same, where some replicas and event types may be told by numbers.
///
/// # Errors
/// [`CodecError`], also for a number that stands for nothing.
pub fn decode_block_with(bytes: &Bytes, names: &BlockNames) -> Result<Vec<Commit>, CodecError> {
    read_block(bytes, Input::new(bytes), names, |commit| commit)
}

/// The same of a block that is a part of `whole`, which long payloads keep alive; `keep` says as what
/// each commit is kept.
pub(crate) fn read_block<T>(
    whole: &Bytes,
    mut input: Input<'_>,
    names: &BlockNames,
    mut keep: impl FnMut(Commit) -> T,
) -> Result<Vec<T>, CodecError> {
    let bits = input.number("columns of a block")?;
    let columns = Columns::from_bits(bits).ok_or(CodecError::Unknown {
        what: "columns of a block",
        value: bits,
    })?;
    if let Some(commit) = lone::read(whole, input, columns, names) {
        return Ok(vec![keep(commit)]);
    }
    read_many(whole, input, columns, names, keep)
}

/// The general way.
pub(super) fn read_many<T>(
    whole: &Bytes,
    mut input: Input<'_>,
    columns: Columns,
    names: &BlockNames,
    mut keep: impl FnMut(Commit) -> T,
) -> Result<Vec<T>, CodecError> {
    let mut commits = Vec::new();
    if let Some(layout) = Layout::read(&mut input, columns, names)? {
        commits.reserve_exact(layout.commits);
        let column = layout.payloads.rest();
        let mut decoder = Decoder {
            payloads: whole.slice_ref(column),
            stamp: Timestamp::at_millis(STAMP_ORIGIN),
            scratch: Scratch::new(),
            sum: Sum::default(),
            rare: None,
            layout,
        };
        for _ in 0..decoder.layout.commits {
            commits.push(keep(decoder.commit()?));
        }
        let events = decoder.layout.events;
        if decoder.layout.sum != decoder.sum.bytes(events) {
            return Err(CodecError::BlockChecksum { events });
        }
        decoder.layout.finish()?;
    }
    input.finish()?;
    Ok(commits)
}

const HEAD_COUNT: &str = "number of heads";

/// What the events of one commit have in common.
struct Common {
    writer: usize,
    replica: ReplicaId,
    span: CommitSpan,
    timestamp: Timestamp,
    written_ms: u64,
}

struct Decoder<'a> {
    /// All payloads, which long ones keep alive.
    payloads: Bytes,
    stamp: Timestamp,
    /// Canonical bytes of the event at hand.
    scratch: Scratch,
    sum: Sum,
    /// What the first event of the commit at hand has, behind that event.
    rare: Option<Arc<Rare>>,
    layout: Layout<'a>,
}

impl Decoder<'_> {
    fn commit(&mut self) -> Result<Commit, CodecError> {
        let common = self.common()?;
        let span = common.span;
        let (first, CanonicalBytes { header, body }) = self.event(&common, span.first(), 0)?;
        if span.len() == 1 {
            return Ok(Commit::of_one(first, header + body)?);
        }
        self.rare.clone_from(&first.fields().rare);
        let mut events = Vec::with_capacity(usize::try_from(span.len()).unwrap_or(1));
        events.push(first);
        let (mut bytes, mut at, last) = (header + body, span.first(), span.last());
        while at < last
            && let Some(seq) = at.next()
        {
            let (event, more) = self.event(&common, seq, header)?;
            events.push(event);
            bytes += more.body;
            at = seq;
        }
        self.rare = None;
        Ok(Commit::of_many(events, bytes)?)
    }

    #[inline]
    fn common(&mut self) -> Result<Common, CodecError> {
        let layout = &mut self.layout;
        let others = layout.lengths.number("length of a commit")?;
        let writer = layout.writers.next("writer")?;
        let out_of_range = CodecError::OutOfRange { what: "writer" };
        let track = layout.tracks.get_mut(writer).ok_or(out_of_range)?;
        let first = match track.next {
            None => layout.firsts.number("first seq")?,
            Some(expected) => unzigzag(expected, layout.steps.number("step of seqs")?),
        };
        let first = Seq::new(first).ok_or(CodecError::OutOfRange { what: "first seq" })?;
        let span = match others {
            0 => CommitSpan::one(first),
            others => {
                let others = usize::try_from(others).unwrap_or(COMMIT_EVENTS_MAX);
                CommitSpan::new(first, others.saturating_add(1))?
            }
        };
        track.next = Some(span.last().get().wrapping_add(1));
        let stamp = layout.stamps.next();
        let stamp = stamp.ok_or(CodecError::Truncated { what: "stamp" })?;
        let timestamp = stamp.after(self.stamp)?;
        self.stamp = timestamp;
        let wall = layout.walls.number("wall time")?;
        Ok(Common {
            writer,
            replica: track.id,
            span,
            timestamp,
            written_ms: unzigzag(timestamp.millis(), wall),
        })
    }

    /// An event, and what its canonical form takes. Behind the first of a commit, the bytes of the
    /// header are known, and stand where that one was digested.
    fn event(
        &mut self,
        common: &Common,
        seq: Seq,
        known: usize,
    ) -> Result<(Event, CanonicalBytes), CodecError> {
        let id = EventId::new(common.replica, seq);
        let aggregate = self.layout.aggregates.references.next("aggregate")?;
        let kind = self.layout.types.references.next("event type")?;
        let (name, latest) = match self.layout.aggregates.entries.get_mut(aggregate) {
            Some(named) => (named.name.clone(), named.latest.replace(id)),
            None => return Err(CodecError::OutOfRange { what: "aggregate" }),
        };
        let Some(event_type) = self.layout.types.entries.get(kind).cloned() else {
            return Err(CodecError::OutOfRange { what: "event type" });
        };
        let mut fields = Fields {
            id,
            timestamp: common.timestamp,
            written_ms: common.written_ms,
            aggregate: name,
            event_type,
            heads: self.heads(latest)?,
            rare: self.rare(common)?,
            payload: self.payload()?,
            digest: UNKNOWN,
        };
        if let Some(track) = self.layout.tracks.get_mut(common.writer) {
            track.seen = seq.get();
        }
        let (checksums, sum) = (&mut self.layout.checksums, &mut self.sum);
        let bytes = Event::digested(&mut fields, known, &mut self.scratch, |digest| {
            let checksum: [u8; CHECKSUM_LEN] = checksums.array("checksum")?;
            if digest.to_bytes().first_chunk() != Some(&checksum) {
                return Err(CodecError::Checksum { id });
            }
            sum.add(digest);
            Ok(())
        })?;
        Ok((Event::of(fields), bytes))
    }

    /// What most events do without: nothing where the block tells none of it.
    #[inline]
    fn rare(&mut self, common: &Common) -> Result<Option<Arc<Rare>>, CodecError> {
        let layout = &self.layout;
        let are_told = layout.replaced.is_there() || layout.metadata.is_there();
        if are_told || (self.rare.is_none() && common.span.len() > 1) {
            return self.told_rare(common);
        }
        Ok(self.rare.clone())
    }

    /// Where nothing is told of one event of a commit, it is what the first one has, if nothing was told
    /// of that one either.
    fn told_rare(&mut self, common: &Common) -> Result<Option<Arc<Rare>>, CodecError> {
        let (replaces, metadata) = (self.replaces()?, self.metadata()?);
        if replaces.is_none()
            && metadata.is_empty()
            && let Some(first) = &self.rare
            && first.is_bare()
        {
            return Ok(Some(Arc::clone(first)));
        }
        let rare = Rare {
            commit: common.span,
            replaces,
            metadata,
        };
        Ok(rare.unless_usual())
    }

    #[inline]
    fn heads(&mut self, latest: Option<EventId>) -> Result<Heads, CodecError> {
        let layout = &mut self.layout;
        match layout.head_counts.number(HEAD_COUNT)? {
            0 => Ok(Heads::NONE),
            1 => {
                let id = latest.ok_or(CodecError::OutOfRange { what: HEAD_COUNT })?;
                let tag = layout.head_tags.array("tag of a head")?;
                let tag = ChainTag::from_bits(u16::from_le_bytes(tag));
                Ok(Heads::at_most_one(Some(Head { id, tag })))
            }
            2 => Ok(Heads::at_most_one(Some(self.told_head()?))),
            number => self.other_heads(number - 1),
        }
    }

    /// A head that the block tells, rather than that it is the last event here.
    #[inline]
    fn told_head(&mut self) -> Result<Head, CodecError> {
        let layout = &mut self.layout;
        let replica = layout.head_ids.number("head")?;
        let id = named(&mut layout.tracks, replica, &mut layout.head_ids)?;
        let tag = u16::from_le_bytes(layout.head_tags.array("tag of a head")?);
        let tag = ChainTag::from_bits(tag);
        Ok(Head { id, tag })
    }

    fn other_heads(&mut self, count: u64) -> Result<Heads, CodecError> {
        let count = usize::try_from(count).ok();
        let count = count.filter(|count| *count <= HEADS_MAX);
        let count = count.ok_or(CodecError::OutOfRange { what: HEAD_COUNT })?;
        let mut heads = Vec::new();
        for _ in 0..count {
            heads.push(self.told_head()?);
        }
        Ok(Heads::new(heads)?)
    }

    fn replaces(&mut self) -> Result<Option<EventId>, CodecError> {
        let layout = &mut self.layout;
        match layout.replaced.number("replaced event")? {
            0 => Ok(None),
            replica => named(&mut layout.tracks, replica - 1, layout.replaced.input()).map(Some),
        }
    }

    fn metadata(&mut self) -> Result<Metadata, CodecError> {
        let what = "number of metadata entries";
        let mut metadata = Metadata::new();
        let column = &mut self.layout.metadata;
        let entries = usize::try_from(column.number(what)?).unwrap_or(usize::MAX);
        if entries > METADATA_ENTRIES_MAX {
            return Err(CodecError::OutOfRange { what });
        }
        for _ in 0..entries {
            let key = column.input().text("metadata key", METADATA_BYTES_MAX)?;
            let value = column.input().text("metadata value", METADATA_BYTES_MAX)?;
            metadata.insert(key, value)?;
        }
        if metadata.len() == entries {
            Ok(metadata)
        } else {
            Err(CodecError::OutOfRange { what })
        }
    }

    #[inline]
    fn payload(&mut self) -> Result<Payload, CodecError> {
        let what = "size of a payload";
        let size = self.layout.sizes.next(self.layout.payloads.len(), what)?;
        let size = usize::try_from(size)
            .ok()
            .filter(|size| *size <= PAYLOAD_BYTES_MAX);
        let size = size.ok_or(CodecError::OutOfRange { what })?;
        let from = self.payloads.len() - self.layout.payloads.len();
        let taken = self.layout.payloads.take(size, "payload")?;
        let payload = Payload::part_of(taken, || self.payloads.slice(from..from + size));
        Ok(payload.map_err(EventError::from)?)
    }
}

/// An event of a replica of the block, told from the last one of it.
#[inline]
fn named(tracks: &mut [Track], replica: u64, input: &mut Input<'_>) -> Result<EventId, CodecError> {
    let index = usize::try_from(replica).unwrap_or(usize::MAX);
    let track = tracks.get_mut(index);
    let track = track.ok_or(CodecError::OutOfRange { what: "replica" })?;
    track.seen = unzigzag(track.seen, input.number("seq")?);
    let seq = Seq::new(track.seen).ok_or(CodecError::OutOfRange { what: "seq" })?;
    Ok(EventId::new(track.id, seq))
}
