use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};
use serde::ser::{Error as _, Serialize, Serializer};

use super::cell::NULL;
use crate::event::{Payload, PayloadError, cbor};

/// A payload that may be any value: what it says, in canonical CBOR.
///
/// Shares the bytes of the payload if these are canonical, or copies them if they are few.
#[derive(Clone)]
pub struct Value(Held);

#[derive(Clone)]
enum Held {
    /// A payload that was canonical, which may lie in place.
    Payload(Payload),
    Bytes(Bytes),
}

impl Value {
    /// Writes any serializable value.
    ///
    /// # Errors
    /// [`PayloadError`] when it cannot be written as CBOR.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, PayloadError> {
        cbor::to_vec(value).map(Self::of_canonical)
    }

    /// The canonical bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Held::Payload(payload) => payload.as_bytes(),
            Held::Bytes(bytes) => bytes,
        }
    }

    /// Whether it is null, by which most rules understand that nothing is to be there.
    pub fn is_null(&self) -> bool {
        self.as_bytes() == NULL
    }

    /// The value, decoded.
    ///
    /// # Errors
    /// [`PayloadError`] when it is not a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        cbor::from_slice(self.as_bytes())
    }

    /// Reads a payload whose value is shown so many levels inside a state. What could not be read
    /// there is refused here.
    pub(super) fn read(payload: &Payload, levels: usize) -> Result<Self, PayloadError> {
        let value = if cbor::is_canonical(payload.as_bytes()) {
            Self(Held::Payload(payload.clone()))
        } else {
            Self(Held::Bytes(canonical(payload)?))
        };
        if levels > 0 {
            cbor::check_below(value.as_bytes(), levels)?;
        }
        Ok(value)
    }

    /// Takes bytes that are canonical already.
    pub(super) fn of_canonical(bytes: Vec<u8>) -> Self {
        Self(Held::Bytes(bytes.into()))
    }

    /// One item of a canonical payload.
    pub(super) fn of_item(payload: &Bytes, item: &[u8]) -> Self {
        Self(Held::Bytes(payload.slice_ref(item)))
    }
}

impl From<Value> for Bytes {
    fn from(value: Value) -> Self {
        match value.0 {
            Held::Payload(payload) => payload.to_bytes(),
            Held::Bytes(bytes) => bytes,
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Value {}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Value").field(&self.as_bytes()).finish()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: ciborium::Value = self.decode().map_err(S::Error::custom)?;
        value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = ciborium::Value::deserialize(deserializer)?;
        let bytes: Vec<u8> = cbor::to_vec(&value).map_err(D::Error::custom)?;
        Ok(Self::of_canonical(bytes))
    }
}

/// A payload in canonical form. What this crate wrote is in it already; anybody may have written it
/// otherwise.
pub(super) fn canonical(payload: &Payload) -> Result<Bytes, PayloadError> {
    if cbor::is_canonical(payload.as_bytes()) {
        return Ok(payload.to_bytes());
    }
    cbor::to_vec(&payload.decode::<ciborium::Value>()?).map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], levels: usize) -> Result<Value, PayloadError> {
        Value::read(&Payload::from_bytes(bytes.to_vec().into()).unwrap(), levels)
    }

    #[test]
    fn what_is_not_canonical_is_made_so() {
        assert_eq!(read(&[0x18, 0x01], 0).unwrap().as_bytes(), [0x01]);
        let read_open = read(b"\xbf\x61b\x01\x61a\x7f\x61x\x61y\xff\xff", 0).unwrap();
        assert_eq!(read_open.as_bytes(), b"\xa2\x61a\x62xy\x61b\x01");
        let through_serde: Value = cbor::from_slice(&[0x19, 0x00, 0x18]).unwrap();
        assert_eq!(through_serde.as_bytes(), [0x18, 0x18]);
        assert!(read(&[0xf6], 0).unwrap().is_null());
    }

    #[test]
    fn malformed_and_too_deep_payloads_cannot_be_read() {
        for bytes in [
            &[][..],
            &[0x82, 0x01],
            &[0x01, 0x01],
            b"\xa2\x61a\x01\x61a\x02",
        ] {
            assert!(read(bytes, 0).is_err(), "{bytes:?}");
        }
        let deep = |levels: usize| [alloc::vec![0x81; levels], alloc::vec![0x01]].concat();
        for inside in 0..3 {
            assert!(read(&deep(32 - inside), inside).is_ok());
            assert!(read(&deep(33 - inside), inside).is_err());
        }
    }
}
