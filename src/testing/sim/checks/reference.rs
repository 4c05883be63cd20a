//! The merge as plainly as it can be written: sort the events, walk the heads, fold from the start.
//!
//! It shares the rules with the engine and nothing else: validity, replacement, order, what a writer
//! saw, heads and races are worked out anew from the events, at whatever cost. It knows neither
//! timelines nor checkpoints nor shortcuts.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{AggregateId, Digest, Event, EventId, OrderKey, ReplicaId, Seq, Timestamp};
use crate::resolver::{ErasedResolver, Folded, Footprint, Key, Route, View};

/// What the ready events of one aggregate amount to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Merged {
    /// Of the encoded state; nothing without a rule, or where it does not know an event's type.
    pub(crate) digest: Option<Digest>,
    pub(crate) events: usize,
    /// Refused by the rule, or invalid.
    pub(crate) rejected: BTreeSet<EventId>,
    pub(crate) invalid: BTreeSet<EventId>,
    /// The maximal ones that another event may name.
    pub(crate) heads: BTreeSet<EventId>,
    order: Vec<Member>,
}

/// A valid event that is not skipped.
#[derive(Clone, Debug)]
struct Member {
    event: Event,
    saw: Past,
    touches: Footprint,
}

/// Of each writer, the last event that was seen.
type Past = BTreeMap<ReplicaId, Seq>;

fn has(past: &Past, id: EventId) -> bool {
    past.get(&id.replica).is_some_and(|last| *last >= id.seq)
}

/// Merges the ready events of an aggregate, given in an order in which each comes after those that
/// it names.
pub(crate) fn merge<'a>(
    aggregate: &AggregateId,
    route: Option<&Route>,
    ready: impl IntoIterator<Item = &'a Event>,
) -> Merged {
    let ready: Vec<&Event> = ready.into_iter().collect();
    let mut merged = Merged {
        events: ready.len(),
        ..Merged::default()
    };
    let mut here: BTreeMap<EventId, &Event> = BTreeMap::new();
    for event in &ready {
        if !is_valid(event, &here, &merged.invalid) {
            merged.invalid.insert(event.id());
        }
        here.insert(event.id(), event);
    }
    let valid = || {
        ready
            .iter()
            .filter(|event| !merged.invalid.contains(&event.id()))
    };
    let counting = counting(valid().copied());
    merged.heads = heads(valid().copied().rev(), &counting);
    merged.rejected.clone_from(&merged.invalid);
    let skipped = |event: &Event| is_skipped(event, &here, &merged.invalid, &counting);
    let pasts = pasts(&ready);
    let mut order: Vec<Member> = valid()
        .filter(|event| !skipped(event))
        .map(|event| Member {
            event: (*event).clone(),
            saw: pasts[&event.id()].clone(),
            touches: route.map_or(Footprint::NOTHING, |route| {
                route.resolver().footprint(event.payload())
            }),
        })
        .collect();
    order.sort_by_key(|member| member.event.order_key());
    merged.order = order;
    if let Some(route) = route {
        merged.fold(aggregate, &**route.resolver());
    }
    merged
}

impl Merged {
    fn fold(&mut self, aggregate: &AggregateId, resolver: &dyn ErasedResolver) {
        let mut state = resolver.init(aggregate);
        for at in 0..self.order.len() {
            let event = &self.order[at].event;
            if !resolver.knows(event.event_type()) {
                return;
            }
            let view = Before {
                order: &self.order,
                at,
            };
            if let Folded::Rejected(_) = resolver.fold(&mut state, event, &view) {
                self.rejected.insert(event.id());
            }
        }
        let bytes = resolver.encode_state(&state);
        self.digest = bytes.ok().map(|bytes| Digest::of(&bytes));
    }

    /// The pairs of events that did not see each other and touch the same, the earlier one first, by
    /// the order of the later ones.
    pub(crate) fn races(&self) -> Vec<(EventId, EventId)> {
        let mut races = Vec::new();
        for (at, later) in self.order.iter().enumerate() {
            let earlier = self.order[..at].iter();
            let rivals = earlier.filter(|earlier| is_rival(earlier, later));
            races.extend(rivals.map(|earlier| (earlier.event.id(), later.event.id())));
        }
        races
    }
}

fn is_rival(earlier: &Member, later: &Member) -> bool {
    let overlap = |one: &Key, other: &Key| {
        let shorter = one.path.len().min(other.path.len());
        one.path[..shorter] == other.path[..shorter]
            && (one.branch || one.path.len() >= other.path.len())
            && (other.branch || other.path.len() >= one.path.len())
    };
    let (keys, others) = (earlier.touches.keys(), later.touches.keys());
    !has(&later.saw, earlier.event.id())
        && keys
            .iter()
            .any(|one| others.iter().any(|other| overlap(one, other)))
}

/// What one event of the order may ask about those before it.
struct Before<'a> {
    order: &'a [Member],
    at: usize,
}

impl View for Before<'_> {
    fn saw(&self, id: EventId) -> bool {
        has(&self.order[self.at].saw, id)
    }

    fn rivals(&self) -> Vec<Event> {
        let earlier = self.order[..self.at].iter();
        let rivals = earlier.filter(|earlier| is_rival(earlier, &self.order[self.at]));
        rivals.map(|earlier| earlier.event.clone()).collect()
    }
}

/// What each event had in its past: what it names, and what those had.
fn pasts(ready: &[&Event]) -> BTreeMap<EventId, Past> {
    let mut pasts: BTreeMap<EventId, Past> = BTreeMap::new();
    for event in ready {
        let mut past = Past::new();
        for head in event.heads() {
            let seen = pasts.get(&head.id).into_iter().flatten();
            let seen = seen.map(|(replica, seq)| (*replica, *seq));
            for (replica, seq) in seen.chain([(head.id.replica, head.id.seq)]) {
                let last = past.entry(replica).or_insert(seq);
                *last = seq.max(*last);
            }
        }
        pasts.insert(event.id(), past);
    }
    pasts
}

/// Whether the events that an event names allow its stamp.
fn is_valid(event: &Event, here: &BTreeMap<EventId, &Event>, invalid: &BTreeSet<EventId>) -> bool {
    let (id, span) = (event.id(), event.commit());
    let mut floor: Option<Timestamp> = None;
    let mut goes_on = false;
    for head in event.heads() {
        let Some(named) = here.get(&head.id).filter(|_| !invalid.contains(&head.id)) else {
            return false;
        };
        if head.id.replica == id.replica && span.contains(head.id.seq) {
            goes_on = true;
        } else if named.timestamp() >= event.timestamp() {
            return false;
        } else {
            floor = floor.max(Some(named.timestamp()));
        }
    }
    let is_next = floor.and_then(Timestamp::next) == Some(event.timestamp());
    !event.timestamp().is_far() || goes_on || is_next
}

/// Of each replaced event the replacement that counts: the first in canonical order.
fn counting<'a>(valid: impl Iterator<Item = &'a Event>) -> BTreeMap<EventId, OrderKey> {
    let mut counting = BTreeMap::new();
    for event in valid {
        if let Some(replaced) = event.replaces() {
            let first = counting.entry(replaced).or_insert(event.order_key());
            *first = event.order_key().min(*first);
        }
    }
    counting
}

fn is_skipped(
    event: &Event,
    here: &BTreeMap<EventId, &Event>,
    invalid: &BTreeSet<EventId>,
    counting: &BTreeMap<EventId, OrderKey>,
) -> bool {
    if counting.contains_key(&event.id()) {
        return true;
    }
    let mut passed = BTreeSet::new();
    let mut next = Some(event);
    while let Some(event) = next
        && let Some(replaced) = event.replaces()
        && passed.insert(event.id())
    {
        if counting[&replaced].id() != event.id() {
            return true;
        }
        next = here
            .get(&replaced)
            .copied()
            .filter(|event| !invalid.contains(&event.id()));
    }
    false
}

/// The valid events that no other one names; a replaced one that nobody names stands for nothing, and
/// one that is named has been seen, so it stands aside, too.
fn heads<'a>(
    backwards: impl Iterator<Item = &'a Event>,
    counting: &BTreeMap<EventId, OrderKey>,
) -> BTreeSet<EventId> {
    let (mut heads, mut named) = (BTreeSet::new(), BTreeSet::new());
    for event in backwards {
        let is_named = named.contains(&event.id());
        let is_replaced = counting.contains_key(&event.id());
        if !is_named && !is_replaced {
            heads.insert(event.id());
        }
        if is_named || !is_replaced {
            named.extend(event.heads().iter().map(|head| head.id));
        }
    }
    heads
}
