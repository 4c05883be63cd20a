use crate::engine::{Filter, Input, WatchId};
use crate::event::{Commit, Event, EventParts, Timestamp};
use crate::protocol::{CloseCode, Direction};
use crate::testing::sim::faults::Fault;
use crate::testing::sim::network::BOTH;
use crate::testing::sim::users::rules;
use crate::testing::sim::world::World;
use crate::testing::sim::world::node::{Ask, START};

/// A stamp after this is of a clock that is far ahead.
const FAR: u64 = START + 86_400_000;

impl World {
    pub(crate) fn load(&mut self, node: usize) {
        if !self.is_up(node) {
            return;
        }
        let aggregate = self.cast.any(&mut self.draws).clone();
        let whole = self.draws.chance(30);
        let asked = aggregate.clone();
        let ticket = self.ask(node, Ask::Load { aggregate: asked });
        self.drive(
            node,
            Input::Load {
                ticket,
                aggregate,
                whole,
            },
        );
    }

    pub(crate) fn ingest(&mut self, node: usize) {
        if !self.is_up(node) {
            return;
        }
        if self.draws.chance(10) {
            self.forge(node);
            return;
        }
        let other = self.anybody();
        let is_safe = !self.plan.is_wild(other) && !self.plan.forgets();
        let mut commits = Vec::new();
        for _ in 0..self.draws.between(1, 4) {
            let disk = &self.nodes[other].disk;
            if self.draws.chance(60) && !self.strangers.is_empty() {
                commits.push(self.draws.pick(&self.strangers).clone());
            } else if disk.durable > 0 && is_safe {
                let at = self.draws.below(disk.durable as u64) as usize;
                commits.push(disk.entries[at].commit.clone());
            }
        }
        self.hand_over(node, commits);
    }

    /// Somebody hands over another commit under the name of one that is here.
    fn forge(&mut self, node: usize) {
        let durable = self.nodes[node].disk.durable as u64;
        if durable == 0 || self.nodes[node].disk.flipped.is_some() {
            return;
        }
        let at = self.draws.below(durable) as usize;
        let events = self.nodes[node].disk.entries[at].commit.events().iter();
        let forged = events.map(|event| {
            let payload = rules::text(&mut self.draws);
            Event::assemble(EventParts {
                payload,
                ..event.parts().clone()
            })
            .unwrap()
        });
        let forged = Commit::new(forged.collect()).unwrap();
        if forged != self.nodes[node].disk.entries[at].commit {
            let ticket = self.ask(node, Ask::Forged);
            self.drive(
                node,
                Input::Ingest {
                    ticket,
                    commits: vec![forged],
                },
            );
        }
    }

    pub(crate) fn hand_over(&mut self, node: usize, commits: Vec<Commit>) {
        if commits.is_empty() {
            return;
        }
        let ghost = |commit: &Commit| {
            let mut events = commit.events().iter();
            events.any(|event| event.aggregate().as_str().starts_with("ghost/"))
        };
        let is_new = |commit: &&Commit| !self.nodes[node].disk.has(commit.id());
        let new: Vec<&Commit> = commits.iter().filter(is_new).collect();
        let far = Timestamp::at_millis(FAR);
        let is_far = new.iter().any(|commit| commit.timestamp() > far);
        let is_ghost = new.iter().any(|commit| ghost(commit));
        self.count_if(is_far, Fault::WildStamp);
        self.count_if(is_ghost, Fault::UnknownType);
        let ticket = self.ask(node, Ask::Ingest);
        self.drive(node, Input::Ingest { ticket, commits });
    }

    pub(crate) fn flush(&mut self, node: usize) {
        if !self.is_up(node) {
            return;
        }
        let Some(engine) = &self.nodes[node].engine else {
            return;
        };
        let end = engine.stored_end();
        let ticket = self.ask(node, Ask::Flush { end });
        self.drive(node, Input::Flush { ticket });
    }

    pub(crate) fn watch(&mut self, node: usize) {
        if !self.is_up(node) {
            return;
        }
        let old = self.nodes[node].watchers.keys().next().copied();
        if let Some(watch) = old.filter(|_| self.draws.chance(40)) {
            self.nodes[node].watchers.remove(&watch);
            self.drive(node, Input::Unwatch { watch });
            return;
        }
        let one = self.cast.any(&mut self.draws).clone();
        let filter = match self.draws.below(3) {
            0 => Filter::all(),
            1 => Filter::under([one.as_str()]).unwrap(),
            _ => Filter::aggregate(&one),
        };
        let watch = WatchId(self.id());
        let reads = !self.strikes(Fault::SlowWatcher);
        self.nodes[node].watch(watch, filter.clone(), reads);
        self.drive(node, Input::Watch { watch, filter });
    }

    pub(crate) fn read_on(&mut self, node: usize) {
        if !self.is_up(node) {
            return;
        }
        let pages = self.draws.between(1, 4) as usize;
        self.read_tail(node, pages);
        let watches: Vec<WatchId> = self.nodes[node].watchers.keys().copied().collect();
        for watch in watches {
            let reads = self.nodes[node].watchers[&watch].reads;
            if reads || self.draws.chance(10) {
                self.read_watch(node, watch);
            }
        }
    }

    pub(crate) fn dial_somewhere(&mut self) {
        let edge = self.draws.below(self.plan.edges.len() as u64) as usize;
        self.sweep_connections();
        let second = self.live_on(edge) == 1 && self.strikes(Fault::SecondLink);
        if self.live_on(edge) > usize::from(second) {
            return;
        }
        let direction = match self.draws.below(10) {
            0 => Direction {
                pull: false,
                ..BOTH
            },
            1 => Direction {
                push: false,
                ..BOTH
            },
            _ => BOTH,
        };
        let once = self.draws.chance(30);
        self.dial(edge, direction, once);
    }

    /// Somebody closes a connection.
    pub(crate) fn part(&mut self) {
        let Some(connection) = self.any_connection() else {
            return;
        };
        let end = self.draws.below(2) as usize;
        let end = self.connections[connection].ends[end].clone();
        let (link, code, reason) = (end.link, CloseCode::DONE, String::from("enough"));
        if self.nodes[end.node].opening == end.opening {
            self.drive(end.node, Input::LinkEnd { link, code, reason });
        }
    }

    /// One that is open.
    pub(crate) fn any_connection(&mut self) -> Option<usize> {
        self.sweep_connections();
        let open = self.live.iter().filter(|at| !self.connections[**at].cut);
        let open: Vec<usize> = open.copied().collect();
        if open.is_empty() {
            return None;
        }
        Some(*self.draws.pick(&open))
    }

    pub(crate) fn back_up(&mut self, node: usize) {
        let disk = &self.nodes[node].disk;
        let is_wanted = self.plan.rate(Fault::OldCopy) + self.plan.rate(Fault::Clone) > 0;
        if is_wanted && disk.flipped.is_none() && !self.nodes[node].paused {
            self.nodes[node].backup = Some(disk.copy());
        }
    }
}
