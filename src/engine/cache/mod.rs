//! Timelines in memory, as many as a number of bytes allows.
//!
//! The invariant kept here: what is in memory is counted, and what leaves was stored before, if it
//! holds anything that the store lacks.
//!
//! This module knows no events and no rules beyond handing them to a timeline; what is read from a
//! store, and when, is decided elsewhere.

mod shelf;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use self::shelf::Shelf;
use crate::event::{AggregateId, ChainTag, Event, EventId};
use crate::limits::{FOLD_EVENTS_MAX, UNRESOLVED_LISTED_MAX};
use crate::merge::{FoldOutcome, Guard, Integration, Timeline, Unresolved};

/// Timelines in memory, the coldest leaving first when their bytes pass a bound.
///
/// A timeline that holds events its stored fold lacks is stored before it leaves, so that touching
/// the aggregate again costs one read. Nothing leaves but in [`shrink`](Self::shrink), which the
/// engine calls between two inputs, so what was found in memory stays there while an input is
/// worked on.
#[derive(Debug)]
pub(super) struct Cache {
    /// Listed are the hot ones that are not leaving, the one that was used last at the end.
    slots: Shelf<Slot>,
    bytes: usize,
    bytes_max: usize,
    /// Bytes of those that leave as soon as their fold is stored.
    bytes_leaving: usize,
    /// Aggregates that somebody waits for together with others, and how many do.
    pinned: BTreeMap<AggregateId, usize>,
    /// Aggregates whose fold is to be stored with the next group.
    due: BTreeSet<AggregateId>,
    /// What folding for the sake of storing came to, until somebody looks.
    folded: Vec<(AggregateId, FoldOutcome)>,
    /// What had no state when it was last folded, in memory or not.
    unresolved: BTreeMap<AggregateId, Unresolved>,
    more_unresolved: bool,
    /// Aggregates in which late events were applied where they came.
    placed: BTreeSet<AggregateId>,
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
    /// It goes once its fold is stored, unless it is used before.
    leaving: bool,
    /// The first event that was integrated since the last fold.
    unfolded: Option<EventId>,
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
            bytes: 0,
            bytes_max,
            bytes_leaving: 0,
            pinned: BTreeMap::new(),
            due: BTreeSet::new(),
            folded: Vec::new(),
            unresolved: BTreeMap::new(),
            more_unresolved: false,
            placed: BTreeSet::new(),
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
        let bytes = timeline.bytes();
        self.bytes += bytes;
        let hot = Hot {
            timeline,
            bytes,
            unsaved,
            saving: 0,
            leaving: false,
            unfolded,
        };
        if hot.unsaved >= threshold() {
            self.due.insert(aggregate.clone());
        }
        let at = self.slots.insert(aggregate, Slot::Hot(Box::new(hot)));
        self.slots.used(at);
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
        let at = self.slots.find(aggregate)?;
        let Some(Slot::Hot(hot)) = self.slots.at_mut(at) else {
            return None;
        };
        let result = work(hot);
        if hot.unsaved >= threshold() {
            self.due.insert(aggregate.clone());
        }
        if core::mem::take(&mut hot.leaving) {
            self.bytes_leaving -= hot.bytes;
        }
        let bytes = hot.timeline.bytes();
        self.bytes = self.bytes - hot.bytes + bytes;
        hot.bytes = bytes;
        self.slots.used(at);
        Some(result)
    }

    /// Hands an event to a hot aggregate.
    pub(super) fn integrate(
        &mut self,
        event: &Event,
        tag: Option<ChainTag>,
    ) -> Option<Integration> {
        self.with_hot(event.aggregate(), |hot| {
            // Its bytes may be a few of a whole frame's, which would stay in memory with it, uncounted.
            let integration = hot.timeline.integrate(event.detached(), tag);
            if matches!(integration, Integration::Added { .. }) {
                hot.unsaved += 1;
                hot.unfolded.get_or_insert(event.id());
            }
            integration
        })
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
        let (reported, condition, has_placed) = self.with_hot(aggregate, |hot| {
            let timeline = &mut hot.timeline;
            let outcome = fold(timeline, guard);
            let condition = timeline.condition().cloned();
            let has_placed = timeline.has_placed();
            hot.unfolded = None;
            (report(timeline, outcome), condition, has_placed)
        })?;
        if has_placed {
            self.placed.insert(aggregate.clone());
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
        if let Some(Slot::Hot(hot)) = self.slots.remove(aggregate) {
            self.has_let_go = true;
            self.bytes -= hot.bytes;
            if hot.leaving {
                self.bytes_leaving -= hot.bytes;
            }
        }
        self.due.remove(aggregate);
    }

    /// Lets the coldest go, but for the last one used. One with unsaved events is stored first and
    /// goes when that is done. Cost: what leaves.
    pub(super) fn shrink(&mut self) {
        let staying = self.bytes - self.bytes_leaving;
        let surplus = staying.checked_sub(self.bytes_max);
        let Some(mut surplus) = surplus.filter(|_| !mutant!("cache-never-shrinks")) else {
            return;
        };
        let last = self.slots.list_back().next();
        let cold: Vec<usize> = self
            .unpinned(self.slots.list())
            .map_while(|(at, hot)| {
                let is_wanted = surplus > 0 && Some(at) != last;
                surplus = surplus.saturating_sub(hot.bytes);
                is_wanted.then_some(at)
            })
            .collect();
        for at in cold {
            let Some(Slot::Hot(hot)) = self.slots.at_mut(at) else {
                continue;
            };
            let aggregate = hot.timeline.aggregate().clone();
            if hot.unsaved > 0 {
                hot.leaving = true;
                self.bytes_leaving += hot.bytes;
                self.due.insert(aggregate);
                self.slots.unlist(at);
            } else {
                self.forget(&aggregate);
            }
        }
    }

    /// Whether something that was in memory has left it since the start.
    pub(super) fn has_let_go(&self) -> bool {
        self.has_let_go
    }

    /// Those of some hot aggregates that nobody waits for.
    fn unpinned(&self, list: impl Iterator<Item = usize>) -> impl Iterator<Item = (usize, &Hot)> {
        let hot = list.filter_map(|at| match self.slots.at(at)? {
            Slot::Hot(hot) => Some((at, &**hot)),
            Slot::Loading { .. } => None,
        });
        hot.filter(|(_, hot)| {
            self.pinned.is_empty() || !self.pinned.contains_key(hot.timeline.aggregate())
        })
    }

    pub(super) fn wants_saving(&self) -> bool {
        !self.due.is_empty()
    }

    /// Every fold that is unsaved now is due at once.
    pub(super) fn settle(&mut self) {
        for (aggregate, slot) in self.slots.iter() {
            if matches!(slot, Slot::Hot(hot) if hot.unsaved > 0) {
                self.due.insert(aggregate.clone());
            }
        }
    }

    /// Folds and encodes what is due. An aggregate that has no state is not stored.
    pub(super) fn folds_to_save(
        &mut self,
        guard: &dyn Guard,
        fold: impl Fn(&AggregateId) -> HowToFold,
    ) -> Vec<(AggregateId, Vec<u8>)> {
        let due = core::mem::take(&mut self.due);
        let mut folds = Vec::new();
        for aggregate in due {
            let Some(Slot::Hot(hot)) = self.slots.named_mut(&aggregate) else {
                continue;
            };
            let outcome = fold(&aggregate)(&mut hot.timeline, guard);
            hot.unfolded = None;
            if hot.timeline.has_placed() {
                self.placed.insert(aggregate.clone());
            }
            self.folded.push((aggregate.clone(), outcome));
            let condition = hot.timeline.condition().cloned();
            let mut fold = None;
            let encoded = guard.run(&mut || fold = hot.timeline.to_fold().map(|f| f.encode()));
            if let (Ok(()), Some(bytes)) = (encoded, fold) {
                hot.saving = hot.unsaved;
                folds.push((aggregate.clone(), bytes));
            } else {
                // Nothing worth storing: it is rebuilt from its events when it is touched again.
                hot.unsaved = 0;
                if hot.leaving {
                    self.forget(&aggregate);
                }
            }
            self.note_condition(&aggregate, condition);
        }
        folds
    }

    /// Aggregates in which late events were applied where they came since this was last asked, so
    /// many at most.
    pub(super) fn take_placed(&mut self, most: usize) -> Vec<AggregateId> {
        let names = core::iter::from_fn(|| self.placed.pop_first());
        names.take(most).collect()
    }

    /// The hot aggregate behind one in the order of names, the first one behind the last.
    pub(super) fn next_hot(&self, after: Option<&AggregateId>) -> Option<AggregateId> {
        let is_hot = |(_, slot): &(&AggregateId, &Slot)| matches!(slot, Slot::Hot(_));
        let behind = after.and_then(|after| self.slots.behind(after).find(is_hot));
        let next = behind.or_else(|| self.slots.iter().find(is_hot));
        next.map(|(name, _)| name.clone())
    }

    /// The fold of a hot aggregate is due at once.
    pub(super) fn save_soon(&mut self, aggregate: &AggregateId) {
        if let Some(Slot::Hot(hot)) = self.slots.named_mut(aggregate) {
            hot.unsaved = hot.unsaved.max(1);
            self.due.insert(aggregate.clone());
        }
    }

    /// What folding for the sake of storing came to.
    pub(super) fn take_folded(&mut self) -> Vec<(AggregateId, FoldOutcome)> {
        core::mem::take(&mut self.folded)
    }

    /// A fold was stored.
    pub(super) fn saved(&mut self, aggregate: &AggregateId) {
        if let Some(Slot::Hot(hot)) = self.slots.named_mut(aggregate) {
            hot.unsaved = hot.unsaved.saturating_sub(core::mem::take(&mut hot.saving));
            match (hot.leaving, hot.unsaved) {
                (true, 0) => self.forget(aggregate),
                (true, _) => drop(self.due.insert(aggregate.clone())),
                (false, _) => {}
            }
        }
    }

    /// Every hot timeline, in the order of ids.
    pub(super) fn hot(&self) -> impl Iterator<Item = &Timeline> {
        self.slots.iter().filter_map(|(_, slot)| match slot {
            Slot::Hot(hot) => Some(&hot.timeline),
            Slot::Loading { .. } => None,
        })
    }

    /// Bytes of what stays, the bound, and bytes of what was used last.
    pub(super) fn staying(&self) -> (usize, usize, usize) {
        let last = self.unpinned(self.slots.list_back()).next();
        let last = last.map(|(_, hot)| hot.bytes);
        let staying = self.bytes - self.bytes_leaving;
        (staying, self.bytes_max, last.unwrap_or_default())
    }

    /// How many aggregates somebody waits for.
    pub(super) fn pinned(&self) -> usize {
        self.pinned.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

fn threshold() -> u64 {
    u64::try_from(FOLD_EVENTS_MAX).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use bytes::Bytes;

    use super::*;
    use crate::event::{
        CommitSpan, EventParts, Heads, Metadata, Payload, ReplicaId, Seq, Timestamp,
    };

    /// Against a list in the order of use, of which each pin is looked up.
    #[test]
    fn the_coldest_that_nobody_waits_for_leaves_first() {
        let names: Vec<AggregateId> = (0..12)
            .map(|at| AggregateId::new(&format!("a/{at}")).unwrap())
            .collect();
        let one = Timeline::new(names[0].clone(), None).bytes();
        let mut cache = Cache::new(4 * one, 0);
        let mut twin: Vec<usize> = Vec::new();
        let mut pins = [0usize; 12];
        let mut random = 7u64;
        for _ in 0..4_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let at = usize::try_from((random >> 33) % 12).unwrap();
            let name = &names[at];
            match random >> 61 {
                0 | 1 if cache.timeline(name).is_none() => {
                    cache.loaded(Timeline::new(name.clone(), None), 0, None);
                    twin.push(at);
                }
                0..=4 if cache.with(name, |_| ((), 0)).is_some() => {
                    twin.retain(|other| *other != at);
                    twin.push(at);
                }
                5 if pins[at] < 2 => {
                    cache.pin(name);
                    pins[at] += 1;
                }
                6 if pins[at] > 0 => {
                    cache.unpin(name);
                    pins[at] -= 1;
                }
                7 => {
                    cache.shrink();
                    let mut surplus = twin.len().saturating_sub(4);
                    let last = twin.last().copied();
                    twin.retain(|other| {
                        let leaves = surplus > 0 && pins[*other] == 0 && Some(*other) != last;
                        surplus -= usize::from(leaves);
                        !leaves
                    });
                }
                _ => {}
            }
            let mut here = twin.clone();
            here.sort_by_key(|at| &names[*at]);
            let hot: Vec<&AggregateId> = cache.hot().map(Timeline::aggregate).collect();
            assert_eq!(hot, here.iter().map(|at| &names[*at]).collect::<Vec<_>>());
        }
    }

    /// A frame is up to a mebibyte, an event a hundred bytes: a cold aggregate's one would keep all of it,
    /// and the bound of the cache would count a hundred.
    #[test]
    fn what_is_kept_in_memory_keeps_nothing_of_the_frame_that_it_came_in() {
        let frame = Bytes::from(alloc::vec![0x40; 4_096]);
        let id = EventId::new(ReplicaId::new(1, 1), Seq::FIRST);
        let event = Event::assemble(EventParts {
            id,
            commit: CommitSpan::new(id.seq, 1).unwrap(),
            timestamp: Timestamp::at_millis(1),
            written_ms: 1,
            aggregate: "a/1".parse().unwrap(),
            event_type: "set".parse().unwrap(),
            heads: Heads::default(),
            replaces: None,
            metadata: Metadata::new(),
            payload: Payload::from_bytes(frame.slice(7..107)).unwrap(),
        });
        let event = event.unwrap();
        let mut cache = Cache::new(1 << 20, 0);
        cache.loaded(Timeline::new(event.aggregate().clone(), None), 0, None);
        cache.integrate(&event, None);
        let kept = cache.timeline(event.aggregate()).unwrap().event(id);
        assert_eq!(kept, Some(&event));
        drop(event);
        assert!(frame.is_unique());
    }
}
