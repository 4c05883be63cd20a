use alloc::vec::Vec;

use super::watching::CameIn;
use crate::event::{AggregateId, Event, EventId};
use crate::limits::{CHANGE_CAUSES_MAX, CHANGE_KEYS_MAX};
use crate::resolver::Footprint;

/// What a watch tells of one aggregate: everything since it was last told, as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The aggregate whose state may be another now.
    pub aggregate: AggregateId,
    /// The newest events that caused it, at most 64, in the order in which they became ready.
    pub causes: Vec<EventId>,
    /// How many events caused it.
    pub events: u64,
    /// Which places of the state they touch, as far as their resolver says.
    pub keys: Footprint,
    /// An event took its place before others that had been folded, so what a reader may have seen was
    /// rewritten. Exact, unless its reader fell behind or the aggregate has no rule here: then it may
    /// be that nothing was.
    pub late: bool,
    /// An event shares keys with a concurrent one. As exact as [`late`](Self::late) and, where the
    /// aggregate cannot be folded, true whenever an event is concurrent with another one.
    pub raced: bool,
    /// Everything that caused it is fsynced here.
    pub durable: bool,
}

/// What comes to be told of one aggregate: an event, or, without one, that its state may be another.
#[derive(Clone, Debug)]
pub(super) struct News<'a> {
    pub(super) aggregate: &'a AggregateId,
    pub(super) cause: Option<EventId>,
    pub(super) keys: Footprint,
    pub(super) late: bool,
    pub(super) raced: bool,
}

impl From<News<'_>> for Change {
    fn from(news: News<'_>) -> Self {
        Self {
            aggregate: news.aggregate.clone(),
            causes: news.cause.into_iter().collect(),
            events: news.events(),
            keys: news.keys,
            late: news.late,
            raced: news.raced,
            durable: false,
        }
    }
}

impl<'a> News<'a> {
    pub(super) fn of(event: &'a Event, keys: Footprint, came_in: CameIn) -> Self {
        Self {
            aggregate: event.aggregate(),
            cause: Some(event.id()),
            keys,
            late: came_in.late,
            raced: came_in.raced,
        }
    }

    fn events(&self) -> u64 {
        u64::from(self.cause.is_some())
    }
}

impl Change {
    /// Takes what came later to the same aggregate into this one.
    pub(super) fn absorb(&mut self, later: News<'_>) {
        self.events = self.events.saturating_add(later.events());
        self.causes.extend(later.cause);
        let surplus = self.causes.len().saturating_sub(CHANGE_CAUSES_MAX);
        self.causes.drain(..surplus);
        self.late |= later.late;
        self.raced |= later.raced;
        match (&mut self.keys, later.keys) {
            (Footprint::Keys(ours), Footprint::Keys(theirs)) => {
                for key in theirs {
                    if !ours.contains(&key) {
                        ours.push(key);
                    }
                }
                if ours.len() > CHANGE_KEYS_MAX {
                    self.keys = Footprint::Everything;
                }
            }
            (keys, _) => *keys = Footprint::Everything,
        }
    }
}
