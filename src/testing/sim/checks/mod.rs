//! After the faults: everybody connects, falls silent within a bound, and holds the same.
//!
//! Each check is an assertion over the whole world, written against the disks and an independent
//! fold of what they hold. A check that fails panics, and the run tells it as its failure.

mod gaps;

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::Input;
use crate::event::{AggregateId, Digest, Event, EventId, OrderKey, ReplicaId, Timestamp};
use crate::merge::{Timeline, Unguarded};
use crate::protocol::Direction;

use crate::testing::sim::plan::Shape;
use crate::testing::sim::users::mark;
use crate::testing::sim::users::rules;
use crate::testing::sim::world::World;
use crate::testing::sim::world::node::{Ask, START};

/// Steps within which a healed world has fallen silent.
const SETTLING: u64 = 60_000;

impl World {
    /// Everything that must hold in a healed world.
    pub(crate) fn check_all(&mut self) {
        self.check_events();
        self.check_gaps();
        self.check_stamps();
        self.check_states();
        self.check_echo();
        self.check_events();
    }

    /// No more faults, and everybody connects.
    pub(crate) fn heal(&mut self) {
        // A failed store is no excuse not to answer.
        self.run_until(self.now + 1_000);
        for node in self.nodes.iter().filter(|node| node.failed) {
            assert!(
                node.asks.is_empty(),
                "replica {} owes {:?}",
                node.number,
                node.asks
            );
        }
        self.healed = true;
        for node in 0..self.nodes.len() {
            self.nodes[node].fail_next = false;
            if self.nodes[node].failed && self.nodes[node].engine.is_some() {
                self.nodes[node].stop(false);
            }
            self.reopen(node);
        }
        let forgetful = self.forgetful();
        let strangers = self.strangers.clone();
        let half = strangers.len() / 2;
        self.hand_over(0, strangers[half..].to_vec());
        let last = self.nodes.len() - 1;
        self.hand_over(last, strangers[..half].to_vec());
        self.settle();
        for (node, was) in forgetful {
            let is = self.nodes[node].engine.as_ref().unwrap().replica();
            assert_ne!(
                is, was,
                "replica {node} goes on under the name of what it lost"
            );
        }
    }

    /// Runs until nothing happens any more. Whoever lost a connection dials again.
    pub(crate) fn settle(&mut self) {
        let limit = self.tally.steps + SETTLING;
        loop {
            assert!(self.tally.steps < limit, "no end in sight: a livelock");
            for edge in 0..self.plan.edges.len() {
                let live = self.connections.iter().any(|connection| {
                    let same = |end: &crate::testing::sim::network::End| {
                        self.nodes[end.node].opening == end.opening
                    };
                    connection.edge == edge
                        && !connection.cut
                        && !connection.once
                        && connection.both
                        && connection.ends[0].open
                        && connection.ends.iter().all(same)
                });
                if !live {
                    let both = Direction {
                        push: true,
                        pull: true,
                    };
                    self.dial(edge, both, false);
                }
            }
            if !self.is_quiet() {
                self.step(u64::MAX);
                continue;
            }
            let idle = self.nodes.iter().all(|node| {
                node.engine
                    .as_ref()
                    .is_some_and(crate::engine::Engine::is_idle)
            });
            // Half-open connections and buffered writes end by a deadline.
            let end = self.now + 2_000;
            if !idle || self.is_half_open() {
                assert!(self.step(u64::MAX), "stuck");
            } else if !self.step(end) {
                return;
            }
        }
    }

    fn is_half_open(&self) -> bool {
        let ends = self.connections.iter().filter(|connection| connection.cut);
        let mut ends = ends.flat_map(|connection| &connection.ends);
        ends.any(|end| end.open && self.nodes[end.node].opening == end.opening)
    }

    /// All replicas hold the same events, nothing waits, and nothing acknowledged is lost.
    pub(crate) fn check_events(&mut self) {
        let lawful = self.plan.skewed.is_none();
        assert!(
            !lawful || self.tally.refused == 0,
            "a lawful write was refused"
        );
        let (all, replaced) = self.everything();
        for node in &mut self.nodes {
            let engine = node.engine.as_ref().unwrap();
            let number = node.number;
            assert_eq!(
                engine.waiting(),
                0,
                "replica {number} waits: {:?}",
                engine.status().waiting_commits
            );
            assert_eq!(node.disk.waiting(), 0);
            assert!(
                node.asks.is_empty(),
                "replica {number} owes {:?}",
                node.asks
            );
            let here: BTreeSet<EventId> = node.disk.ids().collect();
            let missing: Vec<_> = all
                .difference(&here)
                .filter(|id| !replaced.contains(id))
                .collect();
            assert!(missing.is_empty(), "replica {number} lacks {missing:?}");
            let stranger = self.strangers.iter().flat_map(crate::event::Commit::events);
            assert!(stranger.into_iter().all(|event| here.contains(&event.id())));
        }
        for node in 0..self.nodes.len() {
            let mut marks: BTreeMap<u64, u64> = BTreeMap::new();
            let effective = self
                .ready(node)
                .filter(|event| !replaced.contains(&event.id()));
            for mark in effective.filter_map(mark) {
                *marks.entry(mark).or_default() += 1;
            }
            for (mark, times) in &marks {
                assert_eq!(
                    *times, 1,
                    "write {mark} stands {times} times on replica {node}"
                );
            }
            for (mark, writer) in &self.durable {
                assert!(
                    marks.contains_key(mark),
                    "replica {node} lost write {mark} of {writer}"
                );
            }
        }
    }

    /// Stamps of one writer rise, whatever its clock did and however often it was started, but for
    /// those that follow a wild one.
    pub(crate) fn check_stamps(&self) {
        let near = Timestamp::at_millis(START + 3_000_000);
        let mut last: BTreeMap<ReplicaId, (EventId, Timestamp)> = BTreeMap::new();
        let disk = &self.nodes[0].disk;
        for event in disk.ids().filter_map(|id| disk.event(id)) {
            let (id, timestamp) = (event.id(), event.timestamp());
            let skewed = self
                .plan
                .skewed
                .is_some_and(|node| id.replica.device() == node as u64 + 1);
            if timestamp > near || skewed || id.seq != event.commit().first() {
                continue;
            }
            if let Some((before, stamp)) = last.insert(id.replica, (id, timestamp)) {
                assert!(
                    stamp < timestamp,
                    "{before} at {stamp:?}, {id} at {timestamp:?}"
                );
            }
        }
    }

    /// Replicas that were restored, and whose only peer knows more of them than they do.
    fn forgetful(&self) -> Vec<(usize, ReplicaId)> {
        let mut found = Vec::new();
        for node in self
            .nodes
            .iter()
            .skip(1)
            .filter(|node| node.restored.is_some())
        {
            let me = node.engine.as_ref().unwrap().replica();
            let there = self.nodes[0].disk.received().chain(me);
            if self.plan.shape == Shape::Hub && there > node.disk.received().chain(me) {
                found.push((node.number, me));
            }
        }
        found
    }

    /// States are equal, and what a fold of the sorted events gives.
    pub(crate) fn check_states(&mut self) {
        let mut expected: BTreeMap<AggregateId, BTreeMap<OrderKey, Event>> = BTreeMap::new();
        for event in (0..self.nodes.len()).flat_map(|node| self.ready(node)) {
            let events = expected.entry(event.aggregate().clone()).or_default();
            events.insert(event.order_key(), event.clone());
        }
        for (aggregate, events) in expected {
            let events: Vec<Event> = events.into_values().collect();
            let digest = fold(&aggregate, &events);
            if aggregate.as_str().starts_with("stock/") {
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
        for node in &mut self.nodes {
            node.check_watchers();
            node.read_tail();
            let ready = node.disk.ids().count();
            assert_eq!(
                node.tailer.seen.len(),
                ready,
                "the tail of replica {}",
                node.number
            );
        }
    }

    fn read_state(&mut self, node: usize, aggregate: &AggregateId) -> Option<Digest> {
        for _ in 0..100 {
            let engine = self.nodes[node].engine.as_mut().unwrap();
            if let Some(timeline) = engine.timeline(aggregate) {
                return timeline.digest();
            }
            let ticket = self.id();
            let asked = aggregate.clone();
            self.nodes[node]
                .asks
                .insert(ticket, Ask::Load { aggregate: asked });
            let ticket = crate::engine::Ticket(ticket);
            let (aggregate, whole) = (aggregate.clone(), false);
            self.drive(
                node,
                Input::Load {
                    ticket,
                    aggregate,
                    whole,
                },
            );
            while self.nodes[node].asks.contains_key(&ticket.0) {
                assert!(self.step(u64::MAX), "a read is not answered");
            }
        }
        panic!("{aggregate} does not stay in memory")
    }

    /// A reconnect costs what is new: here nothing, whether the processes live on or come back.
    pub(crate) fn check_echo(&mut self) {
        self.reconnect();
        let summaries = self.tally.summaries;
        for node in 0..self.nodes.len() {
            self.crash(node, true);
        }
        self.run_until(self.now + 1_000);
        self.reconnect();
        if self.plan.skewed.is_none() && !self.plan.restores {
            let now = self.tally.summaries;
            assert_eq!(now, summaries, "a cursor was not honoured");
        }
    }

    fn reconnect(&mut self) {
        for connection in 0..self.connections.len() {
            if self.connections[connection].ends.iter().any(|end| end.open) {
                self.cut(connection, 0);
                self.cut(connection, 1);
            }
        }
        let events = self.tally.sent_events;
        self.settle();
        // Sessions go on under an old name when their replica takes a new one, so the first reconnect
        // after that goes by summaries and may send something twice.
        if self.plan.skewed.is_none() && !self.plan.restores {
            assert_eq!(
                self.tally.sent_events, events,
                "a reconnect sent events again"
            );
        }
    }
}

fn fold(aggregate: &AggregateId, events: &[Event]) -> Option<Digest> {
    let registry = rules::registry();
    let mut timeline = Timeline::new(aggregate.clone(), registry.route(aggregate).cloned());
    for event in events {
        timeline.integrate(event.clone(), None);
    }
    let outcome = timeline.fold(&Unguarded);
    let refuses = aggregate.as_str().starts_with("stock/");
    assert!(
        refuses || outcome.rejected.is_empty(),
        "{:?}",
        outcome.rejected
    );
    timeline.digest()
}

fn naive_stock(events: &[Event]) -> Digest {
    let mut left = 0i64;
    let replaced: BTreeSet<EventId> = events.iter().filter_map(Event::replaces).collect();
    for event in events
        .iter()
        .filter(|event| !replaced.contains(&event.id()))
    {
        let step: i64 = event.payload().decode().unwrap();
        if left + step >= 0 {
            left += step;
        }
    }
    Digest::of(&crate::event::cbor::to_vec(&left).unwrap())
}
