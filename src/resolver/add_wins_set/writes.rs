use alloc::format;
use alloc::vec::Vec;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error};

use super::super::cell::segment_of;
use super::super::value::canonical;
use super::super::{Key, Value};
use crate::event::cbor::{Reader, Writer};
use crate::event::{Payload, PayloadError};

/// A payload of [`AddWinsSet`](super::AddWinsSet) as it was read.
///
/// Its elements share the bytes of the payload if these are canonical.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetWrites {
    /// Whether each element is added or removed; both is an add, which takes the dots that its
    /// writer saw, too. In the order of the elements, each once.
    changes: Vec<(Bytes, bool)>,
}

impl SetWrites {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`PayloadError`] when the bytes are not CBOR or not of the form that the
    /// [module's page](super) describes.
    pub fn read(payload: &Payload) -> Result<Self, PayloadError> {
        Self::read_canonical(&canonical(payload)?)
    }

    /// The canonical bytes of each element, in their order, and whether it is added.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], bool)> {
        self.changes
            .iter()
            .map(|(element, adds)| (&**element, *adds))
    }

    /// Whether an element is added (or removed); nothing where it is not named.
    pub(super) fn adds(&self, element: &[u8]) -> Option<bool> {
        self.find(element).map(|(_, adds)| *adds)
    }

    /// The element at a place of the footprint, and whether it is added. O(log n) for a text, else
    /// every element is looked at.
    pub(super) fn at(&self, key: &Key) -> Option<(&[u8], bool)> {
        let [segment] = key.path.as_slice() else {
            return None;
        };
        if segment.starts_with('<') {
            return self
                .iter()
                .find(|(element, _)| segment_of(element) == *segment);
        }
        let mut text = Writer::new();
        text.text(segment);
        let (element, adds) = self.find(text.as_bytes())?;
        Some((element, *adds))
    }

    fn find(&self, element: &[u8]) -> Option<&(Bytes, bool)> {
        let places = |(other, _): &(Bytes, bool)| (**other).cmp(element);
        let at = self.changes.binary_search_by(places).ok()?;
        self.changes.get(at)
    }

    fn read_canonical(bytes: &Bytes) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(bytes);
        let mut changes = Vec::new();
        for _ in 0..reader.map()? {
            let adds = match reader.text()? {
                "add" => true,
                "remove" => false,
                other => {
                    let reason = format!("unknown entry {other:?}, expected add or remove");
                    return Err(PayloadError::Unreadable { reason });
                }
            };
            for _ in 0..reader.array()? {
                let element = bytes.slice_ref(reader.raw_item()?);
                changes.push((element, adds));
            }
        }
        // Of equal elements an add comes first, and stays.
        changes.sort_unstable_by(|(one, adds), (other, also)| (one, !adds).cmp(&(other, !also)));
        changes.dedup_by(|(later, _), (first, _)| later == first);
        Ok(Self { changes })
    }
}

impl<'de> Deserialize<'de> for SetWrites {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Value::deserialize(deserializer)?.into();
        Self::read_canonical(&bytes).map_err(D::Error::custom)
    }
}
