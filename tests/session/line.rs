//! Three nodes in a line; the middle one passes on. Everything that can go wrong with connections,
//! stores and receivers does, as one seed says; then it stops, and all must become equal.

use std::collections::BTreeMap;
use std::sync::Arc;

use anabranch::clock::Now;
use anabranch::event::ReplicaId;
use anabranch::protocol::{Direction, Input, Prepared, Role, Session};

use crate::node::{Node, assert_cursors_hold};
use crate::pair::{BOTH, End, PULL, PUSH, small};

/// Numbers from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// A connection. Two between the same nodes may live at once, so what one delivers the other may
/// deliver again, and in another order.
struct Link {
    nodes: [usize; 2],
    /// The peer as each end knows it.
    names: [ReplicaId; 2],
    ends: [End; 2],
    /// For deliveries that are not yet acknowledged: what is durable once they are.
    waiting: [BTreeMap<u64, usize>; 2],
}

struct World {
    dice: Dice,
    now: Now,
    nodes: Vec<Node>,
    /// Writes of each node that survive a loss of power.
    durable: Vec<usize>,
    links: Vec<Link>,
    epochs: u64,
    restores: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let nodes: Vec<Node> = (1..=3).map(Node::new).collect();
        Self {
            dice: Dice(seed),
            now: Now {
                wall_ms: 1_000_000,
                mono_ms: 0,
            },
            durable: nodes.iter().map(Node::writes).collect(),
            nodes,
            links: Vec::new(),
            epochs: 1 << 40,
            restores: seed % 2 == 1,
        }
    }

    fn act(&mut self) {
        match self.dice.roll(100) {
            0..15 => self.record(),
            15..25 => self.connect(BOTH),
            25..27 => {
                let direction = [PUSH, PULL][self.dice.roll(2) as usize];
                self.connect(direction);
            }
            27..31 if !self.links.is_empty() => {
                let at = self.dice.roll(self.links.len() as u64) as usize;
                self.links.swap_remove(at);
            }
            31 => self.lose_power(),
            32 if self.restores => self.restore(),
            33..40 => {
                let _ = self.acknowledge();
            }
            40..50 => {
                let _ = self.answer();
            }
            _ => {
                let _ = self.carry();
            }
        }
    }

    fn record(&mut self) {
        let at = self.dice.roll(3) as usize;
        let bytes = if self.dice.roll(40) == 0 {
            200 * 1024
        } else {
            5
        };
        let events = 1 + self.dice.roll(4);
        let prepared = self.nodes[at].record(events, bytes);
        self.durable[at] = self.nodes[at].writes();
        self.announce(at, vec![prepared]);
    }

    fn connect(&mut self, direction: Direction) {
        if self.links.len() > 4 {
            return;
        }
        let mut nodes = [[0, 1], [1, 2]][self.dice.roll(2) as usize];
        if self.dice.roll(2) == 0 {
            nodes.swap(0, 1);
        }
        let names = nodes.map(|at| self.nodes[at].replica);
        let [dialer, listener] = [(0, Role::Dialer, direction), (1, Role::Listener, BOTH)].map(
            |(end, role, direction)| {
                let local = self.nodes[nodes[end]].local(&[names[1 - end]]);
                let mut end = End::new(Session::new(role, local, small(direction), self.now));
                end.is_slow = self.dice.roll(2) == 0;
                end.is_late = self.dice.roll(2) == 0;
                end
            },
        );
        let link = Link {
            nodes,
            names,
            ends: [dialer, listener],
            waiting: Default::default(),
        };
        self.links.push(link);
        let link = self.links.len() - 1;
        self.settle(link, 0);
        self.settle(link, 1);
    }

    fn carry(&mut self) -> bool {
        let mut busy = Vec::new();
        for (at, link) in self.links.iter().enumerate() {
            busy.extend(
                [0, 1]
                    .iter()
                    .filter(|end| !link.ends[**end].wire.is_empty())
                    .map(|e| (at, *e)),
            );
        }
        if busy.is_empty() {
            return false;
        }
        let (link, from) = busy[self.dice.roll(busy.len() as u64) as usize];
        let frame = self.links[link].ends[from].wire.pop_front().unwrap();
        self.links[link].ends[1 - from]
            .session
            .handle(self.now, Input::Frame(frame));
        self.settle(link, 1 - from);
        assert_cursors_hold(&self.nodes);
        true
    }

    fn settle(&mut self, link: usize, at: usize) {
        for _ in 0..100_000 {
            let Link {
                nodes,
                names,
                ends,
                waiting,
            } = &mut self.links[link];
            let node = nodes[at];
            let untaken = ends[at].untaken.len();
            let Some(appended) = ends[at].step(self.now, &mut self.nodes[node], names[1 - at])
            else {
                return;
            };
            let writes = self.nodes[node].writes();
            if ends[at].untaken.len() > untaken {
                waiting[at].extend(ends[at].untaken.back().map(|delivery| (*delivery, writes)));
            } else if !ends[at].is_slow {
                self.durable[node] = writes;
            }
            self.announce(node, appended);
        }
        panic!("a session never rests");
    }

    fn announce(&mut self, node: usize, appended: Vec<Arc<Prepared>>) {
        for prepared in appended {
            for link in &mut self.links {
                for at in [0, 1].into_iter().filter(|at| link.nodes[*at] == node) {
                    link.ends[at]
                        .session
                        .handle(self.now, Input::Appended(prepared.clone()));
                }
            }
        }
        for link in 0..self.links.len() {
            for at in [0, 1] {
                if self.links[link].nodes[at] == node {
                    self.settle(link, at);
                }
            }
        }
    }

    /// A slow receiver tells that something it took is durable now.
    fn acknowledge(&mut self) -> bool {
        for link in 0..self.links.len() {
            for at in [0, 1] {
                let Some(delivery) = self.links[link].ends[at].untaken.pop_front() else {
                    continue;
                };
                let node = self.links[link].nodes[at];
                let writes = self.links[link].waiting[at].remove(&delivery).unwrap();
                self.durable[node] = self.durable[node].max(writes);
                let input = Input::Taken {
                    delivery,
                    durable: true,
                };
                self.links[link].ends[at].session.handle(self.now, input);
                self.settle(link, at);
                return true;
            }
        }
        false
    }

    /// A slow log gives an answer.
    fn answer(&mut self) -> bool {
        for link in 0..self.links.len() {
            for at in [0, 1] {
                let Some(answer) = self.links[link].ends[at].late.pop_front() else {
                    continue;
                };
                self.links[link].ends[at].session.handle(self.now, answer);
                self.settle(link, at);
                return true;
            }
        }
        false
    }

    /// What was passed on before it was fsynced is lost here.
    fn lose_power(&mut self) {
        let at = self.dice.roll(3) as usize;
        self.cut(at, self.durable[at]);
    }

    /// An old copy is put back; its next write is made under a new incarnation.
    fn restore(&mut self) {
        let at = self.dice.roll(3) as usize;
        let kept = 1 + self.dice.roll(self.durable[at] as u64) as usize;
        self.cut(at, kept);
        self.nodes[at].replica = ReplicaId::new(at as u64 + 1, self.epochs);
    }

    fn cut(&mut self, at: usize, writes: usize) {
        self.links.retain(|link| !link.nodes.contains(&at));
        self.nodes[at].rewind(writes);
        self.epochs += 1;
        self.nodes[at].reopen(self.epochs);
        self.durable[at] = self.nodes[at].writes();
    }

    /// Everything works from now on.
    fn heal(&mut self) {
        self.links.clear();
        while self.links.len() < 2 {
            self.connect(BOTH);
            if self.links.len() == 2 && self.links[0].spans(self.links[1].nodes) {
                self.links.pop();
            }
        }
        for _ in 0..100_000 {
            if !self.carry() && !self.acknowledge() && !self.answer() {
                return;
            }
        }
        panic!("never quiet");
    }
}

impl Link {
    fn spans(&self, nodes: [usize; 2]) -> bool {
        nodes.iter().all(|node| self.nodes.contains(node))
    }
}

fn run(seed: u64) -> World {
    let mut world = World::new(seed);
    let acts = 50 + world.dice.roll(350);
    for _ in 0..acts {
        world.act();
    }
    world
}

#[test]
fn three_nodes_in_a_line_become_equal_whatever_happened() {
    let mut arrived = 0;
    for seed in 0..250 {
        let mut world = run(seed);
        let held: BTreeMap<_, _> = world.nodes.iter().flat_map(Node::holds).collect();
        world.heal();
        for node in &world.nodes {
            assert_eq!(node.holds().len(), held.len(), "seed {seed}");
            assert_eq!(node.holds(), held, "seed {seed}");
            arrived += node.arrived;
        }
        for end in world.links.iter().flat_map(|link| &link.ends) {
            assert_eq!(end.closed, None, "seed {seed}");
            assert!(
                end.session.is_live() && end.session.all_acked(),
                "seed {seed}"
            );
        }
    }
    assert!(arrived > 5_000, "the seeds do something: {arrived}");
}

#[test]
fn after_healing_a_resume_moves_nothing() {
    for seed in 0..40 {
        let mut world = run(seed);
        world.heal();
        let arrived: u64 = world.nodes.iter().map(|node| node.arrived).sum();
        world.heal();
        assert_eq!(
            world.nodes.iter().map(|node| node.arrived).sum::<u64>(),
            arrived,
            "seed {seed}"
        );
    }
}
