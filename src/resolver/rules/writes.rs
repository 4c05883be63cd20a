use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error};

use super::Rule;
use super::pattern::RuleBook;
use crate::event::cbor::{self, Kind, Reader};
use crate::event::{Payload, PayloadError};
use crate::resolver::Rejection;
use crate::resolver::value::canonical;

/// A payload of [`Rules`](super::Rules) as it was read: operations on maps, not yet held against
/// the rules of fields.
///
/// Keeps the canonical bytes; what they say of each field is taken from them where it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentWrites {
    bytes: Bytes,
    operations: Vec<(Operation, Range<usize>)>,
    remove: Vec<Vec<Box<str>>>,
}

/// What a payload can do to fields, in the order in which it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Set,
    Resolve,
    Discard,
    Add,
    Count,
}

/// What a payload says of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Write<'a> {
    Value(&'a [u8]),
    Resolution(&'a [u8]),
    /// Instead of the elements that the writer saw, these.
    Elements(&'a [u8]),
    Discard(&'a [u8]),
    Add(&'a [u8]),
    Step(i64),
}

/// Called with the path of a field, its rule and what is said of it.
pub(super) type Visit<'v, 'a> = &'v mut dyn FnMut(&[&'a str], Rule, Write<'a>);

/// Levels of the map and the array that the rival values of a field are shown in.
const SHOWN_BELOW: usize = 2;

const OPERATIONS: [(&str, Operation); 5] = [
    ("set", Operation::Set),
    ("resolve", Operation::Resolve),
    ("discard", Operation::Discard),
    ("add", Operation::Add),
    ("count", Operation::Count),
];

impl DocumentWrites {
    /// Reads a payload. Two passes over its bytes, which are not copied if they are canonical.
    ///
    /// # Errors
    /// [`PayloadError`] when the bytes are not CBOR or not operations on maps, as the
    /// [module's page](super) describes. What the rules of fields refuse is read, and rejected when
    /// it is folded.
    pub fn read(payload: &Payload) -> Result<Self, PayloadError> {
        Self::read_canonical(canonical(payload)?)
    }

    /// The removed paths.
    pub fn removals(&self) -> impl Iterator<Item = &[Box<str>]> {
        self.remove.iter().map(Vec::as_slice)
    }

    /// Calls back for every field that is written, in the order in which it is done.
    ///
    /// # Errors
    /// What does not fit the rules; the fields before it were visited.
    pub(super) fn for_each<'a>(
        &'a self,
        book: &RuleBook,
        visit: Visit<'_, 'a>,
    ) -> Result<(), Rejection> {
        for path in self.removals() {
            let path: Vec<&str> = path.iter().map(|segment| &**segment).collect();
            if let Some((len, rule)) = book.field_around(&path) {
                let field = name_of(path.get(..len).unwrap_or_default());
                let path = name_of(&path);
                let rule = rule.name();
                return Err(Rejection::new(format!(
                    "remove {path}: {field}, a field of rule {rule}, is one value"
                )));
            }
        }
        for (operation, range) in &self.operations {
            let bytes = self.bytes.get(range.clone()).unwrap_or_default();
            let mut walk = Walk {
                book,
                operation: *operation,
                path: Vec::new(),
            };
            walk.map(&mut Reader::new(bytes), visit)?;
        }
        Ok(())
    }

    /// The CBOR of what is set at a path, be it a field or a branch.
    pub(super) fn written_at(&self, path: &[&str]) -> Option<&[u8]> {
        let set = |(operation, _): &&(Operation, Range<usize>)| *operation == Operation::Set;
        let (_, range) = self.operations.iter().find(set)?;
        let mut reader = Reader::new(self.bytes.get(range.clone())?);
        for segment in path {
            enter(&mut reader, segment)?;
        }
        reader.raw_item().ok()
    }

    /// The nesting of canonical bytes is bounded, so that of the recursion here is.
    fn read_canonical(bytes: Bytes) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(&bytes);
        let mut operations = Vec::new();
        let mut remove = Vec::new();
        for _ in 0..reader.map()? {
            let name = reader.text()?;
            if let Some((_, operation)) = OPERATIONS.iter().find(|(own, _)| *own == name) {
                let start = reader.offset();
                reader.clone().map()?;
                reader.skip()?;
                operations.push((*operation, start..reader.offset()));
            } else if name == "remove" {
                for _ in 0..reader.array()? {
                    let segments = reader.array()?;
                    let path = (0..segments).map(|_| reader.text().map(Into::into));
                    remove.push(path.collect::<Result<_, _>>()?);
                }
            } else {
                let reason = format!(
                    "unknown entry {name:?}, expected set, remove, add, discard, count or resolve"
                );
                return Err(PayloadError::Unreadable { reason });
            }
        }
        operations.sort_by_key(|(operation, _)| *operation);
        Ok(Self {
            bytes,
            operations,
            remove,
        })
    }
}

/// Moves a reader from a map to what stands under a key of it.
fn enter(reader: &mut Reader<'_>, segment: &str) -> Option<()> {
    for _ in 0..reader.map().ok()? {
        let found = match reader.peek().ok()? {
            Kind::Text => reader.text().ok()? == segment,
            _ => reader.skip().is_err(),
        };
        if found {
            return Some(());
        }
        reader.skip().ok()?;
    }
    None
}

/// The way down one operation's maps.
struct Walk<'b, 'a> {
    book: &'b RuleBook,
    operation: Operation,
    path: Vec<&'a str>,
}

impl<'a> Walk<'_, 'a> {
    fn map(&mut self, reader: &mut Reader<'a>, visit: Visit<'_, 'a>) -> Result<(), Rejection> {
        for _ in 0..reader.map().map_err(|why| self.refuse(why))? {
            let segment = reader
                .text()
                .map_err(|_| self.refuse("the names of fields are text"))?;
            self.path.push(segment);
            self.field(reader, visit)?;
            self.path.pop();
        }
        Ok(())
    }

    fn field(&mut self, reader: &mut Reader<'a>, visit: Visit<'_, 'a>) -> Result<(), Rejection> {
        let named = self.book.named(&self.path);
        let is_branch = reader.clone().map().is_ok_and(|entries| entries > 0);
        if named.is_none() && is_branch {
            return self.map(reader, visit);
        }
        let rule = named.unwrap_or(self.book.otherwise());
        let item = reader.raw_item().map_err(|why| self.refuse(why))?;
        let write = self.write(rule, item)?;
        visit(&self.path, rule, write);
        Ok(())
    }

    fn write(&self, rule: Rule, item: &'a [u8]) -> Result<Write<'a>, Rejection> {
        use Operation::{Add, Count, Discard, Resolve, Set};
        match (rule, self.operation) {
            (Rule::Counter, Count) => {
                let step = Reader::new(item).int();
                step.map(Write::Step).map_err(|_| {
                    self.refuse("a field of rule counter takes a step, an integer of 64 bits")
                })
            }
            (Rule::AddWinsSet, Set) => self.elements(item).map(Write::Elements),
            (Rule::AddWinsSet, Discard) => self.elements(item).map(Write::Discard),
            (Rule::AddWinsSet, Add) => self.elements(item).map(Write::Add),
            (Rule::Manual, Set) => self.shallow(item).map(Write::Value),
            (Rule::Manual, Resolve) => self.shallow(item).map(Write::Resolution),
            (Rule::LastWrite | Rule::FirstWrite | Rule::KeepAll, Set) => Ok(Write::Value(item)),
            (rule, _) => {
                Err(self.refuse(format!("a field of rule {rule} takes {}", taken_by(rule))))
            }
        }
    }

    fn elements(&self, item: &'a [u8]) -> Result<&'a [u8], Rejection> {
        let found = Reader::new(item).array();
        found
            .map(|_| item)
            .map_err(|_| self.refuse("a field of rule add-wins-set takes an array of elements"))
    }

    /// A value that can be shown one level deeper than it was written.
    fn shallow(&self, item: &'a [u8]) -> Result<&'a [u8], Rejection> {
        let levels = self.path.len().saturating_add(SHOWN_BELOW);
        cbor::check_below(item, levels)
            .map(|()| item)
            .map_err(|why| self.refuse(why))
    }

    fn refuse(&self, why: impl core::fmt::Display) -> Rejection {
        let named = |(_, operation): &&(&str, Operation)| *operation == self.operation;
        let operation = OPERATIONS.iter().find(named).map_or("", |(name, _)| name);
        Rejection::new(format!("{operation} {}: {why}", name_of(&self.path)))
    }
}

fn taken_by(rule: Rule) -> &'static str {
    match rule {
        Rule::Counter => "count",
        Rule::AddWinsSet => "set, add and discard",
        Rule::Manual => "set and resolve",
        Rule::LastWrite | Rule::FirstWrite | Rule::KeepAll => "set",
    }
}

fn name_of(path: &[&str]) -> String {
    if path.is_empty() {
        return "the record".into();
    }
    path.join(".")
}

/// The elements of an array that is known to be one.
pub(super) fn elements(array: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader::new(array);
    let len = reader.array().unwrap_or_default();
    (0..len).map_while(move |_| reader.raw_item().ok())
}

impl<'de> Deserialize<'de> for DocumentWrites {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = ciborium::Value::deserialize(deserializer)?;
        let bytes = cbor::to_vec(&value).map_err(D::Error::custom)?;
        Self::read_canonical(bytes.into()).map_err(D::Error::custom)
    }
}
