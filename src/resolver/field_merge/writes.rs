use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error};

use super::super::value::canonical;
use crate::event::cbor::{Kind, Reader};
use crate::event::{Payload, PayloadError, cbor};

/// A payload of [`FieldMerge`](super::FieldMerge) as it was read: its shape is known to be right.
///
/// Keeps the canonical bytes; the writes are taken from them when they are applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldWrites {
    bytes: Bytes,
    set: Range<usize>,
    remove: Vec<Vec<Box<str>>>,
}

impl FieldWrites {
    /// Reads a payload. Two passes over its bytes, which are not copied if they are canonical.
    ///
    /// # Errors
    /// [`PayloadError`] when the bytes are not CBOR or not of the form that the
    /// [module's page](super) describes.
    pub fn read(payload: &Payload) -> Result<Self, PayloadError> {
        Self::read_canonical(canonical(payload)?)
    }

    /// The removed paths.
    pub fn removals(&self) -> impl Iterator<Item = &[Box<str>]> {
        self.remove.iter().map(Vec::as_slice)
    }

    /// Calls back for every written leaf, with its path and the CBOR of its value.
    pub fn for_each_leaf<'a>(&'a self, visit: &mut dyn FnMut(&[&'a str], &'a [u8])) {
        if let Some(mut reader) = self.set() {
            // The shape was checked when the payload was read.
            let _ = leaves(&mut reader, &mut Vec::new(), visit);
        }
    }

    /// What is written along a path. O(n) in the entries of the maps on the way.
    pub(super) fn written(&self, path: &[impl AsRef<str>]) -> Written<'_> {
        let found = self.set().and_then(|set| walk(set, path).ok());
        found.unwrap_or(Written::Nothing)
    }

    /// A reader that stands at the map of writes.
    pub(super) fn set(&self) -> Option<Reader<'_>> {
        self.bytes
            .get(self.set.clone())
            .filter(|set| !set.is_empty())
            .map(Reader::new)
    }

    /// The nesting of canonical bytes is bounded, so that of the recursion here is.
    fn read_canonical(bytes: Bytes) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(&bytes);
        let mut set = 0..0;
        let mut remove = Vec::new();
        for _ in 0..reader.map()? {
            match reader.text()? {
                "set" => {
                    let start = reader.offset();
                    check(&mut reader)?;
                    set = start..reader.offset();
                }
                "remove" => {
                    for _ in 0..reader.array()? {
                        let segments = reader.array()?;
                        let path = (0..segments).map(|_| reader.text().map(Into::into));
                        remove.push(path.collect::<Result<_, _>>()?);
                    }
                }
                other => {
                    let reason = format!("unknown entry {other:?}, expected set or remove");
                    return Err(PayloadError::Unreadable { reason });
                }
            }
        }
        Ok(Self { bytes, set, remove })
    }
}

/// What a payload writes along a path, in canonical CBOR.
#[derive(Clone, Copy)]
pub(super) enum Written<'a> {
    Nothing,
    /// A leaf on the way, and how many segments lead to it.
    LeafAbove(&'a [u8], usize),
    Leaf(&'a [u8]),
    /// Leaves inside.
    Branch(&'a [u8]),
}

/// The reader stands at the map of writes, which is never a leaf.
fn walk<'a>(mut at: Reader<'a>, path: &[impl AsRef<str>]) -> Result<Written<'a>, PayloadError> {
    for (len, key) in path.iter().enumerate() {
        if len > 0 && !is_branch(&at)? {
            let leaf = at.raw_item()?;
            return Ok(Written::LeafAbove(leaf, len));
        }
        if !enter(&mut at, key.as_ref())? {
            return Ok(Written::Nothing);
        }
    }
    Ok(match (is_branch(&at)?, path.is_empty()) {
        (true, _) => Written::Branch(at.raw_item()?),
        (false, false) => Written::Leaf(at.raw_item()?),
        (false, true) => Written::Nothing,
    })
}

/// Goes to the value of a map's entry, if the map has it.
fn enter(map: &mut Reader<'_>, key: &str) -> Result<bool, PayloadError> {
    for _ in 0..map.map()? {
        if map.text()? == key {
            return Ok(true);
        }
        map.skip()?;
    }
    Ok(false)
}

/// Whether the next item is a branch: a map that is not empty.
pub(super) fn is_branch(reader: &Reader<'_>) -> Result<bool, PayloadError> {
    Ok(reader.peek()? == Kind::Map && reader.clone().map()? > 0)
}

fn check(reader: &mut Reader<'_>) -> Result<(), PayloadError> {
    for _ in 0..reader.map()? {
        reader.text()?;
        if is_branch(reader)? {
            check(reader)?;
        } else {
            reader.skip()?;
        }
    }
    Ok(())
}

fn leaves<'a>(
    reader: &mut Reader<'a>,
    path: &mut Vec<&'a str>,
    visit: &mut dyn FnMut(&[&'a str], &'a [u8]),
) -> Result<(), PayloadError> {
    for _ in 0..reader.map()? {
        path.push(reader.text()?);
        if is_branch(reader)? {
            leaves(reader, path, visit)?;
        } else {
            visit(path, reader.raw_item()?);
        }
        path.pop();
    }
    Ok(())
}

impl<'de> Deserialize<'de> for FieldWrites {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = ciborium::Value::deserialize(deserializer)?;
        let bytes = cbor::to_vec(&value).map_err(D::Error::custom)?;
        Self::read_canonical(bytes.into()).map_err(D::Error::custom)
    }
}
