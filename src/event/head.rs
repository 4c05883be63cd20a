use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::{ChainTag, EventError, EventId};
use crate::limits::HEADS_MAX;

/// One maximal event of an aggregate, as a writer saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Head {
    /// The event.
    pub id: EventId,
    /// Which branch of its replica was meant, should the replica ever have forked.
    pub tag: ChainTag,
}

/// The heads that one event names: sorted by id, each id once, at most 1,024.
///
/// They encode the event's vector clock within its aggregate: what its writer had seen is these
/// events and everything in their pasts. None and one, the usual cases, take no memory of their own.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Heads(List);

/// In this form it takes no more room than a head.
#[derive(Clone, PartialEq, Eq, Hash)]
enum List {
    One(Head),
    /// None, or two or more.
    Other(Option<Box<[Head]>>),
}

impl Heads {
    /// Names nothing: the writer had seen no event of this aggregate.
    pub const NONE: Self = Self(List::Other(None));

    /// Sorts and checks a list of heads.
    ///
    /// # Errors
    /// [`EventError::TooManyHeads`] above 1,024, [`EventError::HeadTwice`] when an id repeats.
    pub fn new(mut heads: Vec<Head>) -> Result<Self, EventError> {
        if heads.len() > HEADS_MAX {
            return Err(EventError::TooManyHeads {
                heads: heads.len(),
                max: HEADS_MAX,
            });
        }
        if let [] | [_] = *heads {
            return Ok(Self::at_most_one(heads.pop()));
        }
        heads.sort_unstable();
        for pair in heads.windows(2) {
            if let [a, b] = pair
                && a.id == b.id
            {
                return Err(EventError::HeadTwice { id: a.id });
            }
        }
        Ok(Self(List::Other(Some(heads.into()))))
    }

    /// The usual case: nothing, or one event.
    pub const fn at_most_one(head: Option<Head>) -> Self {
        match head {
            Some(head) => Self(List::One(head)),
            None => Self::NONE,
        }
    }

    /// The heads, sorted by id.
    pub fn as_slice(&self) -> &[Head] {
        match &self.0 {
            List::One(head) => core::slice::from_ref(head),
            List::Other(heads) => heads.as_deref().unwrap_or_default(),
        }
    }

    /// Each head in the order of ids.
    pub fn iter(&self) -> core::slice::Iter<'_, Head> {
        self.as_slice().iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether the writer had seen nothing.
    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// Bytes of memory that they take apart from themselves.
    pub(super) fn heap_bytes(&self) -> usize {
        match &self.0 {
            List::One(_) => 0,
            List::Other(heads) => heads.as_deref().map_or(0, size_of_val),
        }
    }

    /// Whether `id` itself is named (not merely in the past of one that is).
    pub fn names(&self, id: EventId) -> bool {
        let heads = self.as_slice();
        heads.binary_search_by(|head| head.id.cmp(&id)).is_ok()
    }
}

impl<'a> IntoIterator for &'a Heads {
    type Item = &'a Head;
    type IntoIter = core::slice::Iter<'a, Head>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Default for Heads {
    fn default() -> Self {
        Self::NONE
    }
}

impl fmt::Debug for Heads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Heads").field(&self.as_slice()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_heads_take_no_more_than_one_head() {
        assert_eq!(size_of::<Heads>(), size_of::<Head>());
        assert_eq!(Heads::NONE.heap_bytes(), 0);
        assert!(Heads::NONE.is_empty() && Heads::at_most_one(None) == Heads::NONE);
    }
}
