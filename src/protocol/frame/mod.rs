//! Messages as bytes.
//!
//! One message has one encoding. What is read is bounded by the bytes that are there, never by a
//! length that they claim; every byte has to be used; a frame that was damaged, cut or joined with
//! another on its way is told from one that was written wrongly. In which state a message may come
//! is not known here.
//!
//! ```text
//! frame   kind u8: format 1, or 2 where the body is compressed, in the high half, kind of message in the low half
//!         | lower half of the xxh3-64 of the body, seeded with the kind, u32 little-endian | body
//! ```

mod batch;
mod body;
mod digests;
mod hello;
mod packing;
mod reader;
mod summary;
mod writer;

use bytes::Bytes;
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub(super) use self::batch::Front;
pub(super) use self::packing::{pack, plain_bytes};
use self::reader::Reader;
use self::writer::Writer;
use super::{CloseCode, Compression, Message};
use crate::event::{BlockNames, CodecError, Commit, encode_block_with};
use crate::limits::FRAME_BYTES_MAX;

const FORMAT: u8 = 1;
/// The form of a frame whose body is compressed.
const PACKED: u8 = 2;
const HEADER_BYTES: usize = 5;

/// Bytes that are not a frame of this protocol.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Longer than any frame.
    #[error("frame has {bytes} bytes, at most {max} are allowed")]
    TooLarge {
        /// Bytes found.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// Shorter than its own header.
    #[error("frame has {bytes} bytes, its header alone takes {header}")]
    TooShort {
        /// Bytes found.
        bytes: usize,
        /// Bytes of the header.
        header: usize,
    },
    /// A format that this build does not read.
    #[error("frame has format {format}, only {known} is known")]
    UnknownFormat {
        /// The number found.
        format: u8,
        /// The number known.
        known: u8,
    },
    /// A message that this build does not know.
    #[error("frame holds a message of unknown kind {kind}")]
    UnknownKind {
        /// The number found.
        kind: u8,
    },
    /// The bytes were damaged, cut or put in another order on their way.
    #[error("checksum of the {kind} message does not match")]
    Checksum {
        /// Which message.
        kind: &'static str,
    },
    /// The message was compressed, and that cannot be undone within the bounds.
    #[error("{kind} message cannot be decompressed")]
    Compressed {
        /// Which message.
        kind: &'static str,
    },
    /// The message itself is wrong.
    #[error("{kind} message: {source}")]
    Body {
        /// Which message.
        kind: &'static str,
        /// What is wrong with it.
        source: CodecError,
    },
}

impl FrameError {
    /// The code to close a connection with on which such a frame came.
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::TooLarge { .. } => CloseCode::TOO_BIG,
            _ => CloseCode::PROTOCOL_VIOLATION,
        }
    }
}

/// Writes a message as one frame. Texts longer than 512 bytes are cut.
///
/// # Errors
/// [`FrameError::TooLarge`] when it does not fit one frame.
pub fn encode_frame(message: &Message) -> Result<Bytes, FrameError> {
    let mut out = unsealed(body::room(message));
    let kind = body::put(message, &mut out);
    sealed(kind, out)
}

/// A batch whose block is encoded already.
///
/// # Errors
/// [`FrameError::TooLarge`] when it does not fit one frame.
pub(super) fn batch_frame(front: Front<'_>, block: &[u8]) -> Result<Bytes, FrameError> {
    let mut out = unsealed(front.room() + block.len());
    front.put(&mut out);
    out.raw(block);
    sealed(body::BATCH, out)
}

/// A batch of these commits, which take so many canonical bytes, and how many bytes of its end are
/// their block.
///
/// # Errors
/// [`FrameError::TooLarge`] when it does not fit one frame.
pub(super) fn batch_frame_of<'a>(
    front: Front<'_>,
    commits: impl Iterator<Item = &'a Commit>,
    bytes: usize,
    names: &BlockNames,
) -> Result<(Bytes, usize), FrameError> {
    let mut out = unsealed(front.room() + bytes);
    front.put(&mut out);
    let before = out.len();
    encode_block_with(commits, names, out.buffer());
    let block = out.len() - before;
    Ok((sealed(body::BATCH, out)?, block))
}

/// A frame with its header left blank, and room for a body.
fn unsealed(room: usize) -> Writer {
    let mut out = Writer::with_capacity(HEADER_BYTES + room);
    out.raw(&[0; HEADER_BYTES]);
    out
}

fn sealed(kind: u8, out: Writer) -> Result<Bytes, FrameError> {
    let kind = (FORMAT << 4) | kind;
    if out.len() > FRAME_BYTES_MAX {
        return Err(FrameError::TooLarge {
            bytes: out.len(),
            max: FRAME_BYTES_MAX,
        });
    }
    let mut frame = out.into_bytes();
    if let Some((header, body)) = frame.split_first_chunk_mut::<HEADER_BYTES>() {
        let [c0, c1, c2, c3] = checksum(kind, body);
        *header = [kind, c0, c1, c2, c3];
    }
    Ok(frame.into())
}

/// Reads one frame, which must fill the bytes and tell everything by name.
///
/// # Errors
/// [`FrameError`] names what is wrong; nothing is allocated from a length that the bytes claim.
pub fn decode_frame(frame: &Bytes) -> Result<Message, FrameError> {
    decode_frame_with(frame, &mut BlockNames::new(), None)
}

/// The same, in a connection of which earlier frames have told what numbers stand for; what this one
/// tells is added.
///
/// # Errors
/// [`FrameError`], also for a number that nothing was told of.
pub fn decode_frame_with(
    frame: &Bytes,
    names: &mut BlockNames,
    compression: Option<&dyn Compression>,
) -> Result<Message, FrameError> {
    if frame.len() > FRAME_BYTES_MAX {
        return Err(FrameError::TooLarge {
            bytes: frame.len(),
            max: FRAME_BYTES_MAX,
        });
    }
    let Some(([first, sum @ ..], rest)) = frame.split_first_chunk::<HEADER_BYTES>() else {
        return Err(FrameError::TooShort {
            bytes: frame.len(),
            header: HEADER_BYTES,
        });
    };
    let (format, number) = (first >> 4, first & 0x0f);
    let undone = compression.filter(|_| format == PACKED);
    if format != FORMAT && undone.is_none() {
        return Err(FrameError::UnknownFormat {
            format,
            known: FORMAT,
        });
    }
    let Some(kind) = body::kind_name(number) else {
        return Err(FrameError::UnknownKind { kind: number });
    };
    if checksum(*first, rest) != *sum {
        return Err(FrameError::Checksum { kind });
    }
    let unpacked;
    let mut input = match undone {
        None => Reader::of_part(frame, rest),
        Some(compression) => {
            unpacked = packing::unpacked(kind, rest, compression)?;
            Reader::new(&unpacked)
        }
    };
    let wrong = |source| FrameError::Body { kind, source };
    let message = body::read(number, &mut input, names).map_err(wrong)?;
    input.finish().map_err(wrong)?;
    Ok(message)
}

/// What kind of message a frame says it holds. Looks at its first byte only.
pub fn frame_kind(frame: &[u8]) -> Option<&'static str> {
    let first = frame.first()?;
    matches!(first >> 4, FORMAT | PACKED)
        .then(|| body::kind_name(first & 0x0f))
        .flatten()
}

fn checksum(kind: u8, body: &[u8]) -> [u8; 4] {
    let [c0, c1, c2, c3, ..] = xxh3_64_with_seed(body, kind.into()).to_le_bytes();
    [c0, c1, c2, c3]
}
