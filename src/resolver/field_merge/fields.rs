use alloc::vec::Vec;
use core::convert::Infallible;

use serde::de::DeserializeOwned;

use super::FieldWrites;
use super::writes::is_branch;
use crate::event::cbor::{self, Reader, Writer};
use crate::event::{EventId, PayloadError};
use crate::resolver::cell::{Saw, Slot, stored_as_image};
use crate::resolver::tree::{Leaf, Node};

/// The state of a record kept by [`FieldMerge`](super::FieldMerge): its fields, and who wrote each.
///
/// Grows with the fields that are there, not with how often they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Node<Slot>);

stored_as_image!(Fields);

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
        let Some(node) = self.0.at(path) else {
            return Ok(None);
        };
        let Ok(shown) = node.present();
        cbor::from_slice(&shown).map(Some)
    }

    /// The canonical CBOR of the leaf at a path; nothing for branches. O(segments x log n).
    pub fn leaf<P>(&self, path: P) -> Option<&[u8]>
    where
        P: IntoIterator<Item: AsRef<str>>,
    {
        self.0.at(path)?.visible().map(|slot| &*slot.value)
    }

    /// Every visible leaf, in the order of paths. The whole tree is walked at once.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        let leaves = self.0.leaves().into_iter();
        leaves.map(|(path, slot)| Field {
            path,
            value: &slot.value,
            writer: slot.writer,
        })
    }

    /// How many leaves are visible. Walks the tree.
    pub fn len(&self) -> usize {
        self.0.count()
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The record as nested maps, in canonical CBOR.
    pub fn present(&self) -> Vec<u8> {
        let Ok(shown) = self.0.present();
        shown
    }

    /// Folds one event.
    pub(super) fn write(&mut self, change: &FieldWrites, writer: EventId, saw: Saw<'_>) {
        for path in change.removals() {
            self.0.remove(path, saw);
        }
        if let Some(mut reader) = change.set() {
            // The shape was checked when the payload was read.
            let _ = self.0.set(&mut reader, writer, saw);
        }
    }
}

impl Node<Slot> {
    /// Writes the map that the reader stands at. Recursion is as deep as a payload may nest.
    fn set(
        &mut self,
        reader: &mut Reader<'_>,
        writer: EventId,
        saw: Saw<'_>,
    ) -> Result<(), PayloadError> {
        for _ in 0..reader.map()? {
            self.change(reader.text()?, |child| {
                if is_branch(reader)? {
                    child.forget(saw);
                    return child.set(reader, writer, saw);
                }
                let value = reader.raw_item()?.into();
                child.leaf = Some(Slot { writer, value });
                child.forget_inside(saw);
                Ok(())
            })?;
        }
        Ok(())
    }
}

impl Leaf for Slot {
    const ITEMS: usize = 3;

    type Error = Infallible;

    fn forget(&mut self, saw: Saw<'_>) -> bool {
        !saw(self.writer)
    }

    /// The last one wins over what it did not see, too.
    fn remove(&mut self, _: Saw<'_>) -> bool {
        false
    }

    fn present(&self, writer: &mut Writer) -> Result<(), Infallible> {
        writer.raw(&self.value);
        Ok(())
    }
}
