//! Nested fields, and in each place what a rule keeps there: what states over paths stand on.
//!
//! A place holds a leaf, places inside it, or both; then what is inside is shown, and the leaf is
//! hidden until that is gone. The invariants kept here: no leaf and no place below the root is empty,
//! so the tree does not grow with history; it is shown in the canonical order of CBOR; and equal
//! trees have equal bytes.
//!
//! This module knows paths, not payloads, nor what leaves make of what is written to them: that is
//! the business of the rule that owns the tree.

mod image;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::event::cbor::Writer;
use crate::resolver::cell::{Cell, Saw};

/// What can be kept at a place of a tree. There is none that is empty.
pub(crate) trait Leaf: Cell {
    /// How many items its image has.
    const ITEMS: usize;

    /// Why it cannot be shown.
    type Error;

    /// Folds a removal or a write above or below, which takes what its writer saw. Whether anything
    /// is left.
    fn forget(&mut self, saw: Saw<'_>) -> bool;

    /// Folds a removal of this very place. Whether anything is left.
    fn remove(&mut self, saw: Saw<'_>) -> bool;

    /// Writes one item: the leaf as people read it.
    fn present(&self, writer: &mut Writer) -> Result<(), Self::Error>;
}

/// A place, and what is inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node<L> {
    pub(crate) leaf: Option<L>,
    children: BTreeMap<Box<str>, Node<L>>,
}

impl<L> Default for Node<L> {
    fn default() -> Self {
        Self {
            leaf: None,
            children: BTreeMap::new(),
        }
    }
}

impl<L> Node<L> {
    /// Whether nothing is here, nor inside.
    pub(crate) fn is_empty(&self) -> bool {
        self.leaf.is_none() && self.children.is_empty()
    }

    /// What is at a path from here. O(segments x log n).
    pub(crate) fn at<P>(&self, path: P) -> Option<&Self>
    where
        P: IntoIterator<Item: AsRef<str>>,
    {
        let mut node = self;
        for segment in path {
            node = node.children.get(segment.as_ref())?;
        }
        Some(node)
    }

    /// The leaf here, unless something is inside.
    pub(crate) fn visible(&self) -> Option<&L> {
        self.leaf.as_ref().filter(|_| self.children.is_empty())
    }

    /// How many leaves are visible, here and inside.
    pub(crate) fn count(&self) -> usize {
        usize::from(self.visible().is_some())
            + self.children.values().map(Self::count).sum::<usize>()
    }

    /// Every visible leaf, in the order of paths.
    pub(crate) fn leaves(&self) -> Vec<(Vec<&str>, &L)> {
        let mut found = Vec::new();
        self.collect(&mut Vec::new(), &mut found);
        found
    }

    fn collect<'a>(&'a self, path: &mut Vec<&'a str>, found: &mut Vec<(Vec<&'a str>, &'a L)>) {
        if let Some(leaf) = self.visible() {
            found.push((path.clone(), leaf));
        }
        for (segment, child) in &self.children {
            path.push(segment);
            child.collect(path, found);
            path.pop();
        }
    }

    /// The children in the canonical order of CBOR map keys: shorter ones first.
    fn in_order(&self) -> Vec<(&str, &Self)> {
        let children = self.children.iter();
        let mut children: Vec<_> = children.map(|(key, node)| (&**key, node)).collect();
        children.sort_unstable_by_key(|(key, _)| (key.len(), *key));
        children
    }

    /// Changes what is inside under one segment, there or not. What is left there stays, and goes if
    /// it is empty. Allocates only for what was not there.
    pub(crate) fn change<T>(&mut self, segment: &str, change: impl FnOnce(&mut Self) -> T) -> T {
        if let Some(child) = self.children.get_mut(segment) {
            let changed = change(child);
            if child.is_empty() {
                self.children.remove(segment);
            }
            return changed;
        }
        let mut child = Self::default();
        let changed = change(&mut child);
        if !child.is_empty() {
            self.children.insert(segment.into(), child);
        }
        changed
    }
}

impl<L: Leaf> Node<L> {
    /// Folds the removal of a path from here.
    pub(crate) fn remove(&mut self, path: &[Box<str>], saw: Saw<'_>) {
        let Some((segment, rest)) = path.split_first() else {
            self.leaf.take_if(|leaf| !leaf.remove(saw));
            self.forget_inside(saw);
            return;
        };
        self.change(segment, |child| child.remove(rest, saw));
    }

    /// Takes what was seen out of the leaf here.
    pub(crate) fn forget(&mut self, saw: Saw<'_>) {
        self.leaf.take_if(|leaf| !leaf.forget(saw));
    }

    /// Takes what was seen out of everything strictly inside.
    pub(crate) fn forget_inside(&mut self, saw: Saw<'_>) {
        self.children.retain(|_, child| {
            child.forget(saw);
            child.forget_inside(saw);
            !child.is_empty()
        });
    }

    /// Nested maps down to the visible leaves, in canonical CBOR.
    pub(crate) fn present(&self) -> Result<Vec<u8>, L::Error> {
        let mut writer = Writer::new();
        self.present_to(&mut writer)?;
        Ok(writer.into_bytes())
    }

    fn present_to(&self, writer: &mut Writer) -> Result<(), L::Error> {
        if let Some(leaf) = self.visible() {
            return leaf.present(writer);
        }
        writer.map(self.children.len());
        for (segment, child) in self.in_order() {
            child.present_to(writer.text(segment))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
