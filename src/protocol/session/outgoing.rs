//! The half of a session that sends: what it has sent, what of it came back as acknowledged, and
//! where it stands in the log. What it does with that is in [`streaming`](super::streaming).

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;

use bytes::Bytes;

use super::SessionOptions;
use super::outbox::{Ending, Outbox, Outcome};
use crate::event::{Chain, EventId, ReplicaId};
use crate::limits::CREDIT_BYTES;
use crate::log::{Entry, Epoch, Received};
use crate::protocol::prepared::is_sendable;
use crate::protocol::tells::Knowledge;
use crate::protocol::{HelloStaged, Message, Output, Refusal};

/// How far sending has come: through what a summary lacks, and then along the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Progress {
    /// Index of the first located position not yet covered.
    Fill(usize),
    /// First position of the log not yet covered.
    Log(u64),
}

/// Where entries come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Supply {
    /// Nothing to be sent before the peer has told what it has.
    NeedsSummary,
    /// The owner is finding out what the peer lacks.
    Locating,
    /// Entries can be read.
    Ready,
}

/// A commit that is sent in parts.
#[derive(Debug)]
pub(super) struct Large {
    pub(super) commit: EventId,
    pub(super) encoded: Bytes,
    pub(super) index: u32,
    pub(super) events: u64,
    pub(super) continues: Option<Chain>,
    /// Where sending stands after it.
    pub(super) after: Progress,
}

#[derive(Debug)]
struct InFlight {
    batch: u64,
    /// What its acknowledgement means; nothing once sending began anew from a summary.
    covers: Option<Progress>,
}

/// State of the sending half.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and they combine"
)]
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) active: bool,
    pub(super) options: SessionOptions,
    pub(super) peer: ReplicaId,
    pub(super) epoch: Epoch,
    /// Sendable end of the log, as last heard.
    pub(super) end: u64,
    pub(super) supply: Supply,
    /// A read was asked for and not yet answered.
    pub(super) is_reading: bool,
    pub(super) paused: bool,
    pub(super) next: Progress,
    /// Located positions of what the peer lacks, and where in the log they end.
    pub(super) fill: Vec<u64>,
    fill_end: u64,
    /// What the peer's summary says it has; forgotten when the peer has caught up.
    known: Option<Received>,
    /// From here on, what came from the peer is not sent back.
    echoes_from: u64,
    /// Once the peer has durably acknowledged everything up to here, it lacks nothing that it may
    /// once have had. Nothing when a cursor proved that from the start.
    whole_at: Option<u64>,
    pub(super) large: Option<Box<Large>>,
    pub(super) staged: Option<HelloStaged>,
    pub(super) credit: u64,
    pub(super) caught_up: bool,
    /// The last position that the peer was told.
    pub(super) told: Option<u64>,
    /// Which numbers of the owner's names the peer knows.
    pub(super) told_names: Knowledge,
    stale_reads: u32,
    stale_locates: u32,
    in_flight: VecDeque<InFlight>,
    /// Batches sent, acknowledged, and acknowledged as durable.
    batches: u64,
    taken: u64,
    durable: u64,
    acked: Progress,
}

impl Outgoing {
    pub(super) fn new(options: SessionOptions, me: ReplicaId, epoch: Epoch, end: u64) -> Self {
        Self {
            active: false,
            options,
            peer: me,
            epoch,
            end,
            supply: Supply::NeedsSummary,
            is_reading: false,
            paused: false,
            next: Progress::Fill(0),
            fill: Vec::new(),
            fill_end: 0,
            known: None,
            echoes_from: u64::MAX,
            whole_at: Some(u64::MAX),
            large: None,
            staged: None,
            credit: CREDIT_BYTES,
            caught_up: false,
            told: None,
            told_names: Knowledge::default(),
            stale_reads: 0,
            stale_locates: 0,
            in_flight: VecDeque::new(),
            batches: 0,
            taken: 0,
            durable: 0,
            acked: Progress::Fill(0),
        }
    }

    /// Goes on where the peer's cursor stands. `two_way` sessions do not send back what came from
    /// the peer, which both cursors together prove to be there still.
    pub(super) fn resume(&mut self, position: u64, two_way: bool, out: &mut Outbox) {
        self.supply = Supply::Ready;
        self.next = Progress::Log(position);
        self.acked = self.next;
        self.told = Some(position);
        self.echoes_from = if two_way { 0 } else { u64::MAX };
        self.whole_at = None;
        out.push(Output::Acked {
            position,
            durable: true,
        });
    }

    /// Waits for a summary: what was sent before it counts for nothing.
    pub(super) fn await_summary(&mut self) {
        self.abandon_reads();
        self.supply = Supply::NeedsSummary;
        self.whole_at = Some(u64::MAX);
        self.restart_at(Progress::Fill(0));
        for batch in &mut self.in_flight {
            batch.covers = None;
        }
    }

    /// The peer has told what it has. A peer that has little is sent the log from its start, so
    /// that nobody lists most of a long log.
    pub(super) fn summary(
        &mut self,
        received: Received,
        two_way: bool,
        out: &mut Outbox,
    ) -> Outcome {
        self.await_summary();
        self.echoes_from = u64::MAX;
        if received.events().saturating_mul(4) < self.end {
            self.known = Some(received);
            return self.begin(Vec::new(), self.end, Progress::Log(0), two_way, out);
        }
        self.supply = Supply::Locating;
        out.push(Output::Locate(received.clone()));
        self.known = Some(received);
        Ok(())
    }

    pub(super) fn located(
        &mut self,
        positions: Vec<u64>,
        end: u64,
        two_way: bool,
        out: &mut Outbox,
    ) -> Outcome {
        if self.stale_locates > 0 {
            self.stale_locates -= 1;
        } else if self.supply == Supply::Locating {
            self.end = self.end.max(end);
            return self.begin(positions, end, Progress::Fill(0), two_way, out);
        }
        Ok(())
    }

    fn begin(
        &mut self,
        fill: Vec<u64>,
        end: u64,
        start: Progress,
        two_way: bool,
        out: &mut Outbox,
    ) -> Outcome {
        self.fill = fill;
        self.fill_end = end;
        self.whole_at = Some(end);
        self.echoes_from = if two_way { end } else { u64::MAX };
        self.supply = Supply::Ready;
        self.next = self.settled(start);
        self.acked = start;
        out.send(&Message::Fill).map(|_| ())
    }

    /// Sending goes on from what the peer has acknowledged.
    pub(super) fn again(&mut self, out: &mut Outbox) -> Outcome {
        if !core::mem::take(&mut self.paused) {
            return Ok(());
        }
        self.restart_at(self.acked);
        out.send(&Message::Again).map(|_| ())
    }

    pub(super) fn refused(&mut self, refusal: &Refusal, out: &mut Outbox) -> Outcome {
        if !self.active || self.paused || self.batches == 0 {
            return Err(Ending::misplaced("refuse", "while nothing can be refused"));
        }
        self.paused = true;
        self.large = None;
        let Refusal {
            commit,
            why,
            remedy,
            clock_ms,
        } = *refusal;
        out.push(Output::Refused {
            commit,
            why,
            remedy,
            clock_ms,
        });
        Ok(())
    }

    pub(super) fn add_credit(&mut self, bytes: u64) -> Outcome {
        let credit = self
            .credit
            .checked_add(bytes)
            .filter(|credit| *credit <= CREDIT_BYTES);
        let Some(credit) = credit else {
            return Err(Ending::violation("credit for more than was sent"));
        };
        self.credit = credit;
        Ok(())
    }

    /// An acknowledgement names a batch that was sent and passes the one before it.
    pub(super) fn ack(&mut self, batch: u64, durable: bool, out: &mut Outbox) -> Outcome {
        if batch >= self.batches {
            let sent = self.batches;
            return Err(Ending::violation(format!(
                "ack of batch {batch}, but {sent} were sent"
            )));
        }
        let before = if durable { self.durable } else { self.taken };
        if batch < before {
            return Err(Ending::violation(format!(
                "ack of batch {batch} after {before} were"
            )));
        }
        let covers = self.covered_by(batch);
        self.taken = self.taken.max(batch + 1);
        if durable {
            self.durable = batch + 1;
            while self
                .in_flight
                .front()
                .is_some_and(|first| first.batch <= batch)
            {
                self.in_flight.pop_front();
            }
        }
        let Some(progress) = covers else {
            return Ok(());
        };
        self.acked = self.acked.max(progress);
        if let Progress::Log(position) = progress {
            self.fill = Vec::new();
            out.push(Output::Acked { position, durable });
            if durable && self.whole_at.is_some_and(|whole| position >= whole) {
                self.whole_at = None;
            }
        }
        Ok(())
    }

    fn covered_by(&self, batch: u64) -> Option<Progress> {
        let first = self.in_flight.front()?.batch;
        let index = usize::try_from(batch.checked_sub(first)?).ok()?;
        self.in_flight.get(index)?.covers
    }

    /// Notes down a batch that was sent and that brings the peer to `after`.
    pub(super) fn sent(&mut self, after: Progress, bytes: u64, events: u64, out: &mut Outbox) {
        self.spend(bytes);
        self.in_flight.push_back(InFlight {
            batch: self.batches,
            covers: Some(after),
        });
        self.batches += 1;
        out.sent.batches += 1;
        out.sent.events = out.sent.events.saturating_add(events);
        if let Progress::Log(position) = after {
            self.told = Some(position);
        }
    }

    pub(super) fn spend(&mut self, bytes: u64) {
        self.credit = self.credit.saturating_sub(bytes);
    }

    /// Whether the peer must not or need not be sent this entry.
    pub(super) fn skips(&self, position: u64, entry: &Entry) -> bool {
        !is_sendable(entry)
            || ((position >= self.echoes_from || mutant!("echoes-never-sent"))
                && entry.from == Some(self.peer))
            || (matches!(self.next, Progress::Log(_))
                && self
                    .known
                    .as_ref()
                    .is_some_and(|known| known.contains(entry.commit.id())))
    }

    /// Where sending stands once the entry at `position` is done with.
    pub(super) fn after(&self, position: u64) -> Progress {
        match self.next {
            Progress::Fill(_) => {
                let index = self.fill.partition_point(|located| *located <= position);
                self.settled(Progress::Fill(index))
            }
            Progress::Log(_) => Progress::Log(position.saturating_add(1)),
        }
    }

    /// The end of what was located is a place in the log.
    pub(super) fn settled(&self, progress: Progress) -> Progress {
        match progress {
            Progress::Fill(index) if index >= self.fill.len() => Progress::Log(self.fill_end),
            other => other,
        }
    }

    /// An answer to a read came: whether it is the one that is waited for.
    pub(super) fn take_read(&mut self) -> bool {
        if self.stale_reads > 0 {
            self.stale_reads -= 1;
            return false;
        }
        core::mem::take(&mut self.is_reading)
    }

    pub(super) fn summary_of_peer(&self) -> Option<&Received> {
        self.known.as_ref()
    }

    pub(super) fn forget_summary(&mut self) {
        self.known = None;
    }

    /// Whether the peer lacks nothing that it may once have had.
    pub(super) fn is_whole(&self) -> bool {
        !self.active || self.whole_at.is_none()
    }

    /// Whether everything has been sent and what is appended goes out at once.
    pub(super) fn is_live(&self) -> bool {
        !self.active || (self.caught_up && !self.paused)
    }

    pub(super) fn all_acked(&self) -> bool {
        self.large.is_none() && self.durable == self.batches
    }

    fn restart_at(&mut self, progress: Progress) {
        self.large = None;
        self.told_names.clear();
        if core::mem::take(&mut self.is_reading) {
            self.stale_reads += 1;
        }
        self.next = progress;
        self.acked = progress;
        self.caught_up = false;
        self.told = match progress {
            Progress::Log(position) => Some(position),
            Progress::Fill(_) => None,
        };
    }

    fn abandon_reads(&mut self) {
        if self.supply == Supply::Locating {
            self.stale_locates += 1;
        }
    }
}
