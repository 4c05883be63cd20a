//! The world: replicas, their disks and connections, and one queue of everything that is under way.
//!
//! It lets things happen one after the other, in the order of simulated time, and carries out what
//! the engines want. It knows nothing of right and wrong: that is for the checks.

mod effects;
pub(crate) mod node;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use crate::engine::{Input, LinkId, LinkOptions};
use crate::event::{Commit, EventId};
use crate::protocol::{CloseCode, Direction, Role};
use bytes::Bytes;

use crate::testing::sim::network::{Connection, End};
use crate::testing::sim::plan::Plan;
use crate::testing::sim::random::Random;
use crate::testing::sim::users::{rules, strangers};
use crate::testing::sim::world::node::Node;

/// Something that is under way.
#[derive(Debug)]
enum Happening {
    /// A group reaches the disk.
    Apply {
        node: usize,
        opening: u64,
    },
    /// A store answers.
    Answer {
        node: usize,
        opening: u64,
        input: Box<dyn Fill>,
    },
    Frame {
        connection: usize,
        to: usize,
        frame: Bytes,
    },
    /// The listener accepts.
    Accept {
        connection: usize,
    },
    Closed {
        connection: usize,
        to: usize,
        code: Option<CloseCode>,
    },
    Reopen {
        node: usize,
    },
}

/// An answer, worked out when it is given or when it was asked for.
trait Fill: std::fmt::Debug {
    fn fill(&mut self, node: &Node) -> Input;
}

struct Later<F>(F);

impl<F> std::fmt::Debug for Later<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("later")
    }
}

impl<F: FnMut(&Node) -> Input> Fill for Later<F> {
    fn fill(&mut self, node: &Node) -> Input {
        self.0(node)
    }
}

/// What a run saw, for those who ask whether a seed did anything.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) records: u64,
    pub(crate) rejected: u64,
    pub(crate) refused: u64,
    pub(crate) crashes: u64,
    pub(crate) failures: u64,
    pub(crate) restores: u64,
    pub(crate) folds: u64,
    pub(crate) reloads: u64,
    pub(crate) cuts: u64,
    pub(crate) sent_events: u64,
    pub(crate) summaries: u64,
    pub(crate) parts: u64,
    pub(crate) steps: u64,
}

/// Steps that no run comes near.
const STEPS: u64 = 300_000;

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) random: Random,
    pub(crate) now: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) connections: Vec<Connection>,
    links: BTreeMap<LinkId, (usize, usize)>,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    under_way: BTreeMap<u64, Happening>,
    ids: u64,
    /// No more faults: everything is quick and reliable.
    pub(crate) healed: bool,
    pub(crate) strangers: Vec<Commit>,
    /// Local writes by their numbers: who was told that they are durable.
    pub(crate) durable: BTreeMap<u64, usize>,
    /// Local writes by their numbers: who wrote them, in which opening of the store.
    pub(crate) writers: BTreeMap<u64, (usize, u64)>,
    pub(crate) tally: Tally,
    trace: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let plan = Plan::random(&mut random);
        Self::with(plan, random)
    }

    /// A world without chance in its plan.
    pub(crate) fn with(plan: Plan, mut random: Random) -> Self {
        let nodes = (0..plan.nodes).map(|number| {
            let registry = if plan.plain == Some(number) {
                crate::resolver::Registry::new()
            } else {
                rules::registry()
            };
            let skew_ms = if plan.skewed == Some(number) {
                3_600_000
            } else {
                random.below(20_000) as i64 - 10_000
            };
            let mut node = Node::new(number, registry, plan.cache_bytes, skew_ms);
            if plan.founders {
                node.lineage = number as u128 + 1;
            }
            node
        });
        let nodes = nodes.collect();
        let strangers = if plan.strangers {
            strangers::commits(crate::testing::sim::world::node::START, &mut random)
        } else {
            Vec::new()
        };
        let mut world = Self {
            plan,
            random,
            now: 1_000,
            nodes,
            connections: Vec::new(),
            links: BTreeMap::new(),
            queue: BinaryHeap::new(),
            under_way: BTreeMap::new(),
            ids: 0,
            healed: false,
            strangers,
            durable: BTreeMap::new(),
            writers: BTreeMap::new(),
            tally: Tally::default(),
            trace: 0xcbf2_9ce4_8422_2325,
        };
        for node in 0..world.nodes.len() {
            world.open(node);
        }
        world
    }

    /// Chaos, then peace, then everything must be equal.
    pub(crate) fn live(&mut self) {
        for operation in 0..self.plan.operations {
            self.operate();
            if operation % 16 == 0 {
                self.check_claims();
            }
        }
        self.heal();
        self.check_all();
    }

    pub(crate) fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// A number that two runs share only if everything that happened in them is the same.
    pub(crate) fn trace(&self) -> u64 {
        self.trace
    }

    fn note(&mut self, what: &[u8]) {
        for byte in what {
            self.trace = (self.trace ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn after(&mut self, delay: u64, happening: Happening) {
        self.at(self.now + delay, happening);
    }

    fn at(&mut self, time: u64, happening: Happening) {
        let id = self.id();
        self.under_way.insert(id, happening);
        self.queue.push(Reverse((time, id)));
    }

    pub(crate) fn open(&mut self, node: usize) {
        self.nodes[node].open(self.now, &mut self.random);
        self.perform(node);
    }

    /// Ends a process; it comes back after a while.
    pub(crate) fn crash(&mut self, node: usize, power: bool) {
        self.nodes[node].stop(power);
        for connection in 0..self.connections.len() {
            let ends = &self.connections[connection].ends;
            let Some(end) = ends.iter().position(|end| end.node == node && end.open) else {
                continue;
            };
            self.connections[connection].ends[end].open = false;
            self.cut(connection, 1 - end);
        }
        let delay = self.random.between(1, 300);
        self.after(delay, Happening::Reopen { node });
    }

    pub(crate) fn reopen(&mut self, node: usize) {
        if self.nodes[node].engine.is_none() {
            self.open(node);
        }
    }

    /// Gives a replica one input and carries out what it wants.
    pub(crate) fn drive(&mut self, node: usize, input: Input) {
        let outside = self.nodes[node].outside(self.now, &mut self.random);
        if let Some(engine) = &mut self.nodes[node].engine {
            engine.handle(outside, input);
            self.perform(node);
        }
    }

    pub(crate) fn perform(&mut self, node: usize) {
        let poll = |world: &mut Self| world.nodes[node].engine.as_mut()?.poll_effect();
        while let Some(effect) = poll(self) {
            self.carry_out(node, effect);
        }
    }

    /// Dials along an edge.
    pub(crate) fn dial(&mut self, edge: usize, direction: Direction, once: bool) {
        let (dialer, listener) = self.plan.edges[edge];
        if self.nodes[dialer].engine.is_none() || self.nodes[listener].engine.is_none() {
            return;
        }
        let connection = self.connections.len();
        let mut ends = Vec::new();
        for (side, node) in [dialer, listener].into_iter().enumerate() {
            let link = LinkId(self.id());
            self.links.insert(link, (connection, side));
            ends.push(End::new(node, self.nodes[node].opening, link));
        }
        let ends: [End; 2] = ends.try_into().unwrap();
        let link = ends[0].link;
        let both = direction.push && direction.pull;
        self.connections.push(Connection {
            ends,
            edge,
            cut: false,
            once,
            both,
        });
        self.connections[connection].ends[0].open = true;
        let batch_events = *self.random.pick(&[1, 3, 512]);
        let address = Some(format!("node-{listener}")).filter(|_| self.random.chance(80));
        let options = LinkOptions {
            direction,
            batch_events,
            once,
            address,
        };
        self.after(1, Happening::Accept { connection });
        let (ends, from) = (&mut self.connections[connection].ends, self.now + 2);
        ends[1].busy_until = from;
        self.drive(
            dialer,
            Input::LinkOpened {
                link,
                role: Role::Dialer,
                options,
            },
        );
    }

    fn accept(&mut self, connection: usize) {
        let end = self.connections[connection].ends[1].clone();
        let node = &self.nodes[end.node];
        if node.engine.is_none() || node.opening != end.opening {
            self.cut(connection, 0);
            return;
        }
        if self.connections[connection].cut {
            return;
        }
        self.connections[connection].ends[1].open = true;
        let direction = Direction {
            push: true,
            pull: true,
        };
        let options = LinkOptions {
            direction,
            batch_events: 64,
            once: false,
            address: None,
        };
        let (link, role) = (end.link, Role::Listener);
        self.drive(
            end.node,
            Input::LinkOpened {
                link,
                role,
                options,
            },
        );
    }

    /// A connection breaks; an end may learn of it soon, or by silence.
    pub(crate) fn cut(&mut self, connection: usize, to: usize) {
        self.connections[connection].cut = true;
        self.tally.cuts += 1;
        if self.healed || self.random.chance(70) {
            let delay = self.random.between(1, 200);
            self.after(
                delay,
                Happening::Closed {
                    connection,
                    to,
                    code: None,
                },
            );
        }
    }

    /// When the next thing happens: something under way, or somebody's deadline.
    fn next(&self) -> (Option<u64>, Option<(u64, usize)>) {
        let queued = self.queue.peek().map(|Reverse((time, _))| *time);
        let deadlines = self.nodes.iter().enumerate();
        let deadlines =
            deadlines.filter_map(|(at, node)| Some((node.engine.as_ref()?.deadline()?, at)));
        (queued, deadlines.min())
    }

    /// Lets the next thing happen, if that is not after `until`.
    pub(crate) fn step(&mut self, until: u64) -> bool {
        let (queued, due) = self.next();
        if let Some((time, node)) = due
            && time <= until
            && queued.is_none_or(|queued| time < queued)
        {
            self.now = self.now.max(time);
            self.drive(node, Input::Tick);
        } else if let Some(time) = queued
            && time <= until
            && let Some(Reverse((_, id))) = self.queue.pop()
        {
            self.now = self.now.max(time);
            let happening = self.under_way.remove(&id).unwrap();
            self.happen(happening);
        } else {
            return false;
        }
        self.tally.steps += 1;
        assert!(self.tally.steps < STEPS, "no end in sight");
        true
    }

    /// Whether nothing is under way, deadlines aside.
    pub(crate) fn is_quiet(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn run_until(&mut self, time: u64) {
        while self.step(time) {}
        self.now = time;
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Apply { node, opening } => self.apply(node, opening),
            Happening::Answer {
                node,
                opening,
                mut input,
            } => {
                if self.nodes[node].opening == opening {
                    let input = input.fill(&self.nodes[node]);
                    self.drive(node, input);
                }
            }
            Happening::Frame {
                connection,
                to,
                frame,
            } => {
                let Connection { ends, cut, .. } = &self.connections[connection];
                let end = ends[to].clone();
                if !*cut && end.open && self.nodes[end.node].opening == end.opening {
                    self.connections[connection].arrives(to, &frame);
                    self.drive(
                        end.node,
                        Input::LinkFrame {
                            link: end.link,
                            frame,
                        },
                    );
                }
            }
            Happening::Accept { connection } => self.accept(connection),
            Happening::Closed {
                connection,
                to,
                code,
            } => {
                let end = self.connections[connection].ends[to].clone();
                self.connections[connection].ends[to].open = false;
                if end.open && self.nodes[end.node].opening == end.opening {
                    let (link, reason) = (end.link, String::from("gone"));
                    self.drive(end.node, Input::LinkClosed { link, code, reason });
                }
            }
            Happening::Reopen { node } => self.reopen(node),
        }
    }

    fn apply(&mut self, node: usize, opening: u64) {
        let at = &mut self.nodes[node];
        if at.opening != opening {
            return;
        }
        let Some(group) = at.writing.take() else {
            return;
        };
        let fails = std::mem::take(&mut at.fail_next) && !self.healed;
        if !fails || self.random.chance(50) {
            at.disk.append(&group, &at.registry);
        }
        at.failed |= fails;
        if fails {
            self.tally.failures += 1;
        }
        let delay = self.store_delay();
        let input = Later(move |_: &Node| {
            if fails {
                Input::WriteFailed {
                    reason: "no space left".into(),
                }
            } else {
                Input::Written
            }
        });
        let input = Box::new(input);
        self.after(
            delay,
            Happening::Answer {
                node,
                opening,
                input,
            },
        );
    }

    /// Events of every replica, with those that another one replaces.
    pub(crate) fn everything(&self) -> (BTreeSet<EventId>, BTreeSet<EventId>) {
        let mut all = BTreeSet::new();
        let mut replaced = BTreeSet::new();
        for node in &self.nodes {
            for id in node.disk.ids() {
                all.insert(id);
                replaced.extend(node.disk.event(id).and_then(crate::event::Event::replaces));
            }
        }
        (all, replaced)
    }
}
