//! A set in which an add beats a concurrent remove.
//!
//! The invariant kept here: an element is in the set exactly if some event added it and nobody who
//! saw that add has added or removed the element since. So whoever removes takes away what they saw,
//! and no more; concurrent events commute, and no tombstones are kept.
//!
//! This module knows elements as values, equal or not: no counts, no order of insertion.
//!
//! # Payload
//! A map of at most two entries:
//!
//! ```json
//! { "add": ["red", 7, {"size": "XL"}], "remove": ["blue"] }
//! ```
//!
//! The elements are any CBOR values; two are the same if their canonical encodings are, so the
//! integer `1` and the float `1.0` are two elements. Removals come before adds: what an event removes
//! and adds is added. Any other entry or form is a rejection, as are bytes that are not CBOR or nest
//! deeper than 32 levels. [`SetEdit`] builds payloads.
//!
//! *Shown as*: the array of the elements in the order of their canonical encodings: integers, then
//! texts, shorter ones first.

mod edit;
mod elements;
mod writes;

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::cell::segment_of;
use super::{Claims, Context, Footprint, Key, Piece, Resolver, ResolverId, Verdict};
use crate::event::{AggregateId, Payload, PayloadError};

pub use edit::SetEdit;
pub use elements::Elements;
pub use writes::SetWrites;

/// A set whose elements are added and removed one by one; an add beats a concurrent remove. The
/// payload is described on the [module's page](self).
///
/// ```
/// use anabranch::event::Draft;
/// use anabranch::resolver::SetEdit;
///
/// let edit = SetEdit::new().add("red")?.add(&7)?.remove("blue")?;
/// let draft = Draft::new("tags/1", "changed", &edit)?;
/// # Ok::<(), anabranch::event::EventError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(alias = "OR-set")]
pub struct AddWinsSet;

impl Resolver for AddWinsSet {
    type State = Elements;
    type Payload = SetWrites;

    fn id(&self) -> ResolverId {
        ResolverId::new("add-wins-set", 1)
    }

    fn init(&self, _: &AggregateId) -> Elements {
        Elements::default()
    }

    fn apply(&self, state: &mut Elements, writes: &SetWrites, cx: &Context<'_, SetWrites>) {
        state.write(writes, cx.id(), &|id| cx.saw(id));
    }

    /// A leaf per element: a text by itself, anything else in diagnostic notation between `<` and
    /// `>`, as `<7>`.
    fn footprint(&self, writes: &SetWrites) -> Footprint {
        let key = |(element, _): (&[u8], bool)| Key::leaf([segment_of(element)]);
        Footprint::Keys(writes.iter().map(key).collect())
    }

    fn judge(&self, earlier: &SetWrites, later: &SetWrites) -> Verdict {
        let adds = |(element, adds)| Some((adds, later.adds(element)?));
        let shared = earlier.iter().filter_map(adds);
        let verdicts = shared.map(|(earlier, later)| judge_element(earlier, later));
        verdicts.reduce(weightier).unwrap_or(Verdict::Merged)
    }

    fn judge_at(&self, key: &Key, earlier: &SetWrites, later: &SetWrites) -> Verdict {
        let at = |writes: &SetWrites| writes.at(key).map(|(_, adds)| adds);
        match (at(earlier), at(later)) {
            (Some(earlier), Some(later)) => judge_element(earlier, later),
            _ if key.branch => self.judge(earlier, later),
            _ => Verdict::Merged,
        }
    }

    /// The element where it is added, null where it is removed.
    fn value_at(&self, key: &Key, writes: &SetWrites) -> Option<Vec<u8>> {
        let (element, adds) = writes.at(key)?;
        Some(if adds { element } else { super::cell::NULL }.to_vec())
    }

    fn rule_at(&self, _: &Key) -> Cow<'static, str> {
        Cow::Borrowed("add-wins set")
    }

    /// One piece for each element, from the adds that keep it.
    fn pieces(&self, state: &Elements) -> Result<Vec<Piece>, PayloadError> {
        let piece = |(element, from): (&[u8], &[_])| Piece {
            key: Key::leaf([segment_of(element)]),
            value: element.to_vec(),
            from: from.to_vec(),
            open: false,
        };
        let mut pieces: Vec<Piece> = state.iter().map(piece).collect();
        pieces.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok(pieces)
    }

    fn claims(&self) -> Claims {
        Claims::commuting()
    }

    fn decode(&self, payload: &Payload) -> Result<SetWrites, PayloadError> {
        SetWrites::read(payload)
    }

    fn present(&self, state: &Elements) -> Result<Vec<u8>, PayloadError> {
        Ok(state.present())
    }
}

/// Whichever of the two adds the element wins.
fn judge_element(earlier_adds: bool, later_adds: bool) -> Verdict {
    match (earlier_adds, later_adds) {
        (true, false) => Verdict::EarlierWins,
        (false, true) => Verdict::LaterWins,
        _ => Verdict::Agree,
    }
}

/// Of what became of two elements, that which a whole event is said to have come to.
fn weightier(one: Verdict, other: Verdict) -> Verdict {
    match (one, other) {
        (Verdict::Agree, other) => other,
        (one, Verdict::Agree) => one,
        (one, other) if one == other => one,
        _ => Verdict::Merged,
    }
}

#[cfg(test)]
mod tests;
