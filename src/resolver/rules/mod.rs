//! A rule of its own for each field of a document: *price: last write, tags: add-wins set, notes:
//! keep all, else a person decides*.
//!
//! The invariant kept here: what becomes of a field depends on the events that name it, what holds
//! it or what lies in it, and on nothing else; events of other fields commute with them.
//!
//! This module knows paths and the rule of each, not what values mean: no schema and no types.
//!
//! # Which rule is whose
//! A field is named by its path, with dots or as a list of segments; `*` stands for any one segment.
//! Of two patterns for one field the one counts that names the first segment in which they differ:
//! `lines.total.note` before `lines.*.note`. A field that is given two rules and a field within a
//! field are errors. What is not named at all has the rule of [`otherwise`](Rules::otherwise), last
//! write wins unless something else is said.
//!
//! A *named* field is one value, whatever is written to it: a map that is written to `price` is the
//! price. Everywhere else nested maps are branches, whose entries are fields of their own; arrays,
//! null and the empty map are values, as in [`FieldMerge`](super::FieldMerge).
//!
//! # Payload
//! A map of any of six entries. All but `remove` hold nested maps down to the fields:
//!
//! ```json
//! { "remove":  [ ["draft"], ["address", "street"] ],
//!   "set":     { "price": 30, "name": { "first": "Ada" }, "tags": ["new"] },
//!   "resolve": { "owner": "Ada" },
//!   "discard": { "tags": ["sale"] },
//!   "add":     { "tags": ["new", "blue"] },
//!   "count":   { "sold": 1 } }
//! ```
//!
//! They are done in this order. What a field takes is its rule's business:
//!
//! | rule | takes | shown as |
//! |---|---|---|
//! | [`LastWrite`](Rule::LastWrite) | `set` | the value |
//! | [`FirstWrite`](Rule::FirstWrite) | `set`; null gives it up | the value that stands, null where it was given up |
//! | [`Counter`](Rule::Counter) | `count`, an integer of 64 bits | the sum |
//! | [`AddWinsSet`](Rule::AddWinsSet) | `add` and `discard`, arrays of elements; `set`, an array in place of the elements that its writer saw | the array of the elements, in the order of their bytes |
//! | [`KeepAll`](Rule::KeepAll) | `set`; null clears what its writer saw | the array of the distinct values, in the order of their bytes |
//! | [`Manual`](Rule::Manual) | `set`, `resolve` | the value; `{"open": [v, w]}` where people contradicted each other |
//!
//! What a field does not take rejects the whole event, with a reason that names operation, field and
//! rule. So does a `set` or `remove` of a manual field whose writer saw several values: that takes a
//! `resolve`. [`DocumentEdit`] builds payloads.
//!
//! A value under [`Manual`](Rule::Manual) that is itself a map with the one entry `open` looks like
//! an open conflict; [`pieces`](super::Resolver::pieces) tell them apart.
//!
//! # Removal
//! `remove` takes what its writer saw at the path and below; a concurrent write there survives. Only
//! a last-write field is removed by a removal of its very path whatever was seen, the later one
//! winning as always. A counter goes if its writer saw all of it, and stays whole if not. A path
//! within a named field is no field, and a rejection; the empty path is the whole record.
//!
//! Whoever writes to a place takes away what they saw above it, in whose stead it now is, and below
//! it; `add` spares what is below, and `discard` takes its elements and nothing else. Where concurrent
//! writes left both a field and something inside it, the branch is shown and the field is hidden until
//! the branch is gone. A field with nothing in it (an empty set, no value) is absent.

mod document;
mod edit;
mod error;
mod field_cell;
mod judging;
mod pattern;
mod rule;
mod tally;
mod text;
mod writes;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Claims, Context, Footprint, Key, Piece, Rejection, Resolver, ResolverId, Verdict};
use crate::event::cbor::Writer;
use crate::event::{AggregateId, Payload, PayloadError};
use field_cell::element_key;
use judging::Said;
use pattern::RuleBook;
use writes::{Write, elements};

pub use document::Document;
pub use edit::DocumentEdit;
pub use error::RulesError;
pub use pattern::FieldPattern;
pub use rule::Rule;
pub use writes::DocumentWrites;

/// A rule per field path of one document. What payloads hold, and which rule is whose, is described
/// on the [module's page](self).
///
/// ```
/// use anabranch::resolver::{Registry, Rule, Rules};
///
/// let product = Rules::new("product", 1)
///     .field("price", Rule::LastWrite)?
///     .field("tags", Rule::AddWinsSet)?
///     .field("lines.*.notes", Rule::KeepAll)?
///     .otherwise(Rule::Manual);
/// // The same in one line.
/// let text = "price=last-write, tags=add-wins-set, lines.*.notes=keep-all, *=manual";
/// let same: Rules = text.parse()?;
/// let registry = Registry::new().with("product", product)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    id: ResolverId,
    book: RuleBook,
}

/// Raised whenever equal rules would give another state.
const VERSION: u64 = 1;

impl Rules {
    /// Last write wins for every field. The rules of fields need no version: states follow them by
    /// themselves.
    pub fn new(name: impl Into<Cow<'static, str>>, version: u32) -> Self {
        Self {
            id: ResolverId {
                name: name.into(),
                version,
            },
            book: RuleBook::default(),
        }
    }

    /// Gives a rule to a field, or to all that a pattern covers. The order of calls does not matter.
    ///
    /// # Errors
    /// [`RulesError`] when the pattern has a rule already, lies within another or holds another, or
    /// names nothing.
    pub fn field(
        mut self,
        pattern: impl Into<FieldPattern>,
        rule: Rule,
    ) -> Result<Self, RulesError> {
        self.book.insert(pattern.into(), rule)?;
        Ok(self)
    }

    /// Gives a rule to every field that is given none.
    #[must_use]
    pub fn otherwise(mut self, rule: Rule) -> Self {
        self.book.set_otherwise(rule);
        self
    }
}

impl Resolver for Rules {
    type State = Document;
    type Payload = DocumentWrites;

    fn id(&self) -> ResolverId {
        self.id.clone()
    }

    fn init(&self, _: &AggregateId) -> Document {
        Document::default()
    }

    fn admit(
        &self,
        state: &Document,
        writes: &DocumentWrites,
        cx: &Context<'_, DocumentWrites>,
    ) -> Result<(), Rejection> {
        state.admit(writes, &self.book, &|id| cx.saw(id))
    }

    fn apply(
        &self,
        state: &mut Document,
        writes: &DocumentWrites,
        cx: &Context<'_, DocumentWrites>,
    ) {
        state.write(writes, &self.book, cx.id(), &|id| cx.saw(id));
    }

    /// A branch per written field and removed path, a leaf per element that is added to a set or
    /// discarded from it; nothing for a payload that does not fit the rules.
    ///
    /// A write also takes away what its writer saw above it. That is not in its footprint: whoever
    /// else writes below takes away what they saw there, too, in whatever order.
    fn footprint(&self, writes: &DocumentWrites) -> Footprint {
        let removed = |path: &[Box<str>]| Key::branch(path.iter().cloned());
        let mut keys: Vec<Key> = writes.removals().map(removed).collect();
        let fits = writes.for_each(&self.book, &mut |path, _, write| match write {
            Write::Step(0) => {}
            Write::Add(array) | Write::Discard(array) => {
                keys.extend(elements(array).map(|element| element_key(path, element)));
            }
            _ => keys.push(Key::branch(path.iter().copied())),
        });
        fits.map_or(Footprint::NOTHING, |()| Footprint::Keys(keys))
    }

    fn judge(&self, earlier: &DocumentWrites, later: &DocumentWrites) -> Verdict {
        let said = |writes| Said::of(writes, &self.book);
        judging::judge(&self.book, &said(earlier), &said(later))
    }

    fn judge_at(&self, key: &Key, earlier: &DocumentWrites, later: &DocumentWrites) -> Verdict {
        let said = |writes| Said::of(writes, &self.book);
        judging::judge_at(&self.book, key, &said(earlier), &said(later))
    }

    fn value_at(&self, key: &Key, writes: &DocumentWrites) -> Option<Vec<u8>> {
        judging::value_at(&self.book, key, writes)
    }

    fn rule_at(&self, key: &Key) -> Cow<'static, str> {
        let path: Vec<&str> = key.path.iter().map(|segment| &**segment).collect();
        let around = self.book.field_around(&path).map(|(_, rule)| rule);
        Cow::Borrowed(match self.book.named(&path).or(around) {
            Some(rule) => rule.words(),
            None if self.book.has_fields_below(&path) => "a rule per field",
            None => self.book.otherwise().words(),
        })
    }

    /// Of each field the pieces that a whole record under its rule would have, at its path.
    fn pieces(&self, state: &Document) -> Result<Vec<Piece>, PayloadError> {
        state.pieces()
    }

    /// Concurrent events commute if those of every field do.
    fn claims(&self) -> Claims {
        if self.book.rules().all(Rule::commutes) {
            Claims::commuting()
        } else {
            Claims::none()
        }
    }

    fn configuration(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.array(2).uint(VERSION);
        self.book.write_to(&mut writer);
        writer.into_bytes()
    }

    fn decode(&self, payload: &Payload) -> Result<DocumentWrites, PayloadError> {
        DocumentWrites::read(payload)
    }

    fn present(&self, state: &Document) -> Result<Vec<u8>, PayloadError> {
        state.present()
    }
}

#[cfg(test)]
mod tests;
