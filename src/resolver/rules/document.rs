use alloc::vec::Vec;

use serde::de::DeserializeOwned;

use super::Rule;
use super::field_cell::FieldCell;
use super::pattern::RuleBook;
use super::writes::{DocumentWrites, Write, elements};
use crate::event::{EventId, PayloadError, cbor};
use crate::resolver::cell::{Saw, stored_as_image};
use crate::resolver::tree::Node;
use crate::resolver::{Piece, Rejection};

/// The state of a record kept by [`Rules`](super::Rules): its fields, and who wrote each.
///
/// Grows with the fields that are there and with what is concurrent in them, not with history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document(Node<FieldCell>);

stored_as_image!(Document);

impl Document {
    /// What is shown at a path, decoded: of a field, or of a whole branch as nested maps. The empty
    /// path is the whole record. Nothing where nothing is visible.
    ///
    /// # Errors
    /// [`PayloadError`] when it is not a `T`.
    pub fn value<T, P>(&self, path: P) -> Result<Option<T>, PayloadError>
    where
        T: DeserializeOwned,
        P: IntoIterator<Item: AsRef<str>>,
    {
        let Some(node) = self.0.at(path) else {
            return Ok(None);
        };
        cbor::from_slice(&node.present()?).map(Some)
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The record as nested maps, in canonical CBOR.
    ///
    /// # Errors
    /// [`PayloadError`] when it cannot be written.
    pub fn present(&self) -> Result<Vec<u8>, PayloadError> {
        self.0.present()
    }

    /// What is visible, in the order of paths.
    pub(super) fn pieces(&self) -> Result<Vec<Piece>, PayloadError> {
        let mut found = Vec::new();
        for (path, cell) in self.0.leaves() {
            cell.pieces(&path, &mut found)?;
        }
        Ok(found)
    }

    /// Whether an event fits the rules of the fields that it names.
    pub(super) fn admit(
        &self,
        writes: &DocumentWrites,
        book: &RuleBook,
        saw: Saw<'_>,
    ) -> Result<(), Rejection> {
        let mut open = None;
        writes.for_each(book, &mut |path, _, write| {
            if matches!(write, Write::Value(_)) {
                open = open.take().or_else(|| self.open_at(path, "set", saw));
            }
        })?;
        for path in writes.removals() {
            let path: Vec<&str> = path.iter().map(|segment| &**segment).collect();
            open = open.or_else(|| self.open_at(&path, "remove", saw));
        }
        open.map_or(Ok(()), Err)
    }

    /// The refusal of a write at a path where its writer saw rival values.
    fn open_at(&self, path: &[&str], operation: &str, saw: Saw<'_>) -> Option<Rejection> {
        let cell = self.0.at(path)?.leaf.as_ref()?;
        match cell.rivals_seen(saw) {
            0 | 1 => None,
            open => Some(Rejection::new(alloc::format!(
                "{operation} {}: {open} values are open, a person has to resolve them first",
                path.join(".")
            ))),
        }
    }

    /// Folds one admitted event.
    pub(super) fn write(
        &mut self,
        writes: &DocumentWrites,
        book: &RuleBook,
        by: EventId,
        saw: Saw<'_>,
    ) {
        for path in writes.removals() {
            self.0.remove(path, saw);
        }
        // What does not fit the rules was not admitted.
        let _ = writes.for_each(book, &mut |path, rule, write| match write {
            Write::Step(0) => {}
            Write::Add(array) if elements(array).next().is_none() => {}
            Write::Discard(array) => self.0.discard(path, array, by, saw),
            _ => self.0.write(path, rule, write, by, saw),
        });
    }
}

impl Node<FieldCell> {
    fn write(
        &mut self,
        path: &[&str],
        rule: Rule,
        write: Write<'_>,
        writer: EventId,
        saw: Saw<'_>,
    ) {
        let Some((segment, rest)) = path.split_first() else {
            let cell = self.leaf.get_or_insert_with(|| FieldCell::new(rule));
            cell.fold(write, writer, saw);
            self.leaf.take_if(|cell| cell.is_empty());
            // An element has a key of its own, which what lies inside does not share.
            if !matches!(write, Write::Add(_)) {
                self.forget_inside(saw);
            }
            return;
        };
        self.change(segment, |child| {
            if !rest.is_empty() {
                child.forget(saw);
            }
            child.write(rest, rule, write, writer, saw);
        });
    }

    /// Takes elements out of the set at a path, if there is one.
    fn discard(&mut self, path: &[&str], array: &[u8], writer: EventId, saw: Saw<'_>) {
        let Some((segment, rest)) = path.split_first() else {
            if let Some(cell) = &mut self.leaf {
                cell.fold(Write::Discard(array), writer, saw);
                self.leaf.take_if(|cell| cell.is_empty());
            }
            return;
        };
        self.change(segment, |child| child.discard(rest, array, writer, saw));
    }
}
