//! The stored form of [`Fields`]: one byte string of canonical CBOR.
//!
//! ```text
//! image = [[replica bytes 16, ...], node]     replicas sorted, each once
//! node  = {segment: node, ...}                only things inside
//!       | [replica index, seq, value]         only a leaf
//!       | [replica index, seq, value, {segment: node, ...}]
//! ```

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use super::fields::{Fields, Node, Slot};
use crate::event::cbor::{Kind, Reader, Writer};
use crate::event::{EventId, PayloadError, ReplicaId, Seq};
use crate::limits::CBOR_DEPTH_MAX;

impl Fields {
    fn encode(&self) -> Vec<u8> {
        let mut numbers = BTreeMap::new();
        gather(&self.root, &mut numbers);
        let mut writer = Writer::new();
        writer.array(2).array(numbers.len());
        for (number, (replica, place)) in (0u64..).zip(&mut numbers) {
            *place = number;
            writer.bytes(&replica.to_bytes());
        }
        put(&self.root, &numbers, &mut writer);
        writer.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(bytes);
        if reader.array()? != 2 {
            return Err(unreadable("not an image of fields"));
        }
        let mut replicas = Vec::new();
        for _ in 0..reader.array()? {
            let id = <[u8; 16]>::try_from(reader.bytes()?)
                .map_err(|_| unreadable("a replica id has 16 bytes"))?;
            replicas.push(ReplicaId::from_bytes(id));
        }
        let root = node(&mut reader, &replicas, 0)?;
        reader.finish()?;
        Ok(Self { root })
    }
}

fn gather(node: &Node, numbers: &mut BTreeMap<ReplicaId, u64>) {
    if let Some(slot) = &node.slot {
        numbers.insert(slot.writer.replica, 0);
    }
    node.children
        .values()
        .for_each(|child| gather(child, numbers));
}

fn put(node: &Node, numbers: &BTreeMap<ReplicaId, u64>, writer: &mut Writer) {
    let inside = node.slot.is_none() || !node.children.is_empty();
    if let Some(slot) = &node.slot {
        let number = numbers
            .get(&slot.writer.replica)
            .copied()
            .unwrap_or_default();
        writer
            .array(if inside { 4 } else { 3 })
            .uint(number)
            .uint(slot.writer.seq.get());
        writer.raw(&slot.value);
    }
    if inside {
        writer.map(node.children.len());
        for (key, child) in node.in_order() {
            writer.text(key);
            put(child, numbers, writer);
        }
    }
}

fn node(
    reader: &mut Reader<'_>,
    replicas: &[ReplicaId],
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
            3 => false,
            4 => true,
            other => return Err(unreadable(&format!("a leaf of {other} parts"))),
        };
        let replica = usize::try_from(reader.uint()?)
            .ok()
            .and_then(|number| replicas.get(number));
        let replica = *replica.ok_or_else(|| unreadable("a leaf names an unlisted replica"))?;
        let seq = Seq::new(reader.uint()?).ok_or_else(|| unreadable("a seq is zero"))?;
        let value = reader.raw_item()?.into();
        found.slot = Some(Slot {
            writer: EventId::new(replica, seq),
            value,
        });
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

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.encode())
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(Image)
    }
}

struct Image;

impl Visitor<'_> for Image {
    type Value = Fields;

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the image of a record's fields")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Fields, E> {
        Fields::decode(bytes).map_err(E::custom)
    }
}
