use alloc::vec::Vec;

use crate::event::cbor::{Reader, Writer};
use crate::event::{EventId, PayloadError};
use crate::resolver::cell::{Cell, ReplicaTable, Saw, Sum};

/// A counter inside a document, which can be removed: its sum, and the steps that no other step
/// has seen.
///
/// Who saw those saw all of them. So whether a removal knew the whole sum can be told without
/// keeping every step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    sum: Sum,
    /// In the order of ids; more than one only after concurrent steps.
    latest: Vec<EventId>,
}

impl Tally {
    /// Folds one step.
    pub(super) fn add(&mut self, step: i64, writer: EventId, saw: Saw<'_>) {
        self.sum.add(step);
        self.latest.retain(|latest| !saw(*latest));
        if let Err(place) = self.latest.binary_search(&writer) {
            self.latest.insert(place, writer);
        }
    }

    /// Folds a removal, which takes the sum if its writer saw all of it, and nothing otherwise.
    pub(super) fn clear(&mut self, saw: Saw<'_>) {
        if self.latest.iter().all(|latest| saw(*latest)) {
            *self = Self::default();
        }
    }

    /// Whether there was no step since it was last removed.
    pub(super) fn is_empty(&self) -> bool {
        self.latest.is_empty()
    }

    /// The sum as a CBOR integer.
    pub(super) fn present(&self) -> Result<Vec<u8>, PayloadError> {
        self.sum.present()
    }
}

/// `[sum, id, ...]`, an id being two items.
impl Cell for Tally {
    fn for_each_id(&self, visit: &mut dyn FnMut(EventId)) {
        self.latest.iter().copied().for_each(visit);
    }

    fn write_to(&self, writer: &mut Writer, replicas: &ReplicaTable) {
        writer.array(self.latest.len().saturating_mul(2).saturating_add(1));
        self.sum.write_to(writer, replicas);
        for id in &self.latest {
            replicas.write_id(*id, writer);
        }
    }

    fn read_from(reader: &mut Reader<'_>, replicas: &ReplicaTable) -> Result<Self, PayloadError> {
        let items = reader.array()?;
        let sum = Sum::read_from(reader, replicas)?;
        let ids = items.saturating_sub(1) / 2;
        let latest = (0..ids).map(|_| replicas.read_id(reader));
        let latest: Vec<EventId> = latest.collect::<Result<_, _>>()?;
        if items % 2 == 1 && latest.is_sorted_by(|one, other| one < other) {
            Ok(Self { sum, latest })
        } else {
            Err(PayloadError::Unreadable {
                reason: "a counter without its latest steps in order".into(),
            })
        }
    }
}
