use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::de::DeserializeOwned;

use super::FieldWrites;
use super::writes::is_branch;
use crate::event::cbor::{self, Reader, Writer};
use crate::event::{EventId, PayloadError};

/// The state of a record kept by [`FieldMerge`](super::FieldMerge): its fields, and who wrote each.
///
/// Grows with the fields that are there, not with how often they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    pub(super) root: Node,
}

/// A place in the tree. Invariant: below the root none is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) slot: Option<Slot>,
    pub(super) children: BTreeMap<Box<str>, Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) writer: EventId,
    /// Canonical CBOR.
    pub(super) value: Box<[u8]>,
}

/// One visible leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The segments, outermost first.
    pub path: Vec<&'a str>,
    /// The canonical CBOR of its value.
    pub value: &'a [u8],
    /// The event that wrote it.
    pub writer: EventId,
}

impl Fields {
    /// The value at a path, decoded: of a leaf, or of a whole branch as nested maps. The empty path
    /// is the whole record. Nothing where nothing is visible.
    ///
    /// # Errors
    /// [`PayloadError`] when the value is not a `T`.
    pub fn value<T, P>(&self, path: P) -> Result<Option<T>, PayloadError>
    where
        T: DeserializeOwned,
        P: IntoIterator<Item: AsRef<str>>,
    {
        let Some(node) = self.node(path) else {
            return Ok(None);
        };
        let mut writer = Writer::new();
        node.present(&mut writer);
        cbor::from_slice(writer.as_bytes()).map(Some)
    }

    /// The canonical CBOR of the leaf at a path; nothing for branches. O(segments x log n).
    pub fn leaf<P>(&self, path: P) -> Option<&[u8]>
    where
        P: IntoIterator<Item: AsRef<str>>,
    {
        self.node(path)?.visible().map(|slot| &*slot.value)
    }

    /// Every visible leaf, in the order of paths. The whole tree is walked at once.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        let mut found = Vec::new();
        self.root.collect(&mut Vec::new(), &mut found);
        found.into_iter()
    }

    /// How many leaves are visible. Walks the tree.
    pub fn len(&self) -> usize {
        self.root.count()
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.root.is_empty()
    }

    /// The record as nested maps, in canonical CBOR.
    pub fn present(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        if self.root.children.is_empty() {
            writer.map(0);
        } else {
            self.root.present(&mut writer);
        }
        writer.into_bytes()
    }

    /// Folds one event.
    pub(super) fn write(
        &mut self,
        change: &FieldWrites,
        writer: EventId,
        saw: &dyn Fn(EventId) -> bool,
    ) {
        for path in change.removals() {
            self.root.remove(path, saw);
        }
        if let Some(mut reader) = change.set() {
            // The shape was checked when the payload was read.
            let _ = self.root.set(&mut reader, writer, saw);
        }
    }

    fn node<P>(&self, path: P) -> Option<&Node>
    where
        P: IntoIterator<Item: AsRef<str>>,
    {
        let mut node = &self.root;
        for segment in path {
            node = node.children.get(segment.as_ref())?;
        }
        Some(node)
    }
}

impl Node {
    /// Writes the map that the reader stands at. Recursion is as deep as a payload may nest.
    fn set(
        &mut self,
        reader: &mut Reader<'_>,
        writer: EventId,
        saw: &dyn Fn(EventId) -> bool,
    ) -> Result<(), PayloadError> {
        for _ in 0..reader.map()? {
            let key = reader.text()?;
            // The entry interface wants an owned key, an allocation for each look-up.
            if !self.children.contains_key(key) {
                self.children.insert(key.into(), Self::default());
            }
            let Some(child) = self.children.get_mut(key) else {
                continue;
            };
            if is_branch(reader)? {
                child.slot.take_if(|slot| saw(slot.writer));
                child.set(reader, writer, saw)?;
            } else {
                let value = reader.raw_item()?.into();
                child.slot = Some(Slot { writer, value });
                child.forget_inside(saw);
            }
        }
        Ok(())
    }

    fn remove(&mut self, path: &[Box<str>], saw: &dyn Fn(EventId) -> bool) {
        let Some((segment, rest)) = path.split_first() else {
            self.slot = None;
            self.forget_inside(saw);
            return;
        };
        if let Some(child) = self.children.get_mut(segment) {
            child.remove(rest, saw);
            if child.is_empty() {
                self.children.remove(segment);
            }
        }
    }

    /// Removes from everything strictly inside what was seen.
    fn forget_inside(&mut self, saw: &dyn Fn(EventId) -> bool) {
        self.children.retain(|_, child| {
            child.slot.take_if(|slot| saw(slot.writer));
            child.forget_inside(saw);
            !child.is_empty()
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slot.is_none() && self.children.is_empty()
    }

    fn visible(&self) -> Option<&Slot> {
        self.slot.as_ref().filter(|_| self.children.is_empty())
    }

    /// The children in the canonical order of CBOR map keys: shorter ones first.
    pub(super) fn in_order(&self) -> Vec<(&str, &Self)> {
        let mut children: Vec<_> = self
            .children
            .iter()
            .map(|(key, node)| (&**key, node))
            .collect();
        children.sort_unstable_by_key(|(key, _)| (key.len(), *key));
        children
    }

    fn present(&self, writer: &mut Writer) {
        if let Some(slot) = self.visible() {
            writer.raw(&slot.value);
            return;
        }
        writer.map(self.children.len());
        for (key, child) in self.in_order() {
            writer.text(key);
            child.present(writer);
        }
    }

    fn collect<'a>(&'a self, path: &mut Vec<&'a str>, found: &mut Vec<Field<'a>>) {
        if let Some(slot) = self.visible() {
            found.push(Field {
                path: path.clone(),
                value: &slot.value,
                writer: slot.writer,
            });
        }
        for (key, child) in &self.children {
            path.push(key);
            child.collect(path, found);
            path.pop();
        }
    }

    fn count(&self) -> usize {
        usize::from(self.visible().is_some())
            + self.children.values().map(Self::count).sum::<usize>()
    }
}
