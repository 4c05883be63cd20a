//! Every message in every state: what is accepted, and what ends the session as a violation.

use std::sync::Arc;

use anabranch::event::EventId;
use anabranch::log::{Cursor, Epoch, Received};
use anabranch::protocol::{
    CloseCode, Digests, Input, KnownPeer, Message, Phase, Reason, Remedy, Role, Round, Standing,
    Summary,
};

use crate::driven::{Driven, after, batch, hello, part, peer, refuse};
use crate::node::seq;
use crate::pair::{BOTH, PULL, PUSH};

/// The columns of the table below.
fn messages() -> Vec<Message> {
    vec![
        hello(None, BOTH),
        Message::Summary(Summary {
            more: false,
            tracks: Vec::new(),
        }),
        Message::NeedSummary,
        Message::Fill,
        batch(),
        part(0),
        part(1),
        Message::Ack {
            batch: 0,
            durable: false,
        },
        Message::Credit { bytes: 10 },
        Message::CaughtUp,
        refuse(),
        Message::Again,
        Message::Ping { clock_ms: 1 },
        Message::Pong { clock_ms: 1 },
        Message::Digests(Digests {
            round: Round::Ask,
            entries: Vec::new(),
        }),
        Message::Error {
            code: 1000,
            text: "done".into(),
        },
    ]
}

fn silent(role: Role) -> Driven {
    Driven::new(role, BOTH, 1)
}

fn greeted(role: Role) -> Driven {
    let mut driven = Driven::new(role, BOTH, 1);
    driven.answers = false;
    driven.feed(&hello(None, BOTH));
    driven
}

fn discarding() -> Driven {
    let mut driven = Driven::open(BOTH, BOTH, true, 0);
    driven.feed(&batch());
    let commit = EventId::new(peer(), seq(1));
    driven.handle(Input::Refuse {
        commit,
        why: Reason::Forked,
        remedy: Remedy::Drop,
    });
    driven
}

fn closed() -> Driven {
    let mut driven = Driven::open(BOTH, BOTH, true, 1);
    driven.handle(Input::Close {
        code: CloseCode::DONE,
        reason: "done".into(),
    });
    driven.closed = None;
    driven
}

type Row = (&'static str, fn() -> Driven, &'static str);

/// `.` accepted, `X` a violation, `E` closed because the peer said so, `-` ignored.
const TABLE: &[Row] = &[
    //                                  hello, summary, need-summary, fill, batch, part 0, part 1,
    //                                  ack, credit, caught-up, refuse, again, ping, pong, digests, error
    (
        "dialer before the hello",
        || silent(Role::Dialer),
        ".XXXXXXXXXXXXXXE",
    ),
    (
        "listener before the hello",
        || silent(Role::Listener),
        ".XXXXXXXXXXXXXXE",
    ),
    (
        "dialer, owner looks up",
        || greeted(Role::Dialer),
        "X..............E",
    ),
    (
        "listener, owner looks up",
        || greeted(Role::Listener),
        "XXXXXXXXXXXXXXXE",
    ),
    (
        "resumed, nothing sent",
        || Driven::open(BOTH, BOTH, true, 0),
        "X..X..XXX.XX...E",
    ),
    (
        "resumed, one batch sent",
        || Driven::open(BOTH, BOTH, true, 1),
        "X..X..X....X...E",
    ),
    (
        "first contact",
        || Driven::open(BOTH, BOTH, false, 1),
        "X.X...XXX.XX...E",
    ),
    (
        "first contact, filling",
        || after(Driven::open(BOTH, BOTH, false, 1), &[Message::Fill]),
        "X.XX..XXX.XX...E",
    ),
    (
        "sends only",
        || Driven::open(PUSH, BOTH, true, 1),
        "X.XXXXX..X.X...E",
    ),
    (
        "receives only",
        || Driven::open(PULL, BOTH, true, 1),
        "XX.X..XXX.XX...E",
    ),
    (
        "peer sends only",
        || Driven::open(BOTH, PUSH, true, 1),
        "XX.X..XXX.XX...E",
    ),
    (
        "no direction at all",
        || Driven::open(PUSH, PUSH, true, 1),
        "XXXXXXXXXXXX...E",
    ),
    ("has refused", discarding, "X..X...XX.X....E"),
    (
        "was refused",
        || after(Driven::open(BOTH, BOTH, true, 1), &[refuse()]),
        "X..X..X...XX...E",
    ),
    (
        "between parts",
        || after(Driven::open(BOTH, BOTH, true, 0), &[part(0)]),
        "X..XX..XX.XX...E",
    ),
    (
        "asked for a summary",
        || after(Driven::open(BOTH, BOTH, true, 1), &[Message::NeedSummary]),
        "X.X...X....X...E",
    ),
    ("closed", closed, "----------------"),
];

#[test]
fn every_message_in_every_state_is_accepted_or_a_violation() {
    for (state, make, expected) in TABLE {
        let mut seen = String::new();
        for message in messages() {
            let mut driven = make();
            assert_eq!(driven.closed, None, "{state}");
            let was_closed = driven.session.status().phase == Phase::Closed;
            driven.feed(&message);
            seen.push(match driven.closed {
                None if was_closed => '-',
                None => '.',
                Some(CloseCode::PROTOCOL_VIOLATION) => 'X',
                Some(CloseCode::DONE) => 'E',
                Some(other) => panic!("{state}, {}: {other}", message.kind()),
            });
        }
        assert_eq!(seen, *expected, "{state}");
    }
}

#[test]
fn garbage_in_any_state_ends_the_session_without_a_panic() {
    for (_, make, _) in TABLE {
        for garbage in [
            &b""[..],
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"GET / HTTP/1.1",
        ] {
            let mut driven = make();
            driven.handle(Input::Frame(bytes::Bytes::copy_from_slice(garbage)));
            assert!(matches!(
                driven.closed,
                None | Some(CloseCode::PROTOCOL_VIOLATION)
            ));
            assert_eq!(driven.session.status().phase, Phase::Closed);
        }
    }
}

#[test]
fn answers_that_nobody_asked_for_are_ignored() {
    for (state, make, _) in TABLE
        .iter()
        .filter(|(state, ..)| !state.contains("looks up"))
    {
        let mut driven = make();
        let known = KnownPeer {
            replica: peer(),
            cursor: Cursor {
                epoch: Epoch::from_bits(1),
                position: 4,
            },
            own: None,
        };
        let received = Arc::new(Received::new());
        driven.handle(Input::Standing(Standing {
            peer: Some(known),
            received,
        }));
        driven.handle(Input::Entries {
            entries: Vec::new(),
            next: 0,
            end: 0,
        });
        driven.handle(Input::Located {
            positions: vec![1, 2, 3],
            end: 4,
        });
        driven.handle(Input::Taken {
            delivery: 99,
            durable: true,
        });
        driven.handle(Input::Staged {
            commit: EventId::new(peer(), seq(5)),
            index: 3,
        });
        driven.handle(Input::Again);
        assert_eq!(driven.closed, None, "{state}");
    }
}
