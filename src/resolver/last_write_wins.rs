use alloc::vec::Vec;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use super::{Context, Footprint, Key, Resolver, ResolverId, Verdict};
use crate::event::{AggregateId, Payload, PayloadError, cbor};

/// The whole record is one register: the last write in canonical order is its value.
///
/// *Payload*: any CBOR value, the new value of the whole record; null clears it. So
/// `Draft::new("setting/theme", "chosen", "dark")` sets it to `dark`. A payload that is not
/// well-formed CBOR, or nests deeper than 32 levels, is a rejection.
///
/// *Shown as*: the value itself, null where there is none.
///
/// Of two concurrent writes of different fields of one record one is lost whole;
/// [`FieldMerge`](super::FieldMerge) keeps both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastWriteWins;

/// The newest value of a record, in canonical CBOR, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latest(Option<Vec<u8>>);

impl Latest {
    /// The canonical bytes of the value.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        self.0.as_deref()
    }

    /// The value, decoded, where there is one.
    ///
    /// # Errors
    /// [`PayloadError`] when the value is not a `T`.
    pub fn decode<T: serde::de::DeserializeOwned>(&self) -> Result<Option<T>, PayloadError> {
        self.0.as_deref().map(cbor::from_slice).transpose()
    }
}

/// The CBOR of null.
const NULL: &[u8] = &[0xf6];

impl Resolver for LastWriteWins {
    type State = Latest;
    type Payload = Latest;

    fn id(&self) -> ResolverId {
        ResolverId::new("last-write-wins", 1)
    }

    fn init(&self, _: &AggregateId) -> Latest {
        Latest::default()
    }

    fn apply(&self, state: &mut Latest, payload: &Latest, _: &Context<'_, Latest>) {
        state.clone_from(payload);
    }

    fn footprint(&self, _: &Latest) -> Footprint {
        Footprint::Keys(alloc::vec![Key {
            path: Vec::new(),
            branch: true
        }])
    }

    fn judge(&self, earlier: &Latest, later: &Latest) -> Verdict {
        if earlier == later {
            Verdict::Agree
        } else {
            Verdict::LaterWins
        }
    }

    fn decode(&self, payload: &Payload) -> Result<Latest, PayloadError> {
        let bytes = canonical(payload)?;
        Ok(Latest((bytes != NULL).then_some(bytes)))
    }

    fn present(&self, state: &Latest) -> Result<Vec<u8>, PayloadError> {
        Ok(state.as_bytes().unwrap_or(NULL).to_vec())
    }
}

/// The payload in canonical form. What this crate wrote is in it already; anybody may have written
/// it otherwise.
pub(super) fn canonical(payload: &Payload) -> Result<Vec<u8>, PayloadError> {
    if cbor::is_canonical(payload.as_bytes()) {
        return Ok(payload.as_bytes().to_vec());
    }
    cbor::to_vec(&payload.decode::<ciborium::Value>()?)
}

impl Serialize for Latest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(bytes) => serializer.serialize_bytes(bytes),
            None => serializer.serialize_none(),
        }
    }
}

impl<'de> Deserialize<'de> for Latest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(Inner)
    }
}

struct Inner;

impl<'de> Visitor<'de> for Inner {
    type Value = Latest;

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the bytes of a value, or null")
    }

    fn visit_none<E: Error>(self) -> Result<Latest, E> {
        Ok(Latest(None))
    }

    fn visit_unit<E: Error>(self) -> Result<Latest, E> {
        Ok(Latest(None))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Latest, D::Error> {
        deserializer.deserialize_bytes(self)
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Latest, E> {
        cbor::check(bytes).map_err(E::custom)?;
        Ok(Latest(Some(bytes.to_vec())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Latest, PayloadError> {
        LastWriteWins.decode(&Payload::from_bytes(bytes.to_vec().into()).unwrap())
    }

    #[test]
    fn a_state_survives_its_encoding() {
        for bytes in [NULL, &[0x01], &[0x63, b'a', b'b', b'c'], &[0x40]] {
            let state = read(bytes).unwrap();
            let again: Latest = cbor::from_slice(&cbor::to_vec(&state).unwrap()).unwrap();
            assert_eq!(state, again);
            assert_eq!(LastWriteWins.present(&state).unwrap(), bytes);
        }
    }

    #[test]
    fn null_clears_and_what_is_not_canonical_is_made_so() {
        assert_eq!(read(NULL).unwrap().as_bytes(), None);
        assert_eq!(read(&[0x18, 0x01]).unwrap().as_bytes(), Some(&[0x01][..]));
    }

    #[test]
    fn malformed_and_too_deep_payloads_cannot_be_read() {
        assert!(read(&[]).is_err());
        assert!(read(&[0x82, 0x01]).is_err());
        assert!(read(&[0x01, 0x01]).is_err());
        let deep = |levels: usize| [alloc::vec![0x81; levels], alloc::vec![0x01]].concat();
        assert!(read(&deep(32)).is_ok());
        assert!(read(&deep(33)).is_err());
    }
}
