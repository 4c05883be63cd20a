use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Rule;
use super::tally::Tally;
use super::writes::{Write, elements};
use crate::event::cbor::{Reader, Writer};
use crate::event::{EventId, PayloadError};
use crate::resolver::cell::{
    Cell, DotSet, First, NULL, Register, ReplicaTable, Saw, Siblings, Slot, segment_of, unreadable,
};
use crate::resolver::tree::Leaf;
use crate::resolver::{Key, Piece};

/// What one field holds, by its rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FieldCell {
    Last(Register),
    First(First),
    Count(Tally),
    Set(DotSet),
    Kept(Siblings),
    Manual(Siblings),
}

impl FieldCell {
    pub(super) fn new(rule: Rule) -> Self {
        match rule {
            Rule::LastWrite => Self::Last(Register::default()),
            Rule::FirstWrite => Self::First(First::default()),
            Rule::Counter => Self::Count(Tally::default()),
            Rule::AddWinsSet => Self::Set(DotSet::default()),
            Rule::KeepAll => Self::Kept(Siblings::default()),
            Rule::Manual => Self::Manual(Siblings::default()),
        }
    }

    /// Folds what an event says of the field. What another rule would have to fold is left out: no
    /// payload is admitted that says it.
    pub(super) fn fold(&mut self, write: Write<'_>, writer: EventId, saw: Saw<'_>) {
        match (self, write) {
            (Self::Last(cell), Write::Value(value)) => cell.write(value, writer),
            (Self::First(cell), Write::Value(value)) => cell.write(value, writer, saw),
            (Self::Count(cell), Write::Step(step)) => cell.add(step, writer, saw),
            (Self::Kept(cell), Write::Value(NULL)) => cell.clear(saw),
            (Self::Kept(cell), Write::Value(value))
            | (Self::Manual(cell), Write::Value(value) | Write::Resolution(value)) => {
                cell.write(value, writer, saw);
            }
            (Self::Set(cell), Write::Elements(array)) => {
                cell.clear(saw);
                elements(array).for_each(|element| cell.add(element, writer, saw));
            }
            (Self::Set(cell), Write::Add(array)) => {
                elements(array).for_each(|element| cell.add(element, writer, saw));
            }
            (Self::Set(cell), Write::Discard(array)) => {
                elements(array).for_each(|element| cell.remove(element, saw));
            }
            _ => {}
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Last(cell) => cell.slot().is_none(),
            Self::First(cell) => cell.slot().is_none(),
            Self::Count(cell) => cell.is_empty(),
            Self::Set(cell) => cell.is_empty(),
            Self::Kept(cell) | Self::Manual(cell) => cell.is_empty(),
        }
    }

    /// How many rival values of a field that a person settles the writer of the event being folded
    /// saw.
    pub(super) fn rivals_seen(&self, saw: Saw<'_>) -> usize {
        match self {
            Self::Manual(cell) => cell.distinct_seen(saw),
            _ => 0,
        }
    }

    /// The pieces that a whole record under this rule would have, at the path of the field.
    pub(super) fn pieces(&self, path: &[&str], found: &mut Vec<Piece>) -> Result<(), PayloadError> {
        let piece = |value: &[u8], from: Vec<EventId>, open| Piece {
            key: Key::leaf(path.iter().copied()),
            value: value.to_vec(),
            from,
            open,
        };
        match self {
            Self::Last(cell) => found.extend(
                cell.slot()
                    .map(|slot| piece(&slot.value, Vec::from([slot.writer]), false)),
            ),
            Self::First(cell) => found.extend(
                cell.slot()
                    .map(|slot| piece(&slot.value, Vec::from([slot.writer]), false)),
            ),
            Self::Count(cell) => found.push(piece(&cell.present()?, Vec::new(), false)),
            Self::Set(cell) => {
                let of_element = |(element, dots): (&[u8], &[EventId])| Piece {
                    key: element_key(path, element),
                    ..piece(element, dots.to_vec(), false)
                };
                let mut elements: Vec<Piece> = cell.iter().map(of_element).collect();
                elements.sort_unstable_by(|one, other| one.key.cmp(&other.key));
                found.append(&mut elements);
            }
            Self::Kept(cell) => {
                let values = cell.distinct().into_iter();
                found.extend(values.map(|(value, from)| piece(value, from, false)));
            }
            Self::Manual(cell) => {
                let values = cell.distinct();
                let open = values.len() > 1;
                found.extend(
                    values
                        .into_iter()
                        .map(|(value, from)| piece(value, from, open)),
                );
            }
        }
        Ok(())
    }
}

impl Leaf for FieldCell {
    const ITEMS: usize = 2;

    type Error = PayloadError;

    fn forget(&mut self, saw: Saw<'_>) -> bool {
        match self {
            Self::Last(cell) => cell.clear(saw),
            Self::First(cell) => cell.clear(saw),
            Self::Count(cell) => cell.clear(saw),
            Self::Set(cell) => cell.clear(saw),
            Self::Kept(cell) | Self::Manual(cell) => cell.clear(saw),
        }
        !self.is_empty()
    }

    /// The last write wins over what it did not see, too.
    fn remove(&mut self, saw: Saw<'_>) -> bool {
        match self {
            Self::Last(_) => false,
            _ => self.forget(saw),
        }
    }

    fn present(&self, writer: &mut Writer) -> Result<(), PayloadError> {
        match self {
            Self::Last(cell) => shown(cell.slot(), writer),
            Self::First(cell) => shown(cell.slot(), writer),
            Self::Count(cell) => {
                writer.raw(&cell.present()?);
            }
            Self::Set(cell) => cell.present(writer),
            Self::Kept(cell) => array_of(cell, writer),
            Self::Manual(cell) => match only(cell) {
                Some(value) => {
                    writer.raw(value);
                }
                None => array_of(cell, writer.map(1).text("open")),
            },
        }
        Ok(())
    }
}

/// The key of one element of the set at a path.
pub(super) fn element_key(path: &[&str], element: &[u8]) -> Key {
    let path = path.iter().map(|segment| String::from(*segment));
    Key::leaf(path.chain([segment_of(element)]))
}

fn shown(slot: Option<&Slot>, writer: &mut Writer) {
    writer.raw(slot.map_or(NULL, |slot| &slot.value));
}

fn only(cell: &Siblings) -> Option<&[u8]> {
    let mut values = cell.distinct().into_keys();
    values.next().filter(|_| values.next().is_none())
}

fn array_of(cell: &Siblings, writer: &mut Writer) {
    let values = cell.distinct();
    writer.array(values.len());
    for value in values.into_keys() {
        writer.raw(value);
    }
}

/// Its kind and the cell: two items.
impl Cell for FieldCell {
    fn for_each_id(&self, visit: &mut dyn FnMut(EventId)) {
        match self {
            Self::Last(cell) => cell.for_each_id(visit),
            Self::First(cell) => cell.for_each_id(visit),
            Self::Count(cell) => cell.for_each_id(visit),
            Self::Set(cell) => cell.for_each_id(visit),
            Self::Kept(cell) | Self::Manual(cell) => cell.for_each_id(visit),
        }
    }

    fn write_to(&self, writer: &mut Writer, replicas: &ReplicaTable) {
        match self {
            Self::Last(cell) => cell.write_to(writer.uint(LAST), replicas),
            Self::First(cell) => cell.write_to(writer.uint(FIRST), replicas),
            Self::Count(cell) => cell.write_to(writer.uint(COUNT), replicas),
            Self::Set(cell) => cell.write_to(writer.uint(SET), replicas),
            Self::Kept(cell) => cell.write_to(writer.uint(KEPT), replicas),
            Self::Manual(cell) => cell.write_to(writer.uint(MANUAL), replicas),
        }
    }

    fn read_from(reader: &mut Reader<'_>, replicas: &ReplicaTable) -> Result<Self, PayloadError> {
        let cell = match reader.uint()? {
            LAST => Self::Last(Cell::read_from(reader, replicas)?),
            FIRST => Self::First(Cell::read_from(reader, replicas)?),
            COUNT => Self::Count(Cell::read_from(reader, replicas)?),
            SET => Self::Set(Cell::read_from(reader, replicas)?),
            KEPT => Self::Kept(Cell::read_from(reader, replicas)?),
            MANUAL => Self::Manual(Cell::read_from(reader, replicas)?),
            kind => return Err(unreadable(&format!("a field of kind {kind}"))),
        };
        if cell.is_empty() {
            return Err(unreadable("an empty field"));
        }
        Ok(cell)
    }
}

/// The kinds of fields in a stored state.
const LAST: u64 = 0;
const FIRST: u64 = 1;
const COUNT: u64 = 2;
const SET: u64 = 3;
const KEPT: u64 = 4;
const MANUAL: u64 = 5;
