//! First contact, resume, one-way sessions, live, restored peers.

use anabranch::protocol::{Input, Output};

use crate::node::Node;
use crate::pair::{BOTH, PULL, PUSH, Pair, sync};

fn nodes(left: u64, right: u64) -> [Node; 2] {
    let mut nodes = [Node::new(1), Node::new(2)];
    for _ in 0..left {
        nodes[0].record(1, 10);
    }
    for _ in 0..right {
        nodes[1].record(2, 10);
    }
    nodes
}

fn assert_equal(nodes: &[Node; 2]) {
    assert_eq!(nodes[0].holds(), nodes[1].holds());
}

#[test]
fn first_contact_brings_both_ends_to_the_same_events() {
    for (left, right) in [(0, 0), (1, 0), (0, 1), (10, 7), (100, 3)] {
        let mut nodes = nodes(left, right);
        sync(&mut nodes);
        assert_equal(&nodes);
        assert_eq!(nodes[0].arrived, right * 2);
        assert_eq!(nodes[1].arrived, left);
    }
}

#[test]
fn a_resume_sends_nothing_that_the_other_end_has() {
    let mut nodes = nodes(20, 10);
    sync(&mut nodes);
    let before = [nodes[0].arrived, nodes[1].arrived];
    let pair = sync(&mut nodes);
    assert_eq!(before, [nodes[0].arrived, nodes[1].arrived]);
    for end in &pair.ends {
        assert!(
            !end.said.contains(&"summary"),
            "a resume needs no summary: {:?}",
            end.said
        );
    }
    nodes[0].record(1, 10);
    nodes[1].record(1, 10);
    sync(&mut nodes);
    assert_equal(&nodes);
    assert_eq!(
        [before[0] + 1, before[1] + 1],
        [nodes[0].arrived, nodes[1].arrived]
    );
}

#[test]
fn where_both_ends_know_each_other_the_first_batch_comes_after_one_round_trip() {
    let mut nodes = nodes(5, 5);
    sync(&mut nodes);
    nodes[1].record(1, 10);
    let mut pair = Pair::connect(&nodes, [BOTH, BOTH]);
    pair.settle(&mut nodes, 0);
    pair.carry(&mut nodes, 0);
    assert_eq!(pair.ends[1].said[..2], ["hello", "batch"]);
}

#[test]
fn live_events_cross_at_once_and_are_not_sent_back() {
    let mut nodes = nodes(3, 3);
    let mut pair = sync(&mut nodes);
    for round in 0..20 {
        let at = round % 2;
        let prepared = nodes[at].record(1, 10);
        let before = nodes[1 - at].arrived;
        pair.append(&mut nodes, at, prepared);
        pair.finish(&mut nodes);
        assert_eq!(nodes[1 - at].arrived, before + 1);
    }
    assert_equal(&nodes);
    assert_eq!([nodes[0].duplicates, nodes[1].duplicates], [0, 0]);
}

#[test]
fn both_ends_are_told_when_they_have_caught_up() {
    let mut nodes = nodes(7, 7);
    let pair = sync(&mut nodes);
    for end in &pair.ends {
        let at = |wanted: fn(&Output) -> bool| end.outputs.iter().position(wanted);
        let last = end.outputs.iter().rposition(
            |output| matches!(output, Output::Deliver(delivery) if !delivery.commits.is_empty()),
        );
        assert!(at(|output| matches!(output, Output::PeerCaughtUp)) > last);
        assert!(at(|output| matches!(output, Output::CaughtUp)).is_some());
    }
}

#[test]
fn one_way_sessions_carry_events_one_way() {
    for directions in [[PUSH, BOTH], [BOTH, PULL], [PUSH, PULL]] {
        let mut nodes = nodes(5, 5);
        Pair::connect(&nodes, directions).finish(&mut nodes);
        assert_eq!([nodes[0].arrived, nodes[1].arrived], [0, 5]);
        Pair::connect(&nodes, directions).finish(&mut nodes);
        assert_eq!(
            [nodes[0].arrived, nodes[1].arrived],
            [0, 5],
            "nothing twice"
        );
    }
    let mut nodes = nodes(5, 5);
    Pair::connect(&nodes, [PULL, BOTH]).finish(&mut nodes);
    assert_eq!([nodes[0].arrived, nodes[1].arrived], [10, 0]);
    let pair = {
        let mut pair = Pair::connect(&nodes, [PULL, BOTH]);
        pair.finish(&mut nodes);
        pair
    };
    assert_eq!([nodes[0].arrived, nodes[1].arrived], [10, 0]);
    assert!(
        !pair.ends[0].said.contains(&"summary"),
        "one honoured cursor is enough"
    );
    let mut nodes = self::nodes(5, 5);
    Pair::connect(&nodes, [PULL, PULL]).finish(&mut nodes);
    assert_eq!([nodes[0].arrived, nodes[1].arrived], [0, 0]);
}

#[test]
fn a_two_way_session_after_one_way_ones_completes_both_ends() {
    let mut nodes = nodes(5, 5);
    Pair::connect(&nodes, [PUSH, BOTH]).finish(&mut nodes);
    Pair::connect(&nodes, [PULL, BOTH]).finish(&mut nodes);
    nodes[0].record(1, 1);
    sync(&mut nodes);
    assert_equal(&nodes);
}

/// Everything that a node lost with its store comes back from the peer, and what it wrote since
/// goes there.
#[test]
fn a_restored_peer_loses_nothing_that_the_other_end_has() {
    for (who, direction) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        let mut nodes = nodes(6, 6);
        sync(&mut nodes);
        let copy = nodes[who].clone();
        for _ in 0..5 {
            nodes[0].record(1, 10);
            nodes[1].record(1, 10);
        }
        let mut third = Node::new(3);
        third.record(4, 10);
        let mut other = [nodes[who].clone(), third];
        sync(&mut other);
        nodes[who] = other[0].clone();
        sync(&mut nodes);
        let everything = nodes[0].holds();
        nodes[who] = copy;
        nodes[who].reopen(9_999);
        if direction == 1 {
            nodes.swap(0, 1);
        }
        sync(&mut nodes);
        assert_equal(&nodes);
        assert_eq!(nodes[0].holds(), everything);
        let before = [nodes[0].arrived, nodes[1].arrived];
        let pair = sync(&mut nodes);
        assert_eq!(before, [nodes[0].arrived, nodes[1].arrived]);
        assert!(
            !pair.ends[0].said.contains(&"summary"),
            "cursors hold again"
        );
    }
}

#[test]
fn a_restored_peer_that_is_interrupted_everywhere_loses_nothing() {
    let prepare = || {
        let mut nodes = nodes(6, 6);
        sync(&mut nodes);
        let copy = nodes[0].clone();
        for _ in 0..9 {
            nodes[0].record(1, 10);
            nodes[1].record(1, 10);
        }
        let mut other = [nodes[0].clone(), Node::new(3)];
        other[1].record(4, 10);
        sync(&mut other);
        nodes[0] = other[0].clone();
        sync(&mut nodes);
        let everything = nodes[0].holds();
        nodes[0] = copy;
        nodes[0].reopen(9_999);
        (nodes, everything)
    };
    let (mut whole, _) = prepare();
    let frames = sync(&mut whole).carried;
    assert!(frames > 15, "only {frames} frames");
    for cut in 0..=frames {
        for again in 0..6 {
            let (mut nodes, everything) = prepare();
            let mut first = Pair::connect(&nodes, [BOTH, BOTH]);
            first.ends[0].is_late = again % 2 == 1;
            first.ends[1].is_late = again % 3 > 0;
            first.run(&mut nodes, cut);
            Pair::connect(&nodes, [BOTH, BOTH]).run(&mut nodes, again);
            Pair::connect(&nodes, [PUSH, BOTH]).run(&mut nodes, cut / 2 + again);
            sync(&mut nodes);
            assert_equal(&nodes);
            assert_eq!(
                nodes[0].holds(),
                everything,
                "cut after {cut}, again after {again}"
            );
        }
    }
}

#[test]
fn a_connection_that_is_lost_after_any_frame_is_resumed_until_both_are_equal() {
    let mut whole = nodes(12, 9);
    let frames = sync(&mut whole).carried;
    for cut in 0..=frames {
        let mut nodes = nodes(12, 9);
        for _ in 0..3 {
            Pair::connect(&nodes, [BOTH, BOTH]).run(&mut nodes, cut);
        }
        sync(&mut nodes);
        assert_equal(&nodes);
        let pair = sync(&mut nodes);
        assert!(!pair.ends[0].said.contains(&"summary"));
    }
}

/// The pusher's second life renews the receiver's cursor while its own, older one still counts; what
/// it lost in between must come back all the same.
#[test]
fn a_peer_that_was_restored_between_one_way_sessions_gets_its_lost_events_back() {
    let mut nodes = nodes(0, 1);
    Pair::connect(&nodes, [PULL, BOTH]).finish(&mut nodes);
    let copy = nodes[0].clone();
    for _ in 0..7 {
        nodes[0].record(1, 10);
    }
    let mut pair = Pair::connect(&nodes, [PUSH, BOTH]);
    while nodes[1].arrived == 0 {
        let carried = pair.carried + 1;
        pair.run(&mut nodes, carried);
    }
    drop(pair);
    assert_eq!(
        nodes[1].known(nodes[0].replica),
        None,
        "the push was cut before its end"
    );
    nodes[0] = copy;
    nodes[0].reopen(9_999);
    Pair::connect(&nodes, [PUSH, BOTH]).finish(&mut nodes);
    sync(&mut nodes);
    assert_equal(&nodes);
    assert_eq!(nodes[0].log.len(), 4);
}

/// As above, but what was lost had come from a third node, so nothing that the restored one wrote
/// itself tells that it was restored.
#[test]
fn what_a_restored_peer_had_passed_on_comes_back_after_a_one_way_session_too() {
    let mut nodes = nodes(2, 2);
    sync(&mut nodes);
    let copy = nodes[0].clone();
    let mut other = [nodes[0].clone(), Node::new(3)];
    other[1].record(4, 10);
    sync(&mut other);
    nodes[0] = other[0].clone();
    sync(&mut nodes);
    let everything = nodes[1].holds();
    nodes[0] = copy;
    nodes[0].reopen(9_999);
    for _ in 0..2 {
        Pair::connect(&nodes, [PUSH, BOTH]).finish(&mut nodes);
    }
    sync(&mut nodes);
    assert_equal(&nodes);
    assert_eq!(nodes[0].holds(), everything);
}

#[test]
fn an_owner_that_answers_late_brings_both_ends_to_the_same_events() {
    for late in [[true, false], [false, true], [true, true]] {
        let mut nodes = nodes(20, 13);
        for _ in 0..2 {
            let mut pair = Pair::connect(&nodes, [BOTH, BOTH]);
            pair.ends[0].is_late = late[0];
            pair.ends[1].is_late = late[1];
            pair.run(&mut nodes, 5);
            let prepared = nodes[0].record(1, 10);
            pair.append(&mut nodes, 0, prepared);
            pair.finish(&mut nodes);
            assert_equal(&nodes);
            assert_eq!([nodes[0].duplicates, nodes[1].duplicates], [0, 0]);
        }
    }
}

#[test]
fn acknowledgements_of_what_was_sent_before_a_summary_do_not_count_for_what_is_sent_after() {
    let mut nodes = nodes(6, 6);
    sync(&mut nodes);
    let copy = nodes[0].clone();
    let mut other = [nodes[0].clone(), Node::new(3)];
    for _ in 0..15 {
        other[1].record(1, 10);
        nodes[1].record(1, 10);
    }
    sync(&mut other);
    nodes[0] = other[0].clone();
    sync(&mut nodes);
    let everything = nodes[1].holds();
    nodes[0] = copy;
    nodes[0].reopen(9_999);
    let mut pair = Pair::connect(&nodes, [BOTH, BOTH]);
    pair.ends[1].is_late = true;
    pair.ends[0].is_slow = true;
    pair.settle(&mut nodes, 0);
    pair.carry(&mut nodes, 0);
    for _ in 0..6 {
        assert!(
            pair.answer(&mut nodes, 1),
            "where it stands, and some pages"
        );
    }
    while pair.carry(&mut nodes, 1) {}
    while pair.carry(&mut nodes, 0) {}
    let delivery = pair.ends[0].untaken.pop_back().unwrap();
    assert!(delivery > 0, "batches crossed before the summary");
    while !pair.ends[1].said.contains(&"fill") {
        assert!(pair.answer(&mut nodes, 1));
    }
    pair.tell(
        &mut nodes,
        0,
        Input::Taken {
            delivery,
            durable: true,
        },
    );
    pair.carry(&mut nodes, 0);
    let outputs = &pair.ends[1].outputs;
    let located = outputs
        .iter()
        .position(|output| matches!(output, Output::Locate(_)))
        .unwrap();
    let is_acked = |output: &Output| matches!(output, Output::Acked { .. });
    assert!(
        !outputs[located..].iter().any(is_acked),
        "the peer lacks what it once had"
    );
    pair.ends[0].is_slow = false;
    pair.run(&mut nodes, 10_000);
    assert_equal(&nodes);
    assert_eq!(nodes[0].holds(), everything);
}

#[test]
fn a_peer_that_has_little_is_sent_the_log_without_what_it_has() {
    let mut nodes = nodes(5, 0);
    sync(&mut nodes);
    for _ in 0..100 {
        nodes[0].record(1, 10);
    }
    for node in &mut nodes {
        node.cursors.clear();
    }
    let pair = sync(&mut nodes);
    assert_equal(&nodes);
    assert_eq!([nodes[1].arrived, nodes[1].duplicates], [105, 0]);
    let is_locate = |output: &Output| matches!(output, Output::Locate(_));
    assert!(
        !pair.ends[0].outputs.iter().any(is_locate),
        "nobody lists most of a log"
    );
    assert!(
        pair.ends[1].outputs.iter().any(is_locate),
        "a peer that has most is looked up"
    );
}
