use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::any::Any;

use super::{
    Claims, Context, Footprint, Key, Piece, Rejection, Resolver, ResolverId, Verdict, View,
};
use crate::event::{AggregateId, Event, EventType, Payload, PayloadError, cbor};

/// A state whose type only its resolver knows.
pub struct ErasedState(Box<dyn Any + Send + Sync>);

impl ErasedState {
    /// The state, if it is a `T`.
    pub fn downcast_ref<T: 'static>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl core::fmt::Debug for ErasedState {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ErasedState")
    }
}

/// What folding one event came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Folded {
    /// Admitted and applied.
    Applied,
    /// Refused, by the rule or because the payload cannot be read; nothing changed.
    Rejected(Rejection),
}

/// What a rule says of two payloads at one place that both touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// See [`Resolver::judge_at`].
    pub verdict: Verdict,
    /// See [`Resolver::rule_at`].
    pub rule: Cow<'static, str>,
    /// What the earlier one says there, see [`Resolver::value_at`].
    pub earlier: Option<Vec<u8>>,
    /// What the later one says there.
    pub later: Option<Vec<u8>>,
}

/// A [`Resolver`] behind one pointer. Implemented for every resolver, never by hand.
pub trait ErasedResolver: Send + Sync + 'static {
    /// See [`Resolver::id`].
    fn id(&self) -> ResolverId;
    /// See [`Resolver::init`].
    fn init(&self, aggregate: &AggregateId) -> ErasedState;
    /// Decodes and admits one event without applying it.
    ///
    /// # Errors
    /// Why the event would be refused in this state.
    fn admit(&self, state: &ErasedState, event: &Event, view: &dyn View) -> Result<(), Rejection>;
    /// Decodes, admits and applies one event.
    fn fold(&self, state: &mut ErasedState, event: &Event, view: &dyn View) -> Folded;
    /// See [`Resolver::footprint`]; an undecodable payload touches nothing.
    fn footprint(&self, payload: &Payload) -> Footprint;
    /// See [`Resolver::judge`]; nothing where a payload cannot be read.
    fn judge(&self, earlier: &Payload, later: &Payload) -> Option<Verdict>;
    /// See [`Resolver::judge_at`]; nothing where a payload cannot be read.
    fn judge_at(&self, key: &Key, earlier: &Payload, later: &Payload) -> Option<Verdict>;
    /// What the rule says of two payloads at each of some places; each payload is read once.
    /// Nothing where one cannot be read.
    fn decide(&self, keys: &[Key], earlier: &Payload, later: &Payload) -> Option<Vec<Decision>>;
    /// See [`Resolver::value_at`]; nothing where the payload cannot be read.
    fn value_at(&self, key: &Key, payload: &Payload) -> Option<Vec<u8>>;
    /// See [`Resolver::rule_at`].
    fn rule_at(&self, key: &Key) -> Cow<'static, str>;
    /// See [`Resolver::pieces`].
    ///
    /// # Errors
    /// [`PayloadError`] when the state cannot be written.
    fn pieces(&self, state: &ErasedState) -> Result<Vec<Piece>, PayloadError>;
    /// See [`Resolver::claims`].
    fn claims(&self) -> Claims;
    /// See [`Resolver::knows`].
    fn knows(&self, event_type: &EventType) -> bool;
    /// A second copy of a state.
    fn clone_state(&self, state: &ErasedState) -> ErasedState;
    /// The state in canonical CBOR: what its digest covers and what a store keeps.
    ///
    /// # Errors
    /// [`PayloadError`] when the state cannot be written.
    fn encode_state(&self, state: &ErasedState) -> Result<Vec<u8>, PayloadError>;
    /// The inverse of [`encode_state`](Self::encode_state).
    ///
    /// # Errors
    /// [`PayloadError`] when the bytes are not a state of this resolver.
    fn decode_state(&self, bytes: &[u8]) -> Result<ErasedState, PayloadError>;
    /// See [`Resolver::present`].
    ///
    /// # Errors
    /// [`PayloadError`] when the state cannot be written.
    fn present(&self, state: &ErasedState) -> Result<Vec<u8>, PayloadError>;
}

impl<R: Resolver> ErasedResolver for R {
    fn id(&self) -> ResolverId {
        Resolver::id(self)
    }

    fn init(&self, aggregate: &AggregateId) -> ErasedState {
        ErasedState(Box::new(Resolver::init(self, aggregate)))
    }

    fn admit(&self, state: &ErasedState, event: &Event, view: &dyn View) -> Result<(), Rejection> {
        let payload = self
            .decode(event.payload())
            .map_err(|error| unreadable(&error))?;
        let decode = |payload: &Payload| self.decode(payload);
        Resolver::admit(
            self,
            own::<R>(state),
            &payload,
            &Context::new(event, view, &decode),
        )
    }

    fn fold(&self, state: &mut ErasedState, event: &Event, view: &dyn View) -> Folded {
        let payload = match self.decode(event.payload()) {
            Ok(payload) => payload,
            Err(error) => return Folded::Rejected(unreadable(&error)),
        };
        let decode = |payload: &Payload| self.decode(payload);
        let cx = Context::new(event, view, &decode);
        let state = own_mut::<R>(state);
        match Resolver::admit(self, state, &payload, &cx) {
            Ok(()) => {
                self.apply(state, &payload, &cx);
                Folded::Applied
            }
            Err(rejection) => Folded::Rejected(rejection),
        }
    }

    fn footprint(&self, payload: &Payload) -> Footprint {
        self.decode(payload).map_or_else(
            |_| Footprint::Keys(Vec::new()),
            |p| Resolver::footprint(self, &p),
        )
    }

    fn judge(&self, earlier: &Payload, later: &Payload) -> Option<Verdict> {
        let earlier = self.decode(earlier).ok()?;
        let later = self.decode(later).ok()?;
        Some(Resolver::judge(self, &earlier, &later))
    }

    fn judge_at(&self, key: &Key, earlier: &Payload, later: &Payload) -> Option<Verdict> {
        let earlier = self.decode(earlier).ok()?;
        let later = self.decode(later).ok()?;
        Some(Resolver::judge_at(self, key, &earlier, &later))
    }

    fn decide(&self, keys: &[Key], earlier: &Payload, later: &Payload) -> Option<Vec<Decision>> {
        let earlier = self.decode(earlier).ok()?;
        let later = self.decode(later).ok()?;
        let decision = |key| Decision {
            verdict: Resolver::judge_at(self, key, &earlier, &later),
            rule: Resolver::rule_at(self, key),
            earlier: Resolver::value_at(self, key, &earlier),
            later: Resolver::value_at(self, key, &later),
        };
        Some(keys.iter().map(decision).collect())
    }

    fn value_at(&self, key: &Key, payload: &Payload) -> Option<Vec<u8>> {
        Resolver::value_at(self, key, &self.decode(payload).ok()?)
    }

    fn rule_at(&self, key: &Key) -> Cow<'static, str> {
        Resolver::rule_at(self, key)
    }

    fn pieces(&self, state: &ErasedState) -> Result<Vec<Piece>, PayloadError> {
        Resolver::pieces(self, own::<R>(state))
    }

    fn claims(&self) -> Claims {
        Resolver::claims(self)
    }

    fn knows(&self, event_type: &EventType) -> bool {
        Resolver::knows(self, event_type)
    }

    fn clone_state(&self, state: &ErasedState) -> ErasedState {
        ErasedState(Box::new(own::<R>(state).clone()))
    }

    fn encode_state(&self, state: &ErasedState) -> Result<Vec<u8>, PayloadError> {
        cbor::to_vec(own::<R>(state))
    }

    fn decode_state(&self, bytes: &[u8]) -> Result<ErasedState, PayloadError> {
        let state: R::State = cbor::from_slice(bytes)?;
        Ok(ErasedState(Box::new(state)))
    }

    fn present(&self, state: &ErasedState) -> Result<Vec<u8>, PayloadError> {
        Resolver::present(self, own::<R>(state))
    }
}

fn unreadable(error: &PayloadError) -> Rejection {
    Rejection::new(alloc::format!("{error}"))
}

fn own<R: Resolver>(state: &ErasedState) -> &R::State {
    #[expect(
        clippy::expect_used,
        reason = "a timeline hands a resolver only states it made"
    )]
    state
        .downcast_ref()
        .expect("state belongs to this resolver")
}

fn own_mut<R: Resolver>(state: &mut ErasedState) -> &mut R::State {
    #[expect(
        clippy::expect_used,
        reason = "a timeline hands a resolver only states it made"
    )]
    state
        .0
        .downcast_mut()
        .expect("state belongs to this resolver")
}
