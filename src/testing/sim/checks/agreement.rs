use std::collections::BTreeSet;

use super::reference::{Merged, merge};
use crate::engine::{Engine, Input, Ticket};
use crate::event::{AggregateId, ChainTag, Event, EventId};
use crate::limits::RACE_PAGE_MAX;
use crate::log::Entry;
use crate::merge::{RaceQuery, Timeline, Unguarded, WhichRaces, tags};
use crate::resolver::Registry;
use crate::testing::sim::world::World;
use crate::testing::sim::world::node::{Ask, Node};

/// Aggregates in memory that are compared at a time.
const AT_A_TIME: usize = 3;
/// Aggregates that are compared at the end.
const LOOKED_AT: usize = 60;
/// Attempts to find an aggregate in memory after it was read.
const BRINGS: usize = 100;

impl World {
    /// At any moment: replicas that have received the same hold the same, and what is in memory of an
    /// aggregate is what a plain merge of the log gives.
    pub(crate) fn check_agreement(&mut self) {
        // What rests on a branch that is not here is judged by nobody; see the end of the run.
        if self.has_forked {
            return;
        }
        for one in 0..self.nodes.len() {
            let first = self.id() as usize;
            self.nodes[one].check_memory(first);
            for other in one + 1..self.nodes.len() {
                let (left, right) = self.nodes.split_at_mut(other);
                check_pair(&mut left[one], &mut right[0], first);
            }
        }
    }

    /// In a healed world: every replica has of every aggregate what a plain merge gives.
    pub(crate) fn check_merged(&mut self) {
        self.check_merged_but(&BTreeSet::new());
    }

    /// The same, of all but these aggregates.
    pub(crate) fn check_merged_but(&mut self, spoilt: &BTreeSet<AggregateId>) {
        let ready: Vec<_> = self
            .ready(0)
            .map(|event| event.aggregate().clone())
            .filter(|aggregate| !spoilt.contains(aggregate))
            .collect();
        let aggregates: BTreeSet<AggregateId> = ready.into_iter().collect();
        // Where somebody wrote a great many, a share of them is looked at.
        let apart = 1 + aggregates.len() / LOOKED_AT;
        for (number, aggregate) in aggregates.iter().enumerate().step_by(apart) {
            // Logs differ in what was withdrawn, states in nothing; so one merge serves them all.
            let last = self.nodes.len() - 1;
            let merged = self.nodes[last].merged(aggregate);
            for node in 0..=last {
                self.bring_in(node, aggregate);
                self.nodes[node].check_digest(aggregate, &merged);
            }
            self.nodes[last].check_timeline(aggregate, &merged);
            // A whole history is folded for this, so not of each.
            if number % 6 == self.now as usize % 6 {
                let node = number % self.nodes.len();
                self.nodes[node].check_races(aggregate);
            }
        }
    }

    /// Brings an aggregate into memory, where it need not stay.
    fn bring_in(&mut self, node: usize, aggregate: &AggregateId) {
        for _ in 0..BRINGS {
            let engine = self.nodes[node].engine.as_mut().unwrap();
            if engine.timeline(aggregate).is_some() {
                return;
            }
            let (ticket, whole, aggregate) = (Ticket(self.id()), false, aggregate.clone());
            let asked = aggregate.clone();
            self.nodes[node]
                .asks
                .insert(ticket.0, Ask::Load { aggregate: asked });
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
}

impl Node {
    /// What a plain merge of this replica's log says of an aggregate.
    fn merged(&self, aggregate: &AggregateId) -> Merged {
        let events = self.disk.ready_of(aggregate);
        let events = events.flat_map(|entry| entry.commit.events());
        let events = events.filter(|event| event.aggregate() == aggregate);
        merge(aggregate, self.registry.route(aggregate), events)
    }

    /// Whether memory and disk hold the same.
    fn is_written(&self) -> bool {
        let end = self.disk.entries.len() as u64;
        let is = |engine: &Engine| engine.is_idle() && engine.status().end == end;
        self.engine.as_ref().is_some_and(is)
    }

    fn check_memory(&mut self, first: usize) {
        if !self.is_written() {
            return;
        }
        let engine = self.engine.as_ref().unwrap();
        let here: Vec<AggregateId> = engine.in_memory().cloned().collect();
        for at in (0..here.len()).take(AT_A_TIME) {
            let aggregate = &here[(first + at) % here.len()];
            let merged = self.merged(aggregate);
            self.check_timeline(aggregate, &merged);
        }
    }

    /// The state of an aggregate that is in memory is that of a merge.
    fn check_digest(&mut self, aggregate: &AggregateId, merged: &Merged) {
        let (number, engine) = (self.number, self.engine.as_mut().unwrap());
        let timeline = engine.timeline(aggregate);
        if let Some(timeline) = timeline.filter(|timeline| timeline.route().is_some()) {
            let digest = timeline.digest();
            assert_eq!(
                digest, merged.digest,
                "state of {aggregate} on replica {number}"
            );
        }
    }

    /// An aggregate that is in memory is what its log says.
    fn check_timeline(&mut self, aggregate: &AggregateId, merged: &Merged) {
        let (number, engine) = (self.number, self.engine.as_mut().unwrap());
        let Some(timeline) = engine.timeline(aggregate) else {
            return;
        };
        let what = format!("{aggregate} on replica {number}");
        assert_eq!(timeline.len(), merged.events as u64, "events of {what}");
        let heads: BTreeSet<EventId> = timeline.heads().iter().map(|(head, _)| head.id).collect();
        assert!(
            heads.is_subset(&merged.heads),
            "heads of {what}: {heads:?}, {:?}",
            merged.heads
        );
        let has_tag = |id: &&EventId| self.disk.tells_tag(**id);
        let missing = merged.heads.difference(&heads).find(has_tag);
        assert_eq!(missing, None, "heads of {what}");
        if timeline.route().is_some() {
            assert_eq!(
                timeline.rejections(),
                merged.rejected.len() as u64,
                "refused of {what}"
            );
            assert_eq!(timeline.digest(), merged.digest, "state of {what}");
        }
    }

    /// Its races are those that a plain search finds, each once.
    fn check_races(&mut self, aggregate: &AggregateId) {
        let Some(route) = self.registry.route(aggregate) else {
            return;
        };
        let mut timeline = Timeline::new(aggregate.clone(), Some(route.clone()));
        for entry in self.disk.ready_of(aggregate) {
            for (event, tag) in events_of(entry, aggregate) {
                timeline.integrate(event.clone(), tag);
            }
        }
        timeline.fold(&Unguarded);
        let mut told = Vec::new();
        let mut query = RaceQuery::first(RACE_PAGE_MAX, WhichRaces::All);
        loop {
            let page = timeline.races(&query, &Unguarded);
            let ids = page
                .races
                .iter()
                .map(|race| (race.earlier.event.id(), race.later.event.id()));
            told.extend(ids);
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        let races = self.merged(aggregate).races();
        assert_eq!(
            told, races,
            "races of {aggregate} on replica {}",
            self.number
        );
    }
}

/// The events of one aggregate in a commit, with their tags.
fn events_of<'a>(
    entry: &'a Entry,
    aggregate: &'a AggregateId,
) -> impl Iterator<Item = (&'a Event, Option<ChainTag>)> {
    let tags = tags(&entry.commit, entry.chain_before);
    let events = entry.commit.events().iter().zip(tags);
    events.filter(move |(event, _)| event.aggregate() == aggregate)
}

/// Two replicas that have received the same, under the same rules, hold the same states.
fn check_pair(one: &mut Node, other: &mut Node, first: usize) {
    let (Some(left), Some(right)) = (&mut one.engine, &mut other.engine) else {
        return;
    };
    if left.received() != right.received() {
        return;
    }
    let (numbers, same_rules) = (
        (one.number, other.number),
        same(&one.registry, &other.registry),
    );
    assert_eq!(
        left.waiting(),
        right.waiting(),
        "commits that wait on replicas {numbers:?}"
    );
    let aggregates: Vec<AggregateId> = left.in_memory().cloned().collect();
    let some = aggregates
        .iter()
        .cycle()
        .skip(first % aggregates.len().max(1));
    for aggregate in some
        .take(AT_A_TIME.min(aggregates.len()))
        .filter(|_| same_rules)
    {
        if let (Some(mine), Some(theirs)) = (left.timeline(aggregate), right.timeline(aggregate)) {
            let (mine, theirs) = (mine.digest(), theirs.digest());
            assert_eq!(mine, theirs, "{aggregate} on replicas {numbers:?}");
        }
    }
}

fn same(one: &Registry, other: &Registry) -> bool {
    one.fingerprint() == other.fingerprint()
}
