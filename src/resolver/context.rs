use alloc::vec::Vec;
use core::marker::PhantomData;

use crate::event::{Event, EventId, EventType, OrderKey, Payload, PayloadError};

/// What the engine can say of an event's past and of its rivals; implemented by `merge`.
///
/// Answers are pure functions of the event and its aggregate's ready set up to it in canonical
/// order.
pub trait View {
    /// Whether the writer of the event being folded knew `id`.
    fn saw(&self, id: EventId) -> bool;

    /// Events earlier in canonical order, concurrent with the event being folded, with overlapping
    /// footprints; in canonical order.
    fn rivals(&self) -> Vec<Event>;
}

/// An event that a rule may have to settle against.
#[derive(Clone, Debug)]
pub struct Rival<P> {
    /// Its place in the order all replicas share; holds its id.
    pub key: OrderKey,
    /// What kind of fact it states.
    pub event_type: EventType,
    /// Its content.
    pub payload: P,
}

/// What a resolver may ask about the event it is folding. Only pure questions.
pub struct Context<'a, P> {
    event: &'a Event,
    view: &'a dyn View,
    decode: &'a dyn Fn(&Payload) -> Result<P, PayloadError>,
    payload: PhantomData<fn() -> P>,
}

impl<'a, P> Context<'a, P> {
    /// A context over an event and a view of its past.
    pub fn new(
        event: &'a Event,
        view: &'a dyn View,
        decode: &'a dyn Fn(&Payload) -> Result<P, PayloadError>,
    ) -> Self {
        Self {
            event,
            view,
            decode,
            payload: PhantomData,
        }
    }

    /// The event's id.
    pub fn id(&self) -> EventId {
        self.event.id()
    }

    /// The event's place in the order that all replicas share.
    pub fn key(&self) -> OrderKey {
        self.event.order_key()
    }

    /// The event's type.
    pub fn event_type(&self) -> &'a EventType {
        self.event.event_type()
    }

    /// Whether the event's writer knew `id` when it wrote.
    pub fn saw(&self, id: EventId) -> bool {
        self.view.saw(id)
    }

    /// Events earlier in canonical order, concurrent with this one, with overlapping footprints, in
    /// canonical order. Rejected ones are among them, undecodable ones are not.
    pub fn rivals(&self) -> Vec<Rival<P>> {
        let rival = |event: Event| {
            let payload = (self.decode)(event.payload()).ok()?;
            Some(Rival {
                key: event.order_key(),
                event_type: event.event_type().clone(),
                payload,
            })
        };
        self.view.rivals().into_iter().filter_map(rival).collect()
    }
}
