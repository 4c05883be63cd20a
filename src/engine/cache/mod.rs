//! Timelines in memory, as many as a number of bytes allows.
//!
//! The invariant kept here: what is in memory is counted, and what leaves was stored before, if it
//! holds anything that the store lacks. There are two tiers: timelines with their histories, and those
//! of which only the fold is kept, which go on from it without asking the store.
//!
//! This module knows no events and no rules beyond handing them to a timeline; what is read from a
//! store, and when, is decided elsewhere.

mod room;
mod saving;
mod shelf;
mod tier;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use self::saving::threshold;
use self::shelf::Shelf;
use self::tier::{Tier, Tiers};
use crate::event::{AggregateId, ChainTag, Event, EventId};
use crate::limits::UNRESOLVED_LISTED_MAX;
use crate::merge::{FoldOutcome, Guard, Integration, Timeline, Unresolved};

/// Timelines in memory, the coldest making room first when their bytes pass a bound.
///
/// A cold one lets go of its history and goes on from its fold, which is small. Where even the folds
/// are too much, timelines leave; one that holds events its stored fold lacks is stored before, so that
/// touching the aggregate again costs one read. Nothing goes but in [`shrink`](Self::shrink), which
/// the engine calls between two inputs, so what was found in memory stays there while an input is
/// worked on.
#[derive(Debug)]
pub(super) struct Cache {
    /// The hot ones are listed by tier.
    slots: Shelf<Slot>,
    bytes: Tiers<usize>,
    bytes_max: usize,
    /// Where the one is that was used last, unless it has left.
    last: Option<usize>,
    /// Where the last one is that was given in turn.
    in_turn: usize,
    /// Aggregates that somebody waits for together with others, and how many do.
    pinned: BTreeMap<AggregateId, usize>,
    /// Aggregates whose fold is to be stored with the next group.
    due: BTreeSet<AggregateId>,
    /// What folding for the sake of storing came to, until somebody looks.
    folded: Vec<Folded>,
    /// What had no state when it was last folded, in memory or not.
    unresolved: BTreeMap<AggregateId, Unresolved>,
    more_unresolved: bool,
    /// Something in memory was found to have no state.
    has_met_unresolved: bool,
    /// Aggregates in which late events were applied where they came, in the order in which that was
    /// seen.
    placed: VecDeque<AggregateId>,
    /// Something that was in memory is not there any more.
    has_let_go: bool,
}

#[derive(Debug)]
enum Slot {
    Loading { whole: bool },
    Hot(Box<Hot>),
}

#[derive(Debug)]
struct Hot {
    timeline: Timeline,
    bytes: usize,
    /// Events integrated since the fold was last stored.
    unsaved: u64,
    /// As many of them as the fold holds that is being stored.
    saving: u64,
    tier: Tier,
    /// The first event that was integrated since the last fold.
    unfolded: Option<EventId>,
    /// It is among those in which late events were applied where they came.
    is_placed: bool,
}

impl Hot {
    /// Whether late events were applied where they came and that is not known of it yet.
    fn is_newly_placed(&mut self) -> bool {
        !core::mem::replace(&mut self.is_placed, self.timeline.has_placed()) && self.is_placed
    }

    /// Takes an event; its tag is asked for once.
    fn integrate(&mut self, event: &Event, tag: impl FnOnce() -> Option<ChainTag>) -> Integration {
        // Its bytes may be a few of a whole frame's, which would stay in memory with it, uncounted.
        let integration = self.timeline.integrate(event.detached(), tag());
        if matches!(integration, Integration::Added { .. }) {
            self.unsaved += 1;
            self.unfolded.get_or_insert(event.id());
        }
        integration
    }

    /// Counts it anew, in a tier.
    fn count(&mut self, tier: Tier, bytes: &mut Tiers<usize>) {
        *bytes.of_mut(self.tier) -= self.bytes;
        (self.tier, self.bytes) = (tier, self.timeline.bytes());
        *bytes.of_mut(tier) += self.bytes;
    }
}

/// What folding an aggregate came to though nobody asked for its state.
#[derive(Debug)]
pub(super) struct Folded {
    pub(super) aggregate: AggregateId,
    pub(super) outcome: FoldOutcome,
    pub(super) has_rule: bool,
}

/// How an aggregate is folded: whoever watches it is told more of it.
pub(super) type HowToFold = fn(&mut Timeline, &dyn Guard) -> FoldOutcome;

/// Where an aggregate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Cold,
    Loading { whole: bool },
    Hot,
}

impl Cache {
    /// Empty. Whoever chooses names must not know the seed.
    pub(super) fn new(bytes_max: usize, seed: u64) -> Self {
        Self {
            slots: Shelf::seeded(seed),
            bytes: Tiers::default(),
            bytes_max,
            last: None,
            in_turn: 0,
            pinned: BTreeMap::new(),
            due: BTreeSet::new(),
            folded: Vec::new(),
            unresolved: BTreeMap::new(),
            more_unresolved: false,
            has_met_unresolved: false,
            placed: VecDeque::new(),
            has_let_go: false,
        }
    }

    pub(super) fn place(&self, aggregate: &AggregateId) -> Place {
        match self.slots.named(aggregate) {
            None => Place::Cold,
            Some(Slot::Loading { whole }) => Place::Loading { whole: *whole },
            Some(Slot::Hot(_)) => Place::Hot,
        }
    }

    pub(super) fn timeline(&self, aggregate: &AggregateId) -> Option<&Timeline> {
        match self.slots.named(aggregate)? {
            Slot::Hot(hot) => Some(&hot.timeline),
            Slot::Loading { .. } => None,
        }
    }

    /// Where the timeline of a hot aggregate is: there, until an aggregate is forgotten.
    pub(super) fn hot_at(&self, aggregate: &AggregateId) -> Option<usize> {
        let at = self.slots.find(aggregate)?;
        self.at(at).map(|_| at)
    }

    /// The timeline at a place. Does not count as a use.
    pub(super) fn at(&self, at: usize) -> Option<&Timeline> {
        match self.slots.at(at)? {
            Slot::Hot(hot) => Some(&hot.timeline),
            Slot::Loading { .. } => None,
        }
    }

    pub(super) fn load(&mut self, aggregate: &AggregateId, whole: bool) {
        self.forget(aggregate);
        self.slots
            .insert(aggregate.clone(), Slot::Loading { whole });
    }

    /// A timeline was read, of whose events `unsaved` are in no stored fold. It was folded up to
    /// `unfolded`.
    pub(super) fn loaded(&mut self, timeline: Timeline, unsaved: u64, unfolded: Option<EventId>) {
        let aggregate = timeline.aggregate().clone();
        self.forget(&aggregate);
        let tier = Tier::of(&timeline);
        let hot = Hot {
            timeline,
            bytes: 0,
            unsaved,
            saving: 0,
            tier,
            unfolded,
            is_placed: false,
        };
        if hot.unsaved >= threshold() {
            self.due.insert(aggregate.clone());
        }
        let at = self.slots.insert(aggregate, Slot::Hot(Box::new(hot)));
        self.put(at, tier);
        self.last = Some(at);
    }

    /// Puts a hot one into a tier, as the one there that was used last.
    fn put(&mut self, at: usize, tier: Tier) {
        if let Some(Slot::Hot(hot)) = self.slots.at_mut(at) {
            hot.count(tier, &mut self.bytes);
            self.has_met_unresolved |= lacks_state(&hot.timeline);
            self.slots.list(at, tier);
        }
    }

    /// Where an aggregate is. What was used last is mostly asked for next, and known by its name.
    fn find(&self, aggregate: &AggregateId) -> Option<usize> {
        let is_it = |at: &usize| match self.slots.at(*at) {
            Some(Slot::Hot(hot)) => hot.timeline.aggregate() == aggregate,
            _ => false,
        };
        let last = self.last.filter(is_it);
        last.or_else(|| self.slots.find(aggregate))
    }

    /// Lends the timeline of a hot aggregate and counts the use; `events` of them are new in it.
    pub(super) fn with<R>(
        &mut self,
        aggregate: &AggregateId,
        work: impl FnOnce(&mut Timeline) -> (R, u64),
    ) -> Option<R> {
        self.with_hot(aggregate, |hot| {
            let (result, events) = work(&mut hot.timeline);
            hot.unsaved += events;
            result
        })
    }

    fn with_hot<R>(
        &mut self,
        aggregate: &AggregateId,
        work: impl FnOnce(&mut Hot) -> R,
    ) -> Option<R> {
        let at = self.find(aggregate)?;
        self.with_hot_at(at, aggregate, work)
    }

    fn with_hot_at<R>(
        &mut self,
        at: usize,
        aggregate: &AggregateId,
        work: impl FnOnce(&mut Hot) -> R,
    ) -> Option<R> {
        let Some(Slot::Hot(hot)) = self.slots.at_mut(at) else {
            return None;
        };
        let result = work(hot);
        if hot.unsaved >= threshold() {
            self.due.insert(aggregate.clone());
        }
        let tier = Tier::of(&hot.timeline);
        self.put(at, tier);
        self.last = Some(at);
        Some(result)
    }

    /// Hands an event to a hot aggregate; its tag is asked for if there is one.
    pub(super) fn integrate(
        &mut self,
        event: &Event,
        tag: impl FnOnce() -> Option<ChainTag>,
    ) -> Option<Integration> {
        let at = self.slots.find(event.aggregate())?;
        self.integrate_at(at, event, tag)
    }

    /// The same where the aggregate was at a place; nothing if it is not there any more.
    pub(super) fn integrate_at(
        &mut self,
        at: usize,
        event: &Event,
        tag: impl FnOnce() -> Option<ChainTag>,
    ) -> Option<Integration> {
        let aggregate = event.aggregate();
        self.at(at).filter(|there| there.aggregate() == aggregate)?;
        self.with_hot_at(at, aggregate, |hot| hot.integrate(event, tag))
    }

    /// The same, and folds it there at once.
    pub(super) fn integrate_and_fold_at(
        &mut self,
        at: usize,
        event: &Event,
        tag: impl FnOnce() -> Option<ChainTag>,
        guard: &dyn Guard,
    ) -> Option<(Integration, FoldOutcome)> {
        let aggregate = event.aggregate();
        self.at(at).filter(|there| there.aggregate() == aggregate)?;
        let taken = self.with_hot_at(at, aggregate, |hot| {
            let integration = hot.integrate(event, tag);
            if !matches!(integration, Integration::Added { .. }) {
                return (integration, None);
            }
            let outcome = hot.timeline.catch_up(guard);
            hot.unfolded = None;
            let condition = hot.timeline.condition().cloned();
            (
                integration,
                Some((outcome, condition, hot.is_newly_placed())),
            )
        });
        let (integration, folded) = taken?;
        let Some((outcome, condition, is_placed)) = folded else {
            return Some((integration, FoldOutcome::default()));
        };
        if is_placed {
            self.placed.push_back(aggregate.clone());
        }
        self.note_condition(aggregate, condition);
        Some((integration, outcome))
    }

    /// The first event of a hot aggregate that has not been folded.
    pub(super) fn unfolded(&self, aggregate: &AggregateId) -> Option<EventId> {
        match self.slots.named(aggregate)? {
            Slot::Hot(hot) => hot.unfolded,
            Slot::Loading { .. } => None,
        }
    }

    /// Keeps an aggregate in memory once it is there, until it is let go as often.
    pub(super) fn pin(&mut self, aggregate: &AggregateId) {
        if mutant!("nothing-is-pinned") {
            return;
        }
        *self.pinned.entry(aggregate.clone()).or_default() += 1;
    }

    pub(super) fn unpin(&mut self, aggregate: &AggregateId) {
        if let Some(pins) = self.pinned.get_mut(aggregate) {
            *pins -= 1;
            if *pins == 0 {
                self.pinned.remove(aggregate);
            }
        }
    }

    /// Folds a hot aggregate, if that is still to be done.
    pub(super) fn fold<R>(
        &mut self,
        aggregate: &AggregateId,
        guard: &dyn Guard,
        fold: HowToFold,
        report: impl FnOnce(&Timeline, FoldOutcome) -> R,
    ) -> Option<R> {
        let (reported, condition, is_placed) = self.with_hot(aggregate, |hot| {
            let outcome = fold(&mut hot.timeline, guard);
            let condition = hot.timeline.condition().cloned();
            hot.unfolded = None;
            let reported = report(&hot.timeline, outcome);
            (reported, condition, hot.is_newly_placed())
        })?;
        if is_placed {
            self.placed.push_back(aggregate.clone());
        }
        self.note_condition(aggregate, condition);
        Some(reported)
    }

    fn note_condition(&mut self, aggregate: &AggregateId, condition: Option<Unresolved>) {
        let Some(condition) = condition else {
            self.unresolved.remove(aggregate);
            return;
        };
        let is_listed = self.unresolved.contains_key(aggregate);
        if is_listed || self.unresolved.len() < UNRESOLVED_LISTED_MAX {
            self.unresolved.insert(aggregate.clone(), condition);
        } else {
            self.more_unresolved = true;
        }
    }

    /// What had no state when it was last folded, and whether there is more than is listed.
    pub(super) fn unresolved(&self) -> (Vec<(AggregateId, Unresolved)>, bool) {
        let listed = self.unresolved.iter();
        let listed = listed.map(|(aggregate, why)| (aggregate.clone(), why.clone()));
        (listed.collect(), self.more_unresolved)
    }

    pub(super) fn forget(&mut self, aggregate: &AggregateId) {
        let at = self.slots.find(aggregate);
        if let Some(Slot::Hot(hot)) = self.slots.remove(aggregate) {
            self.has_let_go = true;
            *self.bytes.of_mut(hot.tier) -= hot.bytes;
            self.last = self.last.filter(|_| self.last != at);
        }
        self.due.remove(aggregate);
    }

    /// Whether something that was in memory has left it since the start.
    pub(super) fn has_let_go(&self) -> bool {
        self.has_let_go
    }

    /// Whether late events were applied where they came since it was [taken](Self::take_placed).
    pub(super) fn has_placed(&self) -> bool {
        !self.placed.is_empty()
    }

    /// Aggregates in which late events were applied where they came since this was last asked, so
    /// many at most.
    pub(super) fn take_placed(&mut self, most: usize) -> Vec<AggregateId> {
        let most = most.min(self.placed.len());
        let names: Vec<AggregateId> = self.placed.drain(..most).collect();
        for name in &names {
            if let Some(Slot::Hot(hot)) = self.slots.named_mut(name) {
                hot.is_placed = false;
            }
        }
        names
    }

    /// Another hot aggregate each time, all of them in turn.
    pub(super) fn next_hot(&mut self) -> Option<AggregateId> {
        let mut slots = self.slots.iter_behind(self.in_turn);
        let (at, name) = slots.find_map(|(at, slot)| match slot {
            Slot::Hot(hot) => Some((at, hot.timeline.aggregate().clone())),
            Slot::Loading { .. } => None,
        })?;
        self.in_turn = at;
        Some(name)
    }

    /// The hot ones that have no state though they were folded. Cost: what is in memory, once anything
    /// was found to be so.
    pub(super) fn unresolved_in_memory(&self) -> Vec<(AggregateId, Unresolved)> {
        let hot = self.has_met_unresolved.then(|| self.hot());
        let lacking = hot.into_iter().flatten();
        let lacking = lacking.filter(|timeline| lacks_state(timeline));
        let lacking = lacking.map(|timeline| (timeline.aggregate(), timeline.condition().cloned()));
        lacking
            .filter_map(|(aggregate, why)| Some((aggregate.clone(), why?)))
            .collect()
    }

    /// Every hot timeline, in the order of ids. Costs a sort.
    pub(super) fn hot(&self) -> impl Iterator<Item = &Timeline> {
        let slots = self.slots.iter();
        let hot = slots.filter_map(|slot| match slot {
            Slot::Hot(hot) => Some(&hot.timeline),
            Slot::Loading { .. } => None,
        });
        let mut sorted: Vec<&Timeline> = hot.collect();
        sorted.sort_unstable_by_key(|timeline| timeline.aggregate());
        sorted.into_iter()
    }

    /// How many aggregates somebody waits for.
    pub(super) fn pinned(&self) -> usize {
        self.pinned.len()
    }
}

/// Whether it was folded and has no state.
fn lacks_state(timeline: &Timeline) -> bool {
    let condition = timeline.condition();
    condition.is_some_and(|why| *why != Unresolved::NotFolded)
}

#[cfg(test)]
mod tests;
