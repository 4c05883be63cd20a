//! Who may talk to whom.

use anabranch::clock::Now;
use anabranch::limits::HELLO_PEERS_MAX;
use anabranch::log::{Cursor, Epoch};
use anabranch::protocol::{
    CloseCode, Input, Lineage, Message, Output, Role, Session, SessionOptions, Versions,
    encode_frame,
};

use crate::node::Node;
use crate::pair::{BOTH, Pair, read, sync};

fn greeted_lineages(pair: &Pair) -> Vec<Lineage> {
    let outputs = pair.ends.iter().flat_map(|end| &end.outputs);
    outputs
        .filter_map(|output| match output {
            Output::Greeted(greeting) => Some(greeting.lineage),
            _ => None,
        })
        .collect()
}

#[test]
fn a_lineage_that_nobody_shares_gives_way() {
    let cases = [
        ((5, true), (5, true), Some(5)),
        ((5, false), (5, true), Some(5)),
        ((5, false), (9, true), Some(9)),
        ((5, true), (9, false), Some(5)),
        ((9, false), (5, false), Some(5)),
        ((5, false), (9, false), Some(5)),
        ((5, true), (9, true), None),
    ];
    for (left, right, expected) in cases {
        let mut nodes = [Node::new(1), Node::new(2)];
        nodes[0].record(1, 10);
        for (node, (lineage, shared)) in nodes.iter_mut().zip([left, right]) {
            node.lineage = Lineage::from_bits(lineage);
            node.lineage_shared = shared;
        }
        let mut pair = Pair::connect(&nodes, [BOTH, BOTH]);
        pair.run(&mut nodes, 1000);
        if let Some(lineage) = expected {
            assert_eq!(greeted_lineages(&pair), [Lineage::from_bits(lineage); 2]);
            pair.finish(&mut nodes);
            continue;
        }
        for end in &pair.ends {
            let (code, reason) = end.closed.as_ref().unwrap();
            assert_eq!(*code, CloseCode::LINEAGE_MISMATCH);
            assert!(
                reason.contains("connect to a replica of the same log"),
                "{reason}"
            );
            assert!(!code.is_worth_a_retry());
        }
        assert_eq!(nodes[1].arrived, 0);
    }
}

#[test]
fn a_replica_does_not_talk_to_itself() {
    let mut nodes = [Node::new(1), Node::new(1)];
    let mut pair = Pair::connect(&nodes, [BOTH, BOTH]);
    pair.run(&mut nodes, 1000);
    for end in &pair.ends {
        assert_eq!(end.closed.as_ref().unwrap().0, CloseCode::SAME_REPLICA);
    }
}

#[test]
fn versions_are_agreed_upon_or_named() {
    let range = |min, max| Versions { min, max };
    assert_eq!(range(1, 3).common(range(2, 5)), Some(3));
    assert_eq!(range(1, 1).common(range(1, 9)), Some(1));
    assert_eq!(range(1, 2).common(range(3, 4)), None);

    let node = Node::new(1);
    let now = Now::default();
    let options = SessionOptions::default();
    let mut dialer = Session::new(Role::Dialer, node.local(&[]), options, now);
    let Some(Output::Send(frame)) = dialer.poll_output() else {
        panic!("a dialer says hello")
    };
    let Message::Hello(mut hello) = read(&frame) else {
        panic!("a dialer says hello")
    };
    hello.versions = range(7, 8);
    let mut listener = Session::new(Role::Listener, Node::new(2).local(&[]), options, now);
    let frame = encode_frame(&Message::Hello(hello)).unwrap();
    listener.handle(now, Input::Frame(frame));
    let Some(Output::Send(error)) = listener.poll_output() else {
        panic!("the peer is told")
    };
    let Message::Error { code, text } = read(&error) else {
        panic!("the peer is told")
    };
    assert_eq!(CloseCode::new(code), CloseCode::UNSUPPORTED_VERSION);
    assert!(text.contains("1 to 1") && text.contains("7 to 8"), "{text}");
    assert!(matches!(
        listener.poll_output(),
        Some(Output::Closed { .. })
    ));
}

#[test]
fn each_end_hears_what_the_other_knows_of_it() {
    let mut nodes = [Node::new(1), Node::new(2)];
    nodes[0].record(3, 10);
    nodes[1].record(2, 10);
    sync(&mut nodes);
    let known = [0, 1].map(|at: usize| nodes[at].received.chain(nodes[at].replica));
    nodes[0].record(1, 10);
    let pair = sync(&mut nodes);
    for (at, end) in pair.ends.iter().enumerate() {
        let greeting = end.outputs.iter().find_map(|output| match output {
            Output::Greeted(greeting) => Some(greeting),
            _ => None,
        });
        assert_eq!(greeting.unwrap().knows_of_us, known[at]);
    }
}

#[test]
fn a_dialer_with_many_peers_lists_the_likely_ones() {
    let mut nodes = [Node::new(1), Node::new(2)];
    nodes[1].record(1, 10);
    sync(&mut nodes);
    let mut peers: Vec<_> = (10..30).map(|number| Node::new(number).replica).collect();
    for peer in &peers {
        let cursor = Cursor {
            epoch: Epoch::from_bits(3),
            position: 5,
        };
        nodes[0].cursors.insert(*peer, cursor);
    }
    peers.push(nodes[1].replica);
    let now = Now {
        wall_ms: 1_000_000,
        mono_ms: 1_000,
    };
    let mut pair = Pair::connect(&nodes, [BOTH, BOTH]);
    let options = SessionOptions::default();
    pair.ends[0].session = Session::new(Role::Dialer, nodes[0].local(&peers), options, now);
    pair.settle(&mut nodes, 0);
    let Message::Hello(hello) = read(&pair.ends[0].wire[0]) else {
        panic!("a dialer says hello")
    };
    assert_eq!(hello.peers.len(), HELLO_PEERS_MAX);
    pair.finish(&mut nodes);
    assert_eq!(
        nodes[0].arrived, 1,
        "a summary tells what an unlisted peer has"
    );
}
