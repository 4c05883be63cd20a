use alloc::string::String;
use alloc::vec::Vec;

use thiserror::Error;

use crate::event::{EventId, EventType};
use crate::resolver::{Footprint, Rejection, ResolverId};

/// What integrating one event came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integration {
    /// The event is here already; nothing changed.
    Duplicate,
    /// The event is new.
    Added {
        /// Whether it changes what lies before the end of canonical order.
        late: bool,
        /// Whether something that was here is concurrent with it. Whether their keys overlap as
        /// well is found when it is folded, see [`FoldOutcome::raced`].
        raced: bool,
    },
    /// Only the fold is in memory, and the event cannot be judged or placed without the events
    /// before it; nothing changed. `needs_history` tells beforehand.
    HistoryMissing,
}

/// What one call of `fold` did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldOutcome {
    /// Events applied, again ones included.
    pub applied: usize,
    /// Events that are refused and were not, or not for this reason, when last looked at.
    pub rejected: Vec<(EventId, Rejection)>,
    /// What may have changed: the keys of new events and, after a replay, of what depends on them.
    /// Everything at the first fold and where that is too much to list.
    pub keys: Footprint,
    /// Whether an event was put before others that had been folded, so that what was seen of the
    /// aggregate is no prefix of what it is now.
    pub late: bool,
    /// Whether an event that came since the last fold shares keys with a concurrent one. Exact, but
    /// true where the rule panics when it is asked for keys, and where more events of one key are
    /// concurrent than are kept track of; and a race may be missed behind a writer that left its own
    /// earlier event out of its heads. [`Timeline::races`](super::Timeline::races) has all.
    pub raced: bool,
}

impl Default for FoldOutcome {
    /// Nothing was done and nothing has changed.
    fn default() -> Self {
        Self {
            applied: 0,
            rejected: Vec::new(),
            keys: Footprint::NOTHING,
            late: false,
            raced: false,
        }
    }
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was admitted and applied.
    Applied,
    /// It changes nothing, on every replica: invalid, unreadable or refused by the rule.
    Rejected(Rejection),
    /// It is skipped, because this event stands for it, or for the same event as it does.
    Replaced(EventId),
}

/// Why an aggregate has no current state here. Local and retried, never part of the state.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unresolved {
    /// There are events that have not been folded yet.
    #[error("the newest events are not folded yet")]
    NotFolded,
    /// No rule is bound to the aggregate's type.
    #[error("no resolver is bound to this aggregate type")]
    NoResolver,
    /// The rule does not understand an event; a newer version of it may.
    #[error("{resolver} does not know the event type {event_type} of {event}")]
    UnknownEventType {
        /// The first event that it does not understand.
        event: EventId,
        /// The type.
        event_type: EventType,
        /// The rule.
        resolver: ResolverId,
    },
    /// The rule panicked. The state before the event stays readable.
    #[error("the resolver panicked{}: {message}", At(*event))]
    Panicked {
        /// The event that was being folded; none where the rule made its first state.
        event: Option<EventId>,
        /// What the panic said.
        message: String,
    },
}

struct At(Option<EventId>);

impl core::fmt::Display for At {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.map_or(Ok(()), |event| write!(f, " at {event}"))
    }
}

/// Local events that would not be admitted now.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("event {index} would be rejected: {rejection}")]
pub struct TrialError {
    /// Which of them, from 0.
    pub index: usize,
    /// Why.
    pub rejection: Rejection,
}
