use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Outcome;
use super::cuts::Moment;
use super::heads::Known;
use super::writers::{Joined, Link, Writers};
use crate::event::{ChainTag, Event, EventId, OrderKey, ReplicaId, Seq};
use crate::resolver::Rejection;

/// The events in memory, in the order of arrival. A *slot* is an event's place here and stays the
/// same.
#[derive(Debug, Default)]
pub(super) struct Rows {
    arrived: Vec<Row>,
    writers: Writers,
    payload_bytes: usize,
    event_bytes: usize,
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
    /// The way to earlier events of its writer.
    pub(super) link: Link,
    /// Whether there is nothing in its past but its writer's own events.
    knew_own_only: bool,
}

/// What is known of an event's outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Not folded yet.
    Pending,
    Applied,
    Rejected(Box<Rejection>),
    Replaced(Box<EventId>),
    /// Never in the canonical order, whatever else comes.
    Invalid(Box<Rejection>),
}

impl Fate {
    /// The same as others are told; nothing before the first fold.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Pending => None,
            Self::Applied => Some(Outcome::Applied),
            Self::Replaced(by) => Some(Outcome::Replaced(**by)),
            Self::Rejected(rejection) | Self::Invalid(rejection) => {
                Some(Outcome::Rejected(Rejection::clone(rejection)))
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

/// Room for so many at first, and for as many more the second time.
const ROWS: usize = 4;

impl Rows {
    /// Takes an event that is not here, of the writer with this number if it has one, and returns its
    /// slot. A valid one is a head.
    pub(super) fn push(
        &mut self,
        writer: Option<usize>,
        event: Event,
        tag: Option<ChainTag>,
        fate: Fate,
    ) -> usize {
        let slot = self.arrived.len();
        let is_valid = !matches!(fate, Fate::Invalid(_));
        let known = is_valid.then(|| Known {
            tag,
            timestamp: event.timestamp(),
        });
        let Joined { link, astray } = self.writers.push(writer, event.id(), known, &self.arrived);
        self.astray |= astray;
        let knew_own_only = match event.heads().as_slice() {
            [] => true,
            [head] => link
                .previous()
                .and_then(|slot| self.row(slot))
                .is_some_and(|row| row.knew_own_only && row.event.id() == head.id),
            _ => false,
        };
        self.payload_bytes += event.payload().len();
        self.event_bytes += event.memory_bytes();
        // Most aggregates are small, and there are many of them.
        if slot == self.arrived.capacity() {
            self.arrived.reserve_exact((slot / 2).max(ROWS));
        }
        self.arrived.push(Row {
            event,
            tag,
            fate,
            knew_all: false,
            cut: None,
            link,
            knew_own_only,
        });
        slot
    }

    /// Whether the event at a slot has another one in its past, where that shows without its vector:
    /// where it has only its writer's own, and, in a timeline where all is plain, where it knew all
    /// that was here when it came.
    pub(super) fn saw(&self, slot: usize, id: EventId, is_plain: bool) -> Option<bool> {
        let row = self.row(slot)?;
        if row.knew_own_only {
            let own = row
                .event
                .heads()
                .iter()
                .find(|own| own.id.replica == id.replica);
            return Some(own.is_some_and(|own| id.seq <= own.id.seq));
        }
        let came_before = self.slot(id)? < slot;
        (is_plain && row.knew_all).then_some(came_before)
    }

    pub(super) fn slot(&self, id: EventId) -> Option<usize> {
        self.slot_of(self.writers.number(id.replica)?, id)
    }

    /// The same for an event of the writer with this number.
    pub(super) fn slot_of(&self, writer: usize, id: EventId) -> Option<usize> {
        self.writers.slot_of(writer, id, &self.arrived)
    }

    /// What is known of each writer.
    pub(super) fn writers(&self) -> &Writers {
        &self.writers
    }

    pub(super) fn writers_mut(&mut self) -> &mut Writers {
        &mut self.writers
    }

    /// Lets go of the events, not of what is known of their writers.
    pub(super) fn forget(&mut self) {
        let mut writers = core::mem::take(&mut self.writers);
        writers.forget_slots();
        *self = Self {
            writers,
            ..Self::default()
        };
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

    /// Whether the event at a slot is of the canonical order, skipped or not.
    pub(super) fn is_valid(&self, slot: usize) -> bool {
        let fate = self.row(slot).map(|row| &row.fate);
        fate.is_some_and(|fate| !matches!(fate, Fate::Invalid(_)))
    }

    /// Whether the event at a slot is one that is folded: valid and not skipped.
    pub(super) fn is_in_order(&self, slot: usize) -> bool {
        let fate = self.row(slot).map(|row| &row.fate);
        fate.is_some_and(|fate| !matches!(fate, Fate::Invalid(_) | Fate::Replaced(_)))
    }

    pub(super) fn iter(&self) -> core::slice::Iter<'_, Row> {
        self.arrived.iter()
    }

    /// The newest valid event of a writer, before a seq if one is given.
    pub(super) fn valid_before(&self, replica: ReplicaId, seq: Option<Seq>) -> Option<&Row> {
        let mut before = seq;
        loop {
            let slot = self.writers.before(replica, before, &self.arrived)?;
            let row = self.row(slot)?;
            if !matches!(row.fate, Fate::Invalid(_)) {
                return Some(row);
            }
            before = Some(row.event.id().seq);
        }
    }

    /// The valid event that its writer wrote before one in memory.
    pub(super) fn previous(&self, id: EventId) -> Option<EventId> {
        let row = self.valid_before(id.replica, Some(id.seq))?;
        Some(row.event.id())
    }

    /// Whether some writer left earlier events of its own out of its heads, and it showed. Vectors
    /// cover these all the same, so a later event can seem to know one that is folded after it.
    pub(super) fn is_astray(&self) -> bool {
        self.astray
    }

    pub(super) fn len(&self) -> usize {
        self.arrived.len()
    }

    /// Bytes of memory that the events take.
    pub(super) fn event_bytes(&self) -> usize {
        self.event_bytes
    }

    pub(super) fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    /// How much memory it takes, in bytes, without the events and what is known of writers.
    pub(super) fn bytes(&self) -> usize {
        self.arrived.capacity() * size_of::<Row>()
    }
}
