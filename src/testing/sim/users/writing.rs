use crate::engine::{Basis, Filter, Input, Ticket, WatchId};
use crate::event::{AggregateId, Draft};
use crate::limits::WATCH_CHANGES_MAX;
use crate::log::Durability;
use crate::testing::sim::faults::Fault;
use crate::testing::sim::network::Connection;
use crate::testing::sim::users::rules;
use crate::testing::sim::world::World;
use crate::testing::sim::world::node::Ask;

/// So many aggregates are more than a watch keeps changes of.
const CROWD: usize = WATCH_CHANGES_MAX + 40;

impl World {
    pub(crate) fn record(&mut self, node: usize) {
        if !self.is_up(node) || !self.plan.is_written(node) || self.is_ignorant(node) {
            return;
        }
        let durable = self.draws.chance(60);
        if self.cast.is_own() && std::mem::take(&mut self.plan.crowd) {
            self.write_crowd(node);
        } else if self.strikes(Fault::LargeCommit) {
            let name = rules::aggregate("note/1");
            let drafts = (0..8).map(|_| rules::draft(&name, self.id(), rules::large(150_000)));
            let drafts = drafts.collect();
            self.write(node, drafts, Vec::new(), durable, Some(Fault::LargeCommit));
        } else if self.strikes(Fault::OldBasis) {
            self.write_on_old_reading(node, durable);
        } else if self.strikes(Fault::Garbage) {
            let name = self.cast.any(&mut self.draws).clone();
            let payload = rules::garbage(&mut self.draws);
            let drafts = vec![rules::draft(&name, self.id(), payload)];
            self.write(node, drafts, Vec::new(), durable, Some(Fault::Garbage));
        } else if self.strikes(Fault::UnknownType) {
            let name = rules::aggregate("ghost/1");
            let drafts = vec![rules::draft(&name, self.id(), rules::text(&mut self.draws))];
            self.write(node, drafts, Vec::new(), durable, Some(Fault::UnknownType));
        } else {
            let lines = match self.draws.below(10) {
                0 => self.draws.between(3, 6),
                1 | 2 => 2,
                _ => 1,
            };
            let names = (0..lines).map(|_| self.some_aggregate());
            let names: Vec<AggregateId> = names.collect();
            self.write_some(node, &names, durable);
        }
    }

    /// Most users like some aggregates better than others.
    fn some_aggregate(&mut self) -> AggregateId {
        let liked = self.plan.liked.filter(|_| self.draws.chance(70));
        let all = self.cast.aggregates().count().max(1);
        let liked = liked.and_then(|at| self.cast.aggregates().nth(at % all));
        liked
            .unwrap_or_else(|| self.cast.any(&mut self.draws))
            .clone()
    }

    /// Writes more aggregates than a watch has changes for, while somebody watches and does not read.
    fn write_crowd(&mut self, node: usize) {
        let watch = WatchId(self.id());
        let filter = Filter::under(["note"]).unwrap();
        self.nodes[node].watch(watch, filter.clone(), false);
        self.drive(node, Input::Watch { watch, filter });
        let names = (0..CROWD).map(|at| rules::aggregate(&format!("note/crowd-{at}")));
        let names: Vec<AggregateId> = names.collect();
        self.write_some(node, &names, true);
    }

    /// Writes one commit with an event for each of these aggregates.
    pub(crate) fn write_some(&mut self, node: usize, names: &[AggregateId], durable: bool) -> u64 {
        let drafts = names.iter().map(|name| {
            let mark = self.id();
            rules::draft(name, mark, self.cast.payload(name, &mut self.draws))
        });
        let drafts = drafts.collect();
        self.write(node, drafts, Vec::new(), durable, None)
    }

    fn write_on_old_reading(&mut self, node: usize, durable: bool) {
        if self.nodes[node].readings.is_empty() {
            return;
        }
        let at = self.draws.below(self.nodes[node].readings.len() as u64) as usize;
        let basis = self.nodes[node].readings.swap_remove(at);
        let name = basis.aggregate().clone();
        let payload = self.cast.payload(&name, &mut self.draws);
        let drafts = vec![rules::draft(&name, self.id(), payload)];
        self.write(node, drafts, vec![basis], durable, Some(Fault::OldBasis));
    }

    fn write(
        &mut self,
        node: usize,
        drafts: Vec<Draft>,
        bases: Vec<Basis>,
        durable: bool,
        odd: Option<Fault>,
    ) -> u64 {
        let pairs = drafts.iter().map(|draft| &draft.metadata);
        let marks: Vec<u64> = pairs.filter_map(rules::mark).collect();
        let writer = (node, self.nodes[node].opening);
        self.writers
            .extend(marks.iter().map(|mark| (*mark, writer)));
        let durability = if durable {
            Durability::Durable
        } else {
            Durability::Buffered
        };
        let ticket = self.ask(
            node,
            Ask::Record {
                marks,
                durable,
                odd,
            },
        );
        self.tally.records += 1;
        self.drive(
            node,
            Input::Record {
                ticket,
                drafts,
                bases,
                durability,
            },
        );
        ticket.0
    }

    pub(crate) fn ask(&mut self, node: usize, ask: Ask) -> Ticket {
        let ticket = self.id();
        self.nodes[node].asks.insert(ticket, ask);
        Ticket(ticket)
    }

    /// Whether a restored replica may not yet know what it wrote before; what it writes then is a
    /// fork, which nobody settles so far.
    pub(crate) fn is_ignorant(&mut self, node: usize) -> bool {
        let Some(at) = self.nodes[node].restored else {
            return false;
        };
        let engine = self.nodes[node].engine.as_ref().unwrap();
        let is_renamed = |was| was != engine.replica();
        if self.nodes[node].was.is_some_and(is_renamed) {
            // It knows, and once that is stored will after the next restart.
            let is_stored = engine.is_idle() && !self.nodes[node].failed;
            if is_stored {
                self.nodes[node].restored = None;
            }
            return !is_stored;
        }
        // What others are about to take counts, too.
        if self.now < at + 5_000 || self.is_under_way(node) {
            return true;
        }
        let me = self.nodes[node].engine.as_ref().unwrap().replica();
        let known = self.nodes[node]
            .disk
            .received()
            .chain(me)
            .map(|(seq, _)| seq);
        let knows_more = |other: &super::super::world::node::Node| {
            let stored = other
                .disk
                .received()
                .track(me)
                .and_then(|track| track.ranges().last());
            let in_memory = other
                .engine
                .as_ref()
                .and_then(|engine| engine.status().vector.get(me));
            let is_same = other.number != node
                && other
                    .engine
                    .as_ref()
                    .is_some_and(|engine| engine.replica() == me);
            is_same || stored > known || in_memory > known
        };
        if self.nodes.iter().any(knows_more) {
            return true;
        }
        self.nodes[node].restored = None;
        false
    }

    /// Whether something that a replica sent before its store was replaced may still reach somebody.
    fn is_under_way(&self, node: usize) -> bool {
        let opening = self.nodes[node].opening;
        let ends = |connection: &Connection| {
            let [one, other] = &connection.ends;
            [(one, other), (other, one)].into_iter().any(|(from, to)| {
                let is_old = from.node == node && from.opening < opening;
                is_old && to.busy_until > self.now
            })
        };
        let mut open = self.connections.iter().filter(|at| !at.cut);
        open.any(ends) || self.nodes.iter().any(|other| other.paused)
    }
}
