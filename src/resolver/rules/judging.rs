//! What became of two concurrent payloads, field by field.
//!
//! Two of them meet at a path that one names and the other names, too, or names something above:
//! elsewhere neither looks at what the other did.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::Rule;
use super::pattern::RuleBook;
use super::writes::{DocumentWrites, Write, elements};
use crate::event::cbor::Writer;
use crate::resolver::cell::{NULL, segment_of};
use crate::resolver::{Key, Verdict};

/// What a payload says of the paths that it names; nothing at all if it does not fit the rules.
pub(super) struct Said<'a> {
    writes: &'a DocumentWrites,
    named: BTreeMap<Vec<&'a str>, Saying<'a>>,
}

/// What a payload says of one path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Saying<'a> {
    /// A value, or a person's decision for it.
    Value(&'a [u8]),
    Step(i64),
    Elements(Changes<'a>),
    Removed,
}

/// What becomes of the elements of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Changes<'a> {
    /// Whether each is added or removed.
    named: BTreeMap<&'a [u8], bool>,
    /// Whether all others are removed.
    others_go: bool,
}

/// What a payload says at one path, or above it.
#[derive(Clone, Copy)]
enum Word<'s> {
    /// A field, or its removal.
    Here(&'s Saying<'s>),
    /// That what was there is to go, and this is to be inside.
    Replaced(&'s [u8]),
    /// A field above, in whose place the path cannot be.
    FieldAbove,
    /// An empty map above, which leaves room for what is inside.
    RoomAbove,
    /// The removal of a branch that holds the path.
    RemovedAbove,
    /// Nothing, or only what lies below.
    Nothing,
}

/// The CBOR of an empty map.
const EMPTY_MAP: &[u8] = &[0xa0];

impl<'a> Said<'a> {
    pub(super) fn of(writes: &'a DocumentWrites, book: &RuleBook) -> Self {
        let mut named: BTreeMap<Vec<&str>, Saying<'_>> = BTreeMap::new();
        for path in writes.removals() {
            let path = path.iter().map(|segment| &**segment).collect();
            named.insert(path, Saying::Removed);
        }
        let fits = writes.for_each(book, &mut |path, _, write| {
            let before = named.remove(path);
            named.extend(after(before, write).map(|saying| (path.to_vec(), saying)));
        });
        if fits.is_err() {
            named.clear();
        }
        Self { writes, named }
    }

    fn at<'s>(&'s self, path: &[&'s str]) -> Word<'s> {
        let Some(saying) = self.named.get(path) else {
            return self.above(path);
        };
        if *saying != Saying::Removed {
            return Word::Here(saying);
        }
        match self.writes.written_at(path) {
            Some(inside) if inside != EMPTY_MAP => Word::Replaced(inside),
            _ => Word::Here(saying),
        }
    }

    fn above<'s>(&'s self, path: &[&'s str]) -> Word<'s> {
        let said = (0..path.len()).filter_map(|len| self.named.get(path.get(..len)?));
        let words = said.map(|saying| match saying {
            Saying::Removed => Word::RemovedAbove,
            Saying::Value(EMPTY_MAP) => Word::RoomAbove,
            _ => Word::FieldAbove,
        });
        let strongest = |word: &Word<'_>| match word {
            Word::FieldAbove => 2,
            Word::RemovedAbove => 1,
            _ => 0,
        };
        words.max_by_key(strongest).unwrap_or(Word::Nothing)
    }
}

/// What a payload says of a field once it has said one thing more.
fn after<'a>(before: Option<Saying<'a>>, write: Write<'a>) -> Option<Saying<'a>> {
    let (array, adds) = match write {
        Write::Value(value) | Write::Resolution(value) => return Some(Saying::Value(value)),
        Write::Step(0) => return before,
        Write::Step(step) => return Some(Saying::Step(step)),
        Write::Discard(array) => (array, false),
        Write::Add(array) | Write::Elements(array) => (array, true),
    };
    let mut changes = match before {
        Some(Saying::Elements(changes)) => changes,
        Some(_) => Changes::all_gone(),
        None => Changes::default(),
    };
    changes.others_go |= matches!(write, Write::Elements(_));
    changes
        .named
        .extend(elements(array).map(|element| (element, adds)));
    let says = changes.others_go || !changes.named.is_empty();
    says.then_some(Saying::Elements(changes))
}

impl Saying<'_> {
    /// What it means for the elements of a set.
    fn changes(&self) -> Changes<'_> {
        match self {
            Self::Elements(changes) => changes.clone(),
            _ => Changes::all_gone(),
        }
    }

    /// Whether nothing of what was seen is to be there.
    fn clears(&self) -> bool {
        matches!(self, Self::Removed | Self::Value(NULL))
    }
}

impl Changes<'_> {
    fn all_gone() -> Self {
        Self {
            named: BTreeMap::new(),
            others_go: true,
        }
    }

    /// Whether an element is added; nothing where it is left as it is.
    fn of(&self, element: &[u8]) -> Option<bool> {
        let named = self.named.get(element).copied();
        named.or(self.others_go.then_some(false))
    }
}

/// Of what became of two events at several places, what is to be told of the whole: what a person
/// has to decide, then what was lost.
fn weight(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Open => 5,
        Verdict::LaterWins => 4,
        Verdict::EarlierWins => 3,
        Verdict::BothKept => 2,
        Verdict::Merged => 1,
        Verdict::Agree => 0,
    }
}

/// The verdict on whole payloads.
pub(super) fn judge(book: &RuleBook, earlier: &Said<'_>, later: &Said<'_>) -> Verdict {
    let mut places: Vec<&Vec<&str>> = earlier.named.keys().chain(later.named.keys()).collect();
    places.sort_unstable();
    places.dedup();
    let met = places.into_iter().filter_map(|path| {
        let words = (earlier.at(path), later.at(path));
        let silent = matches!(words, (Word::Nothing, _) | (_, Word::Nothing));
        (!silent).then(|| verdict(book.of(path), words, None))
    });
    met.max_by_key(|verdict| weight(*verdict))
        .unwrap_or(Verdict::Merged)
}

/// The verdict at one key.
pub(super) fn judge_at(
    book: &RuleBook,
    key: &Key,
    earlier: &Said<'_>,
    later: &Said<'_>,
) -> Verdict {
    let path: Vec<&str> = key.path.iter().map(String::as_str).collect();
    let (path, element) = book.split(&path, key.branch);
    verdict(book.of(path), (earlier.at(path), later.at(path)), element)
}

/// At one path the rule decides. What is written inside hides a field that is written above,
/// whichever is later, and is judged at its own place. Everything else has its effect beside the
/// other.
fn verdict(rule: Rule, words: (Word<'_>, Word<'_>), element: Option<&str>) -> Verdict {
    use Saying::Removed;
    use Word::{FieldAbove, Here, RemovedAbove, Replaced};
    match words {
        (Here(one), Here(other)) => by_rule(rule, one, other, element),
        (Replaced(one), Replaced(other)) if one == other => Verdict::Agree,
        (Here(Removed), RemovedAbove) | (RemovedAbove, Here(Removed)) => Verdict::Agree,
        (Here(Removed | Saying::Value(EMPTY_MAP)), Replaced(_)) => Verdict::Merged,
        (Here(saying), Replaced(_)) => by_rule(rule, saying, &Removed, element),
        (Here(saying), FieldAbove) if *saying != Removed => Verdict::EarlierWins,
        (FieldAbove, Here(saying)) if *saying != Removed => Verdict::LaterWins,
        (FieldAbove, Replaced(_)) => Verdict::LaterWins,
        _ => Verdict::Merged,
    }
}

fn by_rule(rule: Rule, earlier: &Saying<'_>, later: &Saying<'_>, element: Option<&str>) -> Verdict {
    let agree = earlier == later && rule != Rule::Counter
        || *earlier == Saying::Removed && *later == Saying::Removed;
    let clear = earlier.clears() || later.clears();
    match rule {
        Rule::AddWinsSet => set_verdict(earlier, later, element),
        _ if agree => Verdict::Agree,
        Rule::LastWrite => Verdict::LaterWins,
        Rule::FirstWrite | Rule::KeepAll if clear => Verdict::Merged,
        Rule::FirstWrite => Verdict::EarlierWins,
        Rule::KeepAll => Verdict::BothKept,
        Rule::Manual if matches!((earlier, later), (Saying::Value(_), Saying::Value(_))) => {
            Verdict::Open
        }
        // A removal does not take a sum that it did not see all of.
        Rule::Counter if *later == Saying::Removed => Verdict::EarlierWins,
        Rule::Manual | Rule::Counter => Verdict::Merged,
    }
}

/// Of an add and a removal that did not know of each other, the add wins.
fn set_verdict(earlier: &Saying<'_>, later: &Saying<'_>, element: Option<&str>) -> Verdict {
    let (earlier, later) = (earlier.changes(), later.changes());
    let meant = |named: &&&[u8]| element.is_none_or(|segment| segment_of(named) == segment);
    let named = earlier.named.keys().chain(later.named.keys());
    let verdicts = named.filter(meant).filter_map(|element| {
        Some(match (earlier.of(element)?, later.of(element)?) {
            (true, false) => Verdict::EarlierWins,
            (false, true) => Verdict::LaterWins,
            _ => Verdict::Agree,
        })
    });
    let both = |one, other| match (one, other) {
        (Verdict::Agree, verdict) | (verdict, Verdict::Agree) => verdict,
        (one, other) if one == other => one,
        _ => Verdict::Merged,
    };
    let alike = if earlier.others_go && later.others_go {
        Verdict::Agree
    } else {
        Verdict::Merged
    };
    verdicts.reduce(both).unwrap_or(alike)
}

/// What a payload says at a key: a value, a step, the elements that it adds, null where it removes.
/// Nothing where it says nothing there or writes a field above: then the whole payload tells more.
pub(super) fn value_at(book: &RuleBook, key: &Key, writes: &DocumentWrites) -> Option<Vec<u8>> {
    let path: Vec<&str> = key.path.iter().map(String::as_str).collect();
    let (path, element) = book.split(&path, key.branch);
    let said = Said::of(writes, book);
    let null = || Some(NULL.to_vec());
    let mut shown = Writer::new();
    match (said.at(path), element) {
        (Word::Here(Saying::Elements(changes)), Some(segment)) => {
            let named = |(element, _): &(&&[u8], &bool)| segment_of(element) == segment;
            match changes.named.iter().find(named) {
                Some((element, true)) => Some(element.to_vec()),
                None if !changes.others_go => None,
                _ => null(),
            }
        }
        (Word::Here(Saying::Elements(changes)), None) => {
            let added: Vec<_> = changes.named.iter().filter(|(_, adds)| **adds).collect();
            if added.is_empty() {
                return null();
            }
            shown.array(added.len());
            for (element, _) in added {
                shown.raw(element);
            }
            Some(shown.into_bytes())
        }
        (Word::Here(Saying::Value(value)), _) => Some(value.to_vec()),
        (Word::Here(Saying::Step(step)), _) => {
            shown.int(*step);
            Some(shown.into_bytes())
        }
        (Word::Here(Saying::Removed) | Word::RemovedAbove, _) => null(),
        (Word::Replaced(inside), _) => Some(inside.to_vec()),
        (Word::FieldAbove, _) => None,
        (Word::RoomAbove | Word::Nothing, _) => {
            let inside = writes.written_at(path)?;
            (inside != EMPTY_MAP).then(|| inside.to_vec())
        }
    }
}
