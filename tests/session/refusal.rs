//! A commit that is refused, and what follows it.

use anabranch::event::EventId;
use anabranch::protocol::{Input, Output};

use crate::node::{Node, commit_with, seq};
use crate::pair::{BOTH, Pair, sync};

fn refusals(pair: &Pair) -> Vec<EventId> {
    let outputs = pair.ends[0].outputs.iter();
    outputs
        .filter_map(|output| match output {
            Output::Refused { commit, .. } => Some(*commit),
            _ => None,
        })
        .collect()
}

/// The dialer takes the refused commit out of its log, as an owner does that records it again.
fn withdraw(nodes: &mut [Node; 2], commit: EventId) {
    let node = &mut nodes[0];
    let at = node
        .log
        .iter()
        .position(|entry| entry.commit.id() == commit)
        .unwrap();
    let replica = anabranch::event::ReplicaId::new(1, 8);
    let own = node.received.chain(replica).map_or(0, |(seq, _)| seq.get());
    let again = commit_with(replica, own + 1, 1, 10, 0);
    node.log[at].kind = anabranch::log::EntryKind::Released;
    node.received.insert(&again);
    let mut entry = node.log[at].clone();
    entry.kind = anabranch::log::EntryKind::Ready;
    entry.commit = again;
    entry.chain_before = None;
    node.log.push(entry);
}

#[test]
fn a_refused_commit_is_discarded_with_all_that_follows_until_the_sender_begins_again() {
    for live in [false, true] {
        for refused in 1..=10 {
            let mut nodes = [Node::new(1), Node::new(2)];
            if live {
                sync(&mut nodes);
            }
            let mut pair = Pair::connect(&nodes, [BOTH, BOTH]);
            if live {
                pair.finish(&mut nodes);
            }
            let commit = EventId::new(nodes[0].replica, seq(refused));
            pair.ends[1].refuses = Some(commit);
            for _ in 0..10 {
                let prepared = nodes[0].record(1, 10);
                pair.append(&mut nodes, 0, prepared);
            }
            pair.run(&mut nodes, 1000);
            assert_eq!(refusals(&pair), [commit]);
            assert_eq!(
                nodes[1].received.events(),
                refused - 1,
                "what came before is taken"
            );
            assert!(!pair.ends[0].session.all_acked());
            assert!(!pair.ends[0].session.is_live() || !pair.ends[1].session.is_live());

            withdraw(&mut nodes, commit);
            pair.tell(&mut nodes, 0, Input::Again);
            let more = nodes[0].record(1, 10);
            pair.append(&mut nodes, 0, more);
            pair.finish(&mut nodes);
            let mut sent = nodes[0].holds();
            sent.remove(&commit);
            assert_eq!(nodes[1].holds(), sent);
            assert_eq!(refusals(&pair).len(), 1);
            assert!(
                !live || nodes[1].duplicates == 0,
                "what was acknowledged is not sent again"
            );

            let before = nodes[1].arrived;
            sync(&mut nodes);
            assert_eq!(
                nodes[1].arrived, before,
                "the cursor has passed the refusal"
            );
        }
    }
}

#[test]
fn a_sender_that_is_told_to_begin_again_without_a_refusal_does_nothing() {
    let mut nodes = [Node::new(1), Node::new(2)];
    nodes[0].record(1, 10);
    let mut pair = sync(&mut nodes);
    let said = pair.ends[0].said.len();
    pair.tell(&mut nodes, 0, Input::Again);
    assert_eq!(pair.ends[0].said.len(), said);
}

#[test]
fn several_refusals_are_settled_one_after_the_other() {
    let mut nodes = [Node::new(1), Node::new(2)];
    for _ in 0..12 {
        nodes[0].record(1, 10);
    }
    let mut pair = Pair::connect(&nodes, [BOTH, BOTH]);
    for refused in [2, 3, 9] {
        let commit = EventId::new(nodes[0].replica, seq(refused));
        pair.ends[1].refuses = Some(commit);
        pair.run(&mut nodes, 1000 * refused as usize);
        assert_eq!(refusals(&pair).last(), Some(&commit));
        withdraw(&mut nodes, commit);
        pair.ends[1].refuses = match refused {
            2 => Some(EventId::new(nodes[0].replica, seq(3))),
            3 => Some(EventId::new(nodes[0].replica, seq(9))),
            _ => None,
        };
        pair.tell(&mut nodes, 0, Input::Again);
    }
    pair.finish(&mut nodes);
    assert_eq!(nodes[1].received.events(), 12);
}

#[test]
fn a_page_that_was_asked_for_before_a_refusal_does_not_count_after_it() {
    let mut nodes = [Node::new(1), Node::new(2)];
    for _ in 0..30 {
        nodes[0].record(1, 10);
    }
    let mut pair = Pair::connect(&nodes, [BOTH, BOTH]);
    let commit = EventId::new(nodes[0].replica, seq(5));
    pair.ends[0].is_late = true;
    pair.ends[1].refuses = Some(commit);
    pair.settle(&mut nodes, 0);
    while refusals(&pair).is_empty() {
        let carried = pair.carry(&mut nodes, 0) || pair.carry(&mut nodes, 1);
        assert!(carried || pair.answer(&mut nodes, 0));
    }
    assert_eq!(pair.ends[0].late.len(), 1, "a page is on its way");
    withdraw(&mut nodes, commit);
    pair.tell(&mut nodes, 0, Input::Again);
    pair.finish(&mut nodes);
    let mut sent = nodes[0].holds();
    sent.remove(&commit);
    assert_eq!(nodes[1].holds(), sent);
}
