use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;

use super::Key;
use crate::limits::KEY_SEGMENTS_MAX;

/// Something kept per key, so that what is kept of overlapping keys is found without looking at
/// others: a trie over the segments of keys.
///
/// What is noted of a key goes into a cell of its own place and into one of each place above it,
/// which stands for everything below. So the cells that a key asks are as few as its segments,
/// whatever is below it.
///
/// Keys of [`KEY_SEGMENTS_MAX`] segments or more count as the branch that begins there: no payload
/// makes the trie deeper.
#[derive(Debug, Default)]
pub(crate) struct Places<C> {
    root: Node<C>,
    len: usize,
    segment_bytes: usize,
}

#[derive(Debug, Default)]
struct Node<C> {
    /// Of exactly this place.
    leaf: C,
    /// Of this place together with everything below.
    branch: C,
    inside: Option<Box<Inside<C>>>,
}

#[derive(Debug, Default)]
struct Inside<C> {
    /// Of any key below, leaves and branches alike.
    all: C,
    children: BTreeMap<Box<str>, Node<C>>,
}

impl<C: Default> Places<C> {
    /// Calls for each cell that holds what was noted of keys which overlap this one, until one says
    /// no. Returns whether none did.
    pub(crate) fn each_overlapping<'a>(
        &'a self,
        key: &Key,
        call: &mut dyn FnMut(&'a C) -> bool,
    ) -> bool {
        let (path, is_branch) = bounded(key);
        let mut node = &self.root;
        for segment in path {
            if !mutant!("overlap-missed") && !call(&node.branch) {
                return false;
            }
            let inside = node.inside.as_ref();
            match inside.and_then(|inside| inside.children.get(segment.as_str())) {
                Some(child) => node = child,
                None => return true,
            }
        }
        let inside = node.inside.as_ref().filter(|_| is_branch);
        call(&node.branch) && call(&node.leaf) && inside.is_none_or(|inside| call(&inside.all))
    }

    /// Calls for each cell that this key belongs to.
    pub(crate) fn note(&mut self, key: &Key, call: &mut dyn FnMut(&mut C)) {
        let (path, is_branch) = bounded(key);
        let mut node = &mut self.root;
        for segment in path {
            let inside = node.inside.get_or_insert_default();
            call(&mut inside.all);
            // The entry interface wants an owned key, an allocation for each look-up.
            if !inside.children.contains_key(segment.as_str()) {
                self.len += 1;
                self.segment_bytes += segment.len();
                inside
                    .children
                    .insert(segment.as_str().into(), Node::default());
            }
            match inside.children.get_mut(segment.as_str()) {
                Some(child) => node = child,
                None => return,
            }
        }
        call(if is_branch {
            &mut node.branch
        } else {
            &mut node.leaf
        });
    }

    /// How many places there are below the whole, those above noted keys included.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Roughly how much memory it takes, in bytes, without what the cells hold elsewhere.
    pub(crate) fn bytes(&self) -> usize {
        self.len * (size_of::<Node<C>>() + NODE_OVERHEAD) + self.segment_bytes
    }
}

/// A key's path as far as it is looked at, and whether it stands for what is below.
fn bounded(key: &Key) -> (&[String], bool) {
    let cut = key.path.get(..KEY_SEGMENTS_MAX);
    cut.map_or((&key.path, key.branch), |path| (path, true))
}

/// What a node takes beside itself: its entry in the map above it and the room left there.
const NODE_OVERHEAD: usize = 48;
