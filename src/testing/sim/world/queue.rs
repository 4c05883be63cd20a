use std::cmp::Ordering;

use bytes::Bytes;

use super::World;
use crate::engine::{Effect, Input};
use crate::protocol::CloseCode;
use crate::testing::sim::faults::Fault;
use crate::testing::sim::network::Carried;

/// Something that is under way.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A group reaches the disk.
    Apply { node: usize, opening: u64 },
    /// A store answers.
    Answer {
        node: usize,
        opening: u64,
        answer: Answer,
    },
    Frame {
        connection: usize,
        to: usize,
        frame: Bytes,
        carried: Carried,
    },
    /// The listener accepts.
    Accept { connection: usize },
    Closed {
        connection: usize,
        to: usize,
        code: Option<CloseCode>,
    },
    /// A connection breaks.
    Break { connection: usize },
    /// A process that ended is started again.
    Reopen { node: usize },
    /// Somebody ends a process, as one whose store takes no more.
    GiveUp { node: usize, opening: u64 },
    /// Somebody sees to a store that cannot be read.
    Replace { node: usize, opening: u64 },
    /// A paused process goes on.
    Resume { node: usize, opening: u64 },
    /// A connection breaks once more, and is dialled again.
    Flap { edge: usize, left: u64 },
}

/// An answer, worked out when it was asked for or when it is given.
#[derive(Debug)]
pub(crate) enum Answer {
    Known(Input),
    Asked(Effect),
}

/// What happens when; of what happens at the same time, what was begun first.
#[derive(Debug)]
pub(super) struct Waiting {
    time: u64,
    id: u64,
    /// Apart, as a queue moves what it holds about.
    happening: Box<Happening>,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.time, other.id).cmp(&(self.time, self.id))
    }
}

/// Steps that no run comes near, and those that each operation may add.
const STEPS: u64 = 300_000;
const STEPS_EACH: u64 = 1_000;

impl World {
    pub(crate) fn after(&mut self, delay: u64, happening: Happening) {
        self.at(self.now + delay, happening);
    }

    pub(crate) fn at(&mut self, time: u64, happening: Happening) {
        let id = self.id();
        self.queue.push(Waiting {
            time,
            id,
            happening: Box::new(happening),
        });
    }

    /// When the next thing happens: something under way, or somebody's deadline.
    fn next(&self) -> (Option<u64>, Option<(u64, usize)>) {
        let queued = self.queue.peek().map(|waiting| waiting.time);
        let nodes = self.nodes.iter().enumerate();
        let running = nodes.filter(|(_, node)| !node.paused);
        let due = running.filter_map(|(at, node)| Some((node.due?, at)));
        (queued, due.min())
    }

    /// Lets the next thing happen, if that is not after `until`.
    pub(crate) fn step(&mut self, until: u64) -> bool {
        let (queued, due) = self.next();
        if let Some((time, node)) = due
            && time <= until
            && queued.is_none_or(|queued| time < queued)
        {
            self.now = self.now.max(time);
            self.drive(node, Input::Tick);
        } else if queued.is_some_and(|time| time <= until)
            && let Some(waiting) = self.queue.pop()
        {
            self.now = self.now.max(waiting.time);
            self.happen(*waiting.happening);
        } else {
            return false;
        }
        self.tally.steps += 1;
        let most = STEPS + STEPS_EACH * self.plan.operations as u64;
        assert!(
            self.tally.steps < most,
            "no end in sight: {most} steps were made"
        );
        true
    }

    /// Whether nothing is under way, deadlines aside.
    pub(crate) fn is_quiet(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn run_until(&mut self, time: u64) {
        while self.step(time) {}
        self.now = self.now.max(time);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Apply { node, opening } => self.apply(node, opening),
            Happening::Answer {
                node,
                opening,
                answer,
            } => {
                if self.nodes[node].opening == opening {
                    let input = match answer {
                        Answer::Known(input) => input,
                        Answer::Asked(effect) => self.read(node, effect),
                    };
                    self.drive(node, input);
                }
            }
            Happening::Frame {
                connection,
                to,
                frame,
                carried,
            } => {
                self.arrive(connection, to, frame, carried);
            }
            Happening::Accept { connection } => self.accept(connection),
            Happening::Closed {
                connection,
                to,
                code,
            } => self.closed(connection, to, code),
            Happening::Reopen { node } => self.reopen(node),
            Happening::GiveUp { node, opening } => {
                if self.nodes[node].opening == opening {
                    self.kill(node);
                }
            }
            Happening::Break { connection } => {
                if !self.healed && self.connections[connection].is_open() {
                    self.count(Fault::LostLink);
                    self.break_link(connection);
                }
            }
            Happening::Replace { node, opening } => {
                if self.nodes[node].opening == opening && !self.healed {
                    self.replace_damaged(node);
                }
            }
            Happening::Resume { node, opening } => {
                if self.nodes[node].opening == opening {
                    self.resume(node);
                }
            }
            Happening::Flap { edge, left } => self.flap(edge, left),
        }
    }
}
