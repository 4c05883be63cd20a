use alloc::vec::Vec;

use super::image::{Cell, ReplicaTable};
use crate::event::cbor::{self, Reader, Writer};
use crate::event::{EventId, PayloadError};

/// A sum of 64-bit steps.
///
/// It takes 2^64 of the greatest steps to leave 128 bits, more than can ever be written. Should it
/// happen it wraps, which is the one way that still commutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum(i128);

impl Sum {
    /// Folds one step.
    pub(crate) fn add(&mut self, step: i64) {
        self.0 = self.0.wrapping_add(step.into());
    }

    /// The sum of the steps.
    pub(crate) fn total(self) -> i128 {
        self.0
    }

    /// The sum as a CBOR integer: a plain one within 64 bits, a big one beyond.
    pub(crate) fn present(self) -> Result<Vec<u8>, PayloadError> {
        cbor::to_vec(&self.0)
    }
}

/// The sum itself.
impl Cell for Sum {
    fn for_each_id(&self, _: &mut dyn FnMut(EventId)) {}

    fn write_to(&self, writer: &mut Writer, _: &ReplicaTable) {
        // An integer can always be written.
        writer.raw(&self.present().unwrap_or_default());
    }

    fn read_from(reader: &mut Reader<'_>, _: &ReplicaTable) -> Result<Self, PayloadError> {
        cbor::from_slice(reader.raw_item()?).map(Self)
    }
}
