use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

const TEN_YEARS_MS: u64 = 10 * 365 * 24 * 3_600_000;
const DAY_MS: u64 = 24 * 3_600_000;
/// Some time in 2026.
const NOW_MS: u64 = 1_790_000_000_000;
/// The last stamp that a clock may make by itself.
const LAST_NEAR: Timestamp = Timestamp::from_bits((TIMESTAMP_FAR_MS << 16) - 1);

fn at(millis: u64, logic: u64) -> Timestamp {
    Timestamp::from_bits((millis << 16) | logic)
}

#[test]
fn a_rising_reading_gives_its_millisecond_and_no_logic() {
    let mut clock = HybridClock::new();
    assert_eq!(clock.tick(5, None), Ok(at(5, 0)));
    assert_eq!(clock.tick(9, None), Ok(at(9, 0)));
}

#[test]
fn a_reading_that_stands_still_or_falls_advances_the_logic() {
    let mut clock = HybridClock::new();
    assert_eq!(clock.tick(NOW_MS, None), Ok(at(NOW_MS, 0)));
    assert_eq!(clock.tick(NOW_MS, None), Ok(at(NOW_MS, 1)));
    assert_eq!(clock.tick(NOW_MS - DAY_MS, None), Ok(at(NOW_MS, 2)));
    assert_eq!(clock.ahead_ms(NOW_MS - DAY_MS), DAY_MS);
    assert_eq!(clock.tick(0, None), Ok(at(NOW_MS, 3)));
    assert_eq!(clock.tick(NOW_MS + 1, None), Ok(at(NOW_MS + 1, 0)));
    assert_eq!(clock.ahead_ms(NOW_MS + 2), 0);
}

#[test]
fn logic_that_overflows_carries_into_the_milliseconds() {
    let mut clock = HybridClock::resume(at(NOW_MS, 0xffff));
    assert_eq!(clock.tick(NOW_MS, None), Ok(at(NOW_MS + 1, 0)));
    assert_eq!(clock.tick(NOW_MS + 1, None), Ok(at(NOW_MS + 1, 1)));
}

#[test]
fn a_stamp_follows_what_was_observed() {
    let mut clock = HybridClock::new();
    assert_eq!(
        clock.observe(NOW_MS, at(NOW_MS + 500, 7)),
        Adoption::Adopted
    );
    assert_eq!(clock.tick(NOW_MS, None), Ok(at(NOW_MS + 500, 8)));
    assert_eq!(clock.observe(NOW_MS, at(NOW_MS + 500, 7)), Adoption::Behind);
    assert_eq!(clock.mark(), at(NOW_MS + 500, 8));
    assert_eq!(clock.observe(NOW_MS, clock.mark()), Adoption::Behind);
}

#[test]
fn drift_is_adopted_up_to_the_bound_and_not_beyond() {
    let bound = NOW_MS + DRIFT_MS_MAX;
    let mut clock = HybridClock::new();
    let beyond = Adoption::Drift {
        ahead_ms: DRIFT_MS_MAX + 1,
        max_ms: DRIFT_MS_MAX,
    };
    assert_eq!(clock.observe(NOW_MS, at(bound + 1, 0)), beyond);
    assert_eq!(clock.mark(), Timestamp::ZERO);
    assert_eq!(clock.observe(NOW_MS, at(bound, 0xffff)), Adoption::Adopted);
}

#[test]
fn a_wild_past_lifts_the_stamp_but_not_the_clock() {
    let wild = at(NOW_MS + TEN_YEARS_MS, 3);
    let mut clock = HybridClock::new();
    assert_eq!(
        clock.tick(NOW_MS, Some(wild)),
        Ok(at(NOW_MS + TEN_YEARS_MS, 4))
    );
    assert_eq!(
        clock.tick(NOW_MS, None),
        Ok(at(NOW_MS, 1)),
        "another aggregate is not spoiled"
    );
    assert_eq!(
        clock.tick(NOW_MS, Some(wild)),
        Ok(at(NOW_MS + TEN_YEARS_MS, 4))
    );
    assert_eq!(clock.mark(), at(NOW_MS, 2));
}

#[test]
fn a_past_within_the_drift_bound_takes_the_clock_along() {
    let mut clock = HybridClock::new();
    let floor = at(NOW_MS + DRIFT_MS_MAX, 9);
    assert_eq!(
        clock.tick(NOW_MS, Some(floor)),
        Ok(at(NOW_MS + DRIFT_MS_MAX, 10))
    );
    assert_eq!(clock.tick(NOW_MS, None), Ok(at(NOW_MS + DRIFT_MS_MAX, 11)));
}

#[test]
fn a_restart_goes_on_above_the_mark_even_if_the_wall_clock_was_set_back() {
    let mut clock = HybridClock::new();
    clock.observe(NOW_MS, at(NOW_MS + 1_000, 0));
    let last = clock.tick(NOW_MS, None).unwrap();
    let mut restarted = HybridClock::resume(clock.mark());
    assert!(restarted.tick(NOW_MS - TEN_YEARS_MS, None).unwrap() > last);
}

#[test]
fn after_a_jump_of_ten_years_the_incarnation_stays_there_and_a_new_one_starts_clean() {
    let mut clock = HybridClock::new();
    clock.tick(NOW_MS, None).unwrap();
    let spoiled = clock.tick(NOW_MS + TEN_YEARS_MS, None).unwrap();
    let after = clock.tick(NOW_MS + 1, None).unwrap();
    assert!(after > spoiled, "stamps rise whatever the wall clock does");
    assert_eq!(clock.ahead_ms(NOW_MS + 1), TEN_YEARS_MS - 1);

    let skew = TEN_YEARS_MS - 1;
    assert_eq!(
        first_hop_skew(after, NOW_MS + 1, None),
        Some(skew),
        "and the first hop refuses"
    );
    let drift = Adoption::Drift {
        ahead_ms: skew,
        max_ms: DRIFT_MS_MAX,
    };
    assert_eq!(HybridClock::new().observe(NOW_MS + 1, after), drift);
    assert_eq!(
        HybridClock::new().tick(NOW_MS + 1, None),
        Ok(at(NOW_MS + 1, 0))
    );
}

#[test]
fn the_first_hop_refuses_only_what_neither_the_clock_nor_the_past_explains() {
    let bound = NOW_MS + DRIFT_MS_MAX;
    assert_eq!(first_hop_skew(at(bound, 0xffff), NOW_MS, None), None);
    assert_eq!(
        first_hop_skew(at(bound + 1, 0), NOW_MS, None),
        Some(DRIFT_MS_MAX + 1)
    );
    let past = at(NOW_MS + TEN_YEARS_MS, 5);
    assert_eq!(
        first_hop_skew(at(NOW_MS + TEN_YEARS_MS, 6), NOW_MS, Some(past)),
        None
    );
    let skew = first_hop_skew(at(NOW_MS + TEN_YEARS_MS, 7), NOW_MS, Some(past));
    assert_eq!(skew, Some(TEN_YEARS_MS));
    assert_eq!(first_hop_skew(Timestamp::MAX, u64::MAX, None), None);
    assert_eq!(
        first_hop_skew(at(0, 1), u64::MAX, Some(Timestamp::MAX)),
        None
    );
}

#[test]
fn a_reading_beyond_2_to_the_47_milliseconds_counts_as_none() {
    for reading in [TIMESTAMP_FAR_MS, 1 << 48, u64::MAX] {
        let mut clock = HybridClock::resume(at(NOW_MS, 0));
        assert_eq!(clock.tick(reading, None), Ok(at(NOW_MS, 1)));
        assert_eq!(clock.tick(reading, Some(at(NOW_MS, 8))), Ok(at(NOW_MS, 9)));
    }
    let mut clock = HybridClock::new();
    assert_eq!(
        clock.tick(TIMESTAMP_FAR_MS - 1, None),
        Ok(at(TIMESTAMP_FAR_MS - 1, 0))
    );
}

#[test]
fn in_the_far_range_a_stamp_is_exactly_one_above_the_past() {
    let far = at(TIMESTAMP_FAR_MS + 77, 5);
    let mut clock = HybridClock::new();
    for reading in [NOW_MS, TIMESTAMP_FAR_MS + 1_000, u64::MAX] {
        assert_eq!(
            clock.tick(reading, Some(far)),
            Ok(at(TIMESTAMP_FAR_MS + 77, 6))
        );
        assert!(matches!(
            clock.observe(reading, far),
            Adoption::Drift { .. }
        ));
        assert!(!clock.mark().is_far());
    }
    // The edge: one above the last near stamp is the first far one, and still exact.
    assert_eq!(
        clock.tick(NOW_MS, Some(LAST_NEAR)),
        Ok(at(TIMESTAMP_FAR_MS, 0))
    );
}

#[test]
fn a_clock_at_its_end_still_follows_a_past_and_otherwise_says_so() {
    let mut clock = HybridClock::resume(LAST_NEAR);
    let exhausted = Err(ClockError::Exhausted { mark: LAST_NEAR });
    assert_eq!(clock.tick(NOW_MS, None), exhausted);
    assert_eq!(clock.tick(NOW_MS, Some(at(NOW_MS, 0))), Ok(at(NOW_MS, 1)));
    assert_eq!(
        clock.tick(NOW_MS, Some(LAST_NEAR)),
        Ok(at(TIMESTAMP_FAR_MS, 0))
    );
    assert_eq!(clock.tick(NOW_MS, Some(Timestamp::MAX)), exhausted);
    assert_eq!(clock.mark(), LAST_NEAR);

    let mut fresh = HybridClock::new();
    assert!(
        fresh.tick(NOW_MS, Some(Timestamp::MAX)).is_err(),
        "nothing follows the last stamp"
    );
    assert_eq!(fresh, HybridClock::new());

    let mut corrupt = HybridClock::resume(Timestamp::MAX);
    assert_eq!(
        corrupt.tick(NOW_MS, None),
        Err(ClockError::Exhausted {
            mark: Timestamp::MAX
        })
    );
}

/// The paper's clock as it stands there, two numbers and their cases, with the two rules that this
/// crate adds: remote stamps and pasts count up to the drift bound only, and a past lifts one stamp.
#[derive(Clone, Copy, Default)]
struct PaperClock {
    l: u64,
    c: u64,
}

impl PaperClock {
    fn tick(&mut self, now: u64, floor: Option<(u64, u64)>) -> (u64, u64) {
        let before = self.l;
        self.l = before.max(now);
        self.c = if self.l == before { self.c + 1 } else { 0 };
        if self.c == 65_536 {
            (self.l, self.c) = (self.l + 1, 0);
        }
        let mut stamp = (self.l, self.c);
        if let Some((l, c)) = floor {
            let above = if c == 65_535 { (l + 1, 0) } else { (l, c + 1) };
            if above > stamp {
                stamp = above;
                if above.0 <= now + 60_000 {
                    (self.l, self.c) = above;
                }
            }
        }
        stamp
    }

    fn receive(&mut self, now: u64, (l, c): (u64, u64)) {
        if l <= now + 60_000 && (l, c) > (self.l, self.c) {
            (self.l, self.c) = (l, c);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// A node writes to an aggregate.
    Write { node: usize, aggregate: usize },
    /// A node learns everything that another one knows.
    Learn { to: usize, from: usize },
    /// Time passes for a node, or is set.
    Turn { node: usize, to: Turn },
    /// A node restarts from its mark.
    Restart { node: usize },
    /// A node's logic comes close to its end within the millisecond.
    Hurry { node: usize },
}

#[derive(Clone, Copy, Debug)]
enum Turn {
    Forward(u64),
    Back(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let node = || 0..5usize;
    let jumps = prop_oneof![
        8 => (0..3u64).prop_map(Turn::Forward),
        2 => (0..90_000u64).prop_map(Turn::Forward),
        2 => (0..90_000u64).prop_map(Turn::Back),
        1 => Just(Turn::Forward(TEN_YEARS_MS)),
        1 => Just(Turn::Back(TEN_YEARS_MS)),
    ];
    let step = prop_oneof![
        6 => (node(), 0..3usize).prop_map(|(node, aggregate)| Step::Write { node, aggregate }),
        4 => (node(), node()).prop_map(|(to, from)| Step::Learn { to, from }),
        3 => (node(), jumps).prop_map(|(node, to)| Step::Turn { node, to }),
        1 => node().prop_map(|node| Step::Restart { node }),
        1 => node().prop_map(|node| Step::Hurry { node }),
    ];
    prop::collection::vec(step, 1..150)
}

/// One event of the simulation, by its place in the list of all.
struct Written {
    node: usize,
    aggregate: usize,
    stamp: Timestamp,
    /// Which events of its aggregate its writer knew.
    past: Vec<usize>,
}

struct Node {
    clock: HybridClock,
    paper: PaperClock,
    now: u64,
    greatest_now: u64,
    known: BTreeMap<usize, Vec<usize>>,
    /// Stamps that no past had lifted beyond the clock.
    own: Vec<Timestamp>,
}

struct World {
    nodes: Vec<Node>,
    events: Vec<Written>,
}

impl World {
    fn new() -> Self {
        // Skewed from the start: by seconds, by more than the drift bound, by years.
        let skews = [0, 900, 70_000, TEN_YEARS_MS, 2 * TEN_YEARS_MS];
        let nodes = skews.map(|skew| Node {
            clock: HybridClock::new(),
            paper: PaperClock::default(),
            now: NOW_MS + skew,
            greatest_now: NOW_MS + skew,
            known: BTreeMap::new(),
            own: Vec::new(),
        });
        Self {
            nodes: nodes.into(),
            events: vec![],
        }
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Write { node, aggregate } => self.write(node, aggregate)?,
            Step::Learn { to, from } => self.learn(to, from),
            Step::Turn { node, to } => {
                let node = &mut self.nodes[node];
                node.now = match to {
                    Turn::Forward(by) => node.now + by,
                    Turn::Back(by) => node.now.saturating_sub(by),
                };
                node.greatest_now = node.greatest_now.max(node.now);
            }
            Step::Restart { node } => {
                let node = &mut self.nodes[node];
                node.clock = HybridClock::resume(node.clock.mark());
            }
            Step::Hurry { node } => {
                let node = &mut self.nodes[node];
                if node.paper.c < 65_534 && node.clock.mark() > Timestamp::ZERO {
                    node.paper.c = 65_534;
                    node.clock = HybridClock::resume(at(node.clock.mark().millis(), 65_534));
                }
            }
        }
        for node in &self.nodes {
            let mark = node.clock.mark();
            prop_assert_eq!((mark.millis(), mark.logic()), (node.paper.l, node.paper.c));
            // Bounded: ahead of the greatest reading by drift and a carry for every overflow.
            let carries = u64::try_from(self.events.len()).unwrap() + 1;
            prop_assert!(mark.millis() <= node.greatest_now + DRIFT_MS_MAX + carries);
        }
        Ok(())
    }

    fn write(&mut self, index: usize, aggregate: usize) -> Result<(), TestCaseError> {
        let node = &mut self.nodes[index];
        let past = node.known.entry(aggregate).or_default().clone();
        let floor = past.iter().map(|event| self.events[*event].stamp).max();
        let stamp = node.clock.tick(node.now, floor).unwrap();
        let paper = node
            .paper
            .tick(node.now, floor.map(|floor| (floor.millis(), floor.logic())));
        prop_assert_eq!((stamp.millis(), stamp.logic()), paper);
        if floor.is_none_or(|floor| floor.next() != Some(stamp)) {
            node.own.push(stamp);
        }
        node.known
            .entry(aggregate)
            .or_default()
            .push(self.events.len());
        self.events.push(Written {
            node: index,
            aggregate,
            stamp,
            past,
        });
        Ok(())
    }

    fn learn(&mut self, to: usize, from: usize) {
        let known = self.nodes[from].known.clone();
        let node = &mut self.nodes[to];
        for (aggregate, events) in known {
            let mine = node.known.entry(aggregate).or_default();
            for event in events {
                if !mine.contains(&event) {
                    mine.push(event);
                    let stamp = self.events[event].stamp;
                    node.clock.observe(node.now, stamp);
                    node.paper
                        .receive(node.now, (stamp.millis(), stamp.logic()));
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn random_exchanges_with_skewed_and_jumping_clocks_follow_the_paper(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.take(step)?;
        }
        for event in &world.events {
            for before in &event.past {
                let before = &world.events[*before];
                prop_assert_eq!(before.aggregate, event.aggregate);
                prop_assert!(before.stamp < event.stamp, "causality within an aggregate is order");
            }
            prop_assert!(event.node < world.nodes.len());
        }
        for node in &world.nodes {
            prop_assert!(node.own.is_sorted_by(|one, next| one < next), "own stamps rise");
        }
    }

    #[test]
    fn no_input_breaks_the_rules_of_a_valid_stamp(
        mark in any_bits(), now in any_bits(), floor in prop::option::of(any_bits()),
    ) {
        let (mark, floor) = (Timestamp::from_bits(mark), floor.map(Timestamp::from_bits));
        let mut clock = HybridClock::resume(mark);
        if let Ok(stamp) = clock.tick(now, floor) {
            prop_assert!(floor.is_none_or(|floor| stamp > floor));
            let exact = floor.and_then(Timestamp::next) == Some(stamp);
            prop_assert!(exact || (stamp > mark && !stamp.is_far()));
            prop_assert!(clock.mark() >= mark);
        } else {
            prop_assert!(mark >= LAST_NEAR || floor == Some(Timestamp::MAX));
            prop_assert_eq!(clock.mark(), mark);
        }
        let before = clock.mark();
        let adoption = clock.observe(now, Timestamp::from_bits(now.rotate_left(17)));
        prop_assert_eq!(adoption == Adoption::Adopted, clock.mark() > before);
        prop_assert!(clock.mark() >= before);
    }
}

/// Numbers near all the edges, as well as any.
fn any_bits() -> impl Strategy<Value = u64> {
    let edges = prop::sample::select(vec![
        0,
        NOW_MS,
        NOW_MS << 16,
        TIMESTAMP_FAR_MS,
        TIMESTAMP_FAR_MS << 16,
        1 << 48,
        u64::MAX,
    ]);
    prop_oneof![
        any::<u64>(),
        (edges, 0..5u64, any::<bool>()).prop_map(|(edge, by, up)| {
            if up {
                edge.saturating_add(by)
            } else {
                edge.saturating_sub(by)
            }
        }),
    ]
}
