use alloc::boxed::Box;

use super::Saw;
use super::image::{Cell, ReplicaTable, unreadable};
use crate::event::cbor::{Kind, Reader, Writer};
use crate::event::{EventId, PayloadError};

/// A value and the event that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) writer: EventId,
    /// Canonical CBOR.
    pub(crate) value: Box<[u8]>,
}

/// `id, value`: three items.
impl Cell for Slot {
    fn for_each_id(&self, visit: &mut dyn FnMut(EventId)) {
        visit(self.writer);
    }

    fn write_to(&self, writer: &mut Writer, replicas: &ReplicaTable) {
        replicas.write_id(self.writer, writer);
        writer.raw(&self.value);
    }

    fn read_from(reader: &mut Reader<'_>, replicas: &ReplicaTable) -> Result<Self, PayloadError> {
        Ok(Self {
            writer: replicas.read_id(reader)?,
            value: reader.raw_item()?.into(),
        })
    }
}

/// The last write in canonical order, null like any other value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Register(pub(crate) Option<Slot>);

impl Register {
    /// Folds a write of a canonical value.
    pub(crate) fn write(&mut self, value: &[u8], writer: EventId) {
        match &mut self.0 {
            Some(slot) if slot.value.len() == value.len() => {
                slot.writer = writer;
                slot.value.copy_from_slice(value);
            }
            empty => {
                *empty = Some(Slot {
                    writer,
                    value: value.into(),
                });
            }
        }
    }

    /// Takes out what is there, if the writer of the event being folded saw it.
    pub(crate) fn clear(&mut self, saw: Saw<'_>) {
        self.0.take_if(|slot| saw(slot.writer));
    }

    /// What is there, once there has been a write.
    pub(crate) fn slot(&self) -> Option<&Slot> {
        self.0.as_ref()
    }
}

/// Null before any write, else `[id, value]`, which are three items.
impl Cell for Register {
    fn for_each_id(&self, visit: &mut dyn FnMut(EventId)) {
        self.0.iter().for_each(|slot| slot.for_each_id(visit));
    }

    fn write_to(&self, writer: &mut Writer, replicas: &ReplicaTable) {
        match &self.0 {
            Some(slot) => slot.write_to(writer.array(3), replicas),
            None => {
                writer.null();
            }
        }
    }

    fn read_from(reader: &mut Reader<'_>, replicas: &ReplicaTable) -> Result<Self, PayloadError> {
        if reader.peek()? == Kind::Null {
            reader.null()?;
            return Ok(Self(None));
        }
        match reader.array()? {
            3 => Slot::read_from(reader, replicas).map(|slot| Self(Some(slot))),
            _ => Err(unreadable("a register has three parts")),
        }
    }
}
