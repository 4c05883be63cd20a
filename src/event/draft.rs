use core::convert::Infallible;

use serde::Serialize;

use super::{AggregateId, EventError, EventType, Metadata, Payload};

/// What an application wants to record; the replica adds identity, time and causality.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The aggregate it changes.
    pub aggregate: AggregateId,
    /// What kind of fact it states.
    pub event_type: EventType,
    /// Its content.
    pub payload: Payload,
    /// Text that travels along.
    pub metadata: Metadata,
}

impl Draft {
    /// A draft from two names and any serializable value.
    ///
    /// # Errors
    /// [`EventError`] names the first bound that is broken.
    pub fn new<A, T, P>(aggregate: A, event_type: T, payload: &P) -> Result<Self, EventError>
    where
        A: TryInto<AggregateId>,
        T: TryInto<EventType>,
        P: Serialize + ?Sized,
        EventError: From<A::Error> + From<T::Error>,
    {
        Self::raw(aggregate, event_type, Payload::encode(payload)?)
    }

    /// A draft whose payload is CBOR already.
    ///
    /// # Errors
    /// [`EventError`] when a name breaks a rule.
    pub fn raw<A, T>(aggregate: A, event_type: T, payload: Payload) -> Result<Self, EventError>
    where
        A: TryInto<AggregateId>,
        T: TryInto<EventType>,
        EventError: From<A::Error> + From<T::Error>,
    {
        Ok(Self {
            aggregate: aggregate.try_into()?,
            event_type: event_type.try_into()?,
            payload,
            metadata: Metadata::new(),
        })
    }

    /// Adds one metadata entry.
    ///
    /// # Errors
    /// [`EventError`] when a metadata bound would be passed.
    pub fn with_metadata(mut self, key: &str, value: &str) -> Result<Self, EventError> {
        self.metadata.insert(key, value)?;
        Ok(self)
    }
}

impl From<Infallible> for EventError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
