use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use ciborium::Value;
use serde::ser::{Serialize, Serializer};

use crate::event::{PayloadError, cbor};

/// Nested maps being built, as the payloads of rules over fields hold them.
pub(super) type NestedMap = BTreeMap<String, Nested>;

/// A value at the end of a path, or what lies further down.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Nested {
    Leaf(Value),
    Map(NestedMap),
}

/// Writes a value at a path: a map, or a struct, entry by entry beside what is there. Later calls
/// win where paths meet.
pub(super) fn write<P, T>(into: &mut NestedMap, path: P, value: &T) -> Result<(), PayloadError>
where
    P: IntoIterator<Item: Into<String>>,
    T: Serialize + ?Sized,
{
    let mut nested = Nested::from_value(value_of(value)?)?;
    for segment in segments(path).into_iter().rev() {
        nested = Nested::Map(BTreeMap::from([(segment, nested)]));
    }
    match nested {
        Nested::Map(map) => merge(into, map),
        // An empty map at the empty path writes nothing.
        Nested::Leaf(Value::Map(_)) => {}
        Nested::Leaf(_) => return Err(refusal("only a map can be written at the empty path")),
    }
    Ok(())
}

/// Changes the leaf at a path, which is null if there was none; what else was there gives way.
pub(super) fn change(
    into: &mut NestedMap,
    path: &[String],
    change_leaf: impl FnOnce(Value) -> Result<Value, PayloadError>,
) -> Result<(), PayloadError> {
    let (segment, rest) = path
        .split_first()
        .ok_or_else(|| refusal("the empty path is no field"))?;
    let before = into.remove(segment);
    let after = if rest.is_empty() {
        Nested::Leaf(change_leaf(match before {
            Some(Nested::Leaf(value)) => value,
            _ => Value::Null,
        })?)
    } else {
        let mut map = match before {
            Some(Nested::Map(map)) => map,
            _ => NestedMap::new(),
        };
        change(&mut map, rest, change_leaf)?;
        Nested::Map(map)
    };
    into.insert(segment.clone(), after);
    Ok(())
}

/// A path, owned.
pub(super) fn segments<P>(path: P) -> Vec<String>
where
    P: IntoIterator<Item: Into<String>>,
{
    path.into_iter().map(Into::into).collect()
}

/// A value as it will be written.
pub(super) fn value_of<T: Serialize + ?Sized>(value: &T) -> Result<Value, PayloadError> {
    cbor::from_slice(&cbor::to_vec(value)?)
}

pub(super) fn refusal(reason: &str) -> PayloadError {
    PayloadError::Unwritable {
        reason: reason.into(),
    }
}

impl Nested {
    fn from_value(value: Value) -> Result<Self, PayloadError> {
        match value {
            Value::Map(entries) if !entries.is_empty() => {
                let mut map = NestedMap::new();
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

fn merge(into: &mut NestedMap, from: NestedMap) {
    for (key, nested) in from {
        match (into.get_mut(&key), nested) {
            (Some(Nested::Map(into)), Nested::Map(from)) => merge(into, from),
            (_, nested) => {
                into.insert(key, nested);
            }
        }
    }
}

impl Serialize for Nested {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Leaf(value) => value.serialize(serializer),
            Self::Map(map) => map.serialize(serializer),
        }
    }
}
