//! From entries of the log to batches and parts, as fast as the peer's credit allows.
//!
//! Nothing is queued here: what the credit does not cover is read again once it does. A page is
//! asked for only when at least one whole frame may be sent.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::outbox::{Outbox, Outcome};
use super::outgoing::{Large, Outgoing, Progress, Supply};
use super::{SessionOptions, assembly};
use crate::event::{Chain, encode_commit};
use crate::limits::{FRAME_BYTES_MAX, PAGE_ENTRIES_MAX, PART_BYTES_MAX, UNTOLD_ENTRIES_MAX};
use crate::log::Entry;
use crate::protocol::prepared::{events_of, fits_one_frame, with_chains};
use crate::protocol::{Batch, Message, Output, Part, Prepared};

/// Entries for the next batch.
#[derive(Default)]
struct Gathered<'a> {
    entries: Vec<&'a Entry>,
    events: usize,
    bytes: usize,
}

impl<'a> Gathered<'a> {
    fn has_room(&self, entry: &Entry, options: SessionOptions) -> bool {
        let events = self.events.saturating_add(entry.commit.events().len());
        let bytes = self.bytes.saturating_add(entry.commit.bytes());
        self.entries.is_empty() || (events <= options.batch_events && bytes <= options.batch_bytes)
    }

    fn push(&mut self, entry: &'a Entry) {
        self.events = self.events.saturating_add(entry.commit.events().len());
        self.bytes = self.bytes.saturating_add(entry.commit.bytes());
        self.entries.push(entry);
    }
}

impl Outgoing {
    /// Does whatever can be done now: sends parts, asks for the next page, or finds that
    /// everything is sent. Asks for one thing at a time, so it ends.
    pub(super) fn pump(&mut self, out: &mut Outbox) -> Outcome {
        while self.large.is_some() && self.may_send() {
            self.send_part(out)?;
        }
        if self.is_reading || !self.may_send() {
            return Ok(());
        }
        self.next = self.settled(self.next);
        let bytes = self.options.batch_bytes;
        match self.next {
            Progress::Fill(at) => {
                let rest = self.fill.get(at..).unwrap_or_default();
                let positions = rest.iter().take(self.page_entries()).copied().collect();
                out.push(Output::ReadAt { positions, bytes });
                self.is_reading = true;
            }
            Progress::Log(since) if since < self.end => {
                out.push(Output::Read {
                    since,
                    entries: self.page_entries(),
                    bytes,
                });
                self.is_reading = true;
            }
            Progress::Log(position) => self.reached_end(position, out)?,
        }
        Ok(())
    }

    /// Takes a page that was asked for.
    pub(super) fn entries(
        &mut self,
        entries: &[(u64, Entry)],
        next: u64,
        end: u64,
        out: &mut Outbox,
    ) -> Outcome {
        self.end = self.end.max(end);
        if !self.take_read() || self.supply != Supply::Ready || self.paused {
            return Ok(());
        }
        let mut batch = Gathered::default();
        for (position, entry) in entries {
            let after = self.after(*position);
            if self.skips(*position, entry) {
                self.next = after;
                continue;
            }
            let is_large = entry.commit.bytes() > PART_BYTES_MAX;
            if is_large || !batch.has_room(entry, self.options) {
                self.send_batch(&batch.entries, out)?;
                batch = Gathered::default();
            }
            if is_large {
                self.begin_large(entry, after);
                return Ok(());
            }
            if !self.may_send() {
                return Ok(());
            }
            batch.push(entry);
            self.next = after;
        }
        self.page_done(entries.is_empty(), next);
        self.send_batch(&batch.entries, out)
    }

    /// Sends entries as soon as they are appended, if everything before them has been sent. One
    /// frame serves every session that wants all of them.
    pub(super) fn appended(&mut self, prepared: &Arc<Prepared>, out: &mut Outbox) -> Outcome {
        self.end = self.end.max(prepared.next());
        let follows = self.next == Progress::Log(prepared.from());
        if !follows || self.is_reading || self.large.is_some() || !self.may_send() {
            return Ok(());
        }
        let next = Progress::Log(prepared.next());
        let wants_all =
            prepared.is_encoded() && events_of(self.wanted(prepared)) == prepared.events();
        let compression = out.compression.as_deref();
        if wants_all && let Some(frame) = prepared.frame(&mut self.told_names, compression) {
            self.next = next;
            let bytes = out.send_frame(frame);
            self.sent(next, bytes, prepared.events(), out);
        } else if fits_one_frame(self.wanted(prepared)) {
            let batch: Vec<&Entry> = self.wanted(prepared).collect();
            self.next = next;
            self.send_batch(&batch, out)?;
        }
        Ok(())
    }

    /// Whether nothing is to be done about appended entries that the peer is not to be sent, but to go on
    /// behind them.
    pub(super) fn may_pass(&self, from: u64, next: u64) -> bool {
        if !self.active {
            return true;
        }
        let follows = self.next == Progress::Log(from) && self.end <= next;
        let is_at_end = follows && !self.is_reading && self.large.is_none() && self.may_send();
        is_at_end && self.caught_up && !self.is_untold(next)
    }

    /// Goes on behind entries that it [may pass](Self::may_pass).
    pub(super) fn pass(&mut self, next: u64) {
        self.end = self.end.max(next);
        if self.active {
            self.next = Progress::Log(next);
        }
    }

    /// Those of the entries that the peer is to be sent.
    fn wanted<'a>(&self, prepared: &'a Prepared) -> impl Iterator<Item = &'a Entry> + Clone {
        prepared
            .entries()
            .iter()
            .filter(|(position, entry)| !self.skips(*position, entry))
            .map(|(_, entry)| entry)
    }

    /// Whether a frame of any size may be sent now.
    fn may_send(&self) -> bool {
        let frame = u64::try_from(FRAME_BYTES_MAX).unwrap_or(u64::MAX);
        self.active && !self.paused && self.supply == Supply::Ready && self.credit >= frame
    }

    fn page_entries(&self) -> usize {
        self.options.batch_events.min(PAGE_ENTRIES_MAX)
    }

    /// The page is used up. An owner that has nothing where it said there was something is not
    /// asked again until it appends.
    fn page_done(&mut self, is_empty: bool, next: u64) {
        match self.next {
            Progress::Log(at) if next > at => self.next = Progress::Log(next),
            Progress::Log(at) => {
                if is_empty {
                    self.end = at;
                }
            }
            Progress::Fill(at) => {
                let mut index = self
                    .fill
                    .partition_point(|position| *position < next)
                    .max(at);
                if is_empty && index == at {
                    index = at.saturating_add(self.page_entries());
                }
                self.next = self.settled(Progress::Fill(index));
            }
        }
    }

    /// Sends a batch that brings the peer to where `next` stands, unless there is nothing in it.
    fn send_batch(&mut self, batch: &[&Entry], out: &mut Outbox) -> Outcome {
        if batch.is_empty() {
            return Ok(());
        }
        let events = events_of(batch.iter().copied());
        let commits = with_chains(batch.iter().copied());
        let message = Message::Batch(Batch {
            position: Self::position(self.next),
            commits,
        });
        let bytes = out.send(&message)?;
        self.sent(self.next, bytes, events, out);
        Ok(())
    }

    /// Whether the peer is to be told now that there is nothing for it before a position.
    fn is_untold(&self, position: u64) -> bool {
        self.told.is_none_or(|told| {
            let untold = position.saturating_sub(told);
            untold >= UNTOLD_ENTRIES_MAX || (untold > 0 && !self.caught_up)
        })
    }

    fn reached_end(&mut self, position: u64, out: &mut Outbox) -> Outcome {
        if self.is_untold(position) {
            let batch = Batch {
                position: Self::position(self.next),
                commits: Vec::new(),
            };
            let bytes = out.send(&Message::Batch(batch))?;
            self.sent(self.next, bytes, 0, out);
        }
        if !core::mem::replace(&mut self.caught_up, true) {
            self.forget_summary();
            out.send(&Message::CaughtUp)?;
            out.push(Output::CaughtUp);
        }
        Ok(())
    }

    /// What the peer is told of how far it is, in this end's epoch.
    fn position(progress: Progress) -> Option<u64> {
        match progress {
            Progress::Fill(_) => None,
            Progress::Log(position) => Some(position),
        }
    }

    /// Begins a commit that is too large for a batch, after the parts that the peer has staged. Only
    /// the first one can go on from there: an owner stages one commit at a time.
    fn begin_large(&mut self, entry: &Entry, after: Progress) {
        let commit = &entry.commit;
        let mut encoded = Vec::new();
        encode_commit(commit, &mut encoded);
        let staged = self
            .staged
            .take()
            .filter(|staged| staged.commit == commit.id());
        let index = staged.map_or(0, |staged| {
            let count = usize::try_from(staged.parts).unwrap_or(usize::MAX);
            let there = encoded.get(..count.saturating_mul(PART_BYTES_MAX));
            let same = |there: &[u8]| assembly::digest([there].into_iter()) == staged.digest;
            if there.is_some_and(same) {
                staged.parts
            } else {
                0
            }
        });
        self.large = Some(Box::new(Large {
            commit: commit.id(),
            encoded: encoded.into(),
            index,
            events: commit.span().len().into(),
            continues: entry.chain_before,
            after,
        }));
    }

    fn send_part(&mut self, out: &mut Outbox) -> Outcome {
        let Some(mut large) = self.large.take() else {
            return Ok(());
        };
        let len = large.encoded.len();
        let total = u32::try_from(len.div_ceil(PART_BYTES_MAX)).unwrap_or(u32::MAX);
        let index = usize::try_from(large.index).unwrap_or(usize::MAX);
        let start = index.saturating_mul(PART_BYTES_MAX).min(len);
        let end = start.saturating_add(PART_BYTES_MAX).min(len);
        let is_last = large.index.saturating_add(1) >= total;
        let bytes = out.send(&Message::Part(Part {
            commit: large.commit,
            index: large.index,
            total,
            continues: large.continues.map(Chain::mark).filter(|_| is_last),
            position: Self::position(large.after).filter(|_| is_last),
            bytes: large.encoded.slice(start..end),
        }))?;
        if is_last {
            self.next = large.after;
            self.sent(large.after, bytes, large.events, out);
        } else {
            self.spend(bytes);
            large.index = large.index.saturating_add(1);
            self.large = Some(large);
        }
        Ok(())
    }
}
