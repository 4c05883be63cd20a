//! A record on which people who contradicted each other have to agree.
//!
//! The invariant kept here: of two values that were written without knowing of each other neither is
//! lost until a person has decided, who saw both. No program overwrites an open conflict by accident.
//!
//! This module knows decisions, not deciders: who may resolve is the application's business.
//!
//! # Payload
//! A map of one entry, a write or a person's decision:
//!
//! ```json
//! { "value": 12 }
//! { "resolve": 12 }
//! ```
//!
//! The value is any CBOR value that nests at most 30 levels deep, null like any other. Any other form
//! is a rejection, as are bytes that are not CBOR. [`Manual::write`] and [`Manual::resolution`] build
//! payloads.
//!
//! *Shown as*: `{"value": 12}` where the record is settled (null before any write), `{"open": [12,
//! 15]}` where it is not, the rival values in the order of their canonical encodings.
//!
//! # What is open
//! A write or a decision replaces what its writer saw; what several wrote without knowing of each
//! other is kept. As long as there is more than one distinct value the record is open. Then:
//!
//! | who | had seen of the rivals | what becomes of it |
//! |---|---|---|
//! | a write | at most one value | replaces what it saw, is a rival of the rest |
//! | a write | several values | is refused: when it is recorded, or else on every replica |
//! | a decision | all | settles the record |
//! | a decision | some | replaces those, is a rival of the rest |
//!
//! So two decisions that did not know of each other settle the record if they agree and are the new
//! rivals if not, and so are a decision and a write that did not know of it.
//!
//! What was recorded under this rule is never refused later: its writer had seen at most one value,
//! and in whatever order it is folded, it meets no more of what its writer saw than that. Only a
//! replica without this rule can write what is refused.

mod edit;
mod settlement;

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;

use serde::Serialize;

use super::{Context, Footprint, Key, Piece, Rejection, Resolver, ResolverId, Verdict};
use crate::event::{AggregateId, Payload, PayloadError};

pub use edit::ManualEdit;
pub use settlement::Settlement;

/// The whole record is one register; where people contradicted each other, a person decides. The
/// payload, and what is open, is described on the [module's page](self).
///
/// ```
/// use anabranch::event::Draft;
/// use anabranch::resolver::Manual;
///
/// let draft = Draft::new("price/7", "changed", &Manual::write(&12)?)?;
/// let draft = Draft::new("price/7", "decided", &Manual::resolution(&15)?)?;
/// # Ok::<(), anabranch::event::EventError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manual;

impl Manual {
    /// Writes a value. It is refused by a replica that sees an open conflict.
    ///
    /// # Errors
    /// [`PayloadError`] when the value cannot be written as CBOR.
    pub fn write<T: Serialize + ?Sized>(value: &T) -> Result<ManualEdit, PayloadError> {
        ManualEdit::new(value, false)
    }

    /// Decides for a value, be it one of the rivals or another.
    ///
    /// # Errors
    /// [`PayloadError`] when the value cannot be written as CBOR.
    pub fn resolution<T: Serialize + ?Sized>(value: &T) -> Result<ManualEdit, PayloadError> {
        ManualEdit::new(value, true)
    }
}

impl Resolver for Manual {
    type State = Settlement;
    type Payload = ManualEdit;

    fn id(&self) -> ResolverId {
        ResolverId::new("manual", 1)
    }

    fn init(&self, _: &AggregateId) -> Settlement {
        Settlement::default()
    }

    fn admit(
        &self,
        state: &Settlement,
        edit: &ManualEdit,
        cx: &Context<'_, ManualEdit>,
    ) -> Result<(), Rejection> {
        if edit.resolves() {
            return Ok(());
        }
        match state.distinct_seen(&|id| cx.saw(id)) {
            0 | 1 => Ok(()),
            open => Err(Rejection::new(format!(
                "{open} values are open, a person has to resolve them first"
            ))),
        }
    }

    fn apply(&self, state: &mut Settlement, edit: &ManualEdit, cx: &Context<'_, ManualEdit>) {
        let value = edit.value().as_bytes();
        state.write(value, cx.id(), &|id| cx.saw(id));
    }

    fn footprint(&self, _: &ManualEdit) -> Footprint {
        Footprint::Keys(Vec::from([Key::everything()]))
    }

    fn judge(&self, earlier: &ManualEdit, later: &ManualEdit) -> Verdict {
        if earlier.value() == later.value() {
            Verdict::Agree
        } else {
            Verdict::Open
        }
    }

    fn value_at(&self, _: &Key, edit: &ManualEdit) -> Option<Vec<u8>> {
        Some(edit.value().as_bytes().to_vec())
    }

    fn rule_at(&self, _: &Key) -> Cow<'static, str> {
        Cow::Borrowed("a person decides")
    }

    /// One piece for each distinct value; open if there are several.
    fn pieces(&self, state: &Settlement) -> Result<Vec<Piece>, PayloadError> {
        let values = state.iter();
        let open = values.len() > 1;
        let piece = |(value, from): (&[u8], _)| Piece::whole(value.to_vec(), from, open);
        Ok(values.map(piece).collect())
    }

    fn decode(&self, payload: &Payload) -> Result<ManualEdit, PayloadError> {
        ManualEdit::read(payload)
    }

    fn present(&self, state: &Settlement) -> Result<Vec<u8>, PayloadError> {
        Ok(state.present())
    }
}

#[cfg(test)]
mod tests;
