use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::basis::Bases;
use super::cache::Place;
use super::identity::Identity;
use super::io::{Failure, Recorded, Reply};
use super::writer::{Then, WriteItem};
use super::{Basis, Engine, Ticket};
use crate::event::{
    AggregateId, Commit, CommitSpan, Draft, Event, EventId, EventParts, Head, Heads, Timestamp,
};
use crate::log::Durability;
use crate::merge::{Ground, Timeline};

/// A local write, perhaps waiting for an aggregate to be read.
#[derive(Debug)]
pub(super) struct RecordWaiting {
    ticket: Ticket,
    drafts: Vec<Draft>,
    pub(super) bases: Bases,
    durability: Durability,
    /// Its aggregates stay in memory until it is answered.
    is_pinned: bool,
    /// So many of the drafts are known to have their aggregates in memory.
    checked: usize,
}

impl RecordWaiting {
    pub(super) fn new(
        ticket: Ticket,
        drafts: Vec<Draft>,
        bases: Bases,
        durability: Durability,
    ) -> Self {
        Self {
            ticket,
            drafts,
            bases,
            durability,
            is_pinned: false,
            checked: 0,
        }
    }
}

impl Engine {
    /// Somebody wants to write.
    pub(super) fn on_record(
        &mut self,
        ticket: Ticket,
        drafts: Vec<Draft>,
        bases: Vec<Basis>,
        durability: Durability,
    ) {
        match self.gathered(bases) {
            Ok(bases) => self.record(RecordWaiting::new(ticket, drafts, bases, durability)),
            Err(failure) => self.reply(ticket, Err(failure)),
        }
    }

    /// Writes a commit, or waits until all its aggregates are in memory.
    pub(super) fn record(&mut self, mut wish: RecordWaiting) {
        if let Some(reason) = self.writer.failed.clone() {
            self.answer_record(&wish, Err(Failure::Store { reason }));
            return;
        }
        let Some(held) = self.held_back(wish) else {
            return;
        };
        wish = held;
        if let Some(at) = self.first_cold(&wish) {
            self.wait_for(wish, at);
            return;
        }
        match self.write(&wish.drafts, &wish.bases) {
            Ok((commit, item)) => {
                let recorded = Recorded {
                    commit: commit.id(),
                    span: commit.span(),
                    timestamp: commit.timestamp(),
                };
                self.unpin(&wish);
                self.writer.push(WriteItem {
                    durability: match wish.durability {
                        _ if mutant!("acknowledge-before-fsync") => Durability::Buffered,
                        durability => durability,
                    },
                    then: alloc::vec![Then::Recorded(wish.ticket, recorded)],
                    ..item
                });
            }
            Err(failure) => self.answer_record(&wish, Err(failure)),
        }
    }

    /// The first draft whose aggregate is not in memory, or not with the history that is needed; the
    /// others are folded.
    fn first_cold(&mut self, wish: &RecordWaiting) -> Option<usize> {
        let (rest, all) = (wish.checked..wish.drafts.len(), 0..wish.drafts.len());
        let rest = if wish.checked > 0 { rest } else { 0..0 };
        for range in [rest, all] {
            for at in range {
                let aggregate = &wish.drafts.get(at)?.aggregate;
                self.begin_new(aggregate);
                // A fold may find that it needs the history first.
                self.fold(aggregate);
                let is_cold = self.cache.place(aggregate) != Place::Hot;
                if is_cold || self.needs_history_for(wish, aggregate) {
                    return Some(at);
                }
            }
        }
        None
    }

    fn wait_for(&mut self, mut wish: RecordWaiting, at: usize) {
        wish.checked = at;
        let is_new = !core::mem::replace(&mut wish.is_pinned, true);
        let from = if is_new { 0 } else { at };
        let until = if is_new { wish.drafts.len() } else { at + 1 };
        for draft in wish.drafts.iter().take(until).skip(from) {
            if is_new {
                self.cache.pin(&draft.aggregate);
            }
            let whole = self.needs_history_for(&wish, &draft.aggregate);
            self.want(&draft.aggregate, whole);
        }
        let Some(draft) = wish.drafts.get(at) else {
            return;
        };
        let aggregate = draft.aggregate.clone();
        self.records.entry(aggregate).or_default().push(wish);
    }

    pub(super) fn answer_record(&mut self, wish: &RecordWaiting, answer: Result<Reply, Failure>) {
        self.unpin(wish);
        self.reply(wish.ticket, answer);
    }

    fn unpin(&mut self, wish: &RecordWaiting) {
        if wish.is_pinned {
            for draft in &wish.drafts {
                self.cache.unpin(&draft.aggregate);
            }
        }
    }

    fn write(&mut self, drafts: &[Draft], bases: &Bases) -> Result<(Commit, WriteItem), Failure> {
        if self.has_a_double() {
            self.renew_incarnation();
        }
        let mut grounds = BTreeMap::new();
        for Draft { aggregate, .. } in drafts {
            if !grounds.contains_key(aggregate) {
                self.judgeable(aggregate)?;
                grounds.insert(aggregate, self.ground(aggregate, bases)?);
            }
        }
        let commit = self.build(drafts, &mut grounds)?;
        self.trial(&commit)?;
        let mut item = WriteItem::default();
        self.accept_own(&commit, &mut item)?;
        item.identity = Some(self.marked_identity());
        Ok((commit, item))
    }

    /// Takes what this replica has made itself. Under an id that is taken it would be answered and gone:
    /// another store writes under this name, and what is here of it says so.
    fn accept_own(&mut self, commit: &Commit, item: &mut WriteItem) -> Result<(), Failure> {
        let received = self.inbox.received();
        let mut ids = commit.events().iter().map(Event::id);
        if ids.any(|id| received.contains(id)) {
            let commit = commit.id();
            return Err(Failure::Forked { commit });
        }
        self.accept(commit.clone(), None, item);
        Ok(())
    }

    /// Whether events under this replica's name came that it did not write: what it wrote next would run
    /// into them.
    fn has_a_double(&self) -> bool {
        let own = self.inbox.received().track(self.identity.replica);
        own.is_some_and(|track| !track.beyond().is_empty())
    }

    /// The clock's mark is part of the identity: it must not be lost with the stamps it made.
    pub(super) fn marked_identity(&mut self) -> Identity {
        self.identity = Identity {
            clock_mark: match self.clock.mark() {
                _ if mutant!("clock-mark-not-stored") => self.identity.clock_mark,
                mark => mark,
            },
            ..self.identity
        };
        self.identity
    }

    fn judgeable(&self, aggregate: &AggregateId) -> Result<(), Failure> {
        let condition = self.cache.timeline(aggregate);
        match condition.and_then(Timeline::condition) {
            None => Ok(()),
            Some(why) => Err(Failure::Unresolved {
                aggregate: aggregate.clone(),
                why: why.clone(),
            }),
        }
    }

    fn build(
        &mut self,
        drafts: &[Draft],
        grounds: &mut BTreeMap<&AggregateId, Ground>,
    ) -> Result<Commit, Failure> {
        let (first, mut chain) = self
            .identity
            .next(self.inbox.received())
            .ok_or(Failure::SeqsExhausted)?;
        let span = CommitSpan::new(first.seq, drafts.len())?;
        let timestamp = self.stamp(grounds)?;
        let mut events = Vec::with_capacity(drafts.len());
        let mut next = Some(first.seq);
        for draft in drafts {
            let seq = next.ok_or(Failure::SeqsExhausted)?;
            let id = EventId::new(first.replica, seq);
            let ground = grounds.get_mut(&draft.aggregate);
            let heads = ground.map(|ground| core::mem::take(&mut ground.heads));
            let event = Event::assemble(EventParts {
                id,
                commit: span,
                timestamp,
                written_ms: self.now.wall_ms,
                aggregate: draft.aggregate.clone(),
                event_type: draft.event_type.clone(),
                heads: heads.unwrap_or_default(),
                replaces: None,
                metadata: draft.metadata.clone(),
                payload: draft.payload.clone(),
            })?;
            chain = chain.extend(event.digest());
            // What follows in this commit names what comes right before it.
            if let Some(ground) = grounds.get_mut(&draft.aggregate) {
                let tag = chain.tag();
                ground.heads = Heads::new(alloc::vec![Head { id, tag }])?;
            }
            events.push(event);
            next = seq.next();
        }
        Ok(Commit::new(events)?)
    }

    fn stamp(&mut self, grounds: &BTreeMap<&AggregateId, Ground>) -> Result<Timestamp, Failure> {
        let floor = grounds.values().filter_map(|ground| ground.latest).max();
        // Beyond 2^47 ms a stamp is valid only one above its own aggregate's past.
        let apart = grounds.iter().find(|(_, ground)| ground.latest != floor);
        if let (Some(floor), Some((aggregate, _))) = (floor, apart)
            && floor.next().is_none_or(Timestamp::is_far)
        {
            return Err(Failure::FarStamp {
                aggregate: (*aggregate).clone(),
            });
        }
        let wall = self.now.wall_ms.saturating_add_signed(self.clock_offset_ms);
        let floor = floor.filter(|_| !mutant!("forget-the-lift"));
        Ok(self.clock.tick(wall, floor)?)
    }

    fn trial(&mut self, commit: &Commit) -> Result<(), Failure> {
        let mut by_aggregate: BTreeMap<&AggregateId, (Vec<usize>, Vec<Event>)> = BTreeMap::new();
        for (index, event) in commit.events().iter().enumerate() {
            let (indexes, events) = by_aggregate.entry(event.aggregate()).or_default();
            indexes.push(index);
            events.push(event.clone());
        }
        let guard = self.guard.clone();
        for (aggregate, (indexes, events)) in by_aggregate {
            let trial = |timeline: &mut Timeline| (timeline.trial_at_place(&events, &*guard), 0);
            if let Some(Err(error)) = self.cache.with(aggregate, trial) {
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
            self.answer_record(&wish, Err(failure.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;

    use super::*;
    use crate::clock::Now;
    use crate::engine::{Birth, Outside};
    use crate::event::{EventType, Metadata, Payload, ReplicaId, Seq};
    use crate::log::{Epoch, Opening};
    use crate::merge::Unguarded;
    use crate::protocol::Lineage;
    use crate::resolver::Registry;

    fn commit(payload: u64) -> Commit {
        let id = EventId::new(ReplicaId::new(1, 1), Seq::FIRST);
        let event = Event::assemble(EventParts {
            id,
            commit: CommitSpan::new(Seq::FIRST, 1).unwrap(),
            timestamp: Timestamp::at_millis(1),
            written_ms: 1,
            aggregate: "task/1".parse().unwrap(),
            event_type: EventType::new("written").unwrap(),
            heads: Heads::default(),
            replaces: None,
            metadata: Metadata::new(),
            payload: Payload::encode(&payload).unwrap(),
        });
        Commit::new(alloc::vec![event.unwrap()]).unwrap()
    }

    #[test]
    fn a_write_whose_id_is_taken_fails_and_is_not_dropped_without_a_word() {
        let birth = Birth {
            epoch: Epoch::from_bits(1),
            device: 1,
            incarnation: 1,
            lineage: Lineage::from_bits(1),
        };
        let now = Now {
            wall_ms: 1,
            mono_ms: 1,
        };
        let outside = Outside { now, entropy: 1 };
        let (opening, guard) = (Opening::default(), Arc::new(Unguarded));
        let mut engine = Engine::open(opening, &birth, Registry::new(), guard, 0, outside);
        let mut item = WriteItem::default();
        engine.accept_own(&commit(1), &mut item).unwrap();
        let again = engine.accept_own(&commit(2), &mut item);
        let commit = commit(2).id();
        assert_eq!(again, Err(Failure::Forked { commit }));
        assert_eq!(item.entries.len(), 1);
    }
}
