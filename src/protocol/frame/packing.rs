//! Frames whose bodies are compressed. How large one claims to be is bounded before anything is
//! allocated, and it is what credit counts: few bytes on the carrier may stand for many here.

use alloc::vec::Vec;

use bytes::Bytes;

use super::reader::Reader;
use super::writer::Writer;
use super::{FrameError, HEADER_BYTES, PACKED, checksum};
use crate::limits::FRAME_BYTES_MAX;
use crate::protocol::Compression;

/// The frame with its body compressed, if that makes it smaller. `tail` are the lengths of the last
/// pieces of the body, which differ in kind from what is before them.
pub(in crate::protocol) fn pack(
    frame: &Bytes,
    tail: &[usize],
    compression: &dyn Compression,
) -> Option<Bytes> {
    let (header, body) = frame.split_first_chunk::<HEADER_BYTES>()?;
    let mut pieces: Vec<&[u8]> = Vec::new();
    let mut rest = body.split_at_checked(body.len().checked_sub(tail.iter().sum())?)?;
    for len in tail {
        pieces.push(rest.0);
        rest = rest.1.split_at_checked(*len)?;
    }
    pieces.push(rest.0);
    pieces.retain(|piece| !piece.is_empty());
    let compressed = compression.compress(&pieces)?;
    let mut out = Writer::with_capacity(HEADER_BYTES + compressed.len() + 4);
    out.raw(&[0; HEADER_BYTES]);
    out.len_of(body.len());
    out.raw(&compressed);
    if out.len() >= frame.len() {
        return None;
    }
    let mut packed = out.into_bytes();
    let (to, content) = packed.split_first_chunk_mut::<HEADER_BYTES>()?;
    let kind = (PACKED << 4) | (header.first()? & 0x0f);
    let [c0, c1, c2, c3] = checksum(kind, content);
    *to = [kind, c0, c1, c2, c3];
    Some(packed.into())
}

/// The body of a compressed frame.
pub(super) fn unpacked(
    kind: &'static str,
    rest: &[u8],
    compression: &dyn Compression,
) -> Result<Bytes, FrameError> {
    let wrong = FrameError::Compressed { kind };
    let whole = Bytes::copy_from_slice(rest.get(..rest.len().min(10)).unwrap_or_default());
    let mut input = Reader::new(&whole);
    let max = FRAME_BYTES_MAX - HEADER_BYTES;
    let Ok(len) = input.count("length of a body", max) else {
        return Err(wrong);
    };
    let used = whole.len() - input.len();
    let compressed = rest.get(used..).unwrap_or_default();
    match compression.decompress(compressed, len) {
        Some(body) if body.len() == len => Ok(body.into()),
        _ => Err(wrong),
    }
}

/// Bytes that a frame takes where it is read.
pub(in crate::protocol) fn plain_bytes(frame: &Bytes) -> usize {
    let is_packed = frame.first().is_some_and(|first| first >> 4 == PACKED);
    let claimed = frame
        .get(HEADER_BYTES..)
        .filter(|_| is_packed)
        .and_then(|rest| {
            let rest = frame.slice_ref(rest);
            Reader::new(&rest).number("length of a body").ok()
        })
        .and_then(|len| usize::try_from(len).ok())
        .map(|len| len.min(FRAME_BYTES_MAX) + HEADER_BYTES);
    claimed.unwrap_or(frame.len()).max(frame.len())
}
