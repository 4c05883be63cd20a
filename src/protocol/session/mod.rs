//! One end of one connection.
//!
//! [`greeting`] opens a session, [`outgoing`] and [`streaming`] send, [`incoming`] receives,
//! [`pulse`] watches the time; this file sorts inputs and messages to them. Whatever arrives in a
//! state in which it has no meaning ends the session.

mod assembly;
mod greeting;
mod incoming;
mod options;
mod outbox;
mod outgoing;
mod pulse;
mod status;
mod streaming;
mod summary;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;

use bytes::Bytes;

use self::greeting::Opening;
use self::incoming::{Cursors, Incoming};
pub use self::options::SessionOptions;
use self::outbox::{Ending, Outbox, Outcome};
use self::outgoing::Outgoing;
use self::pulse::{Pulse, Silence};
pub use self::status::{Phase, Status, Traffic};
use self::summary::Gathering;
use super::frame::plain_bytes;
use super::{
    CloseCode, Compression, Input, Local, Message, Output, Role, Standing, decode_frame_with,
};
use crate::clock::Now;
use crate::event::{BlockNames, ReplicaId};
use crate::limits::{DEAD_MS, HELLO_MS};
use crate::log::{Entry, Epoch, Received};

/// One end of one connection, as a state machine without IO.
///
/// After each [`handle`](Self::handle) the owner polls until nothing comes, carries out what it is
/// asked, and calls `handle` with [`Input::Tick`] when [`deadline`](Self::deadline) has passed. A
/// question is answered in the order of asking, at once or later; several sessions may share one
/// log. When [`Output::Closed`] has come the session is over and ignores everything.
///
/// Memory: what the owner has not polled yet, the numbers of batches that are under way, the
/// positions that a summary lacks, and the parts of at most one large commit (8 MiB) each way.
/// Nothing that a peer sends makes it panic.
#[derive(Debug)]
pub struct Session {
    role: Role,
    phase: Phase,
    opening: Option<Box<Opening>>,
    peer: Option<ReplicaId>,
    peer_clock_ms: Option<u64>,
    /// Whether the peer had been met before this session.
    was_known: bool,
    /// The owner was asked where it stands, for a summary.
    is_standing_due: bool,
    clock_ms: u64,
    pulse: Pulse,
    outgoing: Outgoing,
    incoming: Incoming,
    gathering: Gathering,
    /// What the peer's numbers stand for.
    names: BlockNames,
    compression: Option<Arc<dyn Compression>>,
    out: Outbox,
}

impl Session {
    /// A session on a connection that has just been made. A dialer has its hello to send.
    pub fn new(role: Role, local: Local, options: SessionOptions, now: Now) -> Self {
        Self::compressing(role, local, options, now, None)
    }

    /// The same; frames go compressed where the peer undoes it too.
    pub fn compressing(
        role: Role,
        local: Local,
        options: SessionOptions,
        now: Now,
        compression: Option<Arc<dyn Compression>>,
    ) -> Self {
        let epoch = local.epochs.current().unwrap_or(Epoch::from_bits(0));
        let mut session = Self {
            role,
            phase: Phase::Hello,
            peer: None,
            peer_clock_ms: None,
            was_known: false,
            is_standing_due: false,
            clock_ms: now.wall_ms,
            pulse: Pulse::new(now.mono_ms),
            outgoing: Outgoing::new(options.bounded(), local.replica, epoch, local.end),
            incoming: Incoming::new(),
            gathering: Gathering::default(),
            names: BlockNames::new(),
            compression,
            out: Outbox::default(),
            opening: Some(Box::new(Opening::new(local))),
        };
        if role == Role::Dialer
            && let Err(ending) = session.say_hello_to_anyone(now.wall_ms)
        {
            session.end(ending);
        }
        session
    }

    /// Takes one input. Cost: proportional to the input; at most one page of the log is encoded.
    pub fn handle(&mut self, now: Now, input: Input) {
        if self.phase == Phase::Closed {
            return;
        }
        self.clock_ms = now.wall_ms;
        if let Err(ending) = self.go_on(now, input) {
            self.end(ending);
        }
        self.note_sent(now);
    }

    fn note_sent(&mut self, now: Now) {
        if self.out.take_has_sent() {
            self.pulse.sent(now.mono_ms);
            if mutant!("half-open-for-ever") {
                self.pulse.heard(now.mono_ms);
            }
        }
    }

    /// The next thing the owner is asked to do or told, if there is one.
    ///
    /// Acknowledgements and credit are gathered until everything else has been polled.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.out.is_empty()
            && self.phase == Phase::Open
            && let Err(ending) = self.incoming.flush(&mut self.out)
        {
            self.end(ending);
        }
        self.out.pop()
    }

    /// When to call [`handle`](Self::handle) at the latest, in milliseconds of the monotonic clock.
    pub fn deadline(&self) -> Option<u64> {
        matches!(self.phase, Phase::Hello | Phase::Open).then(|| self.pulse.deadline())
    }

    /// What can be seen from outside.
    pub fn status(&self) -> Status {
        Status {
            phase: self.phase,
            peer: self.peer,
            sent: self.out.sent,
            received: self.incoming.received,
            peer_clock_ms: self.peer_clock_ms,
        }
    }

    /// How many events were sent.
    pub fn sent_events(&self) -> u64 {
        self.out.sent.events
    }

    /// Whether each end has sent everything it had, so that what follows is live.
    pub fn is_live(&self) -> bool {
        self.phase == Phase::Open && self.outgoing.is_live() && self.incoming.is_live()
    }

    /// Whether everything that was sent is fsynced at the peer. Once [`Output::CaughtUp`] has come
    /// this means that the peer lacks nothing.
    pub fn all_acked(&self) -> bool {
        self.phase == Phase::Open && self.outgoing.all_acked()
    }

    /// Whether frames to the peer go compressed.
    pub fn compresses(&self) -> bool {
        self.out.compression.is_some()
    }

    /// Whether some of these entries of the log are to be sent to the peer, now or later.
    pub fn wants<'a>(&self, mut entries: impl Iterator<Item = (u64, &'a Entry)>) -> bool {
        self.outgoing.active && !entries.all(|(at, entry)| self.outgoing.skips(at, entry))
    }

    /// Whether entries of the log that were appended from a position on, up to `next`, and of which the
    /// peer [wants](Self::wants) none, are no reason to ask or tell anything: then it is enough to
    /// [pass](Self::pass) them, where [`Input::Appended`] would change nothing else.
    pub fn may_pass(&self, from: u64, next: u64) -> bool {
        self.phase == Phase::Open && self.outgoing.may_pass(from, next)
    }

    /// Goes on behind entries of the log up to `next`, which it [may pass](Self::may_pass).
    pub fn pass(&mut self, now: Now, next: u64) {
        self.clock_ms = now.wall_ms;
        self.outgoing.pass(next);
        self.note_sent(now);
    }

    /// Whether both ends have introduced themselves, and neither has ended it.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// What the peer has told to have received, until everything that it lacked has been sent.
    pub fn peer_summary(&self) -> Option<&Received> {
        self.outgoing.summary_of_peer()
    }

    /// The number that the next delivery gets. When a commit is refused, deliveries with smaller
    /// numbers are to be ignored.
    pub fn next_delivery(&self) -> u64 {
        self.incoming.next_delivery()
    }

    fn go_on(&mut self, now: Now, input: Input) -> Outcome {
        if let Input::Taken { delivery, durable } = input {
            // What that leads to is gathered until it is polled.
            self.incoming.taken(delivery, durable);
            return Ok(());
        }
        self.on_input(now, input)?;
        self.watch_time(now)?;
        if self.phase == Phase::Open {
            self.outgoing.pump(&mut self.out)?;
        }
        Ok(())
    }

    fn on_input(&mut self, now: Now, input: Input) -> Outcome {
        let two_way = self.is_two_way();
        let out = &mut self.out;
        match input {
            Input::Frame(frame) => {
                self.pulse.heard(now.mono_ms);
                return self.on_frame(&frame);
            }
            Input::Standing(standing) => return self.on_standing(&standing, now.wall_ms),
            Input::Entries { entries, next, end } => {
                return self.outgoing.entries(&entries, next, end, out);
            }
            Input::Located { positions, end } => {
                return self.outgoing.located(positions, end, two_way, out);
            }
            Input::Appended(prepared) => return self.outgoing.appended(&prepared, out),
            Input::Staged { commit, index } => self.incoming.staged(commit, index),
            Input::Refuse {
                commit,
                why,
                remedy,
            } => {
                return self.incoming.refuse(commit, why, remedy, now.wall_ms, out);
            }
            Input::Again => return self.outgoing.again(out),
            Input::Digests(digests) => {
                if self.phase == Phase::Open {
                    self.out.send(&Message::Digests(digests))?;
                }
            }
            Input::Close { code, reason } => return Err(Ending::new(code, reason)),
            Input::Taken { .. } | Input::Tick => {}
        }
        Ok(())
    }

    fn on_standing(&mut self, standing: &Standing, clock_ms: u64) -> Outcome {
        match self.phase {
            Phase::Greeted => self.on_greeted(standing, clock_ms),
            Phase::Open if core::mem::take(&mut self.is_standing_due) => {
                self.tell_summary(standing)
            }
            _ => Ok(()),
        }
    }

    fn on_frame(&mut self, frame: &Bytes) -> Outcome {
        let bytes = u64::try_from(frame.len()).unwrap_or(u64::MAX);
        let message = decode_frame_with(frame, &mut self.names, self.compression.as_deref())
            .map_err(|error| Ending::new(error.close_code(), error.to_string()))?;
        if let Message::Error { code, text } = message {
            let reason = format!("the peer closed: {text}");
            return Err(Ending::by_peer(CloseCode::new(code), reason));
        }
        match (self.phase, self.role, message) {
            (Phase::Hello, _, Message::Hello(hello)) => {
                self.count(bytes);
                self.on_hello(hello)
            }
            (Phase::Hello, _, other) => Err(Ending::misplaced(other.kind(), "before the hello")),
            (Phase::Open | Phase::Greeted, _, Message::Hello(_)) => {
                Err(Ending::misplaced("hello", "after the first one"))
            }
            (Phase::Greeted, Role::Dialer, _) => self.defer(frame.clone()),
            (Phase::Greeted, Role::Listener, other) => {
                Err(Ending::misplaced(other.kind(), "before this end's hello"))
            }
            (Phase::Open, _, message) => {
                self.count(bytes);
                self.on_message(message, plain_bytes(frame))
            }
            (Phase::Closed, ..) => Ok(()),
        }
    }

    fn on_message(&mut self, message: Message, bytes: usize) -> Outcome {
        let whole = self.outgoing.is_whole();
        let out = &mut self.out;
        match message {
            Message::Batch(batch) => self.incoming.batch(batch, bytes, whole, out)?,
            Message::Part(part) => self.incoming.part(part, bytes, whole, out)?,
            Message::Ack { batch, durable } => self.outgoing.ack(batch, durable, out)?,
            Message::Credit { bytes } => self.outgoing.add_credit(bytes)?,
            Message::Refuse(refusal) => {
                self.peer_clock_ms = Some(refusal.clock_ms);
                self.outgoing.refused(&refusal, out)?;
            }
            Message::Summary(_) if !self.outgoing.active => {
                return Err(Ending::misplaced("summary", "to an end that does not send"));
            }
            Message::Summary(piece) => {
                if let Some(received) = self.gathering.add(piece)? {
                    let two_way = self.is_two_way();
                    self.outgoing.summary(received, two_way, &mut self.out)?;
                }
            }
            Message::NeedSummary => self.on_need_summary()?,
            Message::Fill | Message::CaughtUp | Message::Again if !self.incoming.active => {
                return Err(Ending::misplaced(
                    message.kind(),
                    "to an end that does not receive",
                ));
            }
            Message::Fill => self.incoming.fill()?,
            Message::CaughtUp => self.incoming.caught_up(out),
            Message::Again => self.incoming.again()?,
            Message::Ping { clock_ms } => {
                self.peer_clock_ms = Some(clock_ms);
                out.send(&Message::Pong {
                    clock_ms: self.clock_ms,
                })?;
            }
            Message::Pong { clock_ms } => self.peer_clock_ms = Some(clock_ms),
            Message::Digests(digests) => out.push(Output::Digests(digests)),
            Message::Hello(_) | Message::Error { .. } => {}
        }
        if !whole && self.outgoing.is_whole() {
            self.incoming.peer_is_whole(&mut self.out);
        }
        Ok(())
    }

    /// The peer does not honour this end's cursor. In a two-way session this end's own sending
    /// waits for the peer's summary too, which follows.
    fn on_need_summary(&mut self) -> Outcome {
        if !self.incoming.active || self.incoming.cursors != Cursors::Count {
            return Err(Ending::misplaced(
                "need-summary",
                "without a cursor to be honoured",
            ));
        }
        self.go_by_summary();
        if self.outgoing.active {
            self.outgoing.await_summary();
        }
        self.is_standing_due = true;
        self.out.push(Output::Stand);
        Ok(())
    }

    fn watch_time(&mut self, now: Now) -> Outcome {
        if self.deadline().is_none() {
            return Ok(());
        }
        match self.pulse.check(now.mono_ms) {
            Some(Silence::HelloTimeout) => Err(Ending::new(
                CloseCode::HELLO_TIMEOUT,
                format!("the peer did not introduce itself within {HELLO_MS} ms"),
            )),
            Some(Silence::Dead) => Err(Ending::new(
                CloseCode::DEAD_PEER,
                format!("nothing was heard from the peer for {DEAD_MS} ms"),
            )),
            Some(Silence::Ping) => self
                .out
                .send(&Message::Ping {
                    clock_ms: now.wall_ms,
                })
                .map(|_| ()),
            None => Ok(()),
        }
    }

    fn is_two_way(&self) -> bool {
        self.outgoing.active && self.incoming.active
    }

    fn count(&mut self, bytes: u64) {
        self.incoming.received.bytes = self.incoming.received.bytes.saturating_add(bytes);
    }

    /// Ends the session; the peer is told why, unless it said so itself.
    fn end(&mut self, ending: Ending) {
        if self.phase == Phase::Closed {
            return;
        }
        let Ending {
            code,
            reason,
            by_peer,
        } = ending;
        if !by_peer {
            if self.phase == Phase::Open {
                drop(self.incoming.flush(&mut self.out));
            }
            let text = String::from(reason.as_str());
            drop(self.out.send(&Message::Error {
                code: code.get(),
                text,
            }));
        }
        self.phase = Phase::Closed;
        self.opening = None;
        self.out.push(Output::Closed { code, reason });
    }
}
