use alloc::string::String;
use alloc::vec::Vec;

use ciborium::Value;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::super::nested::{self, NestedMap};
use crate::event::PayloadError;

/// What one event changes in a record kept by [`Rules`](super::Rules), built call by call.
///
/// In whatever order they are called, removals come first, then what is set, resolved, discarded,
/// added and counted. Whether a field's rule takes what is said of it is known where the event is
/// recorded, not here.
///
/// ```
/// use anabranch::event::Draft;
/// use anabranch::resolver::DocumentEdit;
///
/// let edit = DocumentEdit::new()
///     .set(["price"], &30)?
///     .add(["tags"], "new")?
///     .discard(["tags"], "sale")?
///     .count(["sold"], 1)?
///     .remove(["draft"]);
/// let draft = Draft::new("product/1", "edited", &edit)?;
/// # Ok::<(), anabranch::event::EventError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DocumentEdit {
    remove: Vec<Vec<String>>,
    set: NestedMap,
    resolve: NestedMap,
    discard: NestedMap,
    add: NestedMap,
    count: NestedMap,
}

impl DocumentEdit {
    /// Changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a value at a path. A map, or a struct, is written entry by entry beside what other
    /// calls write there; at the empty path it must be one.
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

    /// Decides for a value of a field that a person settles.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn resolve<P, T>(mut self, path: P, value: &T) -> Result<Self, PayloadError>
    where
        P: IntoIterator<Item: Into<String>>,
        T: Serialize + ?Sized,
    {
        nested::write(&mut self.resolve, path, value)?;
        Ok(self)
    }

    /// Adds an element to the set at a path.
    ///
    /// # Errors
    /// [`PayloadError`] when the element cannot be written as CBOR, or the path is empty.
    pub fn add<P, T>(mut self, path: P, element: &T) -> Result<Self, PayloadError>
    where
        P: IntoIterator<Item: Into<String>>,
        T: Serialize + ?Sized,
    {
        append(&mut self.add, path, element)?;
        Ok(self)
    }

    /// Takes an element out of the set at a path, as far as the writer sees it.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn discard<P, T>(mut self, path: P, element: &T) -> Result<Self, PayloadError>
    where
        P: IntoIterator<Item: Into<String>>,
        T: Serialize + ?Sized,
    {
        append(&mut self.discard, path, element)?;
        Ok(self)
    }

    /// Adds a step to the counter at a path; steps of several calls add up.
    ///
    /// # Errors
    /// [`PayloadError`] when the path is empty, or the steps of several calls leave 64 bits.
    pub fn count<P>(mut self, path: P, step: i64) -> Result<Self, PayloadError>
    where
        P: IntoIterator<Item: Into<String>>,
    {
        nested::change(&mut self.count, &nested::segments(path), |before| {
            let before = before.as_integer().map_or(Ok(0), i64::try_from);
            let sum = before.ok().and_then(|before| before.checked_add(step));
            let sum = sum.ok_or_else(|| nested::refusal("the steps leave 64 bits"))?;
            Ok(Value::from(sum))
        })?;
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
        self.remove.is_empty() && self.maps().iter().all(|(_, map)| map.is_empty())
    }

    fn maps(&self) -> [(&'static str, &NestedMap); 5] {
        [
            ("set", &self.set),
            ("resolve", &self.resolve),
            ("discard", &self.discard),
            ("add", &self.add),
            ("count", &self.count),
        ]
    }
}

fn append<P, T>(into: &mut NestedMap, path: P, element: &T) -> Result<(), PayloadError>
where
    P: IntoIterator<Item: Into<String>>,
    T: Serialize + ?Sized,
{
    let element = nested::value_of(element)?;
    nested::change(into, &nested::segments(path), |before| {
        let mut elements = before.into_array().unwrap_or_default();
        if !elements.contains(&element) {
            elements.push(element);
        }
        Ok(Value::Array(elements))
    })
}

impl Serialize for DocumentEdit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let said = self.maps().into_iter().filter(|(_, map)| !map.is_empty());
        let mut map = serializer.serialize_map(None)?;
        for (name, nested) in said {
            map.serialize_entry(name, nested)?;
        }
        if !self.remove.is_empty() {
            map.serialize_entry("remove", &self.remove)?;
        }
        map.end()
    }
}
