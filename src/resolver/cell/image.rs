//! The stored form of cells: canonical CBOR in which a replica's id stands once.
//!
//! ```text
//! image = [[replica bytes 16, ...], cell]     replicas sorted, each once
//! id    = replica index, seq                  two items
//! ```

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::event::cbor::{Reader, Writer};
use crate::event::{EventId, PayloadError, ReplicaId, Seq};

/// What can be stored beside others of its kind.
pub(crate) trait Cell: Sized {
    /// Calls back for every event that the cell names.
    fn for_each_id(&self, visit: &mut dyn FnMut(EventId));

    /// Writes canonical items: one, except for what is only kept inside another. All ids must be in
    /// the table.
    fn write_to(&self, writer: &mut Writer, replicas: &ReplicaTable);

    /// Reads what [`write_to`](Self::write_to) wrote.
    ///
    /// # Errors
    /// [`PayloadError`] where something else stands.
    fn read_from(reader: &mut Reader<'_>, replicas: &ReplicaTable) -> Result<Self, PayloadError>;
}

/// The replicas that an image names, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReplicaTable(Vec<ReplicaId>);

impl ReplicaTable {
    /// The replicas of some ids.
    pub(crate) fn of(for_each_id: impl FnOnce(&mut dyn FnMut(EventId))) -> Self {
        let mut replicas = BTreeSet::new();
        for_each_id(&mut |id| {
            replicas.insert(id.replica);
        });
        Self(replicas.into_iter().collect())
    }

    /// Writes the table: one item.
    pub(crate) fn write_to(&self, writer: &mut Writer) {
        writer.array(self.0.len());
        for replica in &self.0 {
            writer.bytes(&replica.to_bytes());
        }
    }

    /// Reads what [`write_to`](Self::write_to) wrote.
    pub(crate) fn read_from(reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        let mut replicas = Vec::new();
        for _ in 0..reader.array()? {
            let id = <[u8; 16]>::try_from(reader.bytes()?)
                .map_err(|_| unreadable("a replica id has 16 bytes"))?;
            replicas.push(ReplicaId::from_bytes(id));
        }
        if !replicas.is_sorted_by(|one, other| one < other) {
            return Err(unreadable("the replicas of an image are not in order"));
        }
        Ok(Self(replicas))
    }

    /// Writes an id: two items.
    pub(crate) fn write_id(&self, id: EventId, writer: &mut Writer) {
        let index = self.0.binary_search(&id.replica).unwrap_or_default();
        writer
            .uint(u64::try_from(index).unwrap_or(u64::MAX))
            .uint(id.seq.get());
    }

    /// Reads an id.
    pub(crate) fn read_id(&self, reader: &mut Reader<'_>) -> Result<EventId, PayloadError> {
        let replica = usize::try_from(reader.uint()?)
            .ok()
            .and_then(|index| self.0.get(index));
        let replica = *replica.ok_or_else(|| unreadable("an id of an unlisted replica"))?;
        let seq = Seq::new(reader.uint()?).ok_or_else(|| unreadable("a seq is zero"))?;
        Ok(EventId::new(replica, seq))
    }
}

/// The image of one cell alone.
pub(crate) fn encode<C: Cell>(cell: &C) -> Vec<u8> {
    let replicas = ReplicaTable::of(|visit| cell.for_each_id(visit));
    let mut writer = Writer::new();
    writer.array(2);
    replicas.write_to(&mut writer);
    cell.write_to(&mut writer, &replicas);
    writer.into_bytes()
}

/// The inverse of [`encode`].
pub(crate) fn decode<C: Cell>(bytes: &[u8]) -> Result<C, PayloadError> {
    let mut reader = Reader::new(bytes);
    if reader.array()? != 2 {
        return Err(unreadable("not the image of a cell"));
    }
    let replicas = ReplicaTable::read_from(&mut reader)?;
    let cell = C::read_from(&mut reader, &replicas)?;
    reader.finish()?;
    Ok(cell)
}

/// The refusal of an image.
pub(crate) fn unreadable(reason: &str) -> PayloadError {
    PayloadError::Unreadable {
        reason: reason.into(),
    }
}

/// Serde for a newtype around a [`Cell`]: one byte string, its image.
macro_rules! stored_as_image {
    ($state:ident) => {
        impl serde::Serialize for $state {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(&$crate::resolver::cell::encode(&self.0))
            }
        }

        impl<'de> serde::Deserialize<'de> for $state {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Image;

                impl serde::de::Visitor<'_> for Image {
                    type Value = $state;

                    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                        f.write_str("the image of a state")
                    }

                    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<$state, E> {
                        $crate::resolver::cell::decode(bytes)
                            .map($state)
                            .map_err(E::custom)
                    }
                }

                deserializer.deserialize_bytes(Image)
            }
        }
    };
}
pub(crate) use stored_as_image;
