use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Outcome;
use super::cuts::Moment;
use super::heads::Known;
use super::rarely::{Rarely, absent};
use super::writers::{Joined, Link, Writers};
use crate::event::{ChainTag, Event, EventId, OrderKey, ReplicaId, Seq, SortedMap};
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
    seldom: Rarely<Seldom>,
}

/// What is kept of each event: 24 bytes, as there are many. What few of them have is in [`Seldom`].
#[derive(Debug)]
pub(super) struct Row {
    pub(super) event: Event,
    /// The way to earlier events of its writer.
    pub(super) link: Link,
    tag: ChainTag,
    fate: Fate,
    marks: Marks,
}

/// What is known of an event's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Not folded yet.
    Pending,
    Applied,
    Rejected,
    Replaced,
    /// Never in the canonical order, whatever else comes.
    Invalid,
}

/// What is true of an event, a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Marks(u8);

impl Marks {
    /// Its writer's chain is known up to here.
    const HAS_TAG: Self = Self(1);
    /// It had everything in its past that was here when it came.
    const KNEW_ALL: Self = Self(2);
    /// There is nothing in its past but its writer's own events.
    const KNEW_OWN_ONLY: Self = Self(4);

    fn with(self, mark: Self, is_true: bool) -> Self {
        if is_true { Self(self.0 | mark.0) } else { self }
    }

    const fn has(self, mark: Self) -> bool {
        self.0 & mark.0 != 0
    }
}

/// What most events, and most aggregates, have none of.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    /// Why events are refused, or skipped; of each that is.
    reasons: SortedMap<EventId, Outcome>,
    /// By slot: when the fold found that an event has everything in its past that is before it in
    /// canonical order. Nothing behind the last one.
    cuts: Vec<Option<Moment>>,
}

absent!(
    Seldom,
    Seldom {
        reasons: SortedMap::new(),
        cuts: Vec::new(),
    }
);

impl Row {
    /// Nothing where the writer's chain up to here is not known.
    pub(super) fn tag(&self) -> Option<ChainTag> {
        self.marks.has(Marks::HAS_TAG).then_some(self.tag)
    }

    pub(super) const fn fate(&self) -> Fate {
        self.fate
    }

    /// Whether it had everything in its past that was here when it came.
    pub(super) const fn knew_all(&self) -> bool {
        self.marks.has(Marks::KNEW_ALL)
    }

    pub(super) fn note_knew_all(&mut self) {
        self.marks = self.marks.with(Marks::KNEW_ALL, true);
    }

    /// Whether it is of the canonical order, skipped or not.
    pub(super) fn is_valid(&self) -> bool {
        self.fate != Fate::Invalid
    }
}

impl From<&Outcome> for Fate {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Applied => Self::Applied,
            Outcome::Rejected(_) => Self::Rejected,
            Outcome::Replaced(_) => Self::Replaced,
        }
    }
}

/// Room for so many at first, and for as many more the second time.
const ROWS: usize = 4;

impl Rows {
    /// Makes room for so many more events, and no more than that.
    pub(super) fn expect(&mut self, more: usize) {
        self.arrived.reserve_exact(more);
    }

    /// Takes an event that is not here, of the writer with this number if it has one, and returns its
    /// slot. One that is not invalid, for a reason, is a head.
    pub(super) fn push(
        &mut self,
        writer: Option<usize>,
        event: Event,
        tag: Option<ChainTag>,
        invalid: Option<Box<Rejection>>,
    ) -> usize {
        let slot = self.arrived.len();
        let known = invalid.is_none().then(|| Known {
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
                .is_some_and(|row| {
                    row.marks.has(Marks::KNEW_OWN_ONLY) && row.event.id() == head.id
                }),
            _ => false,
        };
        self.payload_bytes += event.payload().len();
        self.event_bytes += event.memory_bytes();
        // Most aggregates are small, and there are many of them.
        if slot == self.arrived.capacity() {
            self.arrived.reserve_exact((slot / 2).max(ROWS));
        }
        let fate = match invalid {
            None => Fate::Pending,
            Some(why) => {
                let reason = Outcome::Rejected(*why);
                self.seldom.reasons.insert(event.id(), reason);
                Fate::Invalid
            }
        };
        self.arrived.push(Row {
            event,
            link,
            tag: tag.unwrap_or(ChainTag::from_bits(0)),
            fate,
            marks: Marks::default()
                .with(Marks::HAS_TAG, tag.is_some())
                .with(Marks::KNEW_OWN_ONLY, knew_own_only),
        });
        slot
    }

    /// Whether the event at a slot has another one in its past, where that shows without its vector:
    /// where it has only its writer's own, and, in a timeline where all is plain, where it knew all
    /// that was here when it came.
    pub(super) fn saw(&self, slot: usize, id: EventId, is_plain: bool) -> Option<bool> {
        let row = self.row(slot)?;
        if row.marks.has(Marks::KNEW_OWN_ONLY) {
            let own = row
                .event
                .heads()
                .iter()
                .find(|own| own.id.replica == id.replica);
            return Some(own.is_some_and(|own| id.seq <= own.id.seq));
        }
        let came_before = self.slot(id)? < slot;
        (is_plain && row.knew_all()).then_some(came_before)
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
        self.find(id).filter(|row| row.is_valid())
    }

    /// Whether the event at a slot is of the canonical order, skipped or not.
    pub(super) fn is_valid(&self, slot: usize) -> bool {
        self.row(slot).is_some_and(Row::is_valid)
    }

    /// Whether the event at a slot is one that is folded: valid and not skipped.
    pub(super) fn is_in_order(&self, slot: usize) -> bool {
        let fate = self.row(slot).map(Row::fate);
        fate.is_some_and(|fate| !matches!(fate, Fate::Invalid | Fate::Replaced))
    }

    /// Notes what became of a valid event. Returns whether that is new.
    pub(super) fn settle(&mut self, slot: usize, outcome: Outcome) -> bool {
        let Some(row) = self.arrived.get_mut(slot) else {
            return false;
        };
        let now = Fate::from(&outcome);
        let before = core::mem::replace(&mut row.fate, now);
        let had_reason = matches!(before, Fate::Rejected | Fate::Replaced);
        if now == Fate::Applied {
            if had_reason {
                self.seldom.reasons.remove(&row.event.id());
            }
            return before != now;
        }
        let id = row.event.id();
        let is_new = before != now || self.seldom.reasons.get(&id) != Some(&outcome);
        if is_new {
            self.seldom.reasons.insert(id, outcome);
        }
        is_new
    }

    /// What became of an event, as others are told; nothing before the first fold.
    pub(super) fn outcome(&self, row: &Row) -> Option<Outcome> {
        match row.fate {
            Fate::Pending => None,
            Fate::Applied => Some(Outcome::Applied),
            Fate::Rejected | Fate::Replaced | Fate::Invalid => self.reason(row).cloned(),
        }
    }

    /// Why an event is refused, if it is.
    pub(super) fn refused(&self, row: &Row) -> Option<&Rejection> {
        match self.reason(row)? {
            Outcome::Rejected(rejection) => Some(rejection),
            Outcome::Applied | Outcome::Replaced(_) => None,
        }
    }

    /// What stands for an event, if it is skipped.
    pub(super) fn replaced_by(&self, row: &Row) -> Option<EventId> {
        match self.reason(row)? {
            Outcome::Replaced(by) => Some(*by),
            Outcome::Applied | Outcome::Rejected(_) => None,
        }
    }

    fn reason(&self, row: &Row) -> Option<&Outcome> {
        self.seldom.reasons.get(&row.event.id())
    }

    /// When the fold found that an event has everything in its past that is before it.
    pub(super) fn cut(&self, slot: usize) -> Option<Moment> {
        self.seldom.cuts.get(slot).copied().flatten()
    }

    /// Notes when it was found, or that it is not so.
    pub(super) fn note_cut(&mut self, slot: usize, found: Option<Moment>) {
        if slot < self.seldom.cuts.len() {
            if let Some(cut) = self.seldom.cuts.get_mut(slot) {
                *cut = found;
            }
        } else if found.is_some() {
            self.seldom.cuts.resize(slot, None);
            self.seldom.cuts.push(found);
        }
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
            if row.is_valid() {
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
        let Seldom { reasons, cuts } = &*self.seldom;
        self.arrived.capacity() * size_of::<Row>()
            + reasons.len() * size_of::<(EventId, Outcome)>()
            + cuts.capacity() * size_of::<Option<Moment>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_takes_24_bytes() {
        assert_eq!(size_of::<Row>(), 24);
    }
}
