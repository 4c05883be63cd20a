//! The stored form of a [`Document`]: one byte string of canonical CBOR.
//!
//! ```text
//! image = [[replica bytes 16, ...], node]     replicas sorted, each once
//! node  = {segment: node, ...}                only things inside
//!       | [kind, cell]                        only a field
//!       | [kind, cell, {segment: node, ...}]
//! ```

use alloc::format;
use alloc::vec::Vec;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use super::document::{Document, Node};
use super::field_cell::FieldCell;
use crate::event::cbor::{Kind, Reader, Writer};
use crate::event::{EventId, PayloadError};
use crate::limits::CBOR_DEPTH_MAX;
use crate::resolver::cell::{Cell, ReplicaTable};

impl Document {
    fn encode(&self) -> Vec<u8> {
        let replicas = ReplicaTable::of(|visit| gather(&self.root, visit));
        let mut writer = Writer::new();
        writer.array(2);
        replicas.write_to(&mut writer);
        put(&self.root, &replicas, &mut writer);
        writer.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(bytes);
        if reader.array()? != 2 {
            return Err(unreadable("not the image of a record's fields"));
        }
        let replicas = ReplicaTable::read_from(&mut reader)?;
        let root = node(&mut reader, &replicas, 0)?;
        reader.finish()?;
        Ok(Self { root })
    }
}

fn gather(node: &Node, visit: &mut dyn FnMut(EventId)) {
    if let Some(cell) = &node.cell {
        cell.for_each_id(visit);
    }
    for child in node.children.values() {
        gather(child, visit);
    }
}

fn put(node: &Node, replicas: &ReplicaTable, writer: &mut Writer) {
    let inside = node.cell.is_none() || !node.children.is_empty();
    if let Some(cell) = &node.cell {
        cell.write_to(writer.array(if inside { 3 } else { 2 }), replicas);
    }
    if inside {
        writer.map(node.children.len());
        for (key, child) in node.in_order() {
            writer.text(key);
            put(child, replicas, writer);
        }
    }
}

fn node(
    reader: &mut Reader<'_>,
    replicas: &ReplicaTable,
    depth: usize,
) -> Result<Node, PayloadError> {
    if depth > CBOR_DEPTH_MAX {
        return Err(PayloadError::TooDeep {
            max: CBOR_DEPTH_MAX,
        });
    }
    let mut found = Node::default();
    let mut inside = true;
    if reader.peek()? == Kind::Array {
        inside = match reader.array()? {
            2 => false,
            3 => true,
            other => return Err(unreadable(&format!("a field of {other} parts"))),
        };
        let cell = FieldCell::read_from(reader, replicas)?;
        if cell.is_empty() {
            return Err(unreadable("an empty field"));
        }
        found.cell = Some(cell);
    }
    if inside {
        for _ in 0..reader.map()? {
            let key = reader.text()?.into();
            let child = node(reader, replicas, depth + 1)?;
            if child.is_empty() {
                return Err(unreadable("an empty branch"));
            }
            found.children.insert(key, child);
        }
    }
    Ok(found)
}

fn unreadable(reason: &str) -> PayloadError {
    PayloadError::Unreadable {
        reason: reason.into(),
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.encode())
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(Image)
    }
}

struct Image;

impl Visitor<'_> for Image {
    type Value = Document;

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the image of a record's fields")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Document, E> {
        Document::decode(bytes).map_err(E::custom)
    }
}
