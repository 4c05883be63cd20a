//! Whatever the bytes, reading a frame ends in a message or an error, and a message has one encoding
//! that is written.

use anabranch::protocol::{Message, decode_frame, encode_frame};
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Bytes of a frame's checksum, which follow its first byte.
const CHECKSUM: usize = 4;

/// Whether the bytes are a frame once their checksum is right. Panics when a promise does not hold.
///
/// The checksum would keep nearly every input away from the readers behind it, so what comes is
/// read twice: as it is, and with the checksum mended.
pub(crate) fn check(data: &[u8]) -> bool {
    one_encoding(&Bytes::copy_from_slice(data));
    mended(data).as_ref().is_some_and(one_encoding)
}

fn one_encoding(frame: &Bytes) -> bool {
    match decode_frame(frame) {
        Ok(message) => {
            let again = encode_frame(&message);
            if matches!(message, Message::Batch(_)) {
                let read = again.and_then(|again| decode_frame(&again));
                assert!(read == Ok(message), "what was read can be written");
            } else {
                assert!(again.as_ref() == Ok(frame), "a message has one encoding");
            }
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty(), "an error says what is wrong");
            false
        }
    }
}

fn mended(data: &[u8]) -> Option<Bytes> {
    let (kind, rest) = data.split_first()?;
    let body = rest.get(CHECKSUM..)?;
    let mut frame = vec![*kind];
    let sum = xxh3_64_with_seed(body, u64::from(*kind)).to_le_bytes();
    frame.extend(sum.iter().take(CHECKSUM));
    frame.extend_from_slice(body);
    Some(frame.into())
}
