//! Blocks of one event: what is written and read most often where replicas are connected.
//!
//! Such a block has no lists, so nothing has to be laid out before it is read: what the columns would
//! hold stands one after the other. The invariant kept here: the bytes, and what is read, are those of
//! the general way. Whatever is unusual, or wrong, is left to that one.

use alloc::vec::Vec;

use bytes::Bytes;

use super::columns::{CHECKSUM_LEN, Columns, NIBBLE_FULL, STAMP_ORIGIN, Sum, unzigzag, zigzag};
use super::encode::{put_known, put_stamp};
use super::layout::{ToldStamp, read_replica, read_type};
use super::names::BlockNames;
use crate::event::fact::{Fields, UNKNOWN};
use crate::event::input::Input;
use crate::event::output::{put_bytes, put_len, put_number};
use crate::event::scratch::Scratch;
use crate::event::{
    AggregateId, ChainTag, CodecError, Commit, Event, EventId, Head, Heads, Payload, ReplicaId,
    Seq, Timestamp,
};
use crate::limits::{AGGREGATE_ID_BYTES_MAX, HEADS_MAX, PAYLOAD_BYTES_MAX};

/// What the block of a usual event may tell: no lists, nothing replaced, no metadata.
const USUAL: Columns = Columns::HEADS.and(Columns::NAMES).and(Columns::WALLS);

/// The checksum of an event, and the sum of all: where there is one event they follow each other, as in
/// its digest.
const SEAL_LEN: usize = CHECKSUM_LEN + Sum::len(1);

/// Heads of other replicas that need no list.
const FEW: usize = 3;

/// The commit of a usual event; nothing if the block is another one, or if anything is wrong with it,
/// which the general way tells.
#[inline]
pub(super) fn read(
    whole: &Bytes,
    input: Input<'_>,
    columns: Columns,
    names: &BlockNames,
) -> Option<Commit> {
    if !columns.are_among(USUAL) {
        return None;
    }
    let (mut fields, seal) = read_fields(whole, input, columns, names).ok().flatten()?;
    let digested = Event::digested(&mut fields, 0, &mut Scratch::new(), |digest| {
        let is_it = digest.to_bytes().first_chunk() == Some(&seal);
        let events = 1;
        is_it
            .then_some(())
            .ok_or(CodecError::BlockChecksum { events })
    });
    let bytes = digested.ok()?;
    Commit::of_one(Event::of(fields), bytes.header + bytes.body).ok()
}

/// The event, and what its digest begins with if it is the one that was written.
fn read_fields(
    whole: &Bytes,
    mut input: Input<'_>,
    columns: Columns,
    names: &BlockNames,
) -> Result<Option<(Fields, [u8; SEAL_LEN])>, CodecError> {
    let input = &mut input;
    let names = columns.has(Columns::NAMES).then_some(names);
    let writer = read_replica(input, names)?;
    let (mut few, mut many) = ([Track::of(writer); FEW + 1], Vec::new());
    let mut tracks = few.as_mut_slice();
    if columns.has(Columns::HEADS) {
        let others = input.count("number of replicas", HEADS_MAX)?;
        if others > FEW {
            many.resize(others + 1, Track::of(writer));
            tracks = &mut many;
        }
        for track in tracks.iter_mut().skip(1).take(others) {
            track.id = read_replica(input, names)?;
        }
        tracks = tracks.get_mut(..=others).unwrap_or_default();
    }
    let event_type = read_type(input, names)?;
    let Some(aggregate) = read_name(input)? else {
        return Ok(None);
    };
    let Some(seq) = Seq::new(input.number("first seq")?) else {
        return Ok(None);
    };
    let timestamp = ToldStamp::read(input)?.after(Timestamp::at_millis(STAMP_ORIGIN))?;
    let mut wall = 0;
    if columns.has(Columns::WALLS) {
        wall = input.number("wall time")?;
    }
    let mut heads = Heads::NONE;
    if columns.has(Columns::HEADS) {
        match read_heads(input, tracks)? {
            Some(read) => heads = read,
            None => return Ok(None),
        }
    }
    let seal = input.array("checksum")?;
    let payload = input.rest();
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Ok(None);
    }
    let Ok(payload) = Payload::part_of(payload, || whole.slice_ref(payload)) else {
        return Ok(None);
    };
    let fields = Fields {
        id: EventId::new(writer, seq),
        timestamp,
        written_ms: unzigzag(timestamp.millis(), wall),
        aggregate,
        event_type,
        heads,
        payload,
        rare: None,
        digest: UNKNOWN,
    };
    Ok(Some((fields, seal)))
}

/// Appends the block of a commit, if it is a usual event that was written alone. Whether it was.
pub(super) fn put(commit: &Commit, names: &BlockNames, out: &mut Vec<u8>) -> bool {
    let [event] = commit.events() else {
        return false;
    };
    let fields = event.fields();
    if fields.rare.is_some() {
        return false;
    }
    let writer = fields.id.replica;
    let wall = zigzag(fields.timestamp.millis(), fields.written_ms);
    let names = Some(names).filter(|names| knows_any(fields, names));
    let mut columns = Columns::default();
    columns.add_if(!fields.heads.is_empty(), Columns::HEADS);
    columns.add_if(names.is_some(), Columns::NAMES);
    columns.add_if(wall != 0, Columns::WALLS);
    let (name, payload) = (fields.aggregate.as_bytes(), fields.payload.as_bytes());
    out.reserve(commit.bytes());
    put_number(columns.to_bits(), out);
    put_replica(writer, names, out);
    if columns.has(Columns::HEADS) {
        put_len(others(fields).count(), out);
        others(fields).for_each(|id| put_replica(id, names, out));
    }
    let event_type = fields.event_type.as_str();
    if !names.is_some_and(|names| put_known(names.number_of_type(event_type), out)) {
        put_bytes(event_type.as_bytes(), out);
    }
    put_len(name.len().min(NIBBLE_FULL), out);
    if let Some(rest) = name.len().checked_sub(NIBBLE_FULL) {
        put_len(rest, out);
    }
    out.extend_from_slice(name);
    put_number(fields.id.seq.get(), out);
    put_stamp(Timestamp::at_millis(STAMP_ORIGIN), fields.timestamp, out);
    if columns.has(Columns::WALLS) {
        put_number(wall, out);
    }
    if columns.has(Columns::HEADS) {
        put_heads(fields, out);
    }
    let digest = event.digest().to_bytes();
    out.extend_from_slice(digest.get(..SEAL_LEN).unwrap_or_default());
    out.extend_from_slice(payload);
    true
}

/// Whether any of the names of an event's block has a number.
fn knows_any(fields: &Fields, names: &BlockNames) -> bool {
    let is_known = |id| names.number_of_replica(id).is_some();
    !names.is_empty()
        && (is_known(fields.id.replica)
            || others(fields).any(is_known)
            || names.number_of_type(fields.event_type.as_str()).is_some())
}

/// The replicas of the heads, each once, but for the writer. Heads are sorted, so those of one replica
/// follow each other.
fn others(fields: &Fields) -> impl Iterator<Item = ReplicaId> {
    let mut last = fields.id.replica;
    let ids = fields.heads.iter().map(|head| head.id.replica);
    ids.filter(move |id| *id != fields.id.replica && core::mem::replace(&mut last, *id) != *id)
}

fn put_replica(id: ReplicaId, names: Option<&BlockNames>, out: &mut Vec<u8>) {
    if !names.is_some_and(|names| put_known(names.number_of_replica(id), out)) {
        out.extend_from_slice(&id.to_bytes());
    }
}

/// Their number, which replicas are meant and how far each is from the last one of that replica, tags.
fn put_heads(fields: &Fields, out: &mut Vec<u8>) {
    put_len(fields.heads.len() + 1, out);
    let mut introduced = 0;
    let (mut last, mut own) = (Track::of(fields.id.replica), 0);
    for head in &fields.heads {
        let (index, seen) = if head.id.replica == fields.id.replica {
            (0, &mut own)
        } else {
            if head.id.replica != last.id {
                last = Track::of(head.id.replica);
                introduced += 1;
            }
            (introduced, &mut last.seen)
        };
        let seq = head.id.seq.get();
        put_len(index, out);
        put_number(zigzag(core::mem::replace(seen, seq), seq), out);
    }
    for head in &fields.heads {
        out.extend_from_slice(&head.tag.to_bits().to_le_bytes());
    }
}

/// A replica, and the seq of its last event that was told.
#[derive(Clone, Copy)]
struct Track {
    id: ReplicaId,
    seen: u64,
}

impl Track {
    const fn of(id: ReplicaId) -> Self {
        Self { id, seen: 0 }
    }
}

/// A name that shares nothing with one before.
fn read_name(input: &mut Input<'_>) -> Result<Option<AggregateId>, CodecError> {
    let what = "aggregate id";
    let [halves] = input.array(what)?;
    let mut len = usize::from(halves);
    if len >= NIBBLE_FULL {
        if len > NIBBLE_FULL {
            return Ok(None);
        }
        len += input.count(what, AGGREGATE_ID_BYTES_MAX)?;
    }
    AggregateId::from_utf8(input.take(len, what)?).map(Some)
}

/// The heads, all of which are told, as there is no event before.
fn read_heads(input: &mut Input<'_>, tracks: &mut [Track]) -> Result<Option<Heads>, CodecError> {
    let number = input.count("number of heads", HEADS_MAX + 1)?;
    match number {
        0 => return Ok(Some(Heads::NONE)),
        1 => return Ok(None),
        2 => {
            let Some(id) = read_head(input, tracks)? else {
                return Ok(None);
            };
            let tag = read_tag(input)?;
            return Ok(Some(Heads::at_most_one(Some(Head { id, tag }))));
        }
        _ => {}
    }
    let mut heads = Vec::with_capacity((number - 1).min(input.len()));
    for _ in 1..number {
        let Some(id) = read_head(input, tracks)? else {
            return Ok(None);
        };
        let tag = ChainTag::from_bits(0);
        heads.push(Head { id, tag });
    }
    for head in &mut heads {
        head.tag = read_tag(input)?;
    }
    Ok(Some(Heads::new(heads)?))
}

/// An event of a replica of the block, told from the last one of it.
#[inline]
fn read_head(input: &mut Input<'_>, tracks: &mut [Track]) -> Result<Option<EventId>, CodecError> {
    let index = usize::try_from(input.number("head")?).unwrap_or(usize::MAX);
    let distance = input.number("seq")?;
    Ok(tracks.get_mut(index).and_then(|track| {
        track.seen = unzigzag(track.seen, distance);
        Some(EventId::new(track.id, Seq::new(track.seen)?))
    }))
}

#[inline]
fn read_tag(input: &mut Input<'_>) -> Result<ChainTag, CodecError> {
    let bits = u16::from_le_bytes(input.array("tag of a head")?);
    Ok(ChainTag::from_bits(bits))
}

#[cfg(test)]
mod tests;
