//! The half of a session that receives: what it has handed out, what of that was taken, what the
//! peer may still send, and which of the peer's cursors may be kept.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::Traffic;
use super::assembly::Assembly;
use super::outbox::{Ending, Outbox, Outcome};
use crate::event::{Commit, EventId};
use crate::limits::{CREDIT_BYTES, UNTOLD_BATCHES_MAX};
use crate::log::{Cursor, Epoch};
use crate::protocol::{Batch, Delivered, Delivery, Message, Output, Part, Reason, Refusal, Remedy};

/// A cursor that no store honours: it takes the place of one that has lost its meaning.
pub(super) const VOID: Cursor = Cursor {
    epoch: Epoch::from_bits(0),
    position: u64::MAX,
};

/// Credit is given back in portions of at least this many bytes; a sender waits only when it has
/// less than a frame, which is less than what is then still out.
const CREDIT_PORTION: u64 = CREDIT_BYTES / 4;

/// Which of the peer's cursors are handed to the owner.
///
/// Sending skips what came from the peer, which is right only if the peer still has it. Both ends'
/// cursors together prove that, if neither is renewed before the other end is known to be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cursors {
    /// All of them.
    Count,
    /// Those after the peer's `Fill`, once the peer has durably acknowledged everything that it
    /// lacked; until then a void one, so that an end in the middle leads to a summary again.
    WhenWhole {
        /// The peer's `Fill` has come.
        filling: bool,
    },
    /// Those after the peer's `Fill`: a first contact in which this end sends nothing.
    WhenFilled {
        /// The peer's `Fill` has come.
        filling: bool,
    },
    /// None: this end sends nothing, so it cannot make whole a peer that may have lost something.
    Never {
        /// The peer's `Fill` has come.
        filling: bool,
    },
}

#[derive(Debug)]
struct Pending {
    number: u64,
    /// The peer's number; nothing for a delivery of our own making.
    batch: Option<u64>,
    /// Credit to be given back.
    credit: u64,
    /// Its commits, until it is taken; mostly there is one.
    first: Option<EventId>,
    others: Vec<EventId>,
    taken: bool,
    durable: bool,
    refused: bool,
}

impl Pending {
    fn names(&self, commit: EventId) -> bool {
        self.first == Some(commit) || self.others.contains(&commit)
    }
}

/// State of the receiving half.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) active: bool,
    pub(super) cursors: Cursors,
    /// The peer's, in which its positions lie.
    pub(super) epoch: Epoch,
    caught_up: bool,
    /// Parts of a large commit that an earlier session staged.
    pub(super) resumed: Option<Box<Assembly>>,
    assembly: Option<Box<Assembly>>,
    pub(super) received: Traffic,
    discarding: bool,
    /// Bytes that the peer may still send, and bytes to be granted again.
    window: u64,
    owed: u64,
    batches: u64,
    deliveries: u64,
    pending: VecDeque<Pending>,
    staging: VecDeque<(EventId, u32, u64)>,
    withheld: Option<Cursor>,
    /// One more than the last batch to be acknowledged, and than the last one that was.
    taken: u64,
    durable: u64,
    told_taken: u64,
    told_durable: u64,
}

impl Incoming {
    pub(super) fn new() -> Self {
        Self {
            active: false,
            cursors: Cursors::Count,
            epoch: VOID.epoch,
            caught_up: false,
            resumed: None,
            assembly: None,
            received: Traffic::default(),
            discarding: false,
            window: CREDIT_BYTES,
            owed: 0,
            batches: 0,
            deliveries: 0,
            pending: VecDeque::new(),
            staging: VecDeque::new(),
            withheld: None,
            taken: 0,
            durable: 0,
            told_taken: 0,
            told_durable: 0,
        }
    }

    pub(super) fn fill(&mut self) -> Outcome {
        let filling = match &mut self.cursors {
            Cursors::WhenWhole { filling }
            | Cursors::WhenFilled { filling }
            | Cursors::Never { filling } => filling,
            Cursors::Count => return Err(Ending::misplaced("fill", "without a summary")),
        };
        if core::mem::replace(filling, true) {
            return Err(Ending::misplaced("fill", "while one is under way"));
        }
        self.assembly = None;
        Ok(())
    }

    pub(super) fn batch(
        &mut self,
        batch: Batch,
        frame_bytes: usize,
        peer_is_whole: bool,
        out: &mut Outbox,
    ) -> Outcome {
        let credit = self.use_window("batch", frame_bytes)?;
        let number = self.next_batch();
        if self.discarding {
            self.owed += credit;
            return Ok(());
        }
        if self.assembly.is_some() {
            return Err(Ending::misplaced("batch", "between the parts of a commit"));
        }
        let cursor = self.surfaced(batch.position, peer_is_whole);
        let delivery = Delivery {
            number: 0,
            commits: batch.commits,
            cursor,
            unstage: None,
            bytes: frame_bytes,
        };
        self.deliver(delivery, Some(number), credit, out);
        Ok(())
    }

    pub(super) fn part(
        &mut self,
        part: Part,
        frame_bytes: usize,
        peer_is_whole: bool,
        out: &mut Outbox,
    ) -> Outcome {
        let credit = self.use_window("part", frame_bytes)?;
        let is_last = part.index + 1 >= part.total;
        let number = if is_last {
            Some(self.next_batch())
        } else {
            None
        };
        if self.discarding {
            self.owed += credit;
            return Ok(());
        }
        if self.assembly.is_none() || part.index == 0 {
            let resumed = self
                .resumed
                .take()
                .filter(|resumed| resumed.is_of(part.commit));
            let resumed = resumed.map(|resumed| *resumed);
            self.assembly = Some(Box::new(Assembly::begin(&part, resumed)));
        }
        if let Some(assembly) = &mut self.assembly {
            assembly.add(&part, frame_bytes)?;
        }
        if !is_last {
            let Part {
                commit,
                index,
                bytes,
                ..
            } = part;
            self.staging.push_back((commit, index, credit));
            out.push(Output::Stage {
                commit,
                index,
                bytes,
            });
            return Ok(());
        }
        let Some(assembly) = self.assembly.take() else {
            return Ok(());
        };
        let unstage = assembly.is_staged().then_some(part.commit);
        let bytes = assembly.frame_bytes();
        let commit = assembly.into_commit()?;
        let commits = alloc::vec![Delivered {
            commit,
            continues: part.continues
        }];
        let cursor = self.surfaced(part.position, peer_is_whole);
        self.deliver(
            Delivery {
                number: 0,
                commits,
                cursor,
                unstage,
                bytes,
            },
            number,
            credit,
            out,
        );
        Ok(())
    }

    /// The peer now lacks nothing: a cursor that was held back is handed out.
    pub(super) fn peer_is_whole(&mut self, out: &mut Outbox) {
        if self.discarding || self.cursors != (Cursors::WhenWhole { filling: true }) {
            return;
        }
        if let Some(cursor) = self.withheld.take() {
            let delivery = Delivery {
                number: 0,
                commits: Vec::new(),
                cursor: Some(cursor),
                unstage: None,
                bytes: 0,
            };
            self.deliver(delivery, None, 0, out);
        }
    }

    pub(super) fn caught_up(&mut self, out: &mut Outbox) {
        if !self.discarding && !core::mem::replace(&mut self.caught_up, true) {
            out.push(Output::PeerCaughtUp);
        }
    }

    /// Everything up to and with this delivery was taken.
    pub(super) fn taken(&mut self, delivery: u64, durable: bool) {
        for pending in self
            .pending
            .iter_mut()
            .take_while(|pending| pending.number <= delivery)
        {
            if !core::mem::replace(&mut pending.taken, true) {
                self.owed += pending.credit;
                (pending.first, pending.others) = (None, Vec::new());
            }
            pending.durable |= durable;
            if let Some(batch) = pending.batch.filter(|_| !pending.refused) {
                self.taken = self.taken.max(batch + 1);
                if durable {
                    self.durable = self.durable.max(batch + 1);
                }
            }
        }
        let done = |first: &Pending| first.durable || (first.refused && first.taken);
        while self.pending.front().is_some_and(done) {
            self.pending.pop_front();
        }
    }

    pub(super) fn staged(&mut self, commit: EventId, index: u32) {
        let at = self
            .staging
            .iter()
            .position(|(c, i, _)| *c == commit && *i == index);
        if let Some((_, _, credit)) = at.and_then(|at| self.staging.remove(at)) {
            self.owed += credit;
        }
    }

    /// The owner does not take a commit: everything from its delivery on is the peer's to send
    /// again.
    pub(super) fn refuse(
        &mut self,
        commit: EventId,
        why: Reason,
        remedy: Remedy,
        clock_ms: u64,
        out: &mut Outbox,
    ) -> Outcome {
        if self.discarding || self.batches == 0 {
            return Ok(());
        }
        let open = || {
            self.pending
                .iter()
                .enumerate()
                .filter(|(_, pending)| !pending.taken)
        };
        let named = open().find(|(_, pending)| pending.names(commit));
        let from = named
            .or_else(|| open().next())
            .map_or(self.pending.len(), |(at, _)| at);
        for pending in self.pending.iter_mut().skip(from) {
            pending.refused = true;
        }
        self.discarding = true;
        self.assembly = None;
        self.withheld = None;
        out.send(&Message::Refuse(Refusal {
            commit,
            why,
            remedy,
            clock_ms,
        }))
        .map(|_| ())
    }

    pub(super) fn again(&mut self) -> Outcome {
        if core::mem::take(&mut self.discarding) {
            Ok(())
        } else {
            Err(Ending::misplaced("again", "without a refusal"))
        }
    }

    /// Whether what arrives is what the peer has to say now.
    pub(super) fn is_live(&self) -> bool {
        !self.active || (self.caught_up && !self.discarding)
    }

    /// Sends acknowledgements and credit that have gathered since the last time.
    pub(super) fn flush(&mut self, out: &mut Outbox) -> Outcome {
        if self.durable > self.told_durable {
            self.told_durable = self.durable;
            out.send(&Message::Ack {
                batch: self.durable - 1,
                durable: true,
            })?;
        }
        // One that is durable before long needs no other acknowledgement.
        let untold = self
            .taken
            .saturating_sub(self.told_taken.max(self.told_durable));
        if untold >= UNTOLD_BATCHES_MAX || (untold > 0 && self.discarding) {
            self.told_taken = self.taken;
            out.send(&Message::Ack {
                batch: self.taken - 1,
                durable: false,
            })?;
        }
        if self.owed >= CREDIT_PORTION && !mutant!("credit-never-returned") {
            let bytes = core::mem::take(&mut self.owed);
            self.window += bytes;
            out.send(&Message::Credit { bytes })?;
        }
        Ok(())
    }

    fn deliver(
        &mut self,
        mut delivery: Delivery,
        batch: Option<u64>,
        credit: u64,
        out: &mut Outbox,
    ) {
        delivery.number = self.deliveries;
        self.deliveries += 1;
        let commits = delivery.commits.iter().map(|delivered| &delivered.commit);
        let events = commits.clone().map(|commit| u64::from(commit.span().len()));
        self.received.events = self.received.events.saturating_add(events.sum());
        let mut ids = commits.map(Commit::id);
        self.pending.push_back(Pending {
            number: delivery.number,
            batch,
            credit,
            first: ids.next(),
            others: ids.collect(),
            taken: false,
            durable: false,
            refused: false,
        });
        out.push(Output::Deliver(delivery));
    }

    fn surfaced(&mut self, position: Option<u64>, peer_is_whole: bool) -> Option<Cursor> {
        let epoch = self.epoch;
        let cursor = position.map(|position| Cursor { epoch, position });
        match self.cursors {
            Cursors::Count | Cursors::WhenFilled { filling: true } => cursor,
            Cursors::WhenFilled { filling: false } | Cursors::Never { .. } => None,
            Cursors::WhenWhole { filling: true } if peer_is_whole => cursor.or(Some(VOID)),
            Cursors::WhenWhole { filling } => {
                self.withheld = cursor.filter(|_| filling);
                Some(VOID)
            }
        }
    }

    pub(super) fn next_delivery(&self) -> u64 {
        self.deliveries
    }

    fn next_batch(&mut self) -> u64 {
        self.received.batches += 1;
        let number = self.batches;
        self.batches += 1;
        number
    }

    fn use_window(&mut self, message: &'static str, bytes: usize) -> Result<u64, Ending> {
        if !self.active {
            return Err(Ending::misplaced(
                message,
                "to an end that does not receive",
            ));
        }
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let Some(window) = self.window.checked_sub(bytes) else {
            return Err(Ending::violation("more bytes than were granted"));
        };
        self.window = window;
        Ok(bytes)
    }
}
