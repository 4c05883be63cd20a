//! One session against a peer whose every message is made by hand.

use anabranch::clock::Now;
use anabranch::event::{EventId, ReplicaId};
use anabranch::limits::PART_BYTES_MAX;
use anabranch::log::{Cursor, Epoch};
use anabranch::protocol::{
    Batch, CloseCode, Codecs, Delivered, Direction, Hello, HelloPeer, Input, Lineage, Message,
    Output, Part, Reason, Refusal, Remedy, Role, Session, SessionOptions, Versions, encode_frame,
};

use crate::node::{Node, commit, seq};

pub(crate) const NOW: Now = Now {
    wall_ms: 1_000_000,
    mono_ms: 50,
};

/// The opening of the peer's store.
pub(crate) const EPOCH: Epoch = Epoch::from_bits(77);

pub(crate) fn peer() -> ReplicaId {
    Node::new(2).replica
}

pub(crate) fn cursor_into(node: &Node) -> Cursor {
    Cursor {
        epoch: node.epochs.current().unwrap(),
        position: 0,
    }
}

/// The hello of a peer that knows this end (if `cursor`) and wants `direction`.
pub(crate) fn hello(cursor: Option<Cursor>, direction: Direction) -> Message {
    Message::Hello(Hello {
        versions: Versions::SPOKEN,
        lineage: Lineage::from_bits(42),
        lineage_shared: true,
        replica: peer(),
        epoch: EPOCH,
        own: None,
        clock_ms: 5,
        direction,
        resumes: false,
        codecs: Codecs::NONE,
        peers: vec![HelloPeer {
            replica: Node::new(1).replica,
            cursor,
            own: None,
        }],
        staged: None,
    })
}

pub(crate) fn batch() -> Message {
    let commit = commit(peer(), 1, 1, 10);
    let commits = vec![Delivered {
        commit,
        continues: None,
    }];
    Message::Batch(Batch {
        position: None,
        commits,
    })
}

pub(crate) fn part(index: u32) -> Message {
    Message::Part(Part {
        commit: EventId::new(peer(), seq(1)),
        index,
        total: 3,
        continues: None,
        position: None,
        bytes: vec![0; PART_BYTES_MAX].into(),
    })
}

pub(crate) fn refuse() -> Message {
    Message::Refuse(Refusal {
        commit: EventId::new(Node::new(1).replica, seq(1)),
        why: Reason::Forked,
        remedy: Remedy::Restamp,
        clock_ms: 9,
    })
}

pub(crate) struct Driven {
    pub(crate) session: Session,
    pub(crate) node: Node,
    pub(crate) closed: Option<CloseCode>,
    /// Cursors that came with deliveries.
    pub(crate) cursors: Vec<Option<Cursor>>,
    /// Whether the owner answers greetings, and takes what is delivered.
    pub(crate) answers: bool,
}

impl Driven {
    pub(crate) fn new(role: Role, direction: Direction, events: u64) -> Self {
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

    pub(crate) fn open(direction: Direction, theirs: Direction, known: bool, events: u64) -> Self {
        let mut driven = Self::new(Role::Listener, direction, events);
        if known {
            let cursor = Cursor {
                epoch: EPOCH,
                position: 0,
            };
            driven.node.cursors.insert(peer(), cursor);
        }
        let cursor = known.then(|| cursor_into(&driven.node));
        driven.feed(&hello(cursor, theirs));
        driven
    }

    pub(crate) fn feed(&mut self, message: &Message) {
        self.handle(Input::Frame(encode_frame(message).unwrap()));
    }

    pub(crate) fn handle(&mut self, input: Input) {
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

pub(crate) fn after(mut driven: Driven, messages: &[Message]) -> Driven {
    for message in messages {
        driven.feed(message);
    }
    driven
}
