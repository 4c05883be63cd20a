//! Two sessions, the two nodes that own them, and nothing between but two queues.

use std::collections::VecDeque;
use std::sync::Arc;

use anabranch::clock::Now;
use anabranch::event::{EventId, ReplicaId};
use anabranch::protocol::{
    CloseCode, Delivered, Delivery, Direction, Input, Message, Output, Prepared, Reason, Remedy,
    Role, Session, SessionOptions, decode_frame, frame_kind,
};
use bytes::Bytes;

use crate::node::{Node, assert_cursors_hold};

pub(crate) const BOTH: Direction = Direction {
    push: true,
    pull: true,
};
pub(crate) const PUSH: Direction = Direction {
    push: true,
    pull: false,
};
pub(crate) const PULL: Direction = Direction {
    push: false,
    pull: true,
};

/// Options for small batches, so that a handful of events makes a handful of frames.
pub(crate) fn small(direction: Direction) -> SessionOptions {
    SessionOptions {
        direction,
        batch_events: 3,
        ..SessionOptions::default()
    }
}

/// One end: a session, what it was told and what it has to say.
pub(crate) struct End {
    pub(crate) session: Session,
    pub(crate) wire: VecDeque<Bytes>,
    pub(crate) closed: Option<(CloseCode, String)>,
    /// Everything that came out, except frames.
    pub(crate) outputs: Vec<Output>,
    /// Kinds of messages sent, in order.
    pub(crate) said: Vec<&'static str>,
    /// Deliveries that are not taken yet, where the owner is slow.
    pub(crate) untaken: VecDeque<u64>,
    pub(crate) is_slow: bool,
    /// Answers that are not given yet, where the owner's log is slow to read.
    pub(crate) late: VecDeque<Input>,
    pub(crate) is_late: bool,
    /// Refuse this commit when it comes.
    pub(crate) refuses: Option<EventId>,
}

/// A connection; index 0 is the dialer.
pub(crate) struct Pair {
    pub(crate) ends: [End; 2],
    pub(crate) now: Now,
    /// Frames carried so far.
    pub(crate) carried: usize,
    /// What was taken and is not for the peer is passed, if it may be.
    pub(crate) passes: bool,
    /// How often it was.
    pub(crate) passed: usize,
}

impl Pair {
    pub(crate) fn connect(nodes: &[Node; 2], directions: [Direction; 2]) -> Self {
        Self::with_options(nodes, directions.map(small))
    }

    pub(crate) fn with_options(nodes: &[Node; 2], options: [SessionOptions; 2]) -> Self {
        let now = Now {
            wall_ms: 1_000_000,
            mono_ms: 1_000,
        };
        let locals = [
            nodes[0].local(&[nodes[1].replica]),
            nodes[1].local(&[nodes[0].replica]),
        ];
        let [dialer, listener] = locals;
        let ends = [
            End::new(Session::new(Role::Dialer, dialer, options[0], now)),
            End::new(Session::new(Role::Listener, listener, options[1], now)),
        ];
        Self {
            ends,
            now,
            carried: 0,
            passes: false,
            passed: 0,
        }
    }

    /// Carries out what the session of one end asks for, until it asks for nothing.
    pub(crate) fn settle(&mut self, nodes: &mut [Node; 2], at: usize) {
        let peer = nodes[1 - at].replica;
        let now = self.now;
        for _ in 0..100_000 {
            let end = &mut self.ends[at];
            let Some(appended) = end.step(now, &mut nodes[at], peer) else {
                return;
            };
            for prepared in appended {
                let (from, next) = (prepared.from(), prepared.next());
                let entries = prepared.entries().iter().map(|(at, entry)| (*at, entry));
                if self.passes && !end.session.wants(entries) && end.session.may_pass(from, next) {
                    end.session.pass(now, next);
                    self.passed += 1;
                } else {
                    end.session.handle(now, Input::Appended(prepared));
                }
            }
        }
        panic!("end {at} never rests");
    }

    /// Carries one frame from one end to the other; false if there is none.
    pub(crate) fn carry(&mut self, nodes: &mut [Node; 2], from: usize) -> bool {
        let Some(frame) = self.ends[from].wire.pop_front() else {
            return false;
        };
        self.carried += 1;
        self.ends[1 - from]
            .session
            .handle(self.now, Input::Frame(frame));
        self.settle(nodes, 1 - from);
        assert_cursors_hold(nodes);
        true
    }

    /// Gives one answer that is late; false if there is none.
    pub(crate) fn answer(&mut self, nodes: &mut [Node; 2], at: usize) -> bool {
        let Some(answer) = self.ends[at].late.pop_front() else {
            return false;
        };
        self.tell(nodes, at, answer);
        true
    }

    /// Runs until both ends rest or so many frames were carried.
    pub(crate) fn run(&mut self, nodes: &mut [Node; 2], frames_max: usize) {
        self.settle(nodes, 0);
        self.settle(nodes, 1);
        let mut turn = 0;
        while self.carried < frames_max {
            let answered = self.carried.is_multiple_of(3) && self.answer(nodes, turn);
            let carried = self.carry(nodes, turn) || self.carry(nodes, 1 - turn);
            if !answered && !carried && !self.answer(nodes, 0) && !self.answer(nodes, 1) {
                return;
            }
            turn = 1 - turn;
        }
    }

    /// Runs until both ends rest, which takes a bounded number of frames, and everything is there.
    pub(crate) fn finish(&mut self, nodes: &mut [Node; 2]) {
        self.run(nodes, 20_000);
        assert!(self.carried < 20_000, "the ends never rest");
        for end in &self.ends {
            assert_eq!(end.closed, None);
            assert!(
                end.session.is_live(),
                "not live: {:?}",
                end.session.status()
            );
            assert!(
                end.session.all_acked(),
                "not acknowledged: {:?}",
                end.session.status()
            );
        }
    }

    pub(crate) fn append(&mut self, nodes: &mut [Node; 2], at: usize, prepared: Arc<Prepared>) {
        self.ends[at]
            .session
            .handle(self.now, Input::Appended(prepared));
        self.settle(nodes, at);
    }

    pub(crate) fn pass(&mut self, nodes: &mut [Node; 2], ms: u64) {
        self.now.mono_ms += ms;
        self.now.wall_ms += ms;
        for at in [0, 1] {
            self.ends[at].session.handle(self.now, Input::Tick);
            self.settle(nodes, at);
        }
    }

    pub(crate) fn tell(&mut self, nodes: &mut [Node; 2], at: usize, input: Input) {
        self.ends[at].session.handle(self.now, input);
        self.settle(nodes, at);
    }
}

impl End {
    pub(crate) fn new(session: Session) -> Self {
        Self {
            session,
            wire: VecDeque::new(),
            closed: None,
            outputs: Vec::new(),
            said: Vec::new(),
            untaken: VecDeque::new(),
            is_slow: false,
            late: VecDeque::new(),
            is_late: false,
            refuses: None,
        }
    }

    /// Carries out the next thing that the session asks for, and tells what was appended to the
    /// log; nothing if there is nothing to do.
    pub(crate) fn step(
        &mut self,
        now: Now,
        node: &mut Node,
        peer: ReplicaId,
    ) -> Option<Vec<Arc<Prepared>>> {
        let output = self.session.poll_output()?;
        match node.answer(peer, &output) {
            Some(answer) if self.is_late => self.late.push_back(answer),
            Some(answer) => self.session.handle(now, answer),
            None => {}
        }
        let mut appended = Vec::new();
        match &output {
            Output::Send(frame) => {
                assert_eq!(self.closed, None, "nothing follows the end");
                self.said.push(frame_kind(frame).unwrap());
                self.wire.push_back(frame.clone());
                return Some(appended);
            }
            Output::Deliver(delivery) => appended = self.take(now, node, peer, delivery),
            Output::Stage {
                commit,
                index,
                bytes,
            } => {
                node.stage(peer, *commit, *index, bytes);
                self.session.handle(
                    now,
                    Input::Staged {
                        commit: *commit,
                        index: *index,
                    },
                );
            }
            Output::Closed { code, reason } => {
                assert_eq!(self.closed, None, "the end comes once");
                self.closed = Some((*code, reason.clone()));
            }
            _ => {}
        }
        self.outputs.push(output);
        Some(appended)
    }

    /// Takes a delivery up to what is refused of it.
    fn take(
        &mut self,
        now: Now,
        node: &mut Node,
        peer: ReplicaId,
        delivery: &Delivery,
    ) -> Vec<Arc<Prepared>> {
        let mut taken = delivery.clone();
        let is_refused = |d: &Delivered| Some(d.commit.id()) == self.refuses;
        if let Some(at) = delivery.commits.iter().position(is_refused) {
            let commit = delivery.commits[at].commit.id();
            taken.commits.truncate(at);
            taken.cursor = None;
            let (why, remedy) = (Reason::Forked, Remedy::Restamp);
            self.session.handle(
                now,
                Input::Refuse {
                    commit,
                    why,
                    remedy,
                },
            );
        }
        let appended = node.take(peer, &taken);
        let delivery = delivery.number;
        if self.is_slow {
            self.untaken.push_back(delivery);
        } else {
            for durable in [false, true] {
                self.session.handle(now, Input::Taken { delivery, durable });
            }
        }
        appended
    }
}

/// Connects and runs to the end.
pub(crate) fn sync(nodes: &mut [Node; 2]) -> Pair {
    let mut pair = Pair::connect(nodes, [BOTH, BOTH]);
    pair.finish(nodes);
    pair
}

/// Reads a frame that a test has taken off a wire.
pub(crate) fn read(frame: &Bytes) -> Message {
    decode_frame(frame).unwrap()
}
