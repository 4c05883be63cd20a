//! What became of two concurrent payloads, place by place.
//!
//! Two of them meet at a path that one names and the other names, too, or names something above:
//! elsewhere neither looks at what the other did.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::Verdict;
use super::super::cell::NULL;
use super::FieldWrites;

type Path = Vec<Box<str>>;

/// What a payload says at the paths that it names: the value of a leaf, or that it removes.
struct Said<'a> {
    writes: &'a FieldWrites,
    named: BTreeMap<Path, Option<&'a [u8]>>,
}

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

impl<'a> Said<'a> {
    /// A write after a removal of the same path is what counts.
    fn of(writes: &'a FieldWrites) -> Self {
        let removed = writes.removals().map(|path| (path.to_vec(), None));
        let mut named: BTreeMap<_, _> = removed.collect();
        writes.for_each_leaf(&mut |path, value| {
            let path = path.iter().map(|segment| (*segment).into()).collect();
            named.insert(path, Some(value));
        });
        Self { writes, named }
    }

    fn at(&self, path: &[Box<str>]) -> Word<'a> {
        match (self.named.get(path), self.writes.written_at(path)) {
            (Some(Some(leaf)), _) => Word::Leaf(leaf),
            (Some(None), Some(branch)) if branch != EMPTY_MAP => Word::Replaced(branch),
            (Some(None), _) => Word::Removed,
            (None, _) => self.above(path),
        }
    }

    fn above(&self, path: &[Box<str>]) -> Word<'a> {
        let said = (0..path.len()).filter_map(|len| self.named.get(path.get(..len)?));
        let words = said.map(|said| match said {
            Some(value) if *value == EMPTY_MAP => Word::RoomAbove,
            Some(_) => Word::LeafAbove,
            None => Word::RemovedAbove,
        });
        let words: Vec<Word<'_>> = words.collect();
        let order = [Word::LeafAbove, Word::RemovedAbove, Word::RoomAbove];
        let found = order.into_iter().find(|word| words.contains(word));
        found.unwrap_or(Word::Nothing)
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
    let path = segments(path);
    verdict(Said::of(earlier).at(&path), Said::of(later).at(&path))
}

/// The verdict on whole payloads: whichever lost somewhere lost; both, if each did.
pub(super) fn judge(earlier: &FieldWrites, later: &FieldWrites) -> Verdict {
    let (earlier, later) = (Said::of(earlier), Said::of(later));
    let mut places: Vec<&Path> = earlier.named.keys().chain(later.named.keys()).collect();
    places.sort_unstable();
    places.dedup();
    let words = places
        .into_iter()
        .map(|path| (earlier.at(path), later.at(path)));
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
    let path = segments(path);
    match Said::of(writes).at(&path) {
        Word::Leaf(value) | Word::Replaced(value) => Some(value.to_vec()),
        Word::Removed | Word::RemovedAbove => Some(NULL.to_vec()),
        Word::LeafAbove => None,
        Word::RoomAbove | Word::Nothing => {
            let inside = writes.written_at(&path)?;
            (inside != EMPTY_MAP).then(|| inside.to_vec())
        }
    }
}

fn segments(path: &[String]) -> Path {
    path.iter().map(|segment| segment.as_str().into()).collect()
}
