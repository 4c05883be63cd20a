//! Those who use and abuse the replicas, at random.
//!
//! What they ask for is answered, or the run fails; what they are told is held against what the disk
//! holds at that moment.

pub(crate) mod rules;
pub(crate) mod strangers;

use crate::engine::{Failure, Filter, Input, Recorded, Reply, Ticket, WatchId};
use crate::event::{Commit, Draft, Event, EventId};
use crate::log::{Durability, EntryKind};
use crate::protocol::{CloseCode, Direction};

use self::rules::AGGREGATES;
use crate::testing::sim::world::World;
use crate::testing::sim::world::node::Ask;

const BOTH: Direction = Direction {
    push: true,
    pull: true,
};

impl World {
    /// Something that somebody does, or that goes wrong.
    pub(crate) fn operate(&mut self) {
        let node = self.random.below(self.nodes.len() as u64) as usize;
        match self.random.below(100) {
            0..=34 => self.record(node),
            35..=44 => self.load(node),
            45..=48 => self.ingest(node),
            49..=51 => self.flush(node),
            52..=55 => self.watch(node),
            56..=58 => self.read(node),
            59..=76 => self.dial_somewhere(),
            77..=82 => self.part(),
            83..=86 => self.crash_somebody(node),
            87..=88 => self.fail(node),
            89..=90 => self.back_up_or_restore(node),
            91..=92 => self.set_clock(node),
            93 => self.restart(node),
            94 => {
                let long = self.random.between(1_000, 60_000);
                self.run_until(self.now + long);
            }
            _ => {}
        }
        let pause = self.random.below(30);
        self.run_until(self.now + pause);
    }

    pub(crate) fn record(&mut self, node: usize) {
        if self.nodes[node].engine.is_none() || self.is_ignorant(node) {
            return;
        }
        let lines = match self.random.below(10) {
            0 => self.random.between(3, 6),
            1 | 2 => 2,
            _ => 1,
        };
        let names = (0..lines).map(|_| *self.random.pick(&AGGREGATES));
        let names: Vec<&str> = names.collect();
        let durable = self.random.chance(60);
        if std::mem::take(&mut self.plan.large) {
            let drafts = (0..3)
                .map(|_| rules::large_draft(self.id(), 200_000))
                .collect();
            self.write(node, drafts, durable);
            return;
        }
        self.write_to(node, &names, durable);
    }

    /// Writes one commit with an event for each of these aggregates.
    pub(crate) fn write_to(&mut self, node: usize, names: &[&str], durable: bool) -> u64 {
        let drafts = names.iter().map(|name| {
            let mark = self.id();
            rules::draft(name, mark, &mut self.random)
        });
        let drafts = drafts.collect();
        self.write(node, drafts, durable)
    }

    fn write(&mut self, node: usize, drafts: Vec<Draft>, durable: bool) -> u64 {
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
        let ticket = self.ask(node, Ask::Record { marks, durable });
        self.tally.records += 1;
        let input = Input::Record {
            ticket,
            drafts,
            bases: Vec::new(),
            durability,
        };
        self.drive(node, input);
        ticket.0
    }

    fn ask(&mut self, node: usize, ask: Ask) -> Ticket {
        let ticket = self.id();
        self.nodes[node].asks.insert(ticket, ask);
        Ticket(ticket)
    }

    /// Whether a restored replica may not yet know what it wrote before; what it writes then is a
    /// fork, which nobody settles so far.
    fn is_ignorant(&mut self, node: usize) -> bool {
        let Some(at) = self.nodes[node].restored else {
            return false;
        };
        // What others are about to take counts, too.
        if self.now < at + 5_000 {
            return true;
        }
        let me = self.nodes[node].engine.as_ref().unwrap().replica();
        let known = self.nodes[node].disk.received().chain(me);
        let mut others = self.nodes.iter();
        if others.any(|other| other.disk.received().chain(me) > known) {
            return true;
        }
        self.nodes[node].restored = None;
        false
    }

    pub(crate) fn load(&mut self, node: usize) {
        if self.nodes[node].engine.is_none() {
            return;
        }
        let aggregate = rules::any(&mut self.random);
        let whole = self.random.chance(30);
        let asked = aggregate.clone();
        let ticket = self.ask(node, Ask::Load { aggregate: asked });
        let input = Input::Load {
            ticket,
            aggregate,
            whole,
        };
        self.drive(node, input);
    }

    fn ingest(&mut self, node: usize) {
        if self.nodes[node].engine.is_none() {
            return;
        }
        let other = self.random.below(self.nodes.len() as u64) as usize;
        let skewed = self.plan.skewed == Some(other);
        let mut commits = Vec::new();
        for _ in 0..self.random.between(1, 4) {
            let disk = &self.nodes[other].disk;
            if self.random.chance(60) && !self.strangers.is_empty() {
                commits.push(self.random.pick(&self.strangers).clone());
            } else if disk.durable > 0 && !skewed && !self.plan.restores {
                let at = self.random.below(disk.durable as u64) as usize;
                commits.push(disk.entries[at].commit.clone());
            }
        }
        self.hand_over(node, commits);
    }

    pub(crate) fn hand_over(&mut self, node: usize, commits: Vec<Commit>) {
        let ticket = self.ask(node, Ask::Ingest);
        self.drive(node, Input::Ingest { ticket, commits });
    }

    fn flush(&mut self, node: usize) {
        let Some(engine) = &self.nodes[node].engine else {
            return;
        };
        let end = engine.stored_end();
        let ticket = self.ask(node, Ask::Flush { end });
        self.drive(node, Input::Flush { ticket });
    }

    fn watch(&mut self, node: usize) {
        if self.nodes[node].engine.is_none() {
            return;
        }
        let old = self.nodes[node].watchers.keys().next().copied();
        if let Some(watch) = old.filter(|_| self.random.chance(40)) {
            self.nodes[node].watchers.remove(&watch);
            self.drive(node, Input::Unwatch { watch });
            return;
        }
        let filter = match self.random.below(3) {
            0 => Filter::all(),
            1 => Filter::under(["doc", "stock/1"]).unwrap(),
            _ => Filter::aggregate(&rules::any(&mut self.random)),
        };
        let watch = WatchId(self.id());
        let reads = self.random.chance(50);
        self.nodes[node].watch(watch, filter.clone(), reads);
        self.drive(node, Input::Watch { watch, filter });
    }

    fn read(&mut self, node: usize) {
        self.nodes[node].read_tail();
        for watch in self.nodes[node]
            .watchers
            .keys()
            .copied()
            .collect::<Vec<_>>()
        {
            self.nodes[node].read_watch(watch);
        }
    }

    fn dial_somewhere(&mut self) {
        let edge = self.random.below(self.plan.edges.len() as u64) as usize;
        let busy = |edge: usize, world: &Self| {
            let open = |connection: &&crate::testing::sim::network::Connection| {
                connection.edge == edge && connection.ends.iter().any(|end| end.open)
            };
            world.connections.iter().filter(open).count()
        };
        if busy(edge, self) > usize::from(self.random.chance(20)) {
            return;
        }
        let direction = match self.random.below(10) {
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
        let once = self.random.chance(30);
        self.dial(edge, direction, once);
    }

    /// A connection ends: somebody closes it, or it breaks.
    fn part(&mut self) {
        let open = |connection: &crate::testing::sim::network::Connection| {
            !connection.cut && connection.ends.iter().any(|end| end.open)
        };
        let all = 0..self.connections.len();
        let open: Vec<usize> = all.filter(|at| open(&self.connections[*at])).collect();
        if open.is_empty() {
            return;
        }
        let connection = *self.random.pick(&open);
        if self.random.chance(30) {
            let end = self.random.below(2) as usize;
            let end = self.connections[connection].ends[end].clone();
            let (link, code, reason) = (end.link, CloseCode::DONE, String::from("enough"));
            if self.nodes[end.node].opening == end.opening {
                self.drive(end.node, Input::LinkEnd { link, code, reason });
            }
        } else {
            self.cut(connection, 0);
            self.cut(connection, 1);
        }
    }

    fn crash_somebody(&mut self, node: usize) {
        if self.plan.crashes && self.nodes[node].engine.is_some() {
            self.tally.crashes += 1;
            let power = self.random.chance(60);
            self.crash(node, power);
        }
    }

    fn fail(&mut self, node: usize) {
        if !self.plan.failures {
            return;
        }
        if self.nodes[node].failed {
            self.crash(node, false);
        } else {
            self.nodes[node].fail_next = true;
        }
    }

    fn back_up_or_restore(&mut self, node: usize) {
        if !self.plan.restores || self.plan.skewed == Some(node) {
            return;
        }
        match self.nodes[node].backup.take() {
            None => self.nodes[node].backup = Some(self.nodes[node].disk.copy()),
            Some(backup) if self.nodes[node].engine.is_some() => {
                self.tally.restores += 1;
                self.crash(node, true);
                let lost = std::mem::replace(&mut self.nodes[node].disk, backup);
                self.nodes[node].restored = Some(self.now);
                self.nodes[node].tailer = crate::testing::sim::world::node::Tailer::default();
                self.forget_lost(&lost.ids().collect::<Vec<_>>(), &lost);
            }
            Some(_) => {}
        }
    }

    /// What was on no other disk is gone with this one.
    fn forget_lost(&mut self, ids: &[EventId], lost: &crate::testing::sim::disk::Disk) {
        for id in ids {
            if !self.nodes.iter().any(|node| node.disk.has_durably(*id))
                && let Some(mark) = lost.event(*id).and_then(mark)
            {
                self.durable.remove(&mark);
            }
        }
    }

    /// A graceful stop: what is worth keeping of the memory is kept.
    fn restart(&mut self, node: usize) {
        if self.nodes[node].engine.is_none() || self.nodes[node].failed {
            return;
        }
        let end = self.nodes[node].disk.durable as u64;
        let ticket = self.ask(node, Ask::Flush { end });
        self.drive(node, Input::Settle { ticket });
        while self.nodes[node].asks.contains_key(&ticket.0) {
            self.step(u64::MAX);
        }
        if let Some(engine) = &mut self.nodes[node].engine {
            engine.say_goodbye();
            self.perform(node);
            self.crash(node, false);
        }
    }

    fn set_clock(&mut self, node: usize) {
        if self.plan.skewed == Some(node) {
            self.nodes[node].skew_ms = *self.random.pick(&[0, 3_600_000, 7_200_000, 10_000_000]);
        } else {
            self.nodes[node].skew_ms = self.random.below(20_000) as i64 - 10_000;
        }
    }

    pub(crate) fn replied(&mut self, node: usize, ticket: Ticket, reply: Result<Reply, Failure>) {
        let at = &mut self.nodes[node];
        let ask = at.asks.remove(&ticket.0).unwrap();
        match (ask, reply) {
            (Ask::Record { marks, durable }, Ok(Reply::Recorded(recorded))) => {
                self.recorded(node, &marks, durable, &recorded);
            }
            (
                Ask::Record { .. },
                Err(Failure::Rejected {
                    aggregate, reason, ..
                }),
            ) => {
                assert!(
                    aggregate.as_str().starts_with("stock/"),
                    "{aggregate}: {reason}"
                );
                self.tally.rejected += 1;
            }
            (Ask::Ingest, Ok(Reply::Ingested(_))) => {}
            (Ask::Load { aggregate }, Ok(Reply::Done)) => self.loaded(node, &aggregate),
            (Ask::Flush { end }, Ok(Reply::Done)) => {
                assert!(at.disk.durable as u64 >= end, "flushed, but not fsynced");
            }
            (Ask::Record { .. }, Err(Failure::Unresolved { .. })) => {
                assert_eq!(self.plan.plain, Some(node), "a rule is missing");
            }
            (_, Err(Failure::Store { .. })) => assert!(at.failed, "the store did not fail"),
            (ask, reply) => panic!("{ask:?} was answered by {reply:?}"),
        }
    }

    fn recorded(&mut self, node: usize, marks: &[u64], durable: bool, recorded: &Recorded) {
        let disk = &self.nodes[node].disk;
        for (mark, id) in marks.iter().zip(recorded.events()) {
            let event = disk.event(id).unwrap();
            assert_eq!(crate::testing::sim::users::mark(event), Some(*mark));
            assert!(disk.has_durably(id) || !durable, "{id} is not fsynced");
            if durable {
                self.durable.insert(*mark, node);
            }
        }
    }

    /// What is read stands for exactly what is in the log, whatever the cache has been through.
    fn loaded(&mut self, node: usize, aggregate: &crate::event::AggregateId) {
        let at = &mut self.nodes[node];
        let engine = at.engine.as_mut().unwrap();
        let written = engine.is_idle() && engine.status().end == at.disk.entries.len() as u64;
        let Some(timeline) = engine.timeline(aggregate) else {
            return;
        };
        if written {
            let (digest, events) = (timeline.digest(), timeline.len());
            let fresh = at.disk.timeline(aggregate, &at.registry);
            assert_eq!(
                (events, digest),
                (fresh.len(), fresh.digest()),
                "{aggregate} on replica {node}"
            );
        }
    }

    /// Ready events, in the order of a replica's log.
    pub(crate) fn ready(&self, node: usize) -> impl Iterator<Item = &Event> {
        let entries = self.nodes[node].disk.entries.iter();
        let ready = entries.filter(|entry| entry.kind != EntryKind::Waiting);
        ready.flat_map(|entry| entry.commit.events())
    }
}

/// The number that a local write carries.
pub(crate) fn mark(event: &Event) -> Option<u64> {
    rules::mark(event.metadata())
}
