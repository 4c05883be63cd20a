//! The world: replicas, their disks and connections, and one queue of everything that is under way.
//!
//! It lets things happen one after the other, in the order of simulated time, and carries out what
//! the engines want. It knows nothing of right and wrong: that is for the checks.

mod effects;
pub(crate) mod node;
mod processes;
mod queue;
mod reading;

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

pub(crate) use self::queue::Happening;
use self::queue::Waiting;
use super::cast::Cast;
use super::clocks::Clock;
use super::draws::Draws;
use super::faults::{Fault, FaultCounts};
use super::network::{Blockades, Connection, LastBatch};
use super::plan::{Plan, WHOLE, Wild};
use super::trace::Trace;
use super::users::strangers;
use crate::engine::LinkId;
use crate::event::{Commit, Event, EventId};
use crate::log::EntryKind;
use crate::resolver::Registry;
use node::Node;

/// What a run saw, beside faults, for those who ask whether a seed did anything.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) records: u64,
    pub(crate) rejected: u64,
    pub(crate) refused: u64,
    pub(crate) restores: u64,
    pub(crate) folds: u64,
    pub(crate) reloads: u64,
    pub(crate) sent_events: u64,
    pub(crate) summaries: u64,
    pub(crate) parts: u64,
    pub(crate) steps: u64,
}

pub(crate) struct World {
    pub(crate) cast: Arc<Cast>,
    pub(crate) plan: Plan,
    pub(crate) draws: Draws,
    pub(crate) now: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) connections: Vec<Connection>,
    /// Connections that somebody may take for open.
    pub(crate) live: Vec<usize>,
    pub(crate) links: BTreeMap<LinkId, (usize, usize)>,
    pub(crate) blockades: Blockades,
    pub(crate) last_batch: LastBatch,
    queue: BinaryHeap<Waiting>,
    ids: u64,
    /// No more faults: everything is quick and reliable.
    pub(crate) healed: bool,
    /// A clone may have written before it had met anybody.
    pub(crate) has_forked: bool,
    /// Some replica has told of a fork.
    pub(crate) fork_is_listed: bool,
    pub(crate) strangers: Vec<Commit>,
    /// Local writes by their numbers: who was told that they are durable.
    pub(crate) durable: BTreeMap<u64, usize>,
    /// Local writes by their numbers: who wrote them, in which opening of the store.
    pub(crate) writers: BTreeMap<u64, (usize, u64)>,
    pub(crate) operations: u64,
    pub(crate) tally: Tally,
    pub(crate) counts: FaultCounts,
    pub(crate) trace: Trace,
}

/// How far the clock of a tame replica may be off, in milliseconds; five of these are less than what
/// peers allow.
const TAME: u64 = 10_000;

impl World {
    pub(crate) fn new(cast: Arc<Cast>, seed: u64, is_traced: bool) -> Self {
        let mut draws = Draws::new(seed);
        let plan = Plan::random(&mut draws);
        Self::with(cast, plan, draws, is_traced)
    }

    /// A world without chance in its plan.
    pub(crate) fn with(cast: Arc<Cast>, plan: Plan, mut draws: Draws, is_traced: bool) -> Self {
        let nodes = (0..plan.nodes).map(|number| Node::drawn(number, &cast, &plan, &mut draws));
        let nodes: Vec<Node> = nodes.collect();
        let strangers = if plan.strangers {
            strangers::commits(&cast, &plan, node::START, &mut draws)
        } else {
            Vec::new()
        };
        let mut world = Self {
            cast,
            // A clone may come up beside them.
            blockades: Blockades::new(plan.nodes + 1),
            plan,
            draws,
            now: 1_000,
            nodes,
            connections: Vec::new(),
            live: Vec::new(),
            links: BTreeMap::new(),
            last_batch: LastBatch::default(),
            queue: BinaryHeap::new(),
            ids: 0,
            healed: false,
            has_forked: false,
            fork_is_listed: false,
            strangers,
            durable: BTreeMap::new(),
            writers: BTreeMap::new(),
            operations: 0,
            tally: Tally::default(),
            counts: FaultCounts::default(),
            trace: Trace::new(is_traced),
        };
        let plan = world.plan.clone();
        world.trace.say(0, || format!("{plan:?}"));
        for node in 0..world.nodes.len() {
            let off = world.nodes[node].clock.wall_ms(0).abs_diff(node::START);
            world.count_if(off > 1_000, Fault::ClockSkew);
            world.open(node);
        }
        world
    }

    /// Chaos, then peace, then everything must be equal.
    pub(crate) fn live(&mut self) {
        for operation in 0..self.plan.operations {
            self.operate();
            self.operations += 1;
            if operation % 32 == 0 {
                self.check_bounds();
            }
            // What is costly, in turn.
            match operation % 64 {
                0 => self.check_agreement(),
                32 => self.check_claims(),
                _ => {}
            }
        }
        self.heal();
        self.check_all();
    }

    pub(crate) fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    pub(crate) fn note(&mut self, what: &'static str, which: u64, bytes: &[u8]) {
        self.trace.line(self.now, what, which, bytes);
    }

    /// Whether a fault strikes where it can.
    pub(crate) fn strikes(&mut self, fault: Fault) -> bool {
        let rate = self.plan.rate(fault);
        rate > 0 && !self.healed && self.draws.below(WHOLE) < rate
    }

    /// A fault has taken effect.
    pub(crate) fn count(&mut self, fault: Fault) {
        self.counts.count(fault);
        self.trace.say(self.now, || fault.name().to_uppercase());
    }

    pub(crate) fn count_if(&mut self, struck: bool, fault: Fault) {
        if struck {
            self.count(fault);
        }
    }

    /// Whether a replica runs and is not paused.
    pub(crate) fn is_up(&self, node: usize) -> bool {
        self.nodes[node].engine.is_some() && !self.nodes[node].paused
    }

    /// Ready events, in the order of a replica's log.
    pub(crate) fn ready(&self, node: usize) -> impl Iterator<Item = &Event> {
        let entries = self.nodes[node].disk.entries.iter();
        let ready = entries.filter(|entry| entry.kind != EntryKind::Waiting);
        ready.flat_map(|entry| entry.commit.events())
    }

    /// Events of every replica, with those that another one replaces.
    pub(crate) fn everything(&self) -> (BTreeSet<EventId>, BTreeSet<EventId>) {
        let mut all = BTreeSet::new();
        let mut replaced = BTreeSet::new();
        for node in &self.nodes {
            for id in node.disk.ids() {
                if all.insert(id) {
                    replaced.extend(node.disk.event(id).and_then(Event::replaces));
                }
            }
        }
        (all, replaced)
    }
}

impl Node {
    fn drawn(number: usize, cast: &Cast, plan: &Plan, draws: &mut Draws) -> Self {
        let has_rules = plan.plain != Some(number);
        let registry = if has_rules {
            cast.registry.clone()
        } else {
            Registry::new()
        };
        let skewed = plan.rate(Fault::ClockSkew) > 0;
        let small = if skewed {
            draws.below(2 * TAME) as i64 - TAME as i64
        } else {
            0
        };
        let far = plan.wild == Wild::One(number) || draws.chance(70);
        let clock = match (plan.is_wild(number), far) {
            (true, true) => Clock::new(3_600_000, 0),
            (true, false) => Clock::new(small, 0),
            _ => Clock::new(small, TAME),
        };
        let mut node = Self::new(number, registry, plan.cache_bytes, clock);
        if plan.founders {
            node.lineage = number as u128 + 1;
        }
        node
    }
}
