//! The merge as plainly as it can be written: sort the events, walk the heads, fold from the start.
//!
//! It shares the rules with the engine and nothing else: validity, replacement, order, what a writer
//! saw, heads and races are worked out anew from the events, at whatever cost. It knows neither
//! timelines nor checkpoints nor shortcuts.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{AggregateId, Digest, Event, EventId, OrderKey, Timestamp};
use crate::resolver::{ErasedResolver, Folded, Footprint, Key, Route, View};

/// What the ready events of one aggregate amount to.
#[derive(Clone, Debug)]
pub(crate) struct Merged {
    /// Of the encoded state; nothing without a rule, or where it does not know an event's type.
    pub(crate) digest: Option<Digest>,
    pub(crate) events: usize,
    /// Refused by the rule, or invalid.
    pub(crate) rejected: BTreeSet<EventId>,
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

/// The last event of each writer that was seen.
#[derive(Clone, Debug, Default)]
struct Past(Vec<EventId>);

impl Past {
    fn has(&self, id: EventId) -> bool {
        let mut last = self.0.iter();
        last.any(|last| last.replica == id.replica && last.seq >= id.seq)
    }

    fn add(&mut self, id: EventId) {
        match self.0.iter_mut().find(|last| last.replica == id.replica) {
            Some(last) => last.seq = id.seq.max(last.seq),
            None => self.0.push(id),
        }
    }
}

/// The ready events of an aggregate, in an order in which each comes after those that it names.
struct Ready<'a> {
    events: Vec<&'a Event>,
    invalid: BTreeSet<EventId>,
    /// Of each replaced event the replacement that counts: the first in canonical order.
    counting: BTreeMap<EventId, OrderKey>,
}

/// The maximal ones of an aggregate's ready events, which an event that is written now names.
pub(crate) fn maximal<'a>(ready: impl IntoIterator<Item = &'a Event>) -> BTreeSet<EventId> {
    Ready::new(ready).heads()
}

/// Merges the ready events of an aggregate, given in an order in which each comes after those that
/// it names.
pub(crate) fn merge<'a>(
    aggregate: &AggregateId,
    route: Option<&Route>,
    ready: impl IntoIterator<Item = &'a Event>,
) -> Merged {
    let ready = Ready::new(ready);
    let pasts = ready.pasts();
    let touches = |event: &Event| {
        route.map_or(Footprint::NOTHING, |route| {
            route.resolver().footprint(event.payload())
        })
    };
    let with_past = ready.events.iter().zip(pasts);
    let standing = with_past.filter(|(event, _)| ready.is_valid(event) && !ready.is_skipped(event));
    let mut order: Vec<Member> = standing
        .map(|(event, saw)| Member {
            event: (*event).clone(),
            saw,
            touches: touches(event),
        })
        .collect();
    order.sort_by_key(|member| member.event.order_key());
    let mut merged = Merged {
        digest: None,
        events: ready.events.len(),
        rejected: ready.invalid.clone(),
        heads: ready.heads(),
        order,
    };
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
    !later.saw.has(earlier.event.id())
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
        self.order[self.at].saw.has(id)
    }

    fn rivals(&self) -> Vec<Event> {
        let earlier = self.order[..self.at].iter();
        let rivals = earlier.filter(|earlier| is_rival(earlier, &self.order[self.at]));
        rivals.map(|earlier| earlier.event.clone()).collect()
    }
}

impl<'a> Ready<'a> {
    fn new(ready: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut all = Self {
            events: Vec::new(),
            invalid: BTreeSet::new(),
            counting: BTreeMap::new(),
        };
        for event in ready {
            if !all.allows(event) {
                all.invalid.insert(event.id());
            } else if let Some(replaced) = event.replaces() {
                let first = all.counting.entry(replaced).or_insert(event.order_key());
                *first = event.order_key().min(*first);
            }
            all.events.push(event);
        }
        all
    }

    fn find(&self, id: EventId) -> Option<&'a Event> {
        self.place(id, self.events.len()).map(|at| self.events[at])
    }

    /// Where an event stands among so many. What is named mostly came shortly before.
    fn place(&self, id: EventId, before: usize) -> Option<usize> {
        let before = &self.events[..before];
        before.iter().rposition(|event| event.id() == id)
    }

    fn is_valid(&self, event: &Event) -> bool {
        !self.invalid.contains(&event.id())
    }

    /// Whether the events that an event names, which are here, allow its stamp.
    fn allows(&self, event: &Event) -> bool {
        let (id, span) = (event.id(), event.commit());
        let mut floor: Option<Timestamp> = None;
        let mut goes_on = false;
        for head in event.heads() {
            let named = self.find(head.id);
            let Some(named) = named.filter(|named| self.is_valid(named)) else {
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

    /// What each event had in its past: what it names, and what those had.
    fn pasts(&self) -> Vec<Past> {
        let mut pasts: Vec<Past> = Vec::with_capacity(self.events.len());
        for (at, event) in self.events.iter().enumerate() {
            let mut past = Past::default();
            for head in event.heads() {
                // What is named and not here, or not here yet, has no past that is known.
                let seen = self.place(head.id, at).map(|at| &pasts[at]);
                match seen {
                    Some(seen) if past.0.is_empty() => past.clone_from(seen),
                    Some(seen) => seen.0.iter().for_each(|id| past.add(*id)),
                    None => {}
                }
                past.add(head.id);
            }
            pasts.push(past);
        }
        pasts
    }

    fn is_skipped(&self, event: &Event) -> bool {
        if self.counting.contains_key(&event.id()) {
            return true;
        }
        let mut passed = BTreeSet::new();
        let mut next = Some(event);
        while let Some(event) = next
            && let Some(replaced) = event.replaces()
            && passed.insert(event.id())
        {
            if self.counting[&replaced].id() != event.id() {
                return true;
            }
            next = self.find(replaced).filter(|event| self.is_valid(event));
        }
        false
    }

    /// The valid events that no other one names; a replaced one that nobody names stands for nothing,
    /// and one that is named has been seen, so it stands aside, too.
    fn heads(&self) -> BTreeSet<EventId> {
        let mut heads = BTreeSet::new();
        let mut named = vec![false; self.events.len()];
        for (at, event) in self.events.iter().enumerate().rev() {
            if !self.is_valid(event) {
                continue;
            }
            let is_replaced = self.counting.contains_key(&event.id());
            if !named[at] && !is_replaced {
                heads.insert(event.id());
            }
            if named[at] || !is_replaced {
                for head in event.heads() {
                    named[self.place(head.id, at).unwrap()] = true;
                }
            }
        }
        heads
    }
}
