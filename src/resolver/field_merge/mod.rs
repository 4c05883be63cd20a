//! Last write wins per field: nested maps are merged path by path.
//!
//! The invariant kept here: what becomes of a field depends on the events that wrote at its path,
//! above it or below it, and on nothing else; events of other paths commute with them.
//!
//! This module knows paths and values, not what they mean: no schema, no types, no arrays to merge.
//!
//! # Payload
//! A map of at most two entries:
//!
//! ```json
//! { "set":    { "name": { "first": "Ada" }, "tags": ["a", "b"], "note": null },
//!   "remove": [ ["draft"], ["address", "street"] ] }
//! ```
//!
//! - `set` holds nested maps with text keys. Every value in them that is not itself a map is one
//!   *leaf*, written at its path; so are arrays, null (a value like any other) and the **empty map**
//!   (which keeps an empty map visible until something is written inside it). The example writes
//!   three leaves: `name.first`, `tags` and `note`.
//! - `remove` lists paths; the empty path `[]` means the whole record. Removals come before writes,
//!   so `{"remove": [["a"]], "set": {"a": {"x": 1}}}` replaces what its writer saw of `a`.
//! - Any other entry, shape or key type is a rejection, as are bytes that are not CBOR.
//!
//! # What wins
//! Event after event in canonical order:
//!
//! | the event | at the path | above it | below it |
//! |---|---|---|---|
//! | writes a leaf | replaces what is there | removes leaves that its writer saw | removes leaves that its writer saw |
//! | removes a path | removes what is there | nothing | removes leaves that its writer saw |
//!
//! So at one path the last in canonical order wins, concurrent or not, be it a write or a removal;
//! and a concurrent write strictly inside a removed or replaced branch survives. Where concurrent
//! writes left both a leaf and something inside it, the branch is shown and the leaf is hidden
//! until the branch is gone. A write that was overruled at its path does not come back when the
//! overruling one is removed.
//!
//! No tombstones are kept: a removal that could still matter to an older write is folded after it,
//! because every event has its place in the order, however late it comes. So a state holds what is
//! visible (and hidden leaves), whatever was overwritten before.

mod edit;
mod fields;
mod judging;
mod writes;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Context, Footprint, Key, Piece, Resolver, ResolverId, Verdict};
use crate::event::{AggregateId, Payload, PayloadError};

pub use edit::FieldEdit;
pub use fields::{Field, Fields};
pub use writes::FieldWrites;

/// Per-path last write wins over nested maps; arrays are leaves. The payload, and what wins where,
/// is described on the [module's page](self).
///
/// ```
/// use anabranch::event::Draft;
/// use anabranch::resolver::FieldEdit;
///
/// let edit = FieldEdit::new().set(["name", "first"], "Ada")?.remove(["draft"]);
/// let draft = Draft::new("person/1", "edited", &edit)?;
/// # Ok::<(), anabranch::event::EventError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FieldMerge;

impl Resolver for FieldMerge {
    type State = Fields;
    type Payload = FieldWrites;

    fn id(&self) -> ResolverId {
        ResolverId::new("field-merge", 1)
    }

    fn init(&self, _: &AggregateId) -> Fields {
        Fields::default()
    }

    fn apply(&self, state: &mut Fields, writes: &FieldWrites, cx: &Context<'_, FieldWrites>) {
        state.write(writes, cx.id(), &|id| cx.saw(id));
    }

    /// A branch per written leaf and per removed path: an event reads and may remove what lies above
    /// and below the paths it names, and two branches overlap exactly where one path begins with
    /// the other. Events without such a pair change different slots and look at none in common, so
    /// they commute.
    fn footprint(&self, writes: &FieldWrites) -> Footprint {
        let branch = |path: &[&str]| Key::branch(path.iter().copied());
        let removed = |path: &[Box<str>]| Key::branch(path.iter().cloned());
        let mut keys: Vec<Key> = writes.removals().map(removed).collect();
        writes.for_each_leaf(&mut |path, _| keys.push(branch(path)));
        Footprint::Keys(keys)
    }

    fn judge(&self, earlier: &FieldWrites, later: &FieldWrites) -> Verdict {
        judging::judge(earlier, later)
    }

    fn judge_at(&self, key: &Key, earlier: &FieldWrites, later: &FieldWrites) -> Verdict {
        judging::judge_at(&key.path, earlier, later)
    }

    /// The value that is written there, or null where it is removed.
    fn value_at(&self, key: &Key, writes: &FieldWrites) -> Option<Vec<u8>> {
        judging::value_at(&key.path, writes)
    }

    fn rule_at(&self, _: &Key) -> Cow<'static, str> {
        Cow::Borrowed("last write wins")
    }

    /// One piece for each visible leaf.
    fn pieces(&self, state: &Fields) -> Result<Vec<Piece>, PayloadError> {
        let piece = |field: Field<'_>| Piece {
            key: Key::leaf(field.path),
            value: field.value.to_vec(),
            from: Vec::from([field.writer]),
            open: false,
        };
        Ok(state.iter().map(piece).collect())
    }

    fn decode(&self, payload: &Payload) -> Result<FieldWrites, PayloadError> {
        FieldWrites::read(payload)
    }

    fn present(&self, state: &Fields) -> Result<Vec<u8>, PayloadError> {
        Ok(state.present())
    }
}

#[cfg(test)]
mod tests;
