use alloc::vec::Vec;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::cell::{DotSet, Saw, stored_as_image};
use super::SetWrites;
use crate::event::cbor::{self, Writer};
use crate::event::{EventId, PayloadError};

/// The elements of a set kept by [`AddWinsSet`](super::AddWinsSet), and who added each.
///
/// Grows with the elements that are there, not with how often they were added and removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elements(DotSet);

impl Elements {
    /// The canonical bytes of each element, in their order, with the events that added it: more than
    /// one if these did not know of each other; in the order of ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[EventId])> {
        self.0.iter()
    }

    /// The elements, decoded, in the order of their canonical bytes.
    ///
    /// # Errors
    /// [`PayloadError`] when one of them is not a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<Vec<T>, PayloadError> {
        self.iter()
            .map(|(element, _)| cbor::from_slice(element))
            .collect()
    }

    /// Whether an element is in the set. O(log n).
    ///
    /// # Errors
    /// [`PayloadError`] when the element cannot be written as CBOR.
    pub fn contains<T: Serialize + ?Sized>(&self, element: &T) -> Result<bool, PayloadError> {
        Ok(!self.writers(element)?.is_empty())
    }

    /// The events that keep an element in the set; none where it is not. O(log n).
    ///
    /// # Errors
    /// [`PayloadError`] when the element cannot be written as CBOR.
    pub fn writers<T: Serialize + ?Sized>(&self, element: &T) -> Result<&[EventId], PayloadError> {
        Ok(self.0.dots(&cbor::to_vec(element)?))
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.0.iter().len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The elements as an array in canonical CBOR, in the order of their bytes.
    pub fn present(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.0.present(&mut writer);
        writer.into_bytes()
    }

    /// Folds one event.
    pub(super) fn write(&mut self, change: &SetWrites, writer: EventId, saw: Saw<'_>) {
        for (element, adds) in change.iter() {
            if adds {
                self.0.add(element, writer, saw);
            } else {
                self.0.remove(element, saw);
            }
        }
    }
}

stored_as_image!(Elements);
