//! Heartbeats, dead peers, and peers that say nothing.

use anabranch::clock::Now;
use anabranch::limits::{DEAD_MS, HELLO_MS, PING_MS};
use anabranch::protocol::{CloseCode, Input, Output, Role, Session, SessionOptions};

use crate::node::Node;
use crate::pair::{Pair, sync};

fn connected() -> ([Node; 2], Pair) {
    let mut nodes = [Node::new(1), Node::new(2)];
    let pair = sync(&mut nodes);
    (nodes, pair)
}

#[test]
fn an_idle_connection_stays_alive_by_pings() {
    let (mut nodes, mut pair) = connected();
    let said = pair.ends[0].said.len();
    for _ in 0..100 {
        pair.pass(&mut nodes, PING_MS / 2);
        pair.run(&mut nodes, usize::MAX);
    }
    assert_eq!(pair.ends[0].closed, None);
    assert_eq!(pair.ends[1].closed, None);
    let frames = pair.ends[0].said.len() - said;
    assert!(
        (40..=110).contains(&frames),
        "{frames} frames in 50 periods of silence"
    );
}

#[test]
fn a_peer_that_falls_silent_is_given_up_after_the_deadline_and_not_before() {
    let (mut nodes, mut pair) = connected();
    pair.pass(&mut nodes, DEAD_MS - 1);
    assert_eq!(pair.ends[0].closed, None);
    pair.pass(&mut nodes, 1);
    for end in &pair.ends {
        assert_eq!(end.closed.as_ref().unwrap().0, CloseCode::DEAD_PEER);
        assert_eq!(end.session.deadline(), None);
    }
}

/// One direction is dead: this end hears nothing although the peer hears it.
#[test]
fn an_end_that_is_heard_but_hears_nothing_gives_up_too() {
    let (mut nodes, mut pair) = connected();
    for _ in 0..50 {
        pair.pass(&mut nodes, 1_000);
        pair.ends[1].wire.clear();
        while pair.carry(&mut nodes, 0) {}
    }
    assert_eq!(
        pair.ends[0].closed.as_ref().unwrap().0,
        CloseCode::DEAD_PEER
    );
    assert_eq!(
        pair.ends[1].closed.as_ref().unwrap().0,
        CloseCode::DEAD_PEER
    );
    assert!(
        pair.ends[1]
            .closed
            .as_ref()
            .unwrap()
            .1
            .starts_with("the peer closed")
    );
}

#[test]
fn a_deadline_lies_ahead_whenever_nothing_is_to_be_done() {
    let (mut nodes, mut pair) = connected();
    for _ in 0..50 {
        let deadline = pair.ends[0].session.deadline().unwrap();
        assert!(
            deadline > pair.now.mono_ms,
            "a deadline in the past is a busy loop"
        );
        let ahead = deadline - pair.now.mono_ms;
        pair.pass(&mut nodes, ahead);
        pair.run(&mut nodes, usize::MAX);
    }
    assert_eq!(pair.ends[0].closed, None);
}

#[test]
fn a_peer_that_never_says_hello_is_given_up() {
    for role in [Role::Dialer, Role::Listener] {
        let node = Node::new(1);
        let at = |mono_ms| Now {
            wall_ms: 5,
            mono_ms,
        };
        let mut session = Session::new(role, node.local(&[]), SessionOptions::default(), at(100));
        assert_eq!(session.deadline(), Some(100 + HELLO_MS));
        session.handle(at(99 + HELLO_MS), Input::Tick);
        session.handle(at(100 + HELLO_MS), Input::Tick);
        let mut codes = Vec::new();
        while let Some(output) = session.poll_output() {
            if let Output::Closed { code, .. } = output {
                codes.push(code);
            }
        }
        assert_eq!(codes, [CloseCode::HELLO_TIMEOUT]);
    }
}

#[test]
fn an_owner_that_is_slow_to_look_up_the_peer_is_waited_for() {
    let nodes = [Node::new(1), Node::new(2)];
    let at = |mono_ms| Now {
        wall_ms: 5,
        mono_ms,
    };
    let options = SessionOptions::default();
    let mut dialer = Session::new(Role::Dialer, nodes[0].local(&[]), options, at(0));
    let mut listener = Session::new(Role::Listener, nodes[1].local(&[]), options, at(0));
    let Some(Output::Send(hello)) = dialer.poll_output() else {
        panic!("a dialer says hello")
    };
    listener.handle(at(1), Input::Frame(hello));
    assert!(matches!(listener.poll_output(), Some(Output::Greeted(_))));
    listener.handle(at(10 * DEAD_MS), Input::Tick);
    assert_eq!(listener.deadline(), None);
    assert!(listener.poll_output().is_none());
    listener.handle(
        at(10 * DEAD_MS),
        Input::Standing(nodes[1].standing(nodes[0].replica)),
    );
    assert!(matches!(listener.poll_output(), Some(Output::Send(_))));
}

#[test]
fn a_graceful_close_tells_the_peer_why() {
    let (mut nodes, mut pair) = connected();
    let close = Input::Close {
        code: CloseCode::GOING_AWAY,
        reason: "é".repeat(2_000),
    };
    pair.tell(&mut nodes, 0, close);
    pair.run(&mut nodes, usize::MAX);
    let (code, reason) = pair.ends[1].closed.clone().unwrap();
    assert_eq!(code, CloseCode::GOING_AWAY);
    assert!(reason.starts_with("the peer closed: é") && reason.len() < 600);
    pair.tell(&mut nodes, 0, Input::Tick);
    assert_eq!(pair.ends[0].said.last(), Some(&"error"));
}
