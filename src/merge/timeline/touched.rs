use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::event::{EventId, OrderKey};
use crate::limits::{TOUCH_HEADS_MAX, TOUCH_SEGMENTS_MAX};
use crate::resolver::{Footprint, Key};

/// Which events touched which keys last: a trie over the segments of keys.
///
/// Answers for a footprint, without looking at other keys, how far in canonical order anything
/// touched it, and whether an event knew everything that did. An event counts with everything it
/// reads or writes, whatever became of it.
///
/// Each cell keeps its *heads*, the touching events that no other touching event of the cell saw.
/// What a head saw need not be asked for: whoever saw the head saw it. As canonical order extends
/// causality, the last touching event is one of the heads.
#[derive(Debug, Default)]
pub(super) struct Touched {
    root: Node,
    nodes: usize,
    segment_bytes: usize,
    further_heads: usize,
}

/// One place.
#[derive(Debug, Default)]
struct Node {
    /// Touches of exactly this place.
    leaf: Cell,
    /// Touches of this place and everything below.
    branch: Cell,
    inside: Option<Box<Inside>>,
}

/// What lies below a place.
#[derive(Debug, Default)]
struct Inside {
    /// Touches of any place below, leaves and branches alike.
    touches: Cell,
    children: BTreeMap<Box<str>, Node>,
}

/// The heads of some touches. Most places have one at a time.
#[derive(Debug, Default)]
struct Cell {
    /// The greatest in canonical order.
    last: Option<OrderKey>,
    further: Option<Box<Further>>,
}

#[derive(Debug, Default)]
struct Further {
    heads: Vec<OrderKey>,
    /// Whether there were more than are kept; then it is not known who saw all of them.
    dropped: bool,
}

/// Says whether the event in question saw another one.
type Saw<'a> = &'a mut dyn FnMut(EventId) -> bool;

impl Touched {
    /// Takes notice of an event and of everything it touches, and tells whether something that
    /// touches one of these keys is not in its past.
    ///
    /// Events are to be given once, in an order that extends causality. Where an event saw all
    /// that was given before it, `sees_all`, it is not asked `saw`. Exact, except that more
    /// concurrent events than [`TOUCH_HEADS_MAX`] on one key count as a race, and keys of
    /// [`TOUCH_SEGMENTS_MAX`] segments or more as branches. Costs the segments of the keys, times the heads there.
    pub(super) fn observe(
        &mut self,
        key: OrderKey,
        footprint: &Footprint,
        sees_all: bool,
        saw: Saw<'_>,
    ) -> bool {
        let raced = !sees_all
            && footprint
                .keys()
                .iter()
                .any(|touched| !self.each_overlapping(touched, &mut |cell| cell.is_seen(saw)));
        for touched in footprint.keys() {
            self.add(key, touched, sees_all, saw);
        }
        raced
    }

    /// The last touch, in canonical order, of anything in a footprint.
    pub(super) fn last(&self, footprint: &Footprint) -> Option<OrderKey> {
        let mut last = None;
        for touched in footprint.keys() {
            self.each_overlapping(touched, &mut |cell| {
                last = last.max(cell.last);
                true
            });
        }
        last
    }

    /// How many places were touched, with those above them.
    pub(super) fn len(&self) -> usize {
        self.nodes
    }

    /// Roughly how much memory it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.nodes * (size_of::<Node>() + NODE_OVERHEAD)
            + self.segment_bytes
            + self.further_heads * size_of::<OrderKey>()
    }

    /// Calls for each cell that holds touches of what a key overlaps, until one says no. Returns
    /// whether none did.
    fn each_overlapping(&self, key: &Key, call: &mut dyn FnMut(&Cell) -> bool) -> bool {
        let (path, is_branch) = bounded(key);
        let mut node = &self.root;
        for segment in path {
            if !call(&node.branch) {
                return false;
            }
            let below = node.inside.as_ref();
            match below.and_then(|inside| inside.children.get(segment.as_str())) {
                Some(child) => node = child,
                None => return true,
            }
        }
        let inside = node.inside.as_ref().filter(|_| is_branch);
        call(&node.branch) && call(&node.leaf) && inside.is_none_or(|inside| call(&inside.touches))
    }

    fn add(&mut self, event: OrderKey, key: &Key, sees_all: bool, saw: Saw<'_>) {
        let (path, is_branch) = bounded(key);
        let further = &mut self.further_heads;
        let mut node = &mut self.root;
        for segment in path {
            let inside = node.inside.get_or_insert_default();
            inside.touches.add(event, sees_all, saw, further);
            // The entry interface wants an owned key, an allocation for each look-up.
            if !inside.children.contains_key(segment.as_str()) {
                let segment: Box<str> = segment.as_str().into();
                self.nodes += 1;
                self.segment_bytes += segment.len();
                inside.children.insert(segment, Node::default());
            }
            match inside.children.get_mut(segment.as_str()) {
                Some(child) => node = child,
                None => return,
            }
        }
        let cell = if is_branch {
            &mut node.branch
        } else {
            &mut node.leaf
        };
        cell.add(event, sees_all, saw, further);
    }
}

/// A key's path as far as it is looked at, and whether it stands for what is below.
fn bounded(key: &Key) -> (&[String], bool) {
    key.path
        .get(..TOUCH_SEGMENTS_MAX)
        .map_or((&key.path, key.branch), |path| (path, true))
}

impl Cell {
    /// Whether every event of the cell was seen.
    fn is_seen(&self, saw: Saw<'_>) -> bool {
        let further = self.further.as_deref();
        !further.is_some_and(|further| further.dropped)
            && self.last.is_none_or(|last| saw(last.id()))
            && further.is_none_or(|further| further.heads.iter().all(|head| saw(head.id())))
    }

    /// Adds an event in the place of the heads that it saw. `count` follows how many heads there are
    /// beside the last one.
    fn add(&mut self, event: OrderKey, sees_all: bool, saw: Saw<'_>, count: &mut usize) {
        if self.holds(event) {
            return;
        }
        let mut further = self.further.take().unwrap_or_default();
        *count -= further.heads.len();
        if sees_all {
            self.last = Some(event);
            return;
        }
        further.heads.retain(|head| !saw(head.id()));
        // A writer that leaves out what it wrote itself may seem to have seen what is behind its event.
        let stands = |last: &OrderKey| *last > event || !saw(last.id());
        match self.last.filter(stands) {
            None => self.last = Some(event),
            Some(last) if last < event => {
                further.heads.push(last);
                self.last = Some(event);
            }
            Some(_) => further.heads.push(event),
        }
        // `last` stays exact whatever is dropped: who saw it is greater.
        if further.heads.len() >= TOUCH_HEADS_MAX {
            further.heads.remove(0);
            further.dropped = true;
        }
        *count += further.heads.len();
        self.further = Some(further).filter(|f| f.dropped || !f.heads.is_empty());
    }

    /// Whether an event was the last one added, as where several keys of it lie below one place.
    fn holds(&self, event: OrderKey) -> bool {
        let further = self.further.as_deref();
        self.last == Some(event)
            || further.is_some_and(|further| further.heads.last() == Some(&event))
    }
}

/// What a node takes beside itself: its entry in the map above it and the room left there.
const NODE_OVERHEAD: usize = 48;

#[cfg(test)]
mod tests;
