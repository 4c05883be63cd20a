//! Every message in every state: what is accepted, and what ends the session as a violation.

use std::sync::Arc;

use anabranch::clock::Now;
use anabranch::event::{EventId, ReplicaId};
use anabranch::limits::{CREDIT_BYTES, PART_BYTES_MAX};
use anabranch::log::{Cursor, Epoch, Received};
use anabranch::protocol::{
    Batch, CloseCode, Delivered, Direction, Hello, HelloPeer, Input, KnownPeer, Lineage, Message,
    Output, Part, Reason, Refusal, Remedy, Role, Session, SessionOptions, Standing, Summary,
    Versions, encode_frame,
};

use crate::node::{Node, commit, seq};
use crate::pair::{BOTH, PULL, PUSH, read};

const NOW: Now = Now {
    wall_ms: 1_000_000,
    mono_ms: 50,
};

fn peer() -> ReplicaId {
    Node::new(2).replica
}

fn cursor_into(node: &Node) -> Cursor {
    Cursor {
        epoch: node.epochs.current().unwrap(),
        position: 0,
    }
}

/// The hello of a peer that knows this end (if `cursor`) and wants `direction`.
fn hello(cursor: Option<Cursor>, direction: Direction) -> Message {
    Message::Hello(Hello {
        versions: Versions::SPOKEN,
        lineage: Lineage::from_bits(42),
        lineage_shared: true,
        replica: peer(),
        own: None,
        clock_ms: 5,
        direction,
        resumes: false,
        peers: vec![HelloPeer {
            replica: Node::new(1).replica,
            cursor,
            own: None,
        }],
        staged: None,
    })
}

fn batch() -> Message {
    let commit = commit(peer(), 1, 1, 10);
    let commits = vec![Delivered {
        commit,
        continues: None,
    }];
    Message::Batch(Batch {
        cursor: None,
        commits,
    })
}

fn part(index: u32) -> Message {
    Message::Part(Part {
        commit: EventId::new(peer(), seq(1)),
        index,
        total: 3,
        continues: None,
        cursor: None,
        bytes: vec![0; PART_BYTES_MAX].into(),
    })
}

fn refuse() -> Message {
    Message::Refuse(Refusal {
        commit: EventId::new(Node::new(1).replica, seq(1)),
        why: Reason::Forked,
        remedy: Remedy::Restamp,
        clock_ms: 9,
    })
}

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
        Message::Error {
            code: 1000,
            text: "done".into(),
        },
    ]
}

struct Driven {
    session: Session,
    node: Node,
    closed: Option<CloseCode>,
    /// Cursors that came with deliveries.
    cursors: Vec<Option<Cursor>>,
    /// Whether the owner answers greetings, and takes what is delivered.
    answers: bool,
}

impl Driven {
    fn new(role: Role, direction: Direction, events: u64) -> Self {
        let mut node = Node::new(1);
        for _ in 0..events {
            node.record(1, 10);
        }
        let options = SessionOptions {
            direction,
            ..SessionOptions::default()
        };
        let session = Session::new(role, node.local(&[]), options, NOW);
        Self {
            session,
            node,
            closed: None,
            cursors: Vec::new(),
            answers: true,
        }
    }

    fn open(direction: Direction, theirs: Direction, known: bool, events: u64) -> Self {
        let mut driven = Self::new(Role::Listener, direction, events);
        if known {
            let cursor = Cursor {
                epoch: Epoch::from_bits(77),
                position: 0,
            };
            driven.node.cursors.insert(peer(), cursor);
        }
        let cursor = known.then(|| cursor_into(&driven.node));
        driven.feed(&hello(cursor, theirs));
        driven
    }

    fn feed(&mut self, message: &Message) {
        self.handle(Input::Frame(encode_frame(message).unwrap()));
    }

    fn handle(&mut self, input: Input) {
        self.session.handle(NOW, input);
        for _ in 0..1000 {
            let Some(output) = self.session.poll_output() else {
                return;
            };
            if let Output::Deliver(delivery) = &output {
                self.cursors.push(delivery.cursor);
            }
            if let Output::Closed { code, .. } = output {
                self.closed = Some(code);
            } else if self.answers
                && let Some(answer) = self.node.answer(peer(), &output)
            {
                self.session.handle(NOW, answer);
            }
        }
        panic!("never rests");
    }
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

fn after(mut driven: Driven, messages: &[Message]) -> Driven {
    for message in messages {
        driven.feed(message);
    }
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
    //                                  ack, credit, caught-up, refuse, again, ping, pong, error
    (
        "dialer before the hello",
        || silent(Role::Dialer),
        ".XXXXXXXXXXXXXE",
    ),
    (
        "listener before the hello",
        || silent(Role::Listener),
        ".XXXXXXXXXXXXXE",
    ),
    (
        "dialer, owner looks up",
        || greeted(Role::Dialer),
        "X.............E",
    ),
    (
        "listener, owner looks up",
        || greeted(Role::Listener),
        "XXXXXXXXXXXXXXE",
    ),
    (
        "resumed, nothing sent",
        || Driven::open(BOTH, BOTH, true, 0),
        "X..X..XXX.XX..E",
    ),
    (
        "resumed, one batch sent",
        || Driven::open(BOTH, BOTH, true, 1),
        "X..X..X....X..E",
    ),
    (
        "first contact",
        || Driven::open(BOTH, BOTH, false, 1),
        "X.X...XXX.XX..E",
    ),
    (
        "first contact, filling",
        || after(Driven::open(BOTH, BOTH, false, 1), &[Message::Fill]),
        "X.XX..XXX.XX..E",
    ),
    (
        "sends only",
        || Driven::open(PUSH, BOTH, true, 1),
        "X.XXXXX..X.X..E",
    ),
    (
        "receives only",
        || Driven::open(PULL, BOTH, true, 1),
        "XX.X..XXX.XX..E",
    ),
    (
        "peer sends only",
        || Driven::open(BOTH, PUSH, true, 1),
        "XX.X..XXX.XX..E",
    ),
    (
        "no direction at all",
        || Driven::open(PUSH, PUSH, true, 1),
        "XXXXXXXXXXXX..E",
    ),
    ("has refused", discarding, "X..X...XX.X...E"),
    (
        "was refused",
        || after(Driven::open(BOTH, BOTH, true, 1), &[refuse()]),
        "X..X..X...XX..E",
    ),
    (
        "between parts",
        || after(Driven::open(BOTH, BOTH, true, 0), &[part(0)]),
        "X..XX..XX.XX..E",
    ),
    (
        "asked for a summary",
        || after(Driven::open(BOTH, BOTH, true, 1), &[Message::NeedSummary]),
        "X.X...X....X..E",
    ),
    ("closed", closed, "---------------"),
];

#[test]
fn every_message_in_every_state_is_accepted_or_a_violation() {
    for (state, make, expected) in TABLE {
        let mut seen = String::new();
        for message in messages() {
            let mut driven = make();
            assert_eq!(driven.closed, None, "{state}");
            let was_closed = driven.session.status().phase == anabranch::protocol::Phase::Closed;
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
fn an_acknowledgement_of_what_was_never_sent_or_going_backwards_is_a_violation() {
    let ack = |batch, durable| Message::Ack { batch, durable };
    let sent = || {
        let mut driven = Driven::open(BOTH, BOTH, true, 0);
        for _ in 0..3 {
            let prepared = driven.node.record(1, 10);
            driven.handle(Input::Appended(prepared));
        }
        driven
    };
    let outcomes = [
        (vec![ack(0, true), ack(2, true)], true),
        (
            vec![ack(1, false), ack(0, true), ack(1, true), ack(2, false)],
            true,
        ),
        (vec![ack(3, false)], false),
        (vec![ack(u64::MAX, true)], false),
        (vec![ack(1, true), ack(0, true)], false),
        (vec![ack(1, true), ack(1, true)], false),
        (vec![ack(1, true), ack(1, false)], false),
        (vec![ack(2, false), ack(1, false)], false),
    ];
    for (acks, is_fine) in outcomes {
        let driven = after(sent(), &acks);
        assert_eq!(driven.closed.is_none(), is_fine, "{acks:?}");
    }
}

#[test]
fn credit_for_what_was_not_spent_is_a_violation() {
    for bytes in [CREDIT_BYTES, u64::MAX] {
        let driven = after(
            Driven::open(BOTH, BOTH, true, 1),
            &[Message::Credit { bytes }],
        );
        assert_eq!(driven.closed, Some(CloseCode::PROTOCOL_VIOLATION));
    }
}

#[test]
fn a_peer_that_sends_more_than_was_granted_is_cut_off() {
    let mut driven = Driven::open(BOTH, BOTH, true, 0);
    let mut commits = 0;
    while driven.closed.is_none() {
        let commit = commit(peer(), commits + 1, 1, 200 * 1024);
        let commits_of = vec![Delivered {
            commit,
            continues: None,
        }];
        driven.feed(&Message::Batch(Batch {
            cursor: None,
            commits: commits_of,
        }));
        commits += 1;
        assert!(commits * 200 * 1024 <= CREDIT_BYTES + 200 * 1024);
    }
    assert_eq!(driven.closed, Some(CloseCode::PROTOCOL_VIOLATION));
}

#[test]
fn a_summary_that_does_not_end_or_is_not_in_order_is_a_violation() {
    let endless = Message::Summary(Summary {
        more: true,
        tracks: Vec::new(),
    });
    let mut driven = Driven::open(BOTH, BOTH, false, 1);
    for _ in 0..100 {
        driven.feed(&endless);
    }
    assert_eq!(driven.closed, Some(CloseCode::PROTOCOL_VIOLATION));
}

#[test]
fn a_hello_that_contradicts_itself_is_a_violation() {
    for (resumes, cursor) in [(true, None), (false, Some(5)), (true, Some(5))] {
        let mut driven = Driven::new(Role::Dialer, BOTH, 1);
        let cursor = cursor.map(|position| Cursor {
            epoch: Epoch::from_bits(3),
            position,
        });
        let Message::Hello(mut claims) = hello(cursor, BOTH) else {
            panic!("a hello")
        };
        claims.resumes = resumes;
        driven.feed(&Message::Hello(claims));
        assert_eq!(driven.closed, Some(CloseCode::PROTOCOL_VIOLATION));
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
            assert_eq!(
                driven.session.status().phase,
                anabranch::protocol::Phase::Closed
            );
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

const NEW: Cursor = Cursor {
    epoch: Epoch::from_bits(77),
    position: 3,
};

/// A dialer whose peer resumes from its cursor and offers one that this end does not honour, and
/// the batches of that peer, with a new cursor.
fn disappointed() -> (Driven, Message) {
    let mut driven = Driven::new(Role::Dialer, BOTH, 1);
    let old = Cursor {
        epoch: Epoch::from_bits(77),
        position: 0,
    };
    driven.node.cursors.insert(peer(), old);
    let local = driven.node.local(&[peer()]);
    driven.session = Session::new(Role::Dialer, local, SessionOptions::default(), NOW);
    let lost = Cursor {
        epoch: Epoch::from_bits(88),
        position: 9,
    };
    let Message::Hello(mut claims) = hello(Some(lost), BOTH) else {
        panic!("a hello")
    };
    claims.resumes = true;
    driven.feed(&Message::Hello(claims));

    let Message::Batch(mut with_cursor) = batch() else {
        panic!("a batch")
    };
    with_cursor.cursor = Some(NEW);
    (driven, Message::Batch(with_cursor))
}

#[test]
fn a_cursor_is_held_back_until_the_peer_has_durably_acknowledged_what_it_lacked() {
    let (mut driven, with_cursor) = disappointed();
    let mut epochs = anabranch::log::Epochs::new();
    epochs.begin(NEW.epoch, 0);
    let honoured = |cursor: &Option<Cursor>| cursor.map(|cursor| epochs.honours(cursor, 1_000));

    driven.feed(&with_cursor);
    driven.feed(&Message::Fill);
    driven.feed(&with_cursor);
    driven.feed(&Message::Summary(Summary {
        more: false,
        tracks: Vec::new(),
    }));
    driven.feed(&with_cursor);
    let seen: Vec<_> = driven.cursors.iter().map(honoured).collect();
    assert_eq!(
        seen,
        [Some(false); 3],
        "a void cursor takes the place of the old one"
    );

    driven.feed(&Message::Ack {
        batch: 0,
        durable: false,
    });
    assert_eq!(driven.cursors.len(), 3);
    driven.feed(&Message::Ack {
        batch: 0,
        durable: true,
    });
    assert_eq!(
        driven.cursors.last(),
        Some(&Some(NEW)),
        "now it is handed out"
    );
    driven.feed(&with_cursor);
    assert_eq!(driven.cursors[3..], [Some(NEW), Some(NEW)]);
    assert_eq!(driven.closed, None);
}

#[test]
fn a_cursor_that_was_held_back_is_forgotten_with_a_refused_delivery() {
    let (mut driven, with_cursor) = disappointed();
    driven.feed(&Message::Summary(Summary {
        more: false,
        tracks: Vec::new(),
    }));
    driven.feed(&Message::Fill);
    driven.feed(&with_cursor);
    let commit = EventId::new(peer(), seq(1));
    driven.handle(Input::Refuse {
        commit,
        why: Reason::Forked,
        remedy: Remedy::Restamp,
    });
    driven.feed(&Message::Again);
    driven.feed(&Message::Ack {
        batch: 0,
        durable: true,
    });
    assert!(!driven.cursors.contains(&Some(NEW)));
    driven.feed(&with_cursor);
    assert_eq!(driven.cursors.last(), Some(&Some(NEW)));
}

#[test]
fn what_was_taken_stays_taken_when_less_becomes_durable() {
    let mut driven = Driven::open(BOTH, BOTH, true, 0);
    for _ in 0..3 {
        driven.feed(&batch());
    }
    driven.session.handle(
        NOW,
        Input::Taken {
            delivery: 1,
            durable: false,
        },
    );
    driven.session.handle(
        NOW,
        Input::Taken {
            delivery: 0,
            durable: true,
        },
    );
    let mut acks = Vec::new();
    while let Some(output) = driven.session.poll_output() {
        if let Output::Send(frame) = output
            && let Message::Ack { batch, durable } = read(&frame)
        {
            acks.push((batch, durable));
        }
    }
    assert_eq!(acks, [(0, true), (1, false)]);
}
