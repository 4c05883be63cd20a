use alloc::format;
use alloc::vec::Vec;

use bytes::Bytes;

use super::*;
use crate::event::{CommitSpan, EventParts, Metadata, Payload, ReplicaId, Seq, Timestamp};
use crate::merge::{StoredFold, Unguarded};
use crate::resolver::{LastWriteWins, Latest, Route};

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
                cache.shrink(&Unguarded, |_| Timeline::catch_up);
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
        for name in &names {
            assert_eq!(cache.find(name), cache.slots.find(name));
        }
        let hot: Vec<&AggregateId> = cache.hot().map(Timeline::aggregate).collect();
        assert_eq!(hot, here.iter().map(|at| &names[*at]).collect::<Vec<_>>());
    }
}

/// A frame is up to a mebibyte, an event a hundred bytes: a cold aggregate's one would keep all of it,
/// and the bound of the cache would count a hundred.
#[test]
fn what_is_kept_in_memory_keeps_nothing_of_the_frame_that_it_came_in() {
    let frame = Bytes::from(alloc::vec![0x40; 4_096]);
    let timeline = Timeline::new("a/1".parse().unwrap(), None);
    let event = event(
        &timeline,
        1,
        Payload::from_bytes(frame.slice(7..107)).unwrap(),
    );
    let mut cache = Cache::new(1 << 20, 0);
    cache.loaded(timeline, 0, None);
    cache.integrate(&event, || None);
    let kept = cache.timeline(event.aggregate()).unwrap().event(event.id());
    assert_eq!(kept, Some(&event));
    drop(event);
    assert!(frame.is_unique());
}

/// The event with this number, which has seen all that a timeline holds.
fn event(timeline: &Timeline, number: u64, payload: Payload) -> Event {
    let id = EventId::new(ReplicaId::new(1, 1), Seq::new(number).unwrap());
    let parts = EventParts {
        id,
        commit: CommitSpan::new(id.seq, 1).unwrap(),
        timestamp: Timestamp::at_millis(number),
        written_ms: 1,
        aggregate: timeline.aggregate().clone(),
        event_type: "set".parse().unwrap(),
        heads: timeline.heads_for_write(id.replica),
        replaces: None,
        metadata: Metadata::new(),
        payload,
    };
    Event::assemble(parts).unwrap()
}

/// What the model keeps of an aggregate: its events, how many of them its stored fold holds and that
/// fold, and a timeline of its own where one is in memory.
#[derive(Default)]
struct Twin {
    events: Vec<Event>,
    saved: usize,
    fold: Option<Vec<u8>>,
    here: Option<Timeline>,
    leaving: bool,
    /// When it was put into its list.
    used: u64,
}

impl Twin {
    fn bytes(&self) -> usize {
        self.here.as_ref().map_or(0, Timeline::bytes)
    }

    /// Which list it is in, full before lean.
    fn list(&self) -> Option<usize> {
        let here = self.here.as_ref()?;
        (!self.leaving).then_some(usize::from(!here.has_history()))
    }

    /// As it would be read.
    fn read(&self, name: &AggregateId, rule: &Route, whole: bool) -> Timeline {
        let fold = self.fold.as_ref().filter(|_| !whole);
        let new = || Timeline::new(name.clone(), Some(rule.clone()));
        let mut timeline = fold.map_or_else(new, |fold| {
            let fold = StoredFold::decode(fold).unwrap();
            Timeline::from_fold(name.clone(), Some(rule.clone()), fold).unwrap()
        });
        let from = if fold.is_some() { self.saved } else { 0 };
        for event in &self.events[from..] {
            timeline.integrate(event.clone(), tag());
        }
        timeline
    }
}

/// Any does, as long as it is the same.
fn tag() -> ChainTag {
    ChainTag::from_bits(7)
}

fn staying(twins: &[Twin], list: usize) -> usize {
    let listed = twins.iter().filter(|twin| twin.list() == Some(list));
    listed.map(Twin::bytes).sum()
}

/// Takes room from one list after the other, as long as more than `spared` is in it.
fn shrink(twins: &mut [Twin], max: usize, needed: &[bool], now: &mut u64) {
    for (list, spared) in [(1, max / 2), (0, 0), (1, 0)] {
        let mut cold: Vec<(u64, usize)> = Vec::new();
        for (at, twin) in twins.iter().enumerate() {
            if twin.list() == Some(list) && !needed[at] {
                cold.push((twin.used, at));
            }
        }
        cold.sort_unstable();
        for (_, at) in cold {
            let all = staying(twins, 0) + staying(twins, 1);
            if all <= max || staying(twins, list) <= spared {
                break;
            }
            let twin = &mut twins[at];
            *now += 1;
            twin.used = *now;
            let here = twin.here.as_mut().unwrap();
            if list == 0 && here.history_bytes() >= here.bytes() / 2 {
                here.catch_up(&Unguarded);
                assert!(here.drop_history());
            } else if twin.saved < twin.events.len() {
                twin.leaving = true;
            } else {
                twin.here = None;
            }
        }
    }
}

/// A cache, and what it ought to hold.
struct Pair {
    cache: Cache,
    rule: Route,
    names: Vec<AggregateId>,
    twins: Vec<Twin>,
    pins: Vec<usize>,
    last: usize,
    now: u64,
}

impl Pair {
    fn new(count: usize, fit: usize) -> Self {
        let rule = Route::new(LastWriteWins);
        let name = |at: usize| AggregateId::new(&format!("a/{at}")).unwrap();
        let names: Vec<AggregateId> = (0..count).map(name).collect();
        let one = Timeline::new(names[0].clone(), Some(rule.clone())).bytes();
        Self {
            cache: Cache::new(fit * one, 0),
            twins: names.iter().map(|_| Twin::default()).collect(),
            pins: names.iter().map(|_| 0).collect(),
            last: usize::MAX,
            now: 0,
            rule,
            names,
        }
    }

    /// An event comes, for which its aggregate is read if need be.
    fn write(&mut self, at: usize, number: u64, is_whole: bool, is_folded: bool) {
        let (name, twin) = (&self.names[at], &mut self.twins[at]);
        if twin.here.is_none() {
            let unsaved = u64::try_from(twin.events.len() - twin.saved).unwrap();
            let read = twin.read(name, &self.rule, is_whole);
            self.cache.loaded(read, unsaved, None);
            twin.here = Some(twin.read(name, &self.rule, is_whole));
        }
        let here = twin.here.as_mut().unwrap();
        let event = event(here, number, Payload::encode(&number).unwrap());
        assert!(self.cache.integrate(&event, || Some(tag())).is_some());
        here.integrate(event.clone(), tag());
        twin.events.push(event);
        if is_folded {
            self.cache
                .fold(name, &Unguarded, Timeline::catch_up, |_, _| ());
            here.catch_up(&Unguarded);
        }
        self.now += 1;
        (twin.used, twin.leaving, self.last) = (self.now, false, at);
    }

    /// A group is written and stored. How many folds were in it, and how many left with that.
    fn save(&mut self) -> [usize; 2] {
        let mut counts = [0; 2];
        for (name, bytes) in self.cache.folds_to_save(&Unguarded, |_| Timeline::catch_up) {
            let at = self.names.iter().position(|other| *other == name).unwrap();
            let twin = &mut self.twins[at];
            let here = twin.here.as_mut().unwrap();
            here.catch_up(&Unguarded);
            here.state_measured(StoredFold::decode(&bytes).unwrap().state().len());
            (twin.fold, twin.saved) = (Some(bytes), twin.events.len());
            self.cache.saved(&name);
            counts[0] += 1;
            if core::mem::take(&mut twin.leaving) {
                twin.here = None;
                counts[1] += 1;
            }
        }
        counts
    }

    fn shrink(&mut self) {
        self.cache.shrink(&Unguarded, |_| Timeline::catch_up);
        let is_needed = |at: usize| self.pins[at] > 0 || at == self.last;
        let needed: Vec<bool> = (0..self.names.len()).map(is_needed).collect();
        shrink(
            &mut self.twins,
            self.cache.bytes_max,
            &needed,
            &mut self.now,
        );
    }

    /// Compares them. How many timelines there are with and without their histories.
    fn compare(&self) -> [usize; 2] {
        let bytes: usize = self.twins.iter().map(Twin::bytes).sum();
        assert_eq!(self.cache.bytes(), bytes);
        let listed = staying(&self.twins, 0) + staying(&self.twins, 1);
        assert_eq!(self.cache.staying().0, listed);
        let mut counts = [0; 2];
        for (name, twin) in self.names.iter().zip(&self.twins) {
            let here = self.cache.timeline(name).map(Timeline::has_history);
            assert_eq!(here, twin.here.as_ref().map(Timeline::has_history));
            counts[0] += usize::from(here == Some(true));
            counts[1] += usize::from(here == Some(false));
        }
        counts
    }
}

/// Against plain lists, a model of its own for what takes how much, and all events of each aggregate.
#[test]
fn the_coldest_let_go_of_their_histories_and_leave_when_their_folds_are_too_much() {
    let mut pair = Pair::new(30, 20);
    let mut counts = [0; 4];
    let mut random = 7u64;
    for number in 1..8_000u64 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        // Some are written more often than others.
        let at = usize::try_from((random >> 33) % (1 + (random >> 45) % 30)).unwrap();
        match random >> 60 {
            0..=9 => {
                let (is_whole, is_folded) = (random & 1 << 20 == 0, random & 1 << 21 == 0);
                pair.write(at, number, is_whole, is_folded);
            }
            10 if pair.pins[at] < 2 => {
                pair.cache.pin(&pair.names[at]);
                pair.pins[at] += 1;
            }
            11 | 12 if pair.pins[at] > 0 => {
                pair.cache.unpin(&pair.names[at]);
                pair.pins[at] -= 1;
            }
            13 => {
                let [saved, left] = pair.save();
                (counts[0], counts[1]) = (counts[0] + saved, counts[1] + left);
            }
            _ => pair.shrink(),
        }
        let [full, lean] = pair.compare();
        (counts[2], counts[3]) = (counts[2] + full, counts[3] + lean);
    }
    // Everything happened, and often.
    assert!(counts.iter().all(|count| *count > 200), "{counts:?}");
    let Pair {
        mut cache,
        names,
        twins,
        ..
    } = pair;
    for (name, twin) in names.iter().zip(twins) {
        if twin.here.is_none() {
            continue;
        }
        cache.fold(name, &Unguarded, Timeline::catch_up, |_, _| ());
        let timeline = cache.timeline(name).unwrap();
        let state: &Latest = timeline.state().unwrap().downcast_ref().unwrap();
        assert_eq!(state.writer(), twin.events.last().map(Event::id));
        assert_eq!(timeline.len(), u64::try_from(twin.events.len()).unwrap());
    }
}
