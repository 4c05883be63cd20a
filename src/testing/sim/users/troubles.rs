//! What goes wrong as an operation of its own.

use crate::engine::Input;
use crate::event::{EventId, Seq};
use crate::resolver::Registry;
use crate::testing::sim::disk::Disk;
use crate::testing::sim::faults::Fault;
use crate::testing::sim::network::BOTH;
use crate::testing::sim::plan::{Shape, Wild};
use crate::testing::sim::world::node::Ask;
use crate::testing::sim::world::{Happening, World};

/// Of these one is drawn, by the weights of the plan.
const TROUBLES: [Fault; 24] = [
    Fault::WriteLost,
    Fault::WriteKept,
    Fault::DiskFull,
    Fault::PowerLoss,
    Fault::ProcessKill,
    Fault::BitFlip,
    Fault::OldCopy,
    Fault::WipedStore,
    Fault::Clone,
    Fault::LostLink,
    Fault::OneWayPartition,
    Fault::Partition,
    Fault::FlappingLink,
    Fault::HubAway,
    Fault::ClockAhead,
    Fault::ClockBack,
    Fault::FrozenClock,
    Fault::DriftingClock,
    Fault::FarClock,
    Fault::Pause,
    Fault::Restart,
    Fault::OtherVersion,
    Fault::NoRules,
    Fault::CutSync,
];

impl World {
    pub(crate) fn trouble(&mut self) {
        let sum: u64 = TROUBLES.iter().map(|fault| self.plan.rate(*fault)).sum();
        if sum == 0 {
            return;
        }
        let mut drawn = self.draws.below(sum);
        for fault in TROUBLES {
            let weight = self.plan.rate(fault);
            if drawn < weight {
                self.make(fault);
                return;
            }
            drawn -= weight;
        }
    }

    fn make(&mut self, fault: Fault) {
        let node = self.anybody();
        match fault {
            Fault::WriteLost | Fault::WriteKept => self.nodes[node].fail_next = Some(fault),
            Fault::DiskFull => {
                self.nodes[node].full_until = self.now + self.draws.log_uniform(100, 20_000);
            }
            Fault::PowerLoss if self.nodes[node].engine.is_some() => self.cut_power(node),
            Fault::ProcessKill if self.nodes[node].engine.is_some() => self.kill(node),
            Fault::BitFlip | Fault::OldCopy | Fault::WipedStore => self.spoil(node, fault),
            Fault::Clone => self.clone_store(node),
            Fault::LostLink | Fault::CutSync | Fault::FlappingLink => self.lose(fault),
            Fault::OneWayPartition | Fault::Partition | Fault::HubAway => self.part_nodes(fault),
            Fault::Pause => {
                let long = self.draws.log_uniform(50, 60_000);
                self.pause(node, long);
            }
            Fault::Restart => self.restart(node),
            Fault::OtherVersion | Fault::NoRules => self.change_rules(node, fault),
            clock => self.upset_clock(node, clock),
        }
    }

    fn spoil(&mut self, node: usize, fault: Fault) {
        // What a paused process has in its pockets would come back after its writer has forgotten it.
        let any_paused = self.nodes.iter().any(|node| node.paused);
        if any_paused || self.nodes[node].engine.is_none() {
            return;
        }
        match fault {
            Fault::BitFlip if self.nodes[node].disk.durable > 0 => {
                let durable = self.nodes[node].disk.durable as u64;
                self.nodes[node].disk.flipped = Some(self.draws.below(durable) as usize);
            }
            Fault::OldCopy => {
                if let Some(copy) = self.nodes[node].backup.take() {
                    self.count(Fault::OldCopy);
                    self.replace(node, copy);
                }
            }
            Fault::WipedStore if self.nodes[node].disk.len() > 0 => {
                self.count(Fault::WipedStore);
                self.replace(node, Disk::default());
            }
            _ => {}
        }
    }

    /// An old copy of a store comes up beside the others, as a leaf of one of its neighbours, who knows
    /// more of that writer than the copy does.
    fn clone_store(&mut self, node: usize) {
        let neighbour = self.plan.edges.iter().find_map(|(a, b)| match (a, b) {
            (a, b) if *a == node => Some(*b),
            (a, b) if *b == node => Some(*a),
            _ => None,
        });
        let any_paused = self.nodes.iter().any(|node| node.paused);
        let is_alone = self.nodes.len() == self.plan.nodes;
        let (Some(neighbour), true, false) = (neighbour, is_alone, any_paused) else {
            return;
        };
        let at = &self.nodes[node];
        let (Some(copy), Some(engine)) = (&at.backup, &at.engine) else {
            return;
        };
        let me = engine.replica();
        let last = copy.received().chain(me).map(|(seq, _)| seq);
        let next = last.map_or(Some(Seq::FIRST), Seq::next);
        let is_known = |seq| {
            self.nodes[neighbour]
                .disk
                .has_durably(EventId::new(me, seq))
        };
        if !next.is_some_and(is_known) {
            return;
        }
        let number = self.nodes.len();
        let mut clone = self.nodes[node].cloned(number, copy.clone(), self.now);
        if self.strikes(Fault::Fork) {
            // Its users do not wait until it has met somebody.
            clone.restored = None;
            self.has_forked = true;
        }
        self.nodes.push(clone);
        self.plan.edges.push((number, neighbour));
        self.tally.restores += 1;
        self.count(Fault::Clone);
        self.open(number);
    }

    fn lose(&mut self, fault: Fault) {
        let Some(connection) = self.any_connection() else {
            return;
        };
        match fault {
            Fault::LostLink => {
                self.count(Fault::LostLink);
                self.break_link(connection);
            }
            Fault::CutSync if self.connections[connection].once => {
                self.count(Fault::CutSync);
                self.break_link(connection);
            }
            Fault::FlappingLink => {
                let (edge, left) = (self.connections[connection].edge, self.draws.between(3, 12));
                self.flap(edge, left);
            }
            _ => {}
        }
    }

    /// A connection breaks, and is dialled again at once, several times.
    pub(crate) fn flap(&mut self, edge: usize, left: u64) {
        if self.healed {
            return;
        }
        let on_it = |at: &usize| self.connections[*at].edge == edge && !self.connections[*at].cut;
        let open: Vec<usize> = self.live.iter().copied().filter(on_it).collect();
        for connection in open {
            self.count(Fault::FlappingLink);
            self.break_link(connection);
        }
        if left > 0 {
            self.dial(edge, BOTH, false);
            let wait = self.draws.log_uniform(5, 400);
            self.after(
                wait,
                Happening::Flap {
                    edge,
                    left: left - 1,
                },
            );
        }
    }

    fn part_nodes(&mut self, fault: Fault) {
        let count = self.nodes.len() as u64;
        let away: Vec<bool> = match fault {
            Fault::HubAway => (0..count).map(|node| node == 0).collect(),
            _ => (0..count).map(|_| self.draws.chance(50)).collect(),
        };
        let until = self.now
            + match fault {
                Fault::HubAway => self.draws.log_uniform(60_000, 900_000),
                _ => self.draws.log_uniform(100, 60_000),
            };
        let mut pairs = Vec::new();
        for (from, from_away) in away.iter().enumerate() {
            for (to, to_away) in away.iter().enumerate() {
                let crosses = from_away != to_away;
                if crosses && (fault != Fault::OneWayPartition || *from_away) {
                    pairs.push((from, to));
                }
            }
        }
        self.blockades.raise(&pairs, until, fault);
    }

    fn upset_clock(&mut self, node: usize, fault: Fault) {
        let (now, is_wild) = (self.now, self.plan.is_wild(node));
        let clock = &mut self.nodes[node].clock;
        let before = clock.wall_ms(now);
        match fault {
            Fault::ClockAhead => clock.jump(now, self.draws.log_uniform(100, 20_000) as i64),
            Fault::ClockBack => clock.jump(now, -(self.draws.log_uniform(100, 20_000) as i64)),
            Fault::FrozenClock => clock.freeze(now, now + self.draws.log_uniform(100, 15_000)),
            Fault::DriftingClock => {
                let ppm = self.draws.log_uniform(1_000, 100_000) as i64;
                clock.drift(now, if self.draws.chance(50) { ppm } else { -ppm });
            }
            Fault::FarClock if is_wild => {
                let hour = 3_600_000;
                let ahead = *self
                    .draws
                    .pick(&[0, hour, 2 * hour, 24 * hour, 87_600 * hour]);
                let back = self.plan.wild == Wild::Leaves && self.draws.chance(30);
                clock.set(if back { -ahead } else { ahead });
            }
            _ => return,
        }
        let is_other = clock.wall_ms(now) != before;
        let shows = matches!(fault, Fault::FrozenClock | Fault::DriftingClock);
        self.count_if(is_other || shows, fault);
    }

    /// The process comes back with other rules, or none, until everything is healed.
    fn change_rules(&mut self, node: usize, fault: Fault) {
        if self.plan.plain == Some(node) || self.nodes[node].engine.is_none() {
            return;
        }
        let registry = match fault {
            Fault::NoRules => Some(Registry::new()),
            _ => self.cast.other.clone(),
        };
        let Some(registry) = registry else { return };
        self.nodes[node].registry = if self.draws.chance(30) {
            self.cast.registry.clone()
        } else {
            self.nodes[node].is_other = true;
            registry
        };
        self.end(node, false);
    }

    /// A graceful stop: what is worth keeping of the memory is kept.
    fn restart(&mut self, node: usize) {
        if !self.is_up(node) || self.nodes[node].failed {
            return;
        }
        let end = self.nodes[node].disk.durable as u64;
        let ticket = self.ask(node, Ask::Flush { end });
        self.drive(node, Input::Settle { ticket });
        while self.nodes[node].asks.contains_key(&ticket.0) {
            assert!(self.step(u64::MAX), "a replica does not settle");
        }
        if let Some(engine) = &mut self.nodes[node].engine {
            engine.say_goodbye();
            self.perform(node);
            if self.nodes[node].engine.is_some() {
                self.count(Fault::Restart);
                self.end(node, false);
            }
        }
    }

    /// The hub of a world that has one.
    pub(crate) fn hub(&self) -> Option<usize> {
        matches!(self.plan.shape, Shape::Hub | Shape::Pair).then_some(0)
    }
}
