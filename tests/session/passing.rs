//! What is appended and not for the peer, passed over or told like everything else.

use std::sync::Arc;

use anabranch::limits::UNTOLD_ENTRIES_MAX;
use anabranch::protocol::{Direction, Input, Prepared};

use crate::node::Node;
use crate::pair::{BOTH, PULL, PUSH, Pair};

/// Two replicas that are connected. With `passes` they pass what may be passed.
struct Lane {
    nodes: [Node; 2],
    pair: Pair,
    passes: bool,
    passed: usize,
}

impl Lane {
    fn new(directions: [Direction; 2], passes: bool) -> Self {
        let mut nodes = [Node::new(1), Node::new(2)];
        nodes[0].record(2, 10);
        nodes[1].record(5, 10);
        let mut pair = Pair::connect(&nodes, directions);
        pair.passes = passes;
        Self {
            nodes,
            pair,
            passes,
            passed: 0,
        }
    }

    fn append(&mut self, at: usize, prepared: Arc<Prepared>) {
        let end = &mut self.pair.ends[at];
        let entries = prepared.entries().iter().map(|(at, entry)| (*at, entry));
        let is_nothing = !end.session.wants(entries);
        if self.passes && is_nothing && end.session.may_pass(prepared.from(), prepared.next()) {
            end.session.pass(self.pair.now, prepared.next());
            self.passed += 1;
        } else {
            let input = Input::Appended(prepared);
            self.pair.tell(&mut self.nodes, at, input);
        }
    }

    fn step(&mut self, random: u64) {
        let at = usize::from(random & 1 == 1);
        match random >> 61 {
            0 | 1 => {
                let prepared = self.nodes[at].record(1 + (random >> 5) % 2, 10);
                self.append(at, prepared);
            }
            2 => self.pair.pass(&mut self.nodes, 3),
            3 if random & 0xf0 == 0 => self.pair.ends[at].is_slow ^= true,
            _ => drop(self.pair.carry(&mut self.nodes, at)),
        }
    }

    fn seen(&self) -> [String; 2] {
        [0, 1].map(|at| {
            format!(
                "{:?} {:?}",
                self.pair.ends[at].session, self.pair.ends[at].said
            )
        })
    }
}

#[test]
fn whoever_passes_what_is_not_for_the_peer_says_and_knows_what_whoever_is_told_of_it_does() {
    let mut passed = 0;
    for (seed, directions) in [[BOTH, BOTH], [PULL, BOTH], [BOTH, PULL], [PUSH, PULL]]
        .into_iter()
        .enumerate()
    {
        let mut lanes = [true, false].map(|passes| Lane::new(directions, passes));
        let mut random = 7 + seed as u64;
        for _ in 0..1_500 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            for lane in &mut lanes {
                lane.step(random);
            }
            assert_eq!(lanes[0].seen(), lanes[1].seen());
        }
        assert_eq!(lanes[1].passed + lanes[1].pair.passed, 0);
        passed += lanes[0].passed + lanes[0].pair.passed;
    }
    assert!(passed > 500, "{passed} were passed");
}

#[test]
fn what_is_passed_is_told_before_it_is_much() {
    let mut lane = Lane::new([BOTH, BOTH], true);
    lane.pair.run(&mut lane.nodes, 20_000);
    let said = |lane: &Lane| {
        let said = lane.pair.ends[0].said.iter();
        said.filter(|kind| **kind == "batch").count()
    };
    let before = said(&lane);
    for _ in 0..UNTOLD_ENTRIES_MAX {
        let prepared = lane.nodes[1].record(1, 10);
        lane.append(1, prepared);
        while lane.pair.carry(&mut lane.nodes, 1) {}
        assert!(lane.pair.passed > 0);
    }
    assert_eq!(
        said(&lane),
        before + 1,
        "an empty batch that moves the cursor"
    );
}
