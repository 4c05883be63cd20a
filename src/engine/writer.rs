use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::io::{Failure, Ingested, Recorded, Reply};
use super::{Effect, Engine, LinkId, Ticket};
use crate::event::{AggregateId, EventId, ReplicaId};
use crate::limits::{FLUSH_MS, GROUP_BYTES_MAX};
use crate::log::{Cursor, Durability, Entry, Group, Note, StateRow};
use crate::protocol;

/// What is to happen once a write is answered.
#[derive(Clone, Debug)]
pub(super) enum Then {
    Recorded(Ticket, Recorded),
    Ingested(Ticket, Ingested),
    Done(Ticket),
    Delivered {
        link: LinkId,
        number: u64,
    },
    PartStaged {
        link: LinkId,
        commit: EventId,
        index: u32,
    },
    /// Refused commits can be read, to be written again.
    LocateRefused,
    Restamped {
        link: LinkId,
    },
    StateSaved(AggregateId),
    CursorKept(ReplicaId, Cursor),
}

/// Something that must be written as one; a group is made of whole ones.
#[derive(Debug, Default)]
pub(super) struct WriteItem {
    pub(super) entries: Vec<Entry>,
    pub(super) notes: Vec<Note>,
    pub(super) durability: Durability,
    pub(super) then: Vec<Then>,
}

impl WriteItem {
    fn bytes(&self) -> usize {
        let notes = self.notes.iter().filter_map(|note| note.value.as_ref());
        self.entries
            .iter()
            .map(|entry| entry.commit.bytes())
            .sum::<usize>()
            + notes.map(bytes::Bytes::len).sum::<usize>()
    }
}

#[derive(Debug)]
struct InFlight {
    end: u64,
    has_entries: bool,
    durability: Durability,
    then: Vec<Then>,
}

/// Group commit: while one group is being written, what comes becomes the next.
#[derive(Debug, Default)]
pub(super) struct Writer {
    queue: VecDeque<WriteItem>,
    queued_entries: u64,
    in_flight: Option<InFlight>,
    /// Local writes were answered that are not fsynced yet.
    unsynced: bool,
    pub(super) failed: Option<Arc<str>>,
}

impl Writer {
    pub(super) fn push(&mut self, item: WriteItem) {
        let entries = u64::try_from(item.entries.len()).unwrap_or(u64::MAX);
        self.queued_entries = self.queued_entries.saturating_add(entries);
        self.queue.push_back(item);
    }

    /// Whether a group may be written now.
    pub(super) fn is_free(&self) -> bool {
        self.in_flight.is_none() && self.failed.is_none()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.queue.is_empty()
    }
}

impl Engine {
    /// Sends the next group off, if none is under way.
    pub(super) fn pump_writer(&mut self) {
        if !self.writer.is_free() {
            return;
        }
        let flush = self.is_flush_due();
        if self.writer.queue.is_empty() && !self.cache.wants_saving() && !flush {
            return;
        }
        let mut group = Group {
            durability: if flush {
                Durability::Durable
            } else {
                Durability::Buffered
            },
            ..Group::default()
        };
        let mut then = Vec::new();
        let mut bytes = 0;
        while let Some(item) = self.writer.queue.front() {
            let size = item.bytes();
            if bytes > 0 && bytes + size > GROUP_BYTES_MAX {
                break;
            }
            bytes += size;
            let Some(item) = self.writer.queue.pop_front() else {
                break;
            };
            group.durability = group.durability.max(item.durability);
            group.entries.extend(item.entries);
            group.notes.extend(item.notes);
            then.extend(item.then);
        }
        let entries = u64::try_from(group.entries.len()).unwrap_or(u64::MAX);
        self.writer.queued_entries = self.writer.queued_entries.saturating_sub(entries);
        if self.writer.queue.is_empty() {
            // The folds in memory hold every entry handed out so far, so they may be stored only
            // with a group that ends with the last of them.
            let fold = |aggregate: &AggregateId| self.watches.fold(aggregate);
            for (aggregate, bytes) in self.cache.folds_to_save(&*self.guard, fold) {
                then.push(Then::StateSaved(aggregate.clone()));
                group.states.push(StateRow {
                    aggregate,
                    bytes: bytes.into(),
                });
            }
        }
        for (aggregate, outcome) in self.cache.take_folded() {
            self.folded(&aggregate, &outcome);
        }
        let is_empty = group.entries.is_empty() && group.notes.is_empty() && then.is_empty();
        if is_empty && group.states.is_empty() && group.durability == Durability::Buffered {
            return;
        }
        let end = self.log.end().saturating_sub(self.writer.queued_entries);
        self.writer.in_flight = Some(InFlight {
            end,
            has_entries: !group.entries.is_empty(),
            durability: group.durability,
            then,
        });
        self.effects.push_back(Effect::Write(group));
    }

    /// A buffered local write is fsynced as soon as somebody could be sent it, or after a while.
    fn is_flush_due(&mut self) -> bool {
        if !self.writer.unsynced {
            return false;
        }
        let due = *self
            .flush_due
            .get_or_insert(self.now.mono_ms.saturating_add(FLUSH_MS));
        (!self.links.is_empty() || due <= self.now.mono_ms) && !mutant!("buffered-never-flushed")
    }

    pub(super) fn on_written(&mut self) {
        let Some(done) = self.writer.in_flight.take() else {
            return;
        };
        let durable = done.durability == Durability::Durable;
        self.log.stored(done.end, durable);
        if durable {
            self.writer.unsynced = false;
            self.flush_due = None;
        } else if done.has_entries {
            self.writer.unsynced = true;
        }
        if !durable || !mutant!("tail-not-woken") {
            self.effects.push_back(Effect::Appended { end: done.end });
        }
        for then in done.then {
            self.carry_on(then, durable);
        }
    }

    fn carry_on(&mut self, then: Then, durable: bool) {
        match then {
            Then::Recorded(ticket, recorded) => self.reply(ticket, Ok(Reply::Recorded(recorded))),
            Then::Ingested(ticket, ingested) => self.reply(ticket, Ok(Reply::Ingested(ingested))),
            Then::Done(ticket) => self.reply(ticket, Ok(Reply::Done)),
            Then::Delivered { link, number } => {
                self.tell_session(
                    link,
                    protocol::Input::Taken {
                        delivery: number,
                        durable,
                    },
                );
            }
            Then::PartStaged {
                link,
                commit,
                index,
            } => {
                self.tell_session(link, protocol::Input::Staged { commit, index });
            }
            Then::LocateRefused => self.locate_refused(),
            Then::Restamped { link } => self.tell_session(link, protocol::Input::Again),
            Then::StateSaved(aggregate) => self.cache.saved(&aggregate),
            Then::CursorKept(peer, cursor) => self.peers.keep(peer, cursor),
        }
    }

    /// What was being written is unknown; nothing may be written until the store is opened again.
    pub(super) fn on_write_failed(&mut self, reason: &Arc<str>) {
        let in_flight = self
            .writer
            .in_flight
            .take()
            .map(|group| group.then)
            .unwrap_or_default();
        let queued: Vec<Then> = self
            .writer
            .queue
            .drain(..)
            .flat_map(|item| item.then)
            .collect();
        self.writer.queued_entries = 0;
        self.writer.failed = Some(reason.clone());
        for then in in_flight.into_iter().chain(queued) {
            if let Then::Recorded(ticket, _) | Then::Ingested(ticket, _) | Then::Done(ticket) = then
            {
                self.reply(
                    ticket,
                    Err(Failure::Store {
                        reason: reason.clone(),
                    }),
                );
            }
        }
        let records = core::mem::take(&mut self.records);
        for wish in records.into_values().flatten() {
            let reason = reason.clone();
            self.answer_record(&wish, Err(Failure::Store { reason }));
        }
        self.give_up_restamp();
        self.end_all_links(protocol::CloseCode::INTERNAL, "the store failed");
    }
}
