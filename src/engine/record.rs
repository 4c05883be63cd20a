use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::cache::Place;
use super::identity::Identity;
use super::io::{Failure, Recorded};
use super::notes::Key;
use super::writer::{Then, WriteItem};
use super::{Engine, Ticket};
use crate::event::{
    AggregateId, Commit, CommitSpan, Draft, Event, EventId, EventParts, Head, Heads, Timestamp,
};
use crate::log::{Durability, Note};

/// A local write, perhaps waiting for an aggregate to be read.
#[derive(Debug)]
pub(super) struct RecordWaiting {
    pub(super) ticket: Ticket,
    pub(super) drafts: Vec<Draft>,
    pub(super) durability: Durability,
}

impl Engine {
    /// Writes a commit, or waits until all its aggregates are in memory.
    pub(super) fn record(&mut self, wish: RecordWaiting) {
        if let Some(reason) = self.writer.failed.clone() {
            self.reply(wish.ticket, Err(Failure::Store { reason }));
            return;
        }
        let Some(wish) = self.held_back(wish) else {
            return;
        };
        let cold = wish.drafts.iter().map(|draft| &draft.aggregate);
        let cold = cold
            .cloned()
            .find(|aggregate| self.cache.place(aggregate) != Place::Hot);
        if let Some(aggregate) = cold {
            for draft in &wish.drafts {
                self.want(&draft.aggregate, false);
            }
            self.records.entry(aggregate).or_default().push(wish);
            return;
        }
        match self.write(&wish.drafts) {
            Ok((commit, item)) => {
                let recorded = Recorded {
                    commit: commit.id(),
                    span: commit.span(),
                    timestamp: commit.timestamp(),
                };
                let then = alloc::vec![Then::Recorded(wish.ticket, recorded)];
                self.writer.push(WriteItem {
                    durability: wish.durability,
                    then,
                    ..item
                });
            }
            Err(failure) => self.reply(wish.ticket, Err(failure)),
        }
    }

    fn write(&mut self, drafts: &[Draft]) -> Result<(Commit, WriteItem), Failure> {
        for draft in drafts {
            self.judgeable(&draft.aggregate)?;
        }
        let commit = self.build(drafts)?;
        self.trial(&commit)?;
        let mut item = WriteItem::default();
        self.accept(&commit, None, &mut item);
        item.notes.push(self.identity_note());
        Ok((commit, item))
    }

    /// The clock's mark is part of the identity: it must not be lost with the stamps it made.
    pub(super) fn identity_note(&mut self) -> Note {
        self.identity = Identity {
            clock_mark: self.clock.mark(),
            ..self.identity
        };
        Key::Identity.put(&self.identity)
    }

    fn judgeable(&mut self, aggregate: &AggregateId) -> Result<(), Failure> {
        self.fold(aggregate);
        match self
            .cache
            .timeline(aggregate)
            .and_then(|timeline| timeline.condition())
        {
            None => Ok(()),
            Some(why) => Err(Failure::Unresolved {
                aggregate: aggregate.clone(),
                why: why.clone(),
            }),
        }
    }

    fn build(&mut self, drafts: &[Draft]) -> Result<Commit, Failure> {
        let (first, mut chain) = self
            .identity
            .next(self.inbox.received())
            .ok_or(Failure::SeqsExhausted)?;
        let span = CommitSpan::new(first.seq, drafts.len())?;
        let timestamp = self.stamp(drafts)?;
        let mut events = Vec::with_capacity(drafts.len());
        let mut own: BTreeMap<&AggregateId, Head> = BTreeMap::new();
        let mut next = Some(first.seq);
        for draft in drafts {
            let seq = next.ok_or(Failure::SeqsExhausted)?;
            let id = EventId::new(first.replica, seq);
            let heads = match own.get(&draft.aggregate) {
                Some(head) => Heads::new(alloc::vec![*head])?,
                None => self
                    .cache
                    .timeline(&draft.aggregate)
                    .map(|timeline| timeline.heads_for_write(first.replica))
                    .unwrap_or_default(),
            };
            let event = Event::assemble(EventParts {
                id,
                commit: span,
                timestamp,
                written_ms: self.now.wall_ms,
                aggregate: draft.aggregate.clone(),
                event_type: draft.event_type.clone(),
                heads,
                replaces: None,
                metadata: draft.metadata.clone(),
                payload: draft.payload.clone(),
            })?;
            chain = chain.extend(event.digest());
            own.insert(
                &draft.aggregate,
                Head {
                    id,
                    tag: chain.tag(),
                },
            );
            events.push(event);
            next = seq.next();
        }
        Ok(Commit::new(events)?)
    }

    fn stamp(&mut self, drafts: &[Draft]) -> Result<Timestamp, Failure> {
        let latest = |draft: &Draft| {
            self.cache
                .timeline(&draft.aggregate)
                .and_then(|timeline| timeline.latest())
        };
        let floor = drafts.iter().filter_map(latest).max();
        // Beyond 2^47 ms a stamp is valid only one above its own aggregate's past.
        let apart = drafts.iter().find(|draft| latest(draft) != floor);
        if let (Some(floor), Some(draft)) = (floor, apart)
            && floor.next().is_none_or(Timestamp::is_far)
        {
            return Err(Failure::FarStamp {
                aggregate: draft.aggregate.clone(),
            });
        }
        let wall = self.now.wall_ms.saturating_add_signed(self.clock_offset_ms);
        Ok(self.clock.tick(wall, floor)?)
    }

    fn trial(&mut self, commit: &Commit) -> Result<(), Failure> {
        let mut by_aggregate: BTreeMap<&AggregateId, (Vec<usize>, Vec<Event>)> = BTreeMap::new();
        for (index, event) in commit.events().iter().enumerate() {
            let (indexes, events) = by_aggregate.entry(event.aggregate()).or_default();
            indexes.push(index);
            events.push(event.clone());
        }
        for (aggregate, (indexes, events)) in by_aggregate {
            let Some(timeline) = self.cache.timeline(aggregate) else {
                continue;
            };
            if let Err(error) = timeline.trial(&events, &*self.guard) {
                let index = indexes.get(error.index).copied().unwrap_or_default();
                let aggregate = aggregate.clone();
                return Err(Failure::Rejected {
                    index,
                    aggregate,
                    reason: error.rejection,
                });
            }
        }
        Ok(())
    }

    /// Writes that waited for an aggregate which is in memory now.
    pub(super) fn retry_records(&mut self, aggregate: &AggregateId) {
        for wish in self.records.remove(aggregate).unwrap_or_default() {
            self.record(wish);
        }
    }

    /// A read failed: so do the writes that waited for it.
    pub(super) fn fail_records(&mut self, aggregate: &AggregateId, failure: &Failure) {
        for wish in self.records.remove(aggregate).unwrap_or_default() {
            self.reply(wish.ticket, Err(failure.clone()));
        }
    }
}
