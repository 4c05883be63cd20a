use super::image::{Cell, ReplicaTable};
use super::register::{Register, Slot};
use super::{NULL, Saw};
use crate::event::cbor::{Reader, Writer};
use crate::event::{EventId, PayloadError};

/// The first write in canonical order, until somebody who saw it clears it with null; then the
/// first after that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct First(Register);

impl First {
    /// Folds a write of a canonical value.
    pub(crate) fn write(&mut self, value: &[u8], writer: EventId, saw: Saw<'_>) {
        let stands = self.standing().map(|slot| slot.writer);
        let takes = match stands {
            Some(standing) => value == NULL && saw(standing),
            None => value != NULL,
        };
        if takes {
            self.0.write(value, writer);
        }
    }

    /// Takes out what stands, or the null that cleared it, if the writer of the event being folded
    /// saw that.
    pub(crate) fn clear(&mut self, saw: Saw<'_>) {
        self.0.clear(saw);
    }

    /// The write that stands.
    pub(crate) fn standing(&self) -> Option<&Slot> {
        self.slot().filter(|slot| *slot.value != *NULL)
    }

    /// The write that stands, or the null that cleared the last one that stood.
    pub(crate) fn slot(&self) -> Option<&Slot> {
        self.0.slot()
    }
}

/// As a [`Register`].
impl Cell for First {
    fn for_each_id(&self, visit: &mut dyn FnMut(EventId)) {
        self.0.for_each_id(visit);
    }

    fn write_to(&self, writer: &mut Writer, replicas: &ReplicaTable) {
        self.0.write_to(writer, replicas);
    }

    fn read_from(reader: &mut Reader<'_>, replicas: &ReplicaTable) -> Result<Self, PayloadError> {
        Register::read_from(reader, replicas).map(Self)
    }
}
