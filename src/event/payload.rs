use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{PayloadError, cbor};
use crate::limits::PAYLOAD_BYTES_MAX;

/// The content of an event: CBOR, opaque to everything but a resolver. At most 256 KiB.
///
/// The bytes are the identity: what a writer wrote is what every replica keeps, canonical or not.
/// What *this* crate writes is canonical. Cloning shares the bytes.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Payload(Bytes);

impl Payload {
    /// Writes any serializable value as canonical CBOR.
    ///
    /// # Errors
    /// [`PayloadError`] when the value does not fit the bounds or cannot be written.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, PayloadError> {
        Self::from_bytes(cbor::to_vec(value)?.into())
    }

    /// Takes bytes as they are; only their number is checked.
    ///
    /// # Errors
    /// [`PayloadError::TooLarge`] above 256 KiB.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, PayloadError> {
        if bytes.len() > PAYLOAD_BYTES_MAX {
            return Err(PayloadError::TooLarge {
                bytes: bytes.len(),
                max: PAYLOAD_BYTES_MAX,
            });
        }
        Ok(Self(bytes))
    }

    /// Reads a value. Every byte must be used, and nesting is at most 32 deep.
    ///
    /// # Errors
    /// [`PayloadError`] when the bytes are not the CBOR of a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        cbor::from_slice(&self.0)
    }

    /// A copy of the bytes.
    pub(super) fn detached(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }

    /// The CBOR bytes.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none, which is not CBOR.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

impl From<Payload> for Vec<u8> {
    fn from(payload: Payload) -> Self {
        payload.0.into()
    }
}
