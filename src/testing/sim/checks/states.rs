use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{Input, Ticket};
use crate::event::{AggregateId, Digest, Event, EventId, OrderKey};
use crate::merge::{Timeline, Unguarded};
use crate::testing::sim::world::World;
use crate::testing::sim::world::node::Ask;

impl World {
    /// States are equal, and what a fold of the sorted events gives.
    pub(crate) fn check_states(&mut self) {
        let mut expected: BTreeMap<AggregateId, BTreeMap<OrderKey, Event>> = BTreeMap::new();
        let mut seen: BTreeSet<EventId> = BTreeSet::new();
        for event in (0..self.nodes.len()).flat_map(|node| self.ready(node)) {
            if seen.insert(event.id()) {
                let events = expected.entry(event.aggregate().clone()).or_default();
                events.insert(event.order_key(), event.clone());
            }
        }
        for (aggregate, events) in expected {
            let events: Vec<Event> = events.into_values().collect();
            let digest = self.fold(&aggregate, &events);
            if aggregate.as_str().starts_with("stock/") && self.cast.is_own() {
                assert_eq!(Some(naive_stock(&events)), digest, "{aggregate}");
            }
            for node in 0..self.nodes.len() {
                if self.plan.plain == Some(node) {
                    continue;
                }
                let found = self.read_state(node, &aggregate);
                assert_eq!(found, digest, "{aggregate} on replica {node}");
            }
        }
        for node in 0..self.nodes.len() {
            self.check_watchers(node);
            self.read_tail(node, usize::MAX);
            let node = &self.nodes[node];
            let (seen, here) = (node.tailer.seen.len(), node.disk.len());
            assert_eq!(seen, here, "the tail of replica {}", node.number);
        }
    }

    fn read_state(&mut self, node: usize, aggregate: &AggregateId) -> Option<Digest> {
        for _ in 0..100 {
            let engine = self.nodes[node].engine.as_mut().unwrap();
            if let Some(timeline) = engine.timeline(aggregate) {
                return timeline.digest();
            }
            let (asked, aggregate) = (aggregate.clone(), aggregate.clone());
            let Ticket(ticket) = self.ask(node, Ask::Load { aggregate: asked });
            let load = Input::Load {
                ticket: Ticket(ticket),
                aggregate,
                whole: false,
            };
            self.drive(node, load);
            while self.nodes[node].asks.contains_key(&ticket) {
                assert!(self.step(u64::MAX), "a read is not answered");
            }
        }
        panic!("{aggregate} does not stay in memory")
    }

    fn fold(&self, aggregate: &AggregateId, events: &[Event]) -> Option<Digest> {
        let route = self.cast.registry.route(aggregate).cloned();
        let mut timeline = Timeline::new(aggregate.clone(), route);
        for event in events {
            timeline.integrate(event.clone(), None);
        }
        timeline.fold(&Unguarded);
        timeline.digest()
    }
}

fn naive_stock(events: &[Event]) -> Digest {
    let mut left = 0i64;
    let replaced: BTreeSet<EventId> = events.iter().filter_map(Event::replaces).collect();
    for event in events
        .iter()
        .filter(|event| !replaced.contains(&event.id()))
    {
        // What cannot be read is refused.
        let step: i64 = event.payload().decode().unwrap_or_default();
        if left + step >= 0 {
            left += step;
        }
    }
    Digest::of(&crate::event::cbor::to_vec(&left).unwrap())
}
