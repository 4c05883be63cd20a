use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Saw;
use super::image::{Cell, ReplicaTable, unreadable};
use crate::event::cbor::{Reader, Writer};
use crate::event::{EventId, PayloadError};

/// Every write that no other has overwritten; a write overwrites what its writer saw.
///
/// What is there is a function of the set of writes and their pasts: those that no other saw. So
/// concurrent writes commute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Siblings(BTreeMap<EventId, Box<[u8]>>);

impl Siblings {
    /// Folds a write of a canonical value.
    pub(crate) fn write(&mut self, value: &[u8], writer: EventId, saw: Saw<'_>) {
        self.clear(saw);
        self.0.insert(writer, value.into());
    }

    /// Folds a write of nothing: what its writer saw goes, and nothing comes.
    pub(crate) fn clear(&mut self, saw: Saw<'_>) {
        self.0.retain(|sibling, _| !saw(*sibling));
    }

    /// How many distinct values there are of those that a writer saw: if several, an open conflict
    /// was known to that writer.
    pub(crate) fn distinct_seen(&self, saw: Saw<'_>) -> usize {
        let seen = self.iter().filter(|(writer, _)| saw(*writer));
        seen.map(|(_, value)| value).collect::<BTreeSet<_>>().len()
    }

    /// The writes, in the order of ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (EventId, &[u8])> {
        self.0.iter().map(|(writer, value)| (*writer, &**value))
    }

    /// The distinct values in the order of their bytes, each with the writes that wrote it.
    pub(crate) fn distinct(&self) -> BTreeMap<&[u8], Vec<EventId>> {
        let mut distinct: BTreeMap<&[u8], Vec<EventId>> = BTreeMap::new();
        for (writer, value) in self.iter() {
            distinct.entry(value).or_default().push(writer);
        }
        distinct
    }

    /// Whether nothing is there.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `[id, value, id, value, ...]` in the order of ids, which are three items each.
impl Cell for Siblings {
    fn for_each_id(&self, visit: &mut dyn FnMut(EventId)) {
        self.0.keys().copied().for_each(visit);
    }

    fn write_to(&self, writer: &mut Writer, replicas: &ReplicaTable) {
        writer.array(self.0.len().saturating_mul(3));
        for (id, value) in self.iter() {
            replicas.write_id(id, writer);
            writer.raw(value);
        }
    }

    fn read_from(reader: &mut Reader<'_>, replicas: &ReplicaTable) -> Result<Self, PayloadError> {
        let items = reader.array()?;
        let mut siblings = BTreeMap::new();
        for _ in 0..items / 3 {
            let id = replicas.read_id(reader)?;
            if siblings
                .last_key_value()
                .is_some_and(|(last, _)| id <= *last)
            {
                return Err(unreadable("siblings are not in order"));
            }
            siblings.insert(id, reader.raw_item()?.into());
        }
        if items % 3 == 0 {
            Ok(Self(siblings))
        } else {
            Err(unreadable("a sibling has three parts"))
        }
    }
}
