use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use ciborium::Value;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::event::{PayloadError, cbor};

/// What one event changes in a record kept by [`FieldMerge`](super::FieldMerge), built call by call.
///
/// Removals come before writes, in whatever order they were called.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldEdit {
    set: BTreeMap<String, Branch>,
    remove: Vec<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Branch {
    Leaf(Value),
    Map(BTreeMap<String, Branch>),
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
        let value = cbor::from_slice(&cbor::to_vec(value)?)?;
        let mut branch = Branch::from_value(value)?;
        let segments: Vec<String> = path.into_iter().map(Into::into).collect();
        for segment in segments.into_iter().rev() {
            branch = Branch::Map(BTreeMap::from([(segment, branch)]));
        }
        match branch {
            Branch::Map(map) => merge(&mut self.set, map),
            // An empty map at the empty path writes nothing.
            Branch::Leaf(Value::Map(_)) => {}
            Branch::Leaf(_) => return Err(refusal("only a map can be written at the empty path")),
        }
        Ok(self)
    }

    /// Removes a path: what its writer sees there and below; everything, for the empty path.
    #[must_use]
    pub fn remove<P>(mut self, path: P) -> Self
    where
        P: IntoIterator<Item: Into<String>>,
    {
        self.remove.push(path.into_iter().map(Into::into).collect());
        self
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }
}

impl Branch {
    fn from_value(value: Value) -> Result<Self, PayloadError> {
        match value {
            Value::Map(entries) if !entries.is_empty() => {
                let mut map = BTreeMap::new();
                for (key, value) in entries {
                    let Value::Text(key) = key else {
                        return Err(refusal("the keys of a field map must be text"));
                    };
                    map.insert(key, Self::from_value(value)?);
                }
                Ok(Self::Map(map))
            }
            leaf => Ok(Self::Leaf(leaf)),
        }
    }
}

/// Later calls win where paths meet.
fn merge(into: &mut BTreeMap<String, Branch>, from: BTreeMap<String, Branch>) {
    for (key, branch) in from {
        match (into.get_mut(&key), branch) {
            (Some(Branch::Map(into)), Branch::Map(from)) => merge(into, from),
            (_, branch) => {
                into.insert(key, branch);
            }
        }
    }
}

fn refusal(reason: &str) -> PayloadError {
    PayloadError::Unwritable {
        reason: reason.into(),
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

impl Serialize for Branch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Leaf(value) => value.serialize(serializer),
            Self::Map(map) => map.serialize(serializer),
        }
    }
}
