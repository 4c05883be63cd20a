use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Saw;
use super::image::{Cell, ReplicaTable, unreadable};
use crate::event::cbor::{Reader, Writer};
use crate::event::{EventId, PayloadError};

/// A set in which an add beats a concurrent remove: the observed-remove set without tombstones
/// (Bieniusa and others, 2012).
///
/// An element is there as long as one of its adds, its *dots*, is: a remove takes the dots that its
/// writer saw, and so does an add before it leaves its own. Which dots are there is a function of
/// the set of events and their pasts, so concurrent events commute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DotSet(BTreeMap<Box<[u8]>, Dots>);

/// In the order of ids, never empty; more than one only after concurrent adds.
type Dots = Vec<EventId>;

impl DotSet {
    /// Folds an add of a canonical element.
    pub(crate) fn add(&mut self, element: &[u8], writer: EventId, saw: Saw<'_>) {
        let Some(dots) = self.0.get_mut(element) else {
            self.0.insert(element.into(), Vec::from([writer]));
            return;
        };
        dots.retain(|dot| !saw(*dot));
        if let Err(place) = dots.binary_search(&writer) {
            dots.insert(place, writer);
        }
    }

    /// Folds a remove of a canonical element.
    pub(crate) fn remove(&mut self, element: &[u8], saw: Saw<'_>) {
        if let Some(dots) = self.0.get_mut(element) {
            dots.retain(|dot| !saw(*dot));
            if dots.is_empty() {
                self.0.remove(element);
            }
        }
    }

    /// Folds a remove of every element.
    pub(crate) fn clear(&mut self, saw: Saw<'_>) {
        self.0.retain(|_, dots| {
            dots.retain(|dot| !saw(*dot));
            !dots.is_empty()
        });
    }

    /// The elements in the order of their bytes, each with the adds that keep it.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[EventId])> {
        self.0.iter().map(|(element, dots)| (&**element, &**dots))
    }

    /// The adds that keep an element; none where it is not in the set. O(log n).
    pub(crate) fn dots(&self, element: &[u8]) -> &[EventId] {
        self.0.get(element).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether no element is there.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The elements as a sorted array.
    pub(crate) fn present(&self, writer: &mut Writer) {
        writer.array(self.0.len());
        for element in self.0.keys() {
            writer.raw(element);
        }
    }
}

/// `{element: [id, ...]}`, an id being two items.
impl Cell for DotSet {
    fn for_each_id(&self, visit: &mut dyn FnMut(EventId)) {
        self.0.values().flatten().copied().for_each(visit);
    }

    fn write_to(&self, writer: &mut Writer, replicas: &ReplicaTable) {
        writer.map(self.0.len());
        for (element, dots) in &self.0 {
            writer.raw(element).array(dots.len().saturating_mul(2));
            for dot in dots {
                replicas.write_id(*dot, writer);
            }
        }
    }

    fn read_from(reader: &mut Reader<'_>, replicas: &ReplicaTable) -> Result<Self, PayloadError> {
        let mut elements = BTreeMap::<Box<[u8]>, Dots>::new();
        for _ in 0..reader.map()? {
            let element = reader.raw_item()?;
            if elements
                .last_key_value()
                .is_some_and(|(last, _)| *element <= **last)
            {
                return Err(unreadable("the elements of a set are not in order"));
            }
            let items = reader.array()?;
            let dots = (0..items / 2).map(|_| replicas.read_id(reader));
            let dots: Dots = dots.collect::<Result<_, _>>()?;
            if items % 2 != 0 || dots.is_empty() || !dots.is_sorted_by(|one, other| one < other) {
                return Err(unreadable("an element without its adds in order"));
            }
            elements.insert(element.into(), dots);
        }
        Ok(Self(elements))
    }
}
