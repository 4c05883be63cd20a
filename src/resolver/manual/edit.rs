use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::super::Value;
use super::super::value::canonical;
use crate::event::cbor::{self, Reader};
use crate::event::{Payload, PayloadError};

/// What one event says to a record kept by [`Manual`](super::Manual).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManualEdit {
    value: Value,
    resolves: bool,
}

/// Levels of the map and the array that rival values are shown in.
const SHOWN_BELOW: usize = 2;

impl ManualEdit {
    /// The value that is written, or decided for.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Whether it is a person's decision.
    pub fn resolves(&self) -> bool {
        self.resolves
    }

    pub(super) fn new<T: Serialize + ?Sized>(
        value: &T,
        resolves: bool,
    ) -> Result<Self, PayloadError> {
        let value = Value::encode(value)?;
        Ok(Self { value, resolves })
    }

    pub(super) fn read(payload: &Payload) -> Result<Self, PayloadError> {
        let bytes = canonical(payload)?;
        let mut reader = Reader::new(&bytes);
        let resolves = match (reader.map()?, reader.text()?) {
            (1, "value") => false,
            (1, "resolve") => true,
            _ => {
                return Err(PayloadError::Unreadable {
                    reason: "expected a map with one entry, value or resolve".into(),
                });
            }
        };
        let value = Value::of_item(&bytes, reader.raw_item()?);
        cbor::check_below(value.as_bytes(), SHOWN_BELOW)?;
        Ok(Self { value, resolves })
    }

    fn entry(&self) -> &'static str {
        if self.resolves { "resolve" } else { "value" }
    }
}

impl Serialize for ManualEdit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.entry(), &self.value)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for ManualEdit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Value::deserialize(deserializer)?;
        let payload = Payload::from_bytes(bytes.into()).map_err(D::Error::custom)?;
        Self::read(&payload).map_err(D::Error::custom)
    }
}
