use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::scratch::Output;
use super::{PayloadError, cbor};
use crate::limits::PAYLOAD_BYTES_MAX;

/// The content of an event: CBOR, opaque to everything but a resolver. At most 256 KiB.
///
/// The bytes are the identity: what a writer wrote is what every replica keeps, canonical or not.
/// What *this* crate writes is canonical. Cloning shares the bytes,
/// or copies them if they are at most 38.
#[derive(Clone)]
pub struct Payload(Content);

/// Most bytes that lie in place: a value of 32 and what CBOR puts before it, and they fill the room.
const SHORT: usize = 38;

#[derive(Clone)]
enum Content {
    /// Bytes that keep alive nothing.
    Short { len: u8, bytes: [u8; SHORT] },
    /// More than that, and nothing else in their memory.
    Own(Bytes),
    /// More than that; they may be part of something larger.
    Shared(Bytes),
}

impl Payload {
    /// Writes any serializable value as canonical CBOR.
    ///
    /// # Errors
    /// [`PayloadError`] when the value does not fit the bounds or cannot be written.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, PayloadError> {
        Ok(Self::from_bytes(cbor::to_vec(value)?.into_boxed_slice().into())?.owned())
    }

    /// Takes bytes as they are; only their number is checked.
    ///
    /// # Errors
    /// [`PayloadError::TooLarge`] above 256 KiB.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, PayloadError> {
        match Self::short(&bytes) {
            Some(payload) => Ok(payload),
            None => Self::shared(bytes),
        }
    }

    #[inline]
    fn shared(bytes: Bytes) -> Result<Self, PayloadError> {
        if bytes.len() > PAYLOAD_BYTES_MAX {
            return Err(PayloadError::TooLarge {
                bytes: bytes.len(),
                max: PAYLOAD_BYTES_MAX,
            });
        }
        Ok(Self(Content::Shared(bytes)))
    }

    /// [`from_bytes`](Self::from_bytes) of a part of something, which a long one shares.
    #[inline]
    pub(super) fn part_of(
        part: &[u8],
        share: impl FnOnce() -> Bytes,
    ) -> Result<Self, PayloadError> {
        match Self::short(part) {
            Some(payload) => Ok(payload),
            None => Self::shared(share()),
        }
    }

    /// [`from_bytes`](Self::from_bytes) of a copy.
    pub(super) fn copy_of(content: &[u8]) -> Result<Self, PayloadError> {
        match Self::short(content) {
            Some(payload) => Ok(payload),
            None => Ok(Self::from_bytes(Bytes::copy_from_slice(content))?.owned()),
        }
    }

    /// The same of bytes that the caller knows to be all that their memory holds.
    fn owned(self) -> Self {
        match self.0 {
            Content::Shared(bytes) => Self(Content::Own(bytes)),
            content => Self(content),
        }
    }

    /// The payload in place, if there is room for it.
    #[inline]
    fn short(content: &[u8]) -> Option<Self> {
        let len = u8::try_from(content.len()).ok()?;
        let mut bytes = [0; SHORT];
        bytes.get_mut(..content.len())?.copy_from_slice(content);
        Some(Self(Content::Short { len, bytes }))
    }

    /// Reads a value. Every byte must be used, and nesting is at most 32 deep.
    ///
    /// # Errors
    /// [`PayloadError`] when the bytes are not the CBOR of a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        cbor::from_slice(self.as_bytes())
    }

    /// Whether it is all that its bytes keep alive.
    pub(super) const fn is_detached(&self) -> bool {
        matches!(self.0, Content::Short { .. } | Content::Own(_))
    }

    /// The same, of which nothing else is kept alive: a copy of the bytes where they may be part of
    /// something larger.
    pub(super) fn detached(&self) -> Self {
        match &self.0 {
            Content::Short { .. } | Content::Own(_) => self.clone(),
            Content::Shared(bytes) => Self(Content::Own(Bytes::copy_from_slice(bytes))),
        }
    }

    /// The same of a payload that is not kept besides.
    pub(crate) fn into_detached(self) -> Self {
        if self.is_detached() {
            return self;
        }
        self.detached()
    }

    /// Bytes of memory that it takes apart from itself, shared or not.
    pub(super) fn heap_bytes(&self) -> usize {
        match &self.0 {
            Content::Short { .. } => 0,
            Content::Own(bytes) | Content::Shared(bytes) => bytes.len(),
        }
    }

    /// The CBOR bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Content::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Content::Own(bytes) | Content::Shared(bytes) => bytes,
        }
    }

    /// Appends its length and its bytes.
    #[inline]
    pub(super) fn put_to(&self, out: &mut impl Output) {
        match &self.0 {
            Content::Short { len, bytes } => {
                out.put([*len]);
                out.put_first(bytes, usize::from(*len));
            }
            Content::Own(bytes) | Content::Shared(bytes) => out.put_bytes(bytes),
        }
    }

    /// The CBOR bytes, to be shared; few are copied.
    pub fn to_bytes(&self) -> Bytes {
        match &self.0 {
            Content::Short { .. } => Bytes::copy_from_slice(self.as_bytes()),
            Content::Own(bytes) | Content::Shared(bytes) => bytes.clone(),
        }
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Content::Short { len, .. } => usize::from(*len),
            Content::Own(bytes) | Content::Shared(bytes) => bytes.len(),
        }
    }

    /// Whether there are none, which is not CBOR.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for Payload {
    fn default() -> Self {
        let bytes = [0; SHORT];
        Self(Content::Short { len: 0, bytes })
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Payload {}

impl Hash for Payload {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.len())
    }
}

impl From<Payload> for Vec<u8> {
    fn from(payload: Payload) -> Self {
        match payload.0 {
            Content::Short { .. } => payload.as_bytes().to_vec(),
            Content::Own(bytes) | Content::Shared(bytes) => bytes.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_of_any_length_is_its_bytes_and_a_short_one_keeps_nothing_else_alive() {
        let whole: Bytes = (0..=255).collect();
        for len in 0..100 {
            let part = whole.slice(1..=len);
            let payload = Payload::part_of(&part, || whole.slice_ref(&part)).unwrap();
            assert_eq!(payload.as_bytes(), part);
            assert_eq!(payload.to_bytes(), part);
            assert_eq!((payload.len(), payload.is_empty()), (len, len == 0));
            assert_eq!(Vec::from(payload.clone()), part);
            assert_eq!(payload, Payload::from_bytes(part.clone()).unwrap());
            let (shares, detached) = (payload.to_bytes(), payload.detached());
            assert_eq!(shares.as_ptr() == part.as_ptr(), !payload.is_detached());
            assert_eq!(payload.is_detached(), len <= SHORT);
            assert!(detached == payload && detached.to_bytes().as_ptr() != part.as_ptr());
            let again = detached.detached();
            let is_shared = again.to_bytes().as_ptr() == detached.to_bytes().as_ptr();
            assert!(detached.is_detached() && (len <= SHORT || is_shared));
        }
        assert_eq!(Payload::default().len(), 0);
        assert_eq!(size_of::<Payload>(), 40);
    }
}
