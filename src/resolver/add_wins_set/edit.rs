use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::super::Value;
use crate::event::{PayloadError, cbor};

/// What one event changes in a set kept by [`AddWinsSet`](super::AddWinsSet), built call by call.
///
/// Of several calls for one element the last counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetEdit {
    /// Whether each element, in canonical CBOR, is added or removed.
    changes: BTreeMap<Vec<u8>, bool>,
}

impl SetEdit {
    /// Changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an element: it is in the set until somebody removes it who knew of this.
    ///
    /// # Errors
    /// [`PayloadError`] when the element cannot be written as CBOR.
    #[expect(
        clippy::should_implement_trait,
        reason = "it adds an element; what is added to another is not an edit"
    )]
    pub fn add<T: Serialize + ?Sized>(mut self, element: &T) -> Result<Self, PayloadError> {
        self.changes.insert(cbor::to_vec(element)?, true);
        Ok(self)
    }

    /// Removes an element, as far as the writer sees it.
    ///
    /// # Errors
    /// [`PayloadError`] when the element cannot be written as CBOR.
    pub fn remove<T: Serialize + ?Sized>(mut self, element: &T) -> Result<Self, PayloadError> {
        self.changes.insert(cbor::to_vec(element)?, false);
        Ok(self)
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl Serialize for SetEdit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let of = |kind: bool| {
            let elements = self.changes.iter().filter(|(_, adds)| **adds == kind);
            let elements: Vec<Value> = elements
                .map(|(element, _)| Value::of_canonical(element.clone()))
                .collect();
            elements
        };
        let (added, removed) = (of(true), of(false));
        let entries = usize::from(!added.is_empty()) + usize::from(!removed.is_empty());
        let mut map = serializer.serialize_map(Some(entries))?;
        if !added.is_empty() {
            map.serialize_entry("add", &added)?;
        }
        if !removed.is_empty() {
            map.serialize_entry("remove", &removed)?;
        }
        map.end()
    }
}
