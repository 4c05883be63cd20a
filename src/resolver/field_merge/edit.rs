use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::super::nested::{self, NestedMap};
use crate::event::PayloadError;

/// What one event changes in a record kept by [`FieldMerge`](super::FieldMerge), built call by call.
///
/// Removals come before writes, in whatever order they were called.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldEdit {
    set: NestedMap,
    remove: Vec<Vec<String>>,
}

impl FieldEdit {
    /// Changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a value at a path. A value that is a map, or a struct, is written field by field and
    /// leaves its other fields as they are; at the empty path it must be one.
    ///
    /// # Errors
    /// [`PayloadError`] when the value cannot be written as CBOR, holds a map whose keys are not
    /// text, or is no map at the empty path.
    pub fn set<P, T>(mut self, path: P, value: &T) -> Result<Self, PayloadError>
    where
        P: IntoIterator<Item: Into<String>>,
        T: Serialize + ?Sized,
    {
        nested::write(&mut self.set, path, value)?;
        Ok(self)
    }

    /// Removes a path: what its writer sees there and below; everything, for the empty path.
    #[must_use]
    pub fn remove<P>(mut self, path: P) -> Self
    where
        P: IntoIterator<Item: Into<String>>,
    {
        self.remove.push(nested::segments(path));
        self
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }
}

impl Serialize for FieldEdit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = usize::from(!self.set.is_empty()) + usize::from(!self.remove.is_empty());
        let mut map = serializer.serialize_map(Some(entries))?;
        if !self.set.is_empty() {
            map.serialize_entry("set", &self.set)?;
        }
        if !self.remove.is_empty() {
            map.serialize_entry("remove", &self.remove)?;
        }
        map.end()
    }
}
