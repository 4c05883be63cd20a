//! Engines in one thread, from seeds: live connections, time by hand, frames that are slow.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use anabranch::clock::Now;
use anabranch::engine::{
    Birth, Divergence, Effect, Engine, Finding, Input, LinkId, LinkOptions, Outside, Ticket,
};
use anabranch::event::{AggregateId, Digest, Draft};
use anabranch::limits::{BATCH_EVENTS_MAX, CACHE_BYTES, DIGESTS_MS, DIGESTS_WAIT_MS};
use anabranch::log::{Durability, Epoch};
use anabranch::merge::{Shortcut, Shortcuts, Unguarded};
use anabranch::protocol::{CloseCode, Direction, Lineage, Message, Role, decode_frame};
use anabranch::resolver::{FieldEdit, FieldMerge, Registry};
use anabranch::store::{self, EventStore, MemoryStore};
use bytes::Bytes;
use futures::FutureExt;

use crate::rules::{false_claim, hash_set, small_footprint};
use crate::spared::Random;

/// Milliseconds since 1970 when the world begins.
const START: u64 = 1_700_000_000_000;
const BOTH: Direction = Direction {
    push: true,
    pull: true,
};

/// What a store in memory answers it answers at once.
fn block_on<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().unwrap()
}

fn is_about_states(frame: &[u8]) -> bool {
    let frame = Bytes::copy_from_slice(frame);
    matches!(decode_frame(&frame), Ok(Message::Digests(_)))
}

struct Node {
    engine: Engine,
    store: MemoryStore,
    found: Vec<Divergence>,
    /// How connections ended, and when.
    ended: Vec<(CloseCode, u64)>,
}

struct World {
    random: Random,
    nodes: Vec<Node>,
    registry: fn() -> Registry,
    now: u64,
    tickets: u64,
    /// By node and link: where its frames go.
    wires: BTreeMap<(usize, LinkId), (usize, LinkId)>,
    /// Nobody ever answers what states are.
    silent: bool,
    /// Messages that told of states.
    told: usize,
    /// Which way events flow, as dialers want it.
    direction: Direction,
    /// Inputs under way, in order for each node.
    under_way: Vec<VecDeque<Input>>,
}

impl World {
    fn new(seed: u64, count: usize, registry: fn() -> Registry, cache_bytes: usize) -> Self {
        let mut world = Self {
            random: Random(seed),
            nodes: Vec::new(),
            registry,
            now: 0,
            tickets: 0,
            wires: BTreeMap::new(),
            silent: false,
            told: 0,
            direction: BOTH,
            under_way: Vec::new(),
        };
        for number in 0..count {
            let node = world.open(number, MemoryStore::new(), cache_bytes);
            world.nodes.push(node);
            world.under_way.push(VecDeque::new());
        }
        world
    }

    fn outside(&mut self, number: usize) -> Outside {
        let ahead = u64::try_from(number).unwrap() * 10;
        Outside {
            now: Now {
                wall_ms: START + self.now + ahead,
                mono_ms: self.now,
            },
            entropy: self.random.next(),
        }
    }

    fn open(&mut self, number: usize, store: MemoryStore, cache_bytes: usize) -> Node {
        let epoch = Epoch::from_bits(self.random.next());
        let opening = block_on(store.begin(epoch)).unwrap();
        let birth = Birth {
            epoch,
            device: u64::try_from(number).unwrap() + 1,
            incarnation: self.random.next(),
            lineage: Lineage::from_bits(7),
        };
        let guard = Arc::new(Unguarded);
        let registry = (self.registry)();
        let outside = self.outside(number);
        Node {
            engine: Engine::open(opening, &birth, registry, guard, cache_bytes, outside),
            store,
            found: Vec::new(),
            ended: Vec::new(),
        }
    }

    fn give(&mut self, number: usize, input: Input) {
        let outside = self.outside(number);
        self.nodes[number].engine.handle(outside, input);
        self.carry_out(number);
        let due = self.nodes[number].engine.deadline();
        if due.is_some_and(|due| due <= self.now) {
            let outside = self.outside(number);
            self.nodes[number].engine.handle(outside, Input::Tick);
            self.carry_out(number);
        }
    }

    fn carry_out(&mut self, number: usize) {
        while let Some(effect) = self.nodes[number].engine.poll_effect() {
            match effect {
                Effect::CloseLink { code, .. } => {
                    self.nodes[number].ended.push((code, self.now));
                }
                Effect::Send { frame, .. } if self.silent && is_about_states(&frame) => {}
                Effect::Send { link, frame } => {
                    self.told += usize::from(is_about_states(&frame));
                    let (to, link) = self.wires[&(number, link)];
                    self.under_way[to].push_back(Input::LinkFrame { link, frame });
                }
                Effect::Diverged(found) => self.nodes[number].found.push(*found),
                ask => {
                    // The store of each is as slow as the network.
                    let answer = block_on(store::answer(&self.nodes[number].store, ask));
                    self.under_way[number].extend(answer);
                }
            }
        }
    }

    fn connect(&mut self, dialer: usize, listener: usize, once: bool) {
        self.tickets += 2;
        let (near, far) = (LinkId(self.tickets), LinkId(self.tickets + 1));
        self.wires.insert((dialer, near), (listener, far));
        self.wires.insert((listener, far), (dialer, near));
        for (number, link, role) in [
            (listener, far, Role::Listener),
            (dialer, near, Role::Dialer),
        ] {
            let options = LinkOptions {
                direction: match role {
                    Role::Dialer => self.direction,
                    Role::Listener => BOTH,
                },
                batch_events: BATCH_EVENTS_MAX,
                once: once && role == Role::Dialer,
                address: None,
            };
            self.give(
                number,
                Input::LinkOpened {
                    link,
                    role,
                    options,
                },
            );
        }
    }

    /// Something that is under way happens, to whomever.
    fn step(&mut self) -> bool {
        let busy = (0..self.nodes.len()).filter(|node| !self.under_way[*node].is_empty());
        let busy: Vec<usize> = busy.collect();
        if busy.is_empty() {
            return false;
        }
        let number = busy[self.random.below(busy.len())];
        let input = self.under_way[number].pop_front().unwrap();
        self.give(number, input);
        true
    }

    /// Lets time pass, and everything happen that is under way.
    fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        for _ in 0..100_000 {
            if self.step() {
                continue;
            }
            let due = self.nodes.iter().filter_map(|node| node.engine.deadline());
            let due = due.min().filter(|due| *due <= end);
            let Some(due) = due else {
                self.now = end;
                return;
            };
            self.now = due.max(self.now);
            for number in 0..self.nodes.len() {
                self.give(number, Input::Tick);
            }
        }
        panic!("no end in sight");
    }

    fn write(&mut self, number: usize, draft: Draft) {
        self.tickets += 2;
        let input = Input::Record {
            ticket: Ticket(self.tickets),
            drafts: vec![draft],
            bases: Vec::new(),
            durability: Durability::Durable,
        };
        self.give(number, input);
    }

    fn digest(&mut self, number: usize, aggregate: &AggregateId) -> Digest {
        self.tickets += 2;
        for _ in 0..10 {
            if let Some(timeline) = self.nodes[number].engine.timeline(aggregate) {
                return timeline.digest().unwrap();
            }
            let input = Input::Load {
                ticket: Ticket(self.tickets),
                aggregate: aggregate.clone(),
                whole: false,
            };
            self.give(number, input);
            self.pass(1);
        }
        panic!("{aggregate} does not stay in memory");
    }

    /// Random writes by everybody, some while apart, until all have the same events.
    fn live(&mut self, draft: impl Fn(&mut Random) -> Draft) {
        for number in 1..self.nodes.len() {
            self.connect(number, 0, false);
        }
        self.pass(3_000);
        for _ in 0..60 {
            let number = self.random.below(self.nodes.len());
            let draft = draft(&mut self.random);
            self.write(number, draft);
            for _ in 0..self.random.below(8) {
                self.step();
            }
            if self.random.below(10) == 0 {
                let ms = self.random.next() % 2_500;
                self.pass(ms);
            }
        }
        self.pass(5_000);
    }
}

fn lists(rule: fn() -> Registry, seed: u64, cache_bytes: usize) -> World {
    let mut world = World::new(seed, 4, rule, cache_bytes);
    world.live(|random| {
        let name = format!("list/{}", random.below(3));
        let text = ["a", "b", "c", "d", "e", "f", "g"][random.below(7)];
        Draft::new(name, "tried", text).unwrap()
    });
    world
}

fn all_equal(world: &mut World) {
    for name in ["list/0", "list/1", "list/2"] {
        let name = AggregateId::new(name).unwrap();
        let first = world.digest(0, &name);
        for number in 1..world.nodes.len() {
            assert_eq!(world.digest(number, &name), first, "{name} on {number}");
        }
    }
}

#[test]
fn a_false_shortcut_is_healed_everywhere_before_long_in_any_seed() {
    let footprint: fn() -> Registry = || Registry::new().with_default(small_footprint());
    let claim: fn() -> Registry = || Registry::new().with_default(false_claim());
    let mut seen = BTreeMap::new();
    for seed in 0..40 {
        let cache_bytes = if seed % 2 == 0 { CACHE_BYTES } else { 3_000 };
        for (rule, shortcut) in [(footprint, Shortcut::Footprint), (claim, Shortcut::Claim)] {
            let mut world = lists(rule, seed, cache_bytes);
            all_equal(&mut world);
            // Where nobody folded before a late event came, there was nothing to find.
            let mut found = world.nodes.iter().flat_map(|node| &node.found);
            let expected = Finding::FalseShortcut(Shortcuts::from(shortcut));
            if found.any(|found| found.finding == expected) {
                *seen.entry(shortcut).or_insert(0) += 1;
            }
            // Whoever was told something else by a peer has heard that it healed.
            for node in &world.nodes {
                let (health, _) = node.engine.health();
                let open = health.divergences.iter().find(|found| !found.is_healed);
                assert_eq!(open, None, "seed {seed}, {shortcut}");
            }
        }
    }
    assert!(
        seen.len() == 2 && seen.values().all(|seeds| *seeds >= 10),
        "{seen:?}"
    );
}

#[test]
fn chance_is_told_from_everything_else_in_any_seed() {
    let rule = || Registry::new().with_default(hash_set());
    for seed in 0..20 {
        let world = lists(rule, seed, CACHE_BYTES);
        let found: Vec<_> = world.nodes.iter().flat_map(|node| &node.found).collect();
        assert!(!found.is_empty(), "seed {seed}");
        for found in found {
            assert_eq!(
                found.finding,
                Finding::NotDeterministic,
                "seed {seed}: {found}"
            );
        }
    }
}

#[test]
fn a_sound_rule_is_compared_again_and_again_and_never_accused() {
    let rule = || Registry::new().with_default(FieldMerge);
    let mut comparisons = 0;
    for seed in 0..40 {
        let cache_bytes = if seed % 2 == 0 { CACHE_BYTES } else { 1 };
        let mut world = World::new(seed, 4, rule, cache_bytes);
        world.live(|random| {
            let name = format!("list/{}", random.below(3));
            let field = ["a", "b", "c"][random.below(3)];
            let edit = match random.below(4) {
                0 => FieldEdit::new().remove([field]),
                _ => FieldEdit::new()
                    .set([field, "x"], &random.below(3))
                    .unwrap(),
            };
            Draft::new(name, "tried", &edit).unwrap()
        });
        all_equal(&mut world);
        for node in &world.nodes {
            assert!(node.found.is_empty(), "seed {seed}: {:?}", node.found);
            let (health, _) = node.engine.health();
            comparisons += health.comparisons;
        }
    }
    assert!(comparisons > 1_000, "{comparisons}");
}

#[test]
fn what_a_seed_finds_it_finds_again() {
    let rule = || Registry::new().with_default(small_footprint());
    let found = |_| {
        let world = lists(rule, 7, 3_000);
        let found = world.nodes.into_iter().map(|node| node.found);
        found.collect::<Vec<_>>()
    };
    let [one, other] = [0, 1].map(found);
    assert_eq!(one, other);
}

#[test]
fn whoever_only_receives_tells_what_moved_all_the_same() {
    let rule: fn() -> Registry = || Registry::new().with_default(FieldMerge);
    let pull = Direction {
        push: false,
        pull: true,
    };
    for direction in [BOTH, pull] {
        let mut world = World::new(3, 2, rule, CACHE_BYTES);
        world.direction = direction;
        world.connect(0, 1, false);
        world.pass(3_000);
        for write in 0..3 {
            let told = world.told;
            let edit = FieldEdit::new().set(["a"], &write).unwrap();
            world.write(0, Draft::new("list/0", "tried", &edit).unwrap());
            world.pass(DIGESTS_MS + 10);
            assert!(world.told > told, "write {write}, {direction:?}");
        }
    }
}

#[test]
fn a_sync_ends_though_the_peer_never_says_what_states_are_there() {
    let rule: fn() -> Registry = || Registry::new().with_default(FieldMerge);
    for silent in [false, true] {
        let mut world = World::new(3, 2, rule, CACHE_BYTES);
        world.silent = silent;
        let edit = FieldEdit::new().set(["a"], &1).unwrap();
        world.write(0, Draft::new("list/0", "tried", &edit).unwrap());
        world.pass(10);
        let began = world.now;
        world.connect(0, 1, true);
        world.pass(10_000);
        let [(code, ended)] = world.nodes[0].ended[..] else {
            panic!("{:?}", world.nodes[0].ended);
        };
        assert_eq!(code, CloseCode::DONE);
        let waited = if silent { DIGESTS_WAIT_MS } else { 0 };
        assert_eq!(ended - began, waited);
    }
}
