use alloc::vec::Vec;

use super::basis::Bases;
use super::identity::Identity;
use super::io::{Failure, Recorded, Reply};
use super::writer::{Then, WriteItem};
use super::{Basis, Engine, Ticket};
use crate::event::{
    AggregateId, ChainTag, Commit, CommitSpan, Draft, Event, EventId, EventParts, Head, Heads,
    Timestamp,
};
use crate::log::Durability;
use crate::merge::{Ground, Integration, Timeline, TrialError};

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

/// The aggregates that a commit touches, in the order in which it does.
struct Touched {
    each: Vec<TouchedOne>,
    /// Which of them each draft is of; nothing where each is of another one.
    of: Vec<usize>,
}

struct TouchedOne {
    /// Where it is in memory.
    at: usize,
    /// What its next event names.
    ground: Ground,
    /// The first draft of it, and the others.
    first: usize,
    rest: Vec<usize>,
}

impl TouchedOne {
    fn new(at: usize, first: usize) -> Self {
        let (heads, latest) = (Heads::NONE, None);
        Self {
            at,
            ground: Ground { heads, latest },
            first,
            rest: Vec::new(),
        }
    }
}

impl Touched {
    /// By the place of each draft's aggregate. Costs a sort.
    fn by(places: &[usize]) -> Self {
        if let [at] = *places {
            let (each, of) = (alloc::vec![TouchedOne::new(at, 0)], Vec::new());
            return Self { each, of };
        }
        let mut sorted: Vec<(usize, usize)> = places.iter().copied().zip(0..).collect();
        sorted.sort_unstable();
        let each = sorted.chunk_by(|(one, _), (other, _)| one == other);
        let each = each.filter_map(|drafts| {
            let ((at, first), rest) = drafts.split_first()?;
            Some(TouchedOne {
                rest: rest.iter().map(|(_, draft)| *draft).collect(),
                ..TouchedOne::new(*at, *first)
            })
        });
        let mut each: Vec<TouchedOne> = each.collect();
        each.sort_unstable_by_key(|touched| touched.first);
        if each.len() == places.len() {
            let of = Vec::new();
            return Self { each, of };
        }
        let mut of = alloc::vec![0; places.len()];
        for (number, touched) in each.iter().enumerate() {
            for draft in touched.rest.iter().chain([&touched.first]) {
                if let Some(of) = of.get_mut(*draft) {
                    *of = number;
                }
            }
        }
        Self { each, of }
    }

    /// The aggregate of a draft.
    fn of(&mut self, draft: usize) -> Option<&mut TouchedOne> {
        let number = self.of.get(draft).copied().unwrap_or(draft);
        self.each.get_mut(number)
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
    pub(super) fn record(&mut self, wish: RecordWaiting) {
        if let Some(reason) = self.writer.failed.clone() {
            self.answer_record(&wish, Err(Failure::Store { reason }));
            return;
        }
        let Some(wish) = self.held_back(wish) else {
            return;
        };
        let places = match self.places(&wish) {
            Ok(places) => places,
            Err(at) => return self.wait_for(wish, at),
        };
        self.unpin(&wish);
        match self.write(wish.drafts, &places, &wish.bases) {
            Ok((recorded, item)) => self.writer.push(WriteItem {
                durability: match wish.durability {
                    _ if mutant!("acknowledge-before-fsync") => Durability::Buffered,
                    durability => durability,
                },
                then: alloc::vec![Then::Recorded(wish.ticket, recorded)],
                ..item
            }),
            Err(failure) => self.reply(wish.ticket, Err(failure)),
        }
    }

    /// Where the aggregate of each draft is in memory, folded.
    ///
    /// # Errors
    /// The first draft whose aggregate is not in memory, or not with the history that is needed.
    fn places(&mut self, wish: &RecordWaiting) -> Result<Vec<usize>, usize> {
        // What was not waited for yet is looked at first; what was is looked at again.
        if wish.checked > 0 {
            for (at, draft) in wish.drafts.iter().enumerate().skip(wish.checked) {
                self.place(wish, &draft.aggregate).ok_or(at)?;
            }
        }
        let place = |(at, draft): (usize, &Draft)| self.place(wish, &draft.aggregate).ok_or(at);
        wish.drafts.iter().enumerate().map(place).collect()
    }

    fn place(&mut self, wish: &RecordWaiting, aggregate: &AggregateId) -> Option<usize> {
        let mut at = self.cache.hot_at(aggregate);
        if at.is_none() && self.begin_new(aggregate) {
            at = self.cache.hot_at(aggregate);
        }
        if self.cache.at(at?)?.wants_fold() {
            self.fold(aggregate);
            // It may have found that it needs the history first.
            at = self.cache.hot_at(aggregate);
        }
        let needs_history = !wish.bases.is_empty() && self.needs_history_for(wish, aggregate);
        at.filter(|_| !needs_history)
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

    fn write(
        &mut self,
        drafts: Vec<Draft>,
        places: &[usize],
        bases: &Bases,
    ) -> Result<(Recorded, WriteItem), Failure> {
        if self.has_a_double() {
            self.renew_incarnation();
        }
        let mut touched = Touched::by(places);
        for touched in &mut touched.each {
            if let Some(Draft { aggregate, .. }) = drafts.get(touched.first) {
                self.judgeable(touched.at, aggregate)?;
                touched.ground = self.ground(touched.at, aggregate, bases)?;
            }
        }
        let commit = self.build(drafts, &mut touched)?;
        self.trial(&commit, &touched)?;
        let recorded = Recorded {
            commit: commit.id(),
            span: commit.span(),
            timestamp: commit.timestamp(),
        };
        let mut item = WriteItem::default();
        self.accept_own(commit, places, &mut item)?;
        item.identity = Some(self.marked_identity());
        Ok((recorded, item))
    }

    /// Takes what this replica has made itself, into aggregates at these places. Under an id that is
    /// taken it would be answered and gone: another store writes under this name, and what is here of
    /// it says so.
    fn accept_own(
        &mut self,
        commit: Commit,
        places: &[usize],
        item: &mut WriteItem,
    ) -> Result<(), Failure> {
        let received = self.inbox.received();
        let mut ids = commit.events().iter().map(Event::id);
        if ids.any(|id| received.contains(id)) {
            let commit = commit.id();
            return Err(Failure::Forked { commit });
        }
        self.accept_into(places, commit, None, item);
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

    fn judgeable(&self, at: usize, aggregate: &AggregateId) -> Result<(), Failure> {
        match self.cache.at(at).and_then(Timeline::condition) {
            None => Ok(()),
            Some(why) => Err(Failure::Unresolved {
                aggregate: aggregate.clone(),
                why: why.clone(),
            }),
        }
    }

    fn build(&mut self, drafts: Vec<Draft>, touched: &mut Touched) -> Result<Commit, Failure> {
        let (first, mut chain) = self
            .identity
            .next(self.inbox.received())
            .ok_or(Failure::SeqsExhausted)?;
        let span = CommitSpan::new(first.seq, drafts.len())?;
        let timestamp = self.stamp(&drafts, touched)?;
        let mut events = Vec::with_capacity(drafts.len());
        let mut next = Some(first.seq);
        for (index, draft) in drafts.into_iter().enumerate() {
            let seq = next.ok_or(Failure::SeqsExhausted)?;
            let id = EventId::new(first.replica, seq);
            let ground = touched.of(index).map(|touched| &mut touched.ground.heads);
            let heads = ground.map(|heads| core::mem::replace(heads, Heads::NONE));
            let event = Event::assemble(EventParts {
                id,
                commit: span,
                timestamp,
                written_ms: self.now.wall_ms,
                aggregate: draft.aggregate,
                event_type: draft.event_type,
                heads: heads.unwrap_or_default(),
                replaces: None,
                metadata: draft.metadata,
                // It stays in memory, in the log and in its aggregate, as one.
                payload: draft.payload.into_detached(),
            })?;
            chain = chain.extend(event.digest());
            // What follows in this commit names what comes right before it.
            if let Some(touched) = touched.of(index) {
                let tag = chain.tag();
                touched.ground.heads = Heads::at_most_one(Some(Head { id, tag }));
            }
            events.push(event);
            next = seq.next();
        }
        Ok(Commit::new(events)?)
    }

    fn stamp(&mut self, drafts: &[Draft], touched: &Touched) -> Result<Timestamp, Failure> {
        let each = touched.each.iter();
        let floor = each.clone().filter_map(|one| one.ground.latest).max();
        // Beyond 2^47 ms a stamp is valid only one above its own aggregate's past.
        if let Some(floor) = floor
            && floor.next().is_none_or(Timestamp::is_far)
        {
            let mut apart = each.filter(|one| one.ground.latest != Some(floor));
            let apart = apart.find_map(|one| drafts.get(one.first));
            if let Some(Draft { aggregate, .. }) = apart {
                let aggregate = aggregate.clone();
                return Err(Failure::FarStamp { aggregate });
            }
        }
        let wall = self.now.wall_ms.saturating_add_signed(self.clock_offset_ms);
        let floor = floor.filter(|_| !mutant!("forget-the-lift"));
        Ok(self.clock.tick(wall, floor)?)
    }

    /// Whether each aggregate would take its events.
    fn trial(&mut self, commit: &Commit, touched: &Touched) -> Result<(), Failure> {
        let all = commit.events();
        for touched in &touched.each {
            let Some(first) = all.get(touched.first) else {
                continue;
            };
            let rest = touched.rest.iter().filter_map(|index| all.get(*index));
            let several: Vec<Event>;
            let events = if touched.rest.is_empty() {
                core::slice::from_ref(first)
            } else {
                several = core::iter::once(first).chain(rest).cloned().collect();
                &several
            };
            if let Err(error) = self.trial_of(touched.at, events) {
                let rest = error.index.checked_sub(1);
                let index = rest.and_then(|rest| touched.rest.get(rest));
                return Err(Failure::Rejected {
                    index: index.copied().unwrap_or(touched.first),
                    aggregate: first.aggregate().clone(),
                    reason: error.rejection,
                });
            }
        }
        Ok(())
    }

    fn trial_of(&mut self, at: usize, events: &[Event]) -> Result<(), TrialError> {
        let (Some(timeline), Some(first)) = (self.cache.at(at), events.first()) else {
            return Ok(());
        };
        if timeline.is_followed_by(first) {
            return timeline.trial(events, &*self.guard);
        }
        let guard = self.guard.clone();
        let trial = |timeline: &mut Timeline| (timeline.trial_at_place(events, &*guard), 0);
        self.cache.with(first.aggregate(), trial).unwrap_or(Ok(()))
    }

    /// Hands an event to its aggregate at a place in memory and folds it: the next write finds it folded,
    /// and it is at hand now. Nothing if the aggregate is not there any more.
    pub(super) fn integrate_and_fold_at(
        &mut self,
        at: usize,
        event: &Event,
        tag: impl FnOnce() -> Option<ChainTag>,
    ) -> Option<Integration> {
        let taken = self
            .cache
            .integrate_and_fold_at(at, event, tag, &*self.guard);
        let (integration, outcome) = taken?;
        self.audit.applied(outcome.applied);
        for (event, _) in &outcome.rejected {
            self.count_rejection(*event);
        }
        Some(integration)
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
mod tests;
