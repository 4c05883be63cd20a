use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Outcome;
use super::cuts::Moment;
use crate::event::{ChainTag, Event, EventId, OrderKey, ReplicaId, Seq};
use crate::resolver::Rejection;

/// The events in memory, in the order of arrival. A *slot* is an event's place here and stays the
/// same.
#[derive(Debug, Default)]
pub(super) struct Rows {
    arrived: Vec<Row>,
    slots: BTreeMap<EventId, usize>,
    payload_bytes: usize,
    /// The last valid event of each writer.
    last: BTreeMap<ReplicaId, OrderKey>,
    /// Whether some writer's valid events came, or have their places, in another order than that of
    /// their seqs.
    astray: bool,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) event: Event,
    /// Nothing where the writer's chain up to here is not known.
    pub(super) tag: Option<ChainTag>,
    pub(super) fate: Fate,
    /// Whether it had everything in its past that was here when it came.
    pub(super) knew_all: bool,
    /// When the fold found that it has everything in its past that is before it in canonical order.
    pub(super) cut: Option<Moment>,
}

/// What is known of an event's outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Not folded yet.
    Pending,
    Applied,
    Rejected(Rejection),
    Replaced(EventId),
    /// Never in the canonical order, whatever else comes.
    Invalid(Rejection),
}

impl Fate {
    /// The same as others are told; nothing before the first fold.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Pending => None,
            Self::Applied => Some(Outcome::Applied),
            Self::Replaced(by) => Some(Outcome::Replaced(*by)),
            Self::Rejected(rejection) | Self::Invalid(rejection) => {
                Some(Outcome::Rejected(rejection.clone()))
            }
        }
    }

    /// Why it is refused, if it is.
    pub(super) fn refused(&self) -> Option<&Rejection> {
        match self {
            Self::Rejected(rejection) | Self::Invalid(rejection) => Some(rejection),
            Self::Pending | Self::Applied | Self::Replaced(_) => None,
        }
    }
}

impl Rows {
    /// Takes an event that is not here, and returns its slot.
    pub(super) fn push(&mut self, event: Event, tag: Option<ChainTag>, fate: Fate) -> usize {
        let slot = self.arrived.len();
        if !matches!(fate, Fate::Invalid(_)) {
            let key = event.order_key();
            let last = self.last.insert(key.replica, key);
            self.astray |= last.is_some_and(|last| last > key || last.seq > key.seq);
        }
        self.slots.insert(event.id(), slot);
        self.payload_bytes += event.payload().len();
        self.arrived.push(Row {
            event,
            tag,
            fate,
            knew_all: false,
            cut: None,
        });
        slot
    }

    pub(super) fn slot(&self, id: EventId) -> Option<usize> {
        self.slots.get(&id).copied()
    }

    pub(super) fn row(&self, slot: usize) -> Option<&Row> {
        self.arrived.get(slot)
    }

    pub(super) fn key(&self, slot: usize) -> Option<OrderKey> {
        self.row(slot).map(|row| row.event.order_key())
    }

    pub(super) fn row_mut(&mut self, slot: usize) -> Option<&mut Row> {
        self.arrived.get_mut(slot)
    }

    pub(super) fn find(&self, id: EventId) -> Option<&Row> {
        self.arrived.get(self.slot(id)?)
    }

    /// An event of the canonical order.
    pub(super) fn find_valid(&self, id: EventId) -> Option<&Row> {
        self.find(id)
            .filter(|row| !matches!(row.fate, Fate::Invalid(_)))
    }

    pub(super) fn iter(&self) -> core::slice::Iter<'_, Row> {
        self.arrived.iter()
    }

    /// The ids in memory from `first` to `last`, ascending.
    pub(super) fn ids(
        &self,
        first: EventId,
        last: EventId,
    ) -> impl DoubleEndedIterator<Item = EventId> {
        self.slots.range(first..=last).map(|(id, _)| *id)
    }

    /// The valid event that its writer wrote before one in memory.
    pub(super) fn previous(&self, id: EventId) -> Option<EventId> {
        let first = EventId::new(id.replica, Seq::FIRST);
        let mut before = self.ids(first, id).rev().skip(1);
        before.find(|id| self.find_valid(*id).is_some())
    }

    /// Whether some writer left earlier events of its own out of its heads, and it showed. Vectors
    /// cover these all the same, so a later event can seem to know one that is folded after it.
    pub(super) fn is_astray(&self) -> bool {
        self.astray
    }

    pub(super) fn len(&self) -> usize {
        self.arrived.len()
    }

    pub(super) fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }
}
