//! The stored form of a tree: what stands in place of the cell in the image of one.
//!
//! ```text
//! node = {segment: node, ...}                 only things inside
//!      | [leaf ...]                           only a leaf, of as many items as its kind has
//!      | [leaf ..., {segment: node, ...}]
//! ```

use alloc::format;

use super::{Leaf, Node};
use crate::event::cbor::{Kind, Reader, Writer};
use crate::event::{EventId, PayloadError};
use crate::limits::CBOR_DEPTH_MAX;
use crate::resolver::cell::{Cell, ReplicaTable, unreadable};

impl<L: Leaf> Cell for Node<L> {
    fn for_each_id(&self, visit: &mut dyn FnMut(EventId)) {
        if let Some(leaf) = &self.leaf {
            leaf.for_each_id(visit);
        }
        for child in self.children.values() {
            child.for_each_id(visit);
        }
    }

    fn write_to(&self, writer: &mut Writer, replicas: &ReplicaTable) {
        let inside = self.leaf.is_none() || !self.children.is_empty();
        if let Some(leaf) = &self.leaf {
            leaf.write_to(writer.array(L::ITEMS + usize::from(inside)), replicas);
        }
        if inside {
            writer.map(self.children.len());
            for (segment, child) in self.in_order() {
                child.write_to(writer.text(segment), replicas);
            }
        }
    }

    fn read_from(reader: &mut Reader<'_>, replicas: &ReplicaTable) -> Result<Self, PayloadError> {
        read(reader, replicas, 0)
    }
}

fn read<L: Leaf>(
    reader: &mut Reader<'_>,
    replicas: &ReplicaTable,
    depth: usize,
) -> Result<Node<L>, PayloadError> {
    if depth > CBOR_DEPTH_MAX {
        return Err(PayloadError::TooDeep {
            max: CBOR_DEPTH_MAX,
        });
    }
    let mut found = Node::default();
    let mut inside = true;
    if reader.peek()? == Kind::Array {
        let items = reader.array()?;
        inside = items == L::ITEMS + 1;
        if !inside && items != L::ITEMS {
            return Err(unreadable(&format!("a field of {items} parts")));
        }
        found.leaf = Some(L::read_from(reader, replicas)?);
    }
    if inside {
        for _ in 0..reader.map()? {
            let segment = reader.text()?.into();
            let child: Node<L> = read(reader, replicas, depth + 1)?;
            if child.is_empty() {
                return Err(unreadable("an empty branch"));
            }
            found.children.insert(segment, child);
        }
    }
    Ok(found)
}
