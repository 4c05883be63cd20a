use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::identity::Identity;
use super::io::{Failure, Ingested, Recorded, Reply};
use super::notes::Key;
use super::peers::PeerNote;
use super::{Effect, Engine, LinkId, Ticket};
use crate::event::{AggregateId, EventId, ReplicaId};
use crate::limits::{FLUSH_MS, GROUP_BYTES_MAX};
use crate::log::{Durability, Entry, Group, Note, StateRow};
use crate::protocol;

/// What is to happen once a write is answered.
#[derive(Clone, Debug)]
pub(super) enum Then {
    Recorded(Ticket, Recorded),
    Ingested(Ticket, Ingested),
    Done(Ticket),
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
}

/// Something that must be written as one; a group is made of whole ones.
#[derive(Debug, Default)]
pub(super) struct WriteItem {
    pub(super) entries: Vec<Entry>,
    pub(super) notes: Vec<Note>,
    /// Who this replica is, where that is to be noted; the last one of a group is written.
    pub(super) identity: Option<Identity>,
    /// How far a peer's log has been read; the last one for a peer in a group is written.
    pub(super) cursor: Option<(ReplicaId, PeerNote)>,
    /// The delivery of a connection that is taken with it, and all before it.
    pub(super) delivered: Option<(LinkId, u64)>,
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

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.notes.is_empty() && self.identity.is_none()
    }
}

#[derive(Debug)]
struct InFlight {
    end: u64,
    has_entries: bool,
    durability: Durability,
    cursors: Latest<ReplicaId, PeerNote>,
    delivered: Latest<LinkId, u64>,
    then: Vec<Then>,
}

/// The last value of each key, in the order of keys; mostly there is one.
#[derive(Debug)]
struct Latest<K, V> {
    only: Option<(K, V)>,
    /// All, where there are several.
    all: Vec<(K, V)>,
}

impl<K, V> Default for Latest<K, V> {
    fn default() -> Self {
        let (only, all) = (None, Vec::new());
        Self { only, all }
    }
}

impl<K: Ord, V> Latest<K, V> {
    fn set(&mut self, key: K, value: V) {
        if self.all.is_empty() && self.only.as_ref().is_none_or(|(only, _)| *only == key) {
            self.only = Some((key, value));
            return;
        }
        self.all.extend(self.only.take());
        let at = self.all.partition_point(|(other, _)| *other < key);
        match self.all.get_mut(at) {
            Some((other, last)) if *other == key => *last = value,
            _ => self.all.insert(at, (key, value)),
        }
    }

    fn is_empty(&self) -> bool {
        self.only.is_none() && self.all.is_empty()
    }

    fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.only.iter().chain(&self.all)
    }

    fn into_iter(self) -> impl Iterator<Item = (K, V)> {
        self.only.into_iter().chain(self.all)
    }
}

/// Items on their way to be one group: what only the last of them says is told once.
#[derive(Default)]
struct Gathered {
    group: Group,
    bytes: usize,
    identity: Option<Identity>,
    cursors: Latest<ReplicaId, PeerNote>,
    delivered: Latest<LinkId, u64>,
    then: Vec<Then>,
}

impl Gathered {
    /// Adds an item; one that has no room is given back.
    fn add(&mut self, item: WriteItem) -> Option<WriteItem> {
        let bytes = self.bytes + item.bytes();
        if self.bytes > 0 && bytes > GROUP_BYTES_MAX {
            return Some(item);
        }
        self.bytes = bytes;
        self.group.durability = self.group.durability.max(item.durability);
        if self.group.entries.is_empty() {
            self.group.entries = item.entries;
        } else {
            self.group.entries.extend(item.entries);
        }
        self.group.notes.extend(item.notes);
        self.identity = item.identity.or(self.identity);
        if let Some((peer, note)) = item.cursor {
            self.cursors.set(peer, note);
        }
        if let Some((link, delivery)) = item.delivered {
            self.delivered.set(link, delivery);
        }
        self.then.extend(item.then);
        None
    }

    /// The notes that only the last item said.
    fn note(&mut self) {
        let identity = self
            .identity
            .map(|identity| Key::Identity.put_bytes(identity.encode().into()));
        self.group.notes.extend(identity);
        let cursors = self.cursors.iter();
        let cursors = cursors.map(|(peer, note)| Key::Peer(*peer).put_bytes(note.encode()));
        if !mutant!("cursor-not-stored") {
            self.group.notes.extend(cursors);
        }
    }

    fn is_empty(&self) -> bool {
        let Group {
            entries,
            notes,
            states,
            durability,
        } = &self.group;
        let says_nothing = self.then.is_empty() && self.delivered.is_empty();
        let holds_nothing = entries.is_empty() && notes.is_empty() && states.is_empty();
        says_nothing && holds_nothing && *durability == Durability::Buffered
    }
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
        let mut gathered = Gathered::default();
        gathered.group.durability = if flush {
            Durability::Durable
        } else {
            Durability::Buffered
        };
        while let Some(item) = self.writer.queue.pop_front() {
            if let Some(item) = gathered.add(item) {
                self.writer.queue.push_front(item);
                break;
            }
        }
        gathered.note();
        let entries = u64::try_from(gathered.group.entries.len()).unwrap_or(u64::MAX);
        self.writer.queued_entries = self.writer.queued_entries.saturating_sub(entries);
        if self.writer.queue.is_empty() {
            // The folds in memory hold every entry handed out so far, so they may be stored only
            // with a group that ends with the last of them.
            let fold = |aggregate: &AggregateId| self.watches.fold(aggregate);
            for (aggregate, bytes) in self.cache.folds_to_save(&*self.guard, fold) {
                gathered.then.push(Then::StateSaved(aggregate.clone()));
                gathered.group.states.push(StateRow {
                    aggregate,
                    bytes: bytes.into(),
                });
            }
        }
        self.note_folded();
        if gathered.is_empty() {
            return;
        }
        let Gathered {
            group,
            cursors,
            delivered,
            then,
            ..
        } = gathered;
        let end = self.log.end().saturating_sub(self.writer.queued_entries);
        self.writer.in_flight = Some(InFlight {
            end,
            has_entries: !group.entries.is_empty(),
            durability: group.durability,
            cursors,
            delivered,
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
        for (peer, note) in done.cursors.into_iter() {
            self.peers.keep(peer, note.cursor);
        }
        for then in done.then {
            self.carry_on(then);
        }
        for (link, delivery) in done.delivered.into_iter() {
            self.tell_session(link, protocol::Input::Taken { delivery, durable });
        }
    }

    fn carry_on(&mut self, then: Then) {
        match then {
            Then::Recorded(ticket, recorded) => self.reply(ticket, Ok(Reply::Recorded(recorded))),
            Then::Ingested(ticket, ingested) => self.reply(ticket, Ok(Reply::Ingested(ingested))),
            Then::Done(ticket) => self.reply(ticket, Ok(Reply::Done)),
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
