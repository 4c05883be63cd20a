use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::cache::Place;
use super::io::{Failure, Reply};
use super::looking::{Looked, Parked};
use super::watching::CameIn;
use super::{Effect, Engine, LinkId, RequestId, Ticket};
use crate::event::{AggregateId, Chain, Event, EventId};
use crate::log::{Entry, EntryKind, History, HistoryFrom, Known, Page};
use crate::merge::{
    FoldOutcome, Integration, Shortcut, Shortcuts, StoredFold, Timeline, Unresolved, tags,
};
use crate::resolver::Route;

/// What a read of the store is for.
#[derive(Debug)]
pub(super) enum Pending {
    History {
        aggregate: AggregateId,
        from: HistoryFrom,
        began: u64,
    },
    Look {
        ids: Vec<EventId>,
        parked: Parked,
        began: u64,
    },
    Page {
        link: LinkId,
    },
    Located {
        link: LinkId,
        end: u64,
    },
    Branches {
        link: LinkId,
        expected: Vec<(EventId, Chain)>,
    },
    OwnPast {
        link: LinkId,
        chain: Chain,
    },
    RestampLocated {
        link: LinkId,
    },
    RestampRead {
        link: LinkId,
    },
    RestampLook {
        link: LinkId,
        page: Page,
        ids: Vec<EventId>,
    },
}

/// An aggregate that was read.
struct Rebuilt {
    timeline: Timeline,
    /// How many events no stored fold holds.
    unsaved: u64,
    /// Those of them that somebody waits to be told of, with how they came in.
    news: Vec<(Event, CameIn)>,
    /// It was folded before this one.
    unfolded: Option<EventId>,
}

/// A caller who waits until an aggregate is in memory.
#[derive(Debug)]
pub(super) struct LoadWaiting {
    pub(super) ticket: Ticket,
    pub(super) whole: bool,
}

impl Engine {
    pub(super) fn request(&mut self, pending: Pending) -> RequestId {
        self.next_request += 1;
        let request = RequestId(self.next_request);
        self.pending.insert(request, pending);
        request
    }

    /// Somebody reads: the answer comes when the aggregate is in memory and folded.
    pub(super) fn load(&mut self, ticket: Ticket, aggregate: AggregateId, whole: bool) {
        if self.begin_new(&aggregate) || self.is_here(&aggregate, whole) {
            self.fold(&aggregate);
            self.reply(ticket, Ok(Reply::Done));
            return;
        }
        self.want(&aggregate, whole);
        self.loads
            .entry(aggregate)
            .or_default()
            .push(LoadWaiting { ticket, whole });
    }

    fn is_here(&self, aggregate: &AggregateId, whole: bool) -> bool {
        self.cache
            .timeline(aggregate)
            .is_some_and(|timeline| !timeline.wants_history() && (!whole || timeline.has_history()))
    }

    /// Brings an aggregate into memory that nobody has written yet. Only while everything that was
    /// ever written is in memory can that be told without asking the store.
    pub(super) fn begin_new(&mut self, aggregate: &AggregateId) -> bool {
        let is_new = self.holds_all
            && !self.cache.has_let_go()
            && self.cache.place(aggregate) == Place::Cold;
        if is_new {
            let timeline = self.empty_timeline(aggregate);
            self.cache.loaded(timeline, 0, None);
        }
        is_new
    }

    fn empty_timeline(&self, aggregate: &AggregateId) -> Timeline {
        let route = self.registry.route(aggregate).cloned();
        let rule = route.as_ref().map(Route::fingerprint);
        let mut timeline = Timeline::new(aggregate.clone(), route);
        timeline.avoid(rule.map_or(Shortcuts::NONE, |rule| self.audit.avoided(rule)));
        timeline
    }

    /// Sees to it that an aggregate comes into memory, with its events if `whole`.
    pub(super) fn want(&mut self, aggregate: &AggregateId, whole: bool) {
        match self.cache.place(aggregate) {
            Place::Cold => self.reload(aggregate, whole),
            Place::Hot if !self.is_here(aggregate, whole) => self.reload(aggregate, true),
            Place::Loading { whole: false } if whole => self.reload(aggregate, true),
            Place::Hot | Place::Loading { .. } => {}
        }
    }

    /// Reads an aggregate, whether or not it is in memory. An earlier read under way is ignored
    /// when it returns.
    pub(super) fn reload(&mut self, aggregate: &AggregateId, whole: bool) {
        let from = if whole {
            HistoryFrom::Start
        } else {
            HistoryFrom::Fold
        };
        if let Some(first) = self.cache.unfolded(aggregate) {
            self.watches.opens_at(aggregate, first);
        }
        self.cache.load(aggregate, whole);
        let began = self.log.read_began();
        let request = self.request(Pending::History {
            aggregate: aggregate.clone(),
            from,
            began,
        });
        let aggregate = aggregate.clone();
        self.effects.push_back(Effect::ReadHistory {
            request,
            aggregate,
            from,
        });
    }

    pub(super) fn on_history(&mut self, request: RequestId, result: Result<History, Failure>) {
        let Some(Pending::History {
            aggregate,
            from,
            began,
        }) = self.pending.remove(&request)
        else {
            return;
        };
        let expected = Place::Loading {
            whole: from == HistoryFrom::Start,
        };
        if self.cache.place(&aggregate) != expected {
            self.log.read_ended(began);
            return;
        }
        let built = result.map(|history| self.rebuild(&aggregate, history, began));
        self.log.read_ended(began);
        match built {
            Ok(Some(Rebuilt {
                timeline,
                unsaved,
                news,
                unfolded,
            })) => {
                self.cache.loaded(timeline, unsaved, unfolded);
                self.tell_expected(&aggregate, &news);
                self.is_in_memory(&aggregate);
            }
            Ok(None) => self.reload(&aggregate, true),
            Err(failure) => {
                self.cache.forget(&aggregate);
                self.tell_unread(&aggregate);
                for waiting in self.loads.remove(&aggregate).unwrap_or_default() {
                    self.reply(waiting.ticket, Err(failure.clone()));
                }
                self.fail_records(&aggregate, &failure);
                self.settled_failed(&aggregate);
                self.audit_failed(&aggregate);
            }
        }
    }

    /// An aggregate as it is in the store and in memory; nothing if the stored fold cannot
    /// take what came after it, so that all events are needed.
    ///
    /// Where somebody waits to be told how events came in, it is folded before the first of these.
    fn rebuild(
        &mut self,
        aggregate: &AggregateId,
        history: History,
        began: u64,
    ) -> Option<Rebuilt> {
        let mut timeline = match history.fold {
            None => self.empty_timeline(aggregate),
            Some(bytes) => {
                let route = self.registry.route(aggregate).cloned();
                let rule = route.as_ref().map(Route::fingerprint);
                let avoided = rule.map_or(Shortcuts::NONE, |rule| self.audit.avoided(rule));
                let fold = StoredFold::decode(&bytes).ok()?;
                if avoided.has(Shortcut::StoredFold) || !fold.avoided().has_all(avoided) {
                    return None;
                }
                Timeline::from_fold(aggregate.clone(), route, fold).ok()?
            }
        };
        let guard = self.guard.clone();
        let opens_at = self.watches.opening(aggregate);
        let mut unfolded = None;
        let mut rejected = Vec::new();
        let mut news = Vec::new();
        let mut unsaved = 0;
        let stored = history.entries.into_iter().map(|(_, entry)| entry);
        let mut unstored = self.log.ready_of(aggregate, began);
        if mutant!("load-misses-unstored") {
            unstored.clear();
        }
        timeline.expect(stored.len() + unstored.len());
        for entry in stored.chain(unstored) {
            let tags = tags(&entry.commit, entry.chain_before);
            for (event, tag) in entry.commit.events().iter().zip(tags) {
                if event.aggregate() != aggregate || entry.kind == EntryKind::Waiting {
                    continue;
                }
                let is_open = Some(event.id()) == opens_at || self.watches.expects(event);
                if is_open && unfolded.is_none() {
                    unfolded = Some(event.id());
                    rejected = timeline.catch_up(&*guard).rejected;
                }
                match timeline.integrate(event.detached(), tag) {
                    Integration::Added { late, raced } => {
                        unsaved += 1;
                        if self.watches.expects(event) {
                            news.push((event.clone(), CameIn { late, raced }));
                        }
                    }
                    Integration::HistoryMissing if mutant!("stored-fold-kept") => {}
                    Integration::HistoryMissing => return None,
                    Integration::Duplicate => {}
                }
            }
        }
        for (event, _) in rejected {
            self.count_rejection(event);
        }
        self.watches.opened(aggregate);
        Some(Rebuilt {
            timeline,
            unsaved,
            news,
            unfolded,
        })
    }

    fn is_in_memory(&mut self, aggregate: &AggregateId) {
        self.retry_records(aggregate);
        for waiting in self.loads.remove(aggregate).unwrap_or_default() {
            self.load(waiting.ticket, aggregate.clone(), waiting.whole);
        }
        self.settled(aggregate);
        self.audit.came(aggregate);
    }

    /// Folds an aggregate that is in memory and takes note of what that says.
    pub(super) fn fold(&mut self, aggregate: &AggregateId) {
        let looked = |timeline: &Timeline, outcome| {
            let has_rule = timeline.condition() != Some(&Unresolved::NoResolver);
            (outcome, has_rule, timeline.wants_history())
        };
        let fold = self.watches.fold(aggregate);
        let folded = self.cache.fold(aggregate, &*self.guard, fold, looked);
        let Some((outcome, has_rule, is_stuck)) = folded else {
            return;
        };
        self.take_note(aggregate, &outcome, has_rule);
        if is_stuck {
            self.reload(aggregate, true);
        }
    }

    /// Makes room in memory, if too much is there.
    pub(super) fn make_room(&mut self) {
        let fold = |aggregate: &AggregateId| self.watches.fold(aggregate);
        self.cache.shrink(&*self.guard, fold);
        self.note_folded();
    }

    /// Takes note of what was folded though nobody asked.
    pub(super) fn note_folded(&mut self) {
        if !self.cache.has_folded() {
            return;
        }
        for folded in self.cache.take_folded() {
            self.take_note(&folded.aggregate, &folded.outcome, folded.has_rule);
        }
    }

    /// Takes note of what a fold has said.
    pub(super) fn folded(&mut self, aggregate: &AggregateId, outcome: &FoldOutcome) {
        let timeline = self.cache.timeline(aggregate);
        let condition = timeline.and_then(Timeline::condition);
        let has_rule = condition != Some(&Unresolved::NoResolver);
        self.take_note(aggregate, outcome, has_rule);
    }

    fn take_note(&mut self, aggregate: &AggregateId, outcome: &FoldOutcome, has_rule: bool) {
        self.audit.applied(outcome.applied);
        for (event, _) in &outcome.rejected {
            self.count_rejection(*event);
        }
        if has_rule {
            let FoldOutcome { late, raced, .. } = *outcome;
            self.watches.settle(aggregate, CameIn { late, raced });
        }
    }

    pub(super) fn on_known(
        &mut self,
        request: RequestId,
        result: Result<Vec<Option<Known>>, Failure>,
    ) {
        let (ids, parked, began) = match self.pending.remove(&request) {
            Some(Pending::Look { ids, parked, began }) => (ids, parked, began),
            Some(Pending::Branches { link, expected }) => {
                match result {
                    Ok(known) => self.branches_known(link, &expected, &known),
                    Err(failure) => self.end_link_failed(link, &failure),
                }
                return;
            }
            Some(Pending::OwnPast { link, chain }) => {
                match result {
                    Ok(known) => self.own_past_known(link, chain, &known),
                    // Without the answer a store that was cloned would not be found out.
                    Err(failure) => self.end_link_failed(link, &failure),
                }
                return;
            }
            Some(Pending::RestampLook { link, page, ids }) => {
                match result {
                    Ok(known) => self.restamp(&page, &looked(ids, known)),
                    Err(failure) => self.restamp_failed(link, &failure),
                }
                return;
            }
            _ => return,
        };
        match result {
            Ok(known) => {
                let mut looked = looked(ids, known);
                self.look_into_memory(&mut looked, &parked);
                self.log.read_ended(began);
                self.looked_up(parked, &looked);
            }
            Err(failure) => {
                self.log.read_ended(began);
                match parked {
                    Parked::Ingest { ticket, .. } => self.reply(ticket, Err(failure)),
                    Parked::Delivery { link, .. } => self.end_link_failed(link, &failure),
                }
            }
        }
    }

    /// A peer knows another chain of this replica than the store: then the store was cloned.
    fn own_past_known(&mut self, link: LinkId, chain: Chain, known: &[Option<Known>]) {
        let ours = known
            .first()
            .copied()
            .flatten()
            .and_then(|known| known.chain);
        if ours.is_some_and(|ours| ours != chain) {
            self.with_link(link, |engine, state| {
                engine.take_new_incarnation(link, state);
            });
        }
    }

    /// Events that were accepted but are not stored yet are known from the end of the log.
    fn look_into_memory(&self, looked: &mut Looked, parked: &Parked) {
        let wanted: BTreeSet<EventId> = match parked {
            Parked::Delivery { delivery, .. } => delivery
                .commits
                .iter()
                .flat_map(|d| wanted_of(&d.commit))
                .collect(),
            Parked::Ingest { commits, .. } => commits.iter().flat_map(wanted_of).collect(),
        };
        for entry in self.log.kept() {
            for event in entry.commit.events() {
                if wanted.contains(&event.id()) {
                    looked.entry(event.id()).or_insert(Known {
                        digest: event.digest(),
                        chain: None,
                        timestamp: event.timestamp(),
                    });
                }
            }
        }
    }

    pub(super) fn on_page(&mut self, request: RequestId, result: Result<Page, Failure>) {
        match (self.pending.remove(&request), result) {
            (Some(Pending::Page { link }), Ok(page)) => self.page_for(link, page),
            (Some(Pending::RestampRead { link }), Ok(page)) => self.look_to_restamp(link, page),
            (Some(Pending::Page { link }), Err(failure)) => self.end_link_failed(link, &failure),
            (Some(Pending::RestampRead { link }), Err(failure)) => {
                self.restamp_failed(link, &failure);
            }
            _ => {}
        }
    }

    pub(super) fn on_located(&mut self, request: RequestId, result: Result<Vec<u64>, Failure>) {
        match (self.pending.remove(&request), result) {
            (Some(Pending::Located { link, end }), Ok(positions)) => {
                self.located_for(link, positions, end);
            }
            (Some(Pending::RestampLocated { link }), Ok(positions)) => {
                self.read_to_restamp(link, positions);
            }
            (Some(Pending::Located { link, .. }), Err(failure)) => {
                self.end_link_failed(link, &failure);
            }
            (Some(Pending::RestampLocated { link }), Err(failure)) => {
                self.restamp_failed(link, &failure);
            }
            _ => {}
        }
    }

    /// Entries of a page that may be sent: not those that were withdrawn.
    pub(super) fn sendable(&self, entries: Vec<(u64, Entry)>) -> Vec<(u64, Entry)> {
        let kept = |(_, entry): &(u64, Entry)| {
            !self.peers.is_withdrawn(entry.commit.id()) || mutant!("withdrawn-commits-sent")
        };
        entries.into_iter().filter(kept).collect()
    }
}

fn wanted_of(commit: &crate::event::Commit) -> impl Iterator<Item = EventId> + '_ {
    commit.events().iter().flat_map(|event| {
        core::iter::once(event.id()).chain(event.heads().iter().map(|head| head.id))
    })
}

fn looked(ids: Vec<EventId>, known: Vec<Option<Known>>) -> Looked {
    ids.into_iter()
        .zip(known)
        .filter_map(|(id, known)| Some((id, known?)))
        .collect()
}
