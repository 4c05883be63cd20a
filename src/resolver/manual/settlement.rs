use alloc::vec::Vec;

use serde::de::DeserializeOwned;

use super::super::cell::{NULL, Saw, Siblings, stored_as_image};
use crate::event::cbor::{self, Writer};
use crate::event::{EventId, PayloadError};

/// The rival values of a record kept by [`Manual`](super::Manual), or the one that it is settled at.
///
/// Grows with the values that are rivals, not with history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settlement(Siblings);

impl Settlement {
    /// The canonical bytes of the value, where the record has been written and is not open.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        let mut values = self.0.distinct().into_keys();
        values.next().filter(|_| values.next().is_none())
    }

    /// The value, decoded, where the record has been written and is not open.
    ///
    /// # Errors
    /// [`PayloadError`] when the value is not a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<Option<T>, PayloadError> {
        self.as_bytes().map(cbor::from_slice).transpose()
    }

    /// Whether a person has to decide.
    pub fn is_open(&self) -> bool {
        self.0.distinct().len() > 1
    }

    /// The canonical bytes of the rival values, or of the only one, in their order, each with the
    /// events that wrote it, in the order of ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], Vec<EventId>)> {
        self.0.distinct().into_iter()
    }

    /// How many distinct values a writer saw.
    pub(super) fn distinct_seen(&self, saw: Saw<'_>) -> usize {
        self.0.distinct_seen(saw)
    }

    /// Folds one event.
    pub(super) fn write(&mut self, value: &[u8], writer: EventId, saw: Saw<'_>) {
        self.0.write(value, writer, saw);
    }

    /// What users read, in canonical CBOR.
    pub(super) fn present(&self) -> Vec<u8> {
        let values = self.0.distinct();
        let mut writer = Writer::new();
        writer.map(1);
        if values.len() > 1 {
            writer.text("open").array(values.len());
        } else {
            writer.text("value");
        }
        for value in values.keys() {
            writer.raw(value);
        }
        if values.is_empty() {
            writer.raw(NULL);
        }
        writer.into_bytes()
    }
}

stored_as_image!(Settlement);
