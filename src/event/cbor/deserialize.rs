use alloc::format;
use alloc::vec;

use ciborium::de::Error;
use serde::de::DeserializeOwned;

use super::super::PayloadError;
use super::reader::Reader;
use crate::limits::{CBOR_DEPTH_MAX, CBOR_SCRATCH_BYTES};

/// Checks that these bytes are exactly one well-formed item: definite or indefinite lengths, at
/// most 32 levels of arrays, maps and tags, every text UTF-8. Costs one pass, allocates nothing.
///
/// # Errors
/// [`PayloadError::TooDeep`] or [`PayloadError::Unreadable`].
pub fn check(bytes: &[u8]) -> Result<(), PayloadError> {
    check_below(bytes, 0)
}

/// The same for an item that is to lie so many levels deep in another.
pub(crate) fn check_below(bytes: &[u8], levels: usize) -> Result<(), PayloadError> {
    let mut reader = Reader::new(bytes);
    reader.skip_item(levels)?;
    reader.finish()
}

/// Reads a value from CBOR bytes, canonical or not.
///
/// Every byte must be used: a tuple shorter than its array is an error, too. Where a map holds a
/// key twice, the type decides (a map keeps the last value, a derived struct refuses). Costs
/// two passes; allocates at most in proportion to the bytes that are really there.
///
/// # Errors
/// [`PayloadError::TooDeep`] beyond 32 levels, [`PayloadError::Unreadable`] where the bytes are not
/// well formed or not the CBOR of a `T`.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, PayloadError> {
    // Ciborium alone would neither notice items of an array that a tuple left over nor count levels
    // by the bytes. What it reads after this check cannot be out of step and still end at the end.
    check(bytes)?;
    // It reads a text or byte string in one piece only if the scratch space holds it.
    if bytes.len() <= CBOR_SCRATCH_BYTES {
        deserialize(bytes, &mut [0; CBOR_SCRATCH_BYTES])
    } else {
        deserialize(bytes, &mut vec![0; bytes.len()])
    }
}

fn deserialize<T: DeserializeOwned>(bytes: &[u8], scratch: &mut [u8]) -> Result<T, PayloadError> {
    let mut rest = bytes;
    let value = ciborium::de::from_reader_with_buffer(&mut rest, scratch).map_err(explain)?;
    if rest.is_empty() {
        return Ok(value);
    }
    let used = bytes.len().saturating_sub(rest.len());
    Err(PayloadError::Unreadable {
        reason: format!("the value ends at byte {used}, more follow"),
    })
}

fn explain<E: core::fmt::Debug>(error: Error<E>) -> PayloadError {
    match error {
        // Ciborium counts some levels of the *type* as well; its own limit of 256 stops a type that
        // is nested without end.
        Error::RecursionLimitExceeded => PayloadError::TooDeep {
            max: CBOR_DEPTH_MAX,
        },
        Error::Io(_) => PayloadError::Unreadable {
            reason: "the bytes end early".into(),
        },
        Error::Syntax(at) => PayloadError::Unreadable {
            reason: format!("not CBOR at byte {at}"),
        },
        Error::Semantic(Some(at), what) => PayloadError::Unreadable {
            reason: format!("{what} at byte {at}"),
        },
        Error::Semantic(None, what) => PayloadError::Unreadable { reason: what },
    }
}
