//! What became of two concurrent payloads, place by place.
//!
//! Two of them meet at a path that one names and the other names, too, or names something above:
//! elsewhere neither looks at what the other did.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::Verdict;
use super::super::cell::NULL;
use super::FieldWrites;
use super::writes::Written;

/// What a payload says at one path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word<'a> {
    /// A leaf.
    Leaf(&'a [u8]),
    /// That nothing is to be there.
    Removed,
    /// That what was there is to go, and this is to be inside.
    Replaced(&'a [u8]),
    /// A leaf above, in whose place the path cannot be.
    LeafAbove,
    /// An empty map above, which leaves room for what is inside.
    RoomAbove,
    /// The removal of a branch that holds the path.
    RemovedAbove,
    /// Nothing, or only what lies below.
    Nothing,
}

impl<'a> Word<'a> {
    /// A write after a removal of the same path is what counts. O(n) in what the payload names.
    fn of(writes: &'a FieldWrites, path: &[impl AsRef<str>]) -> Self {
        let within = |removed: &[Box<str>]| {
            let mut pairs = removed.iter().zip(path);
            removed.len() <= path.len() && pairs.all(|(one, other)| **one == *other.as_ref())
        };
        let written = writes.written(path);
        let room = match written {
            Written::LeafAbove(EMPTY_MAP, len) => Some(len),
            _ => None,
        };
        // A removal of the very path at which the empty map is written comes before it.
        let removed = writes.removals().filter(|removed| within(removed));
        let lens = removed.map(<[_]>::len).filter(|len| Some(*len) != room);
        let longest = lens.max();
        match written {
            Written::Leaf(value) => Self::Leaf(value),
            Written::Branch(branch) if longest == Some(path.len()) => Self::Replaced(branch),
            _ if longest == Some(path.len()) => Self::Removed,
            Written::LeafAbove(..) if room.is_none() => Self::LeafAbove,
            _ if longest.is_some() => Self::RemovedAbove,
            Written::LeafAbove(..) => Self::RoomAbove,
            Written::Branch(_) | Written::Nothing => Self::Nothing,
        }
    }
}

/// The CBOR of an empty map.
const EMPTY_MAP: &[u8] = &[0xa0];

/// At one path the later wins, unless both say the same. What is written inside hides a leaf that is
/// written above, whichever is later, and is judged at its own place. Everything else has its effect
/// beside the other.
fn verdict(earlier: Word<'_>, later: Word<'_>) -> Verdict {
    use Word::{Leaf, LeafAbove, Removed, RemovedAbove, Replaced};
    match (earlier, later) {
        (Leaf(one) | Replaced(one), Leaf(other) | Replaced(other)) if one == other => {
            Verdict::Agree
        }
        (Removed, Removed | RemovedAbove) | (RemovedAbove, Removed) => Verdict::Agree,
        (Leaf(EMPTY_MAP), Replaced(_)) => Verdict::Merged,
        (Leaf(_), LeafAbove) => Verdict::EarlierWins,
        (Leaf(_), Leaf(_) | Removed | Replaced(_))
        | (Removed, Leaf(_))
        | (LeafAbove, Leaf(_) | Replaced(_)) => Verdict::LaterWins,
        _ => Verdict::Merged,
    }
}

/// The verdict at one path.
pub(super) fn judge_at(path: &[String], earlier: &FieldWrites, later: &FieldWrites) -> Verdict {
    verdict(Word::of(earlier, path), Word::of(later, path))
}

/// The verdict on whole payloads: whichever lost somewhere lost; both, if each did. O(n^2) in what
/// they name.
pub(super) fn judge(earlier: &FieldWrites, later: &FieldWrites) -> Verdict {
    let mut places: BTreeSet<Vec<Box<str>>> = BTreeSet::new();
    for writes in [earlier, later] {
        places.extend(writes.removals().map(<[_]>::to_vec));
        writes.for_each_leaf(&mut |path, _| {
            places.insert(path.iter().map(|segment| (*segment).into()).collect());
        });
    }
    let words = places
        .iter()
        .map(|path| (Word::of(earlier, path), Word::of(later, path)));
    let met = words.filter(|(one, other)| *one != Word::Nothing && *other != Word::Nothing);
    let found: Vec<Verdict> = met.map(|(one, other)| verdict(one, other)).collect();
    let any = |verdict| found.contains(&verdict);
    if any(Verdict::LaterWins) {
        Verdict::LaterWins
    } else if any(Verdict::EarlierWins) {
        Verdict::EarlierWins
    } else if any(Verdict::Agree) && !any(Verdict::Merged) {
        Verdict::Agree
    } else {
        Verdict::Merged
    }
}

/// What a payload writes at a path, be it a leaf or a branch; null where it removes the path. Nothing
/// where it says nothing there or writes a leaf above: then the whole payload tells more.
pub(super) fn value_at(path: &[String], writes: &FieldWrites) -> Option<Vec<u8>> {
    match (Word::of(writes, path), writes.written(path)) {
        (Word::Leaf(value) | Word::Replaced(value), _)
        | (Word::Nothing, Written::Branch(value)) => Some(value.to_vec()),
        (Word::Removed | Word::RemovedAbove, _) => Some(NULL.to_vec()),
        _ => None,
    }
}
