//! A rule that notices everything: it appends to the lists of its keys, it refuses, it asks what was
//! seen and what rivals. It touches those lists and nothing else, as its footprints say.

use std::collections::BTreeMap;

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

/// The entries of each key in canonical order; what concerns everything is in all lists.
pub(crate) type Lists = BTreeMap<String, Vec<Entry>>;

pub(crate) struct Journal;

impl Resolver for Journal {
    type State = Lists;
    type Payload = u8;

    fn id(&self) -> ResolverId {
        ResolverId::new("journal", 1)
    }

    fn init(&self, _: &AggregateId) -> Lists {
        Lists::new()
    }

    fn admit(&self, state: &Lists, payload: &u8, _: &Context<'_, u8>) -> Result<(), Rejection> {
        if refuses(touched(state, *payload), *payload) {
            Err(Rejection::new("full"))
        } else {
            Ok(())
        }
    }

    fn apply(&self, state: &mut Lists, payload: &u8, cx: &Context<'_, u8>) {
        let entries = touched(state, *payload).map(|entry| entry.id);
        let seen = entries.chain(probes()).filter(|id| cx.saw(*id)).collect();
        let rivals = cx.rivals().iter().map(|rival| rival.key.id()).collect();
        let entry = Entry {
            id: cx.id(),
            payload: *payload,
            seen,
            rivals,
        };
        note(state, &entry);
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

fn keys(payload: u8) -> Vec<String> {
    let all = || (0..3).map(|key: u8| key.to_string()).collect();
    key(payload).map_or_else(all, |key| vec![key])
}

/// The entries of the keys that an event refers to.
pub(crate) fn touched(lists: &Lists, payload: u8) -> impl Iterator<Item = &Entry> {
    keys(payload)
        .into_iter()
        .filter_map(|key| lists.get(&key))
        .flatten()
}

/// All entries, those of one key after the other, each once.
pub(crate) fn entries(lists: &Lists) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    for entry in lists.values().flatten() {
        if !all.contains(entry) {
            all.push(entry.clone());
        }
    }
    all
}

/// Adds an entry to the lists of its keys.
pub(crate) fn note(lists: &mut Lists, entry: &Entry) {
    for key in keys(entry.payload) {
        lists.entry(key).or_default().push(entry.clone());
    }
}

/// Depends on what was admitted before, in whatever way.
pub(crate) fn refuses<'a>(entries: impl Iterator<Item = &'a Entry>, payload: u8) -> bool {
    let sum: u32 = entries.map(|entry| u32::from(entry.payload)).sum();
    (sum + u32::from(payload)) % 4 == 3
}
