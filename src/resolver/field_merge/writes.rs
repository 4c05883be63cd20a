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

    /// The CBOR of what is written at a path, be it a leaf or a branch.
    pub(super) fn written_at(&self, path: &[Box<str>]) -> Option<&[u8]> {
        let mut at = path
            .iter()
            .try_fold(self.set()?, |map, key| entry(map, key))?;
        at.raw_item().ok()
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

/// A reader that stands at the value of a map's entry, if the reader stands at a map that has it.
fn entry<'a>(mut map: Reader<'a>, key: &str) -> Option<Reader<'a>> {
    for _ in 0..map.map().ok()? {
        if map.text().ok()? == key {
            return Some(map);
        }
        map.skip().ok()?;
    }
    None
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
