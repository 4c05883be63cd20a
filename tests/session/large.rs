//! Commits that are larger than a frame, and receivers that take their time.

use anabranch::limits::{CREDIT_BYTES, FRAME_BYTES_MAX, PART_BYTES_MAX, UNTOLD_BATCHES_MAX};
use anabranch::protocol::{Input, Message, Output, SessionOptions};

use crate::node::Node;
use crate::pair::{BOTH, Pair, read, sync};

const PAYLOAD: usize = 200 * 1024;

/// One small commit, one of about 1.4 MiB, one small one.
fn nodes() -> [Node; 2] {
    let mut nodes = [Node::new(1), Node::new(2)];
    nodes[0].record(1, 10);
    nodes[0].record(7, PAYLOAD);
    nodes[0].record(1, 10);
    nodes
}

fn parts_said(pair: &Pair, at: usize) -> usize {
    pair.ends[at]
        .said
        .iter()
        .filter(|kind| **kind == "part")
        .count()
}

#[test]
fn a_large_commit_travels_in_parts_and_arrives_whole() {
    let mut nodes = nodes();
    let pair = sync(&mut nodes);
    assert_eq!(nodes[0].holds(), nodes[1].holds());
    assert_eq!(parts_said(&pair, 0), (7 * PAYLOAD).div_ceil(PART_BYTES_MAX));
    assert_eq!(
        nodes[1].staged, None,
        "what was staged is gone once the commit is stored"
    );
    assert_eq!(pair.ends[0].session.status().sent.events, 9);
    assert_eq!(pair.ends[1].session.status().received.events, 9);
}

#[test]
fn a_large_commit_that_is_lost_after_any_frame_goes_on_from_the_staged_parts() {
    let frames = sync(&mut nodes()).carried;
    let parts = (7 * PAYLOAD).div_ceil(PART_BYTES_MAX);
    for (known, cut) in [false, true]
        .into_iter()
        .flat_map(|k| (0..=frames).map(move |c| (k, c)))
    {
        let mut nodes = nodes();
        if known {
            let mut young = [Node::new(1), Node::new(2)];
            young[0].record(1, 10);
            sync(&mut young);
            nodes[1] = young[1].clone();
            nodes[0].cursors = young[0].cursors.clone();
        }
        let mut first = Pair::connect(&nodes, [BOTH, BOTH]);
        first.run(&mut nodes, cut);
        let staged = nodes[1]
            .staged
            .as_ref()
            .map_or(0, |staged| staged.parts.len());
        let had_all = nodes[1].received.events() == 9;
        let second = sync(&mut nodes);
        assert_eq!(nodes[0].holds(), nodes[1].holds());
        assert_eq!(nodes[1].duplicates, 0);
        if staged > 0 {
            assert_eq!(parts_said(&second, 0), parts - staged, "cut after {cut}");
        } else if had_all {
            assert_eq!(parts_said(&second, 0), 0);
        }
    }
}

#[test]
fn staged_parts_of_another_branch_are_not_mixed_in() {
    let mut nodes = nodes();
    let mut pair = Pair::connect(&nodes, [BOTH, BOTH]);
    while nodes[1]
        .staged
        .as_ref()
        .is_none_or(|staged| staged.parts.len() < 2)
    {
        let carried = pair.carried + 1;
        pair.run(&mut nodes, carried);
    }
    let staged = nodes[1].staged.as_mut().unwrap();
    staged.parts[0] = vec![7; PART_BYTES_MAX].into();
    let pair = sync(&mut nodes);
    assert_eq!(parts_said(&pair, 0), (7 * PAYLOAD).div_ceil(PART_BYTES_MAX));
    assert_eq!(nodes[0].holds(), nodes[1].holds());
}

#[test]
fn another_large_commit_first_does_not_spoil_the_staged_parts() {
    let mut nodes = nodes();
    let mut pair = Pair::connect(&nodes, [BOTH, BOTH]);
    while nodes[1]
        .staged
        .as_ref()
        .is_none_or(|staged| staged.parts.len() < 2)
    {
        let carried = pair.carried + 1;
        pair.run(&mut nodes, carried);
    }
    let staged = nodes[1].staged.clone().unwrap();
    let mut other = Node::new(1);
    other.record(1, 10);
    let mut third = Node::new(3);
    third.record(4, PAYLOAD);
    let mut between = [third, other];
    sync(&mut between);
    let [_, mut sender] = between;
    sender.record(7, PAYLOAD);
    let mut nodes = [sender, Node::new(2)];
    nodes[1].staged = Some(staged);
    let pair = sync(&mut nodes);
    assert!(parts_said(&pair, 0) > 0);
    assert_eq!(nodes[0].holds(), nodes[1].holds());
}

#[test]
fn the_largest_commit_passes_a_smaller_credit() {
    let mut nodes = [Node::new(1), Node::new(2)];
    nodes[0].record(31, 256 * 1024 - 8);
    let pair = sync(&mut nodes);
    assert_eq!(nodes[0].holds(), nodes[1].holds());
    assert!(pair.ends[0].session.status().sent.bytes > CREDIT_BYTES);
}

/// Adds up what crosses, beside the sessions' own count.
#[test]
fn a_slow_receiver_is_never_sent_more_than_it_granted() {
    let mut nodes = [Node::new(1), Node::new(2)];
    for _ in 0..40 {
        nodes[0].record(1, 100 * 1024);
        nodes[0].record(3, 200 * 1024);
    }
    let options = SessionOptions::default();
    let mut pair = Pair::with_options(&nodes, [options, options]);
    pair.ends[1].is_slow = true;
    let (mut under_way, mut most, mut idle) = (0u64, 0, 0);
    pair.settle(&mut nodes, 0);
    while idle < 3 {
        for from in [0, 1] {
            while let Some(frame) = pair.ends[from].wire.front() {
                assert!(frame.len() <= FRAME_BYTES_MAX);
                match read(frame) {
                    Message::Batch(_) | Message::Part(_) => under_way += frame.len() as u64,
                    Message::Credit { bytes } => under_way -= bytes,
                    _ => {}
                }
                most = most.max(under_way);
                assert!(most <= CREDIT_BYTES, "{most} bytes under way");
                pair.carry(&mut nodes, from);
            }
        }
        idle += 1;
        if let Some(delivery) = pair.ends[1].untaken.pop_front() {
            idle = 0;
            pair.tell(
                &mut nodes,
                1,
                Input::Taken {
                    delivery,
                    durable: true,
                },
            );
        }
    }
    assert!(most > CREDIT_BYTES / 2, "the credit is used: {most}");
    assert_eq!(nodes[0].holds(), nodes[1].holds());
    pair.finish(&mut nodes);
}

#[test]
fn what_is_appended_while_the_credit_is_short_is_read_later_and_not_queued() {
    let mut nodes = [Node::new(1), Node::new(2)];
    let mut pair = sync(&mut nodes);
    pair.ends[1].is_slow = true;
    for _ in 0..60 {
        let prepared = nodes[0].record(1, 200 * 1024);
        pair.append(&mut nodes, 0, prepared);
        while pair.carry(&mut nodes, 0) {}
    }
    assert!(pair.ends[0].session.status().sent.bytes <= CREDIT_BYTES + 4096);
    while let Some(delivery) = pair.ends[1].untaken.pop_front() {
        pair.tell(
            &mut nodes,
            1,
            Input::Taken {
                delivery,
                durable: true,
            },
        );
        while pair.carry(&mut nodes, 1) || pair.carry(&mut nodes, 0) {}
    }
    pair.finish(&mut nodes);
    assert_eq!(nodes[0].holds(), nodes[1].holds());
    assert_eq!(nodes[1].duplicates, 0);
}

#[test]
fn an_acknowledgement_tells_the_position_and_whether_it_is_durable() {
    let mut nodes = [Node::new(1), Node::new(2)];
    sync(&mut nodes);
    let mut pair = sync(&mut nodes);
    pair.ends[1].is_slow = true;
    for _ in 0..UNTOLD_BATCHES_MAX {
        let prepared = nodes[0].record(1, 10);
        pair.append(&mut nodes, 0, prepared);
        pair.carry(&mut nodes, 0);
    }
    let delivery = pair.ends[1].untaken.pop_back().unwrap();
    let acked = |pair: &Pair| {
        pair.ends[0]
            .outputs
            .iter()
            .rev()
            .find_map(|output| match output {
                Output::Acked { position, durable } => Some((*position, *durable)),
                _ => None,
            })
    };
    assert_eq!(acked(&pair), Some((0, true)));
    assert!(!pair.ends[0].session.all_acked());
    pair.tell(
        &mut nodes,
        1,
        Input::Taken {
            delivery,
            durable: false,
        },
    );
    pair.carry(&mut nodes, 1);
    assert_eq!(acked(&pair), Some((UNTOLD_BATCHES_MAX, false)));
    assert!(!pair.ends[0].session.all_acked());
    pair.tell(
        &mut nodes,
        1,
        Input::Taken {
            delivery,
            durable: true,
        },
    );
    pair.carry(&mut nodes, 1);
    assert_eq!(acked(&pair), Some((UNTOLD_BATCHES_MAX, true)));
    assert!(pair.ends[0].session.all_acked());
}
