use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::de::DeserializeOwned;

use super::Rule;
use super::field_cell::FieldCell;
use super::pattern::RuleBook;
use super::writes::{DocumentWrites, Write, elements};
use crate::event::cbor::{self, Writer};
use crate::event::{EventId, PayloadError};
use crate::resolver::cell::Saw;
use crate::resolver::{Piece, Rejection};

/// The state of a record kept by [`Rules`](super::Rules): its fields, and who wrote each.
///
/// Grows with the fields that are there and with what is concurrent in them, not with history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    pub(super) root: Node,
}

/// A place in the tree. Invariant: below the root none is empty, and no cell is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) cell: Option<FieldCell>,
    pub(super) children: BTreeMap<Box<str>, Node>,
}

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
        let mut node = &self.root;
        for segment in path {
            let Some(child) = node.children.get(segment.as_ref()) else {
                return Ok(None);
            };
            node = child;
        }
        let mut writer = Writer::new();
        node.present(&mut writer)?;
        cbor::from_slice(writer.as_bytes()).map(Some)
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.root.is_empty()
    }

    /// The record as nested maps, in canonical CBOR.
    ///
    /// # Errors
    /// [`PayloadError`] when it cannot be written.
    pub fn present(&self) -> Result<Vec<u8>, PayloadError> {
        let mut writer = Writer::new();
        self.root.present(&mut writer)?;
        Ok(writer.into_bytes())
    }

    /// What is visible, in the order of paths.
    pub(super) fn pieces(&self) -> Result<Vec<Piece>, PayloadError> {
        let mut found = Vec::new();
        self.root.pieces(&mut Vec::new(), &mut found)?;
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
        let mut node = &self.root;
        for segment in path {
            node = node.children.get(*segment)?;
        }
        match node.cell.as_ref()?.rivals_seen(saw) {
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
            self.root.remove(path, saw);
        }
        // What does not fit the rules was not admitted.
        let _ = writes.for_each(book, &mut |path, rule, write| match write {
            Write::Step(0) => {}
            Write::Add(array) if elements(array).next().is_none() => {}
            Write::Discard(array) => self.root.discard(path, array, by, saw),
            _ => self.root.write(path, rule, write, by, saw),
        });
    }
}

impl Node {
    fn write(
        &mut self,
        path: &[&str],
        rule: Rule,
        write: Write<'_>,
        writer: EventId,
        saw: Saw<'_>,
    ) {
        let Some((segment, rest)) = path.split_first() else {
            let cell = self.cell.get_or_insert_with(|| FieldCell::new(rule));
            cell.fold(write, writer, saw);
            self.cell.take_if(|cell| cell.is_empty());
            // An element has a key of its own, which what lies inside does not share.
            if !matches!(write, Write::Add(_)) {
                self.forget_inside(saw);
            }
            return;
        };
        // The entry interface wants an owned key, an allocation for each look-up.
        if !self.children.contains_key(*segment) {
            self.children.insert((*segment).into(), Self::default());
        }
        let Some(child) = self.children.get_mut(*segment) else {
            return;
        };
        if !rest.is_empty() {
            child.forget(saw);
        }
        child.write(rest, rule, write, writer, saw);
        if child.is_empty() {
            self.children.remove(*segment);
        }
    }

    /// Takes elements out of the set at a path, if there is one.
    fn discard(&mut self, path: &[&str], array: &[u8], writer: EventId, saw: Saw<'_>) {
        let Some((segment, rest)) = path.split_first() else {
            if let Some(cell) = &mut self.cell {
                cell.fold(Write::Discard(array), writer, saw);
                self.cell.take_if(|cell| cell.is_empty());
            }
            return;
        };
        if let Some(child) = self.children.get_mut(*segment) {
            child.discard(rest, array, writer, saw);
            if child.is_empty() {
                self.children.remove(*segment);
            }
        }
    }

    fn remove(&mut self, path: &[Box<str>], saw: Saw<'_>) {
        let Some((segment, rest)) = path.split_first() else {
            if let Some(cell) = &mut self.cell {
                cell.remove(saw);
                self.cell.take_if(|cell| cell.is_empty());
            }
            self.forget_inside(saw);
            return;
        };
        if let Some(child) = self.children.get_mut(segment) {
            child.remove(rest, saw);
            if child.is_empty() {
                self.children.remove(segment);
            }
        }
    }

    /// Takes what was seen out of the cell here.
    fn forget(&mut self, saw: Saw<'_>) {
        if let Some(cell) = &mut self.cell {
            cell.forget(saw);
            self.cell.take_if(|cell| cell.is_empty());
        }
    }

    /// Takes what was seen out of everything strictly inside.
    fn forget_inside(&mut self, saw: Saw<'_>) {
        self.children.retain(|_, child| {
            child.forget(saw);
            child.forget_inside(saw);
            !child.is_empty()
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cell.is_none() && self.children.is_empty()
    }

    /// A cell is hidden as long as something is inside.
    fn visible(&self) -> Option<&FieldCell> {
        self.cell.as_ref().filter(|_| self.children.is_empty())
    }

    /// The children in the canonical order of CBOR map keys: shorter ones first.
    pub(super) fn in_order(&self) -> Vec<(&str, &Self)> {
        let mut children: Vec<_> = self
            .children
            .iter()
            .map(|(key, node)| (&**key, node))
            .collect();
        children.sort_unstable_by_key(|(key, _)| (key.len(), *key));
        children
    }

    fn present(&self, writer: &mut Writer) -> Result<(), PayloadError> {
        if let Some(cell) = self.visible() {
            return cell.present(writer);
        }
        writer.map(self.children.len());
        for (key, child) in self.in_order() {
            writer.text(key);
            child.present(writer)?;
        }
        Ok(())
    }

    fn pieces<'a>(
        &'a self,
        path: &mut Vec<&'a str>,
        found: &mut Vec<Piece>,
    ) -> Result<(), PayloadError> {
        if let Some(cell) = self.visible() {
            cell.pieces(path, found)?;
        }
        for (key, child) in &self.children {
            path.push(key);
            child.pieces(path, found)?;
            path.pop();
        }
        Ok(())
    }
}
