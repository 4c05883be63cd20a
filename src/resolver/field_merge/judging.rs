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
struct Said<'a>(BTreeMap<Path, Option<&'a [u8]>>);

/// What a payload says at one path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word<'a> {
    /// A leaf there, or its removal.
    Here(Option<&'a [u8]>),
    /// A leaf above, in whose place the path cannot be.
    LeafAbove,
    /// The removal of a branch that holds the path.
    RemovedAbove,
    /// Nothing, or only what lies below.
    Nothing,
}

impl<'a> Said<'a> {
    /// A write after a removal of the same path is what counts.
    fn of(writes: &'a FieldWrites) -> Self {
        let removed = writes.removals().map(|path| (path.to_vec(), None));
        let mut said: BTreeMap<_, _> = removed.collect();
        writes.for_each_leaf(&mut |path, value| {
            let path = path.iter().map(|segment| (*segment).into()).collect();
            said.insert(path, Some(value));
        });
        Self(said)
    }

    fn at(&self, path: &[Box<str>]) -> Word<'a> {
        if let Some(said) = self.0.get(path) {
            return Word::Here(*said);
        }
        let mut above = (0..path.len()).filter_map(|len| self.0.get(path.get(..len)?));
        // An empty map leaves room for what is inside.
        if above
            .clone()
            .any(|said| said.is_some_and(|value| value != EMPTY_MAP))
        {
            Word::LeafAbove
        } else if above.any(Option::is_none) {
            Word::RemovedAbove
        } else {
            Word::Nothing
        }
    }
}

/// The CBOR of an empty map.
const EMPTY_MAP: &[u8] = &[0xa0];

/// At one path the later wins, unless both say the same. A leaf that is written inside hides one that
/// is written above, whichever is later. Everything else has its effect beside the other.
fn verdict(earlier: Word<'_>, later: Word<'_>) -> Verdict {
    match (earlier, later) {
        (Word::Here(one), Word::Here(other)) if one == other => Verdict::Agree,
        (Word::Here(_), Word::Here(_)) | (Word::LeafAbove, Word::Here(Some(_))) => {
            Verdict::LaterWins
        }
        (Word::Here(Some(_)), Word::LeafAbove) => Verdict::EarlierWins,
        (Word::Here(None), Word::RemovedAbove) | (Word::RemovedAbove, Word::Here(None)) => {
            Verdict::Agree
        }
        _ => Verdict::Merged,
    }
}

/// The verdict at one path.
pub(super) fn judge_at(path: &[String], earlier: &FieldWrites, later: &FieldWrites) -> Verdict {
    let path: Path = path.iter().map(|segment| segment.as_str().into()).collect();
    verdict(Said::of(earlier).at(&path), Said::of(later).at(&path))
}

/// The verdict on whole payloads: whichever lost somewhere lost; both, if each did.
pub(super) fn judge(earlier: &FieldWrites, later: &FieldWrites) -> Verdict {
    let (earlier, later) = (Said::of(earlier), Said::of(later));
    let mut places: Vec<&Path> = earlier.0.keys().chain(later.0.keys()).collect();
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
    if let Some(written) = writes.written_at(path) {
        return Some(written.to_vec());
    }
    let path: Path = path.iter().map(|segment| segment.as_str().into()).collect();
    match Said::of(writes).at(&path) {
        Word::Here(None) | Word::RemovedAbove => Some(NULL.to_vec()),
        _ => None,
    }
}
