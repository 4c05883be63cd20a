//! A rule that notices everything: it appends, it refuses, it asks what was seen and what rivals.

use anabranch::event::{AggregateId, EventId, EventType, ReplicaId, Seq};
use anabranch::resolver::{Context, Footprint, Key, Rejection, Resolver, ResolverId};
use serde::{Deserialize, Serialize};

/// Who wrote what, which earlier entries the writer had seen, and the rivals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) id: EventId,
    pub(crate) payload: u8,
    /// Of the entries before it and of the [probes].
    pub(crate) seen: Vec<EventId>,
    pub(crate) rivals: Vec<EventId>,
}

pub(crate) struct Journal;

impl Resolver for Journal {
    type State = Vec<Entry>;
    type Payload = u8;

    fn id(&self) -> ResolverId {
        ResolverId::new("journal", 1)
    }

    fn init(&self, _: &AggregateId) -> Vec<Entry> {
        Vec::new()
    }

    fn admit(
        &self,
        state: &Vec<Entry>,
        payload: &u8,
        _: &Context<'_, u8>,
    ) -> Result<(), Rejection> {
        let entries: Vec<u8> = state.iter().map(|entry| entry.payload).collect();
        if refuses(&entries, *payload) {
            Err(Rejection::new("full"))
        } else {
            Ok(())
        }
    }

    fn apply(&self, state: &mut Vec<Entry>, payload: &u8, cx: &Context<'_, u8>) {
        let entries = state.iter().map(|entry| entry.id);
        let seen = entries.chain(probes()).filter(|id| cx.saw(*id)).collect();
        let rivals = cx.rivals().iter().map(|rival| rival.key.id()).collect();
        state.push(Entry {
            id: cx.id(),
            payload: *payload,
            seen,
            rivals,
        });
    }

    fn footprint(&self, payload: &u8) -> Footprint {
        key(*payload).map_or(Footprint::Everything, |key| {
            Footprint::Keys(vec![Key::leaf([key])])
        })
    }

    fn knows(&self, event_type: &EventType) -> bool {
        event_type.as_str() != "unknown"
    }
}

/// Ids that may be anything: applied, refused, skipped, of another aggregate, never written.
pub(crate) fn probes() -> impl Iterator<Item = EventId> {
    let replicas = (0..3).flat_map(|device| (0..4).map(move |life| ReplicaId::new(device, life)));
    replicas.flat_map(|replica| (1..4).map(move |n| EventId::new(replica, Seq::new(n).unwrap())))
}

/// What an event refers to; nothing means everything.
pub(crate) fn key(payload: u8) -> Option<String> {
    (payload < 200).then(|| (payload % 3).to_string())
}

/// Depends on what was admitted before, in whatever way.
pub(crate) fn refuses(entries: &[u8], payload: u8) -> bool {
    let sum: u32 = entries.iter().map(|entry| u32::from(*entry)).sum();
    (sum + u32::from(payload)) % 4 == 3
}
