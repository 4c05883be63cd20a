//! The strategy object: how the events of one aggregate become its state.
//!
//! A [`Resolver`] is a fold. It is given the ready events of an aggregate in canonical order, so it
//! needs no algebra: whatever it computes, every replica computes the same, provided that it is
//! *deterministic* and *pure*. It reads its arguments and nothing else, no clock, no randomness, no
//! hash order, no field that changes. What the built-in ones take and show stands on one
//! [page](payloads).
//!
//! This module knows nothing of timelines, stores or networks.

pub mod add_wins_set;
mod cell;
mod context;
mod counter;
mod erased;
pub mod field_merge;
mod first_write_wins;
mod fold_fn;
mod footprint;
#[cfg(test)]
mod histories;
mod last_write_wins;
pub mod manual;
mod multi_value;
mod nested;
#[doc = include_str!("payloads.md")]
pub mod payloads {}
mod piece;
mod places;
mod registry;
pub mod rules;
mod siblings;
mod tree;
mod value;
mod verdict;

use alloc::borrow::Cow;
use alloc::vec::Vec;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use add_wins_set::{AddWinsSet, Elements, SetEdit, SetWrites};
pub use context::{Context, Rival, View};
pub use counter::{Counter, Total};
pub use erased::{Decision, ErasedResolver, ErasedState, Folded};
pub use field_merge::{Field, FieldEdit, FieldMerge, FieldWrites, Fields};
pub use first_write_wins::{Earliest, FirstWriteWins};
pub use fold_fn::FoldFn;
pub use footprint::{Footprint, Key};
pub use last_write_wins::{LastWriteWins, Latest};
pub use manual::{Manual, ManualEdit, Settlement};
pub use multi_value::{MultiValue, Values};
pub use piece::Piece;
pub(crate) use places::Places;
pub use registry::{Registry, RegistryError, Route};
pub use rules::{Document, DocumentEdit, DocumentWrites, FieldPattern, Rule, Rules, RulesError};
pub use siblings::{Sibling, SiblingSet, Siblings, Statement};
pub use value::Value;
pub use verdict::{Claims, Rejection, ResolverId, Verdict};

use crate::event::{AggregateId, EventType, Payload, PayloadError, cbor};

/// A rule for one type of aggregate.
///
/// # Laws
/// - *Determinism*: equal arguments give equal results, on every machine, at every time.
/// - *Purity*: nothing but the arguments is read, nothing but `state` is changed.
/// - *Totality*: [`apply`](Self::apply) does not panic on any payload that decodes, in any state
///   that can be reached.
/// - The state's serialized form is canonical: it holds no hash map and no hash set.
///
/// They are tried before a rule ships (`anabranch::testing::laws`), and watched while it is at work: see
/// [`Health::divergences`](crate::engine::Health::divergences).
///
/// # Freedoms
/// Nothing has to commute, be idempotent or be associative: order, duplicates and lateness are the
/// engine's business.
pub trait Resolver: Send + Sync + 'static {
    /// What the events add up to.
    type State: Clone + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What one event says.
    type Payload: DeserializeOwned + Send + Sync + 'static;

    /// Name and version. States are cached under it: change the version whenever the same events
    /// would give another state.
    fn id(&self) -> ResolverId;

    /// The state before any event.
    fn init(&self, aggregate: &AggregateId) -> Self::State;

    /// May refuse an event: it stays in the log, changes nothing, and is refused on every replica.
    ///
    /// # Errors
    /// The reason, which users are shown.
    fn admit(
        &self,
        state: &Self::State,
        payload: &Self::Payload,
        cx: &Context<'_, Self::Payload>,
    ) -> Result<(), Rejection> {
        let _ = (state, payload, cx);
        Ok(())
    }

    /// Folds one admitted event, as if in canonical order.
    fn apply(
        &self,
        state: &mut Self::State,
        payload: &Self::Payload,
        cx: &Context<'_, Self::Payload>,
    );

    /// Which keys an event reads or writes. Everything, unless a resolver knows better.
    fn footprint(&self, payload: &Self::Payload) -> Footprint {
        let _ = payload;
        Footprint::Everything
    }

    /// What became of two concurrent events that touch the same keys.
    fn judge(&self, earlier: &Self::Payload, later: &Self::Payload) -> Verdict {
        let _ = (earlier, later);
        Verdict::LaterWins
    }

    /// The same at one place that both touch, where the answer may differ from place to place.
    fn judge_at(&self, key: &Key, earlier: &Self::Payload, later: &Self::Payload) -> Verdict {
        let _ = key;
        self.judge(earlier, later)
    }

    /// What a payload says at one place of its footprint, in canonical CBOR, for people who ask
    /// what was overruled. Nothing where it says nothing there, or the rule does not tell: then the
    /// whole payload is shown.
    fn value_at(&self, key: &Key, payload: &Self::Payload) -> Option<Vec<u8>> {
        let _ = (key, payload);
        None
    }

    /// The name, for people, of the rule that decides at one place: `last write wins`.
    fn rule_at(&self, key: &Key) -> Cow<'static, str> {
        let _ = key;
        self.id().name
    }

    /// What a state shows, piece by piece, in the order of keys, and which events each piece comes
    /// from. One piece of unknown origin, unless a resolver knows better.
    ///
    /// # Errors
    /// [`PayloadError`] when the state cannot be written.
    fn pieces(&self, state: &Self::State) -> Result<Vec<Piece>, PayloadError> {
        Ok(Vec::from([Piece {
            key: Key::everything(),
            value: self.present(state)?,
            from: Vec::new(),
            open: false,
        }]))
    }

    /// What the resolver promises beyond the laws; each claim is checked, none is believed.
    fn claims(&self) -> Claims {
        Claims::none()
    }

    /// How the rule is set up, as bytes that differ whenever equal events would give another state.
    /// States are cached under it, beside the [id](Self::id). Nothing, unless there is a choice.
    fn configuration(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Whether this version of the rule understands events of a type. An unknown type makes the
    /// aggregate unresolved until the rule is upgraded; the event is stored and forwarded.
    fn knows(&self, event_type: &EventType) -> bool {
        let _ = event_type;
        true
    }

    /// Reads a payload. Override only to be faster than serde.
    ///
    /// # Errors
    /// [`PayloadError`] makes the event a rejection.
    fn decode(&self, payload: &Payload) -> Result<Self::Payload, PayloadError> {
        payload.decode()
    }

    /// The state as users read it, in canonical CBOR; the state itself unless it holds bookkeeping.
    ///
    /// # Errors
    /// [`PayloadError`] when the state cannot be written.
    fn present(&self, state: &Self::State) -> Result<Vec<u8>, PayloadError> {
        cbor::to_vec(state)
    }
}

#[cfg(test)]
mod tests;
