use alloc::vec::Vec;

use super::{BrokenLaw, Sketch};
use crate::event::{Event, EventId};
use crate::limits::{EVIDENCE_APPLIES_MAX, EVIDENCE_REPEATS};
use crate::merge::{Guard, Shortcut, Shortcuts, Timeline};
use crate::resolver::{ErasedResolver, ErasedState, Footprint, Route, View};

/// What a fold came to: the state in its encoded form, and which events were refused.
type Run = (Vec<u8>, Vec<EventId>);

/// So many events are tried with each of them late.
const FEW: usize = 24;

/// What is done with a state between two events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    /// It is copied, and the copy looked at after the next event.
    Copy,
    /// It is written and read.
    Reread,
}

/// Tries a rule, and counts what that costs.
pub(super) struct Bench<'a> {
    route: &'a Route,
    guard: &'a dyn Guard,
    applies: u64,
}

impl<'a> Bench<'a> {
    pub(super) fn new(route: &'a Route, guard: &'a dyn Guard) -> Self {
        Self {
            route,
            guard,
            applies: 0,
        }
    }

    /// Whether all the work that is allowed was done.
    pub(super) fn is_spent(&self) -> bool {
        self.applies > EVIDENCE_APPLIES_MAX
    }

    /// Whether a history shows that a law is broken. What cannot be folded at all shows nothing.
    pub(super) fn shows(&mut self, law: BrokenLaw, sketch: &Sketch) -> bool {
        let Some(events) = sketch.events() else {
            return false;
        };
        let in_order: Vec<usize> = (0..events.len()).collect();
        let Some(straight) = self.fold(&events, &in_order, Shortcuts::ALL) else {
            return false;
        };
        match law {
            BrokenLaw::Determinism => (0..EVIDENCE_REPEATS).any(|_| {
                let again = self.fold(&events, &in_order, Shortcuts::ALL);
                again.is_some_and(|again| again != straight)
            }),
            BrokenLaw::Footprint => {
                self.differs_late(Shortcut::Footprint, sketch, &events, &straight)
            }
            BrokenLaw::Commutation => {
                self.differs_late(Shortcut::Claim, sketch, &events, &straight)
            }
            BrokenLaw::Rollback => self.by_hand(sketch, &events, Between::Copy).is_none(),
            BrokenLaw::StateSplit => {
                let state = self.by_hand(sketch, &events, Between::Reread);
                let state = state.and_then(|state| self.encode(&state));
                state.is_none_or(|state| state != straight.0)
            }
        }
    }

    /// Whether a shortcut for late events leads elsewhere, in one of some orders of arrival.
    fn differs_late(
        &mut self,
        shortcut: Shortcut,
        sketch: &Sketch,
        events: &[Event],
        straight: &Run,
    ) -> bool {
        let avoided = Shortcuts::from(shortcut).others();
        let mut orders = alloc::vec![sketch.as_they_came(), sketch.as_late_as_possible()];
        if events.len() <= FEW {
            orders.extend((0..events.len()).map(|late| sketch.with_one_late(late)));
        }
        orders.iter().any(|order| {
            let late = self.fold(events, order, avoided);
            late.is_some_and(|late| late != *straight)
        })
    }

    /// Folds after each event that comes.
    fn fold(&mut self, events: &[Event], order: &[usize], avoided: Shortcuts) -> Option<Run> {
        let aggregate = events.first()?.aggregate().clone();
        let mut timeline = Timeline::new(aggregate, Some(self.route.clone()));
        timeline.avoid(avoided);
        for at in order {
            timeline.integrate(events.get(*at)?.clone(), None);
            if avoided != Shortcuts::ALL {
                timeline.fold(self.guard);
            }
        }
        timeline.fold(self.guard);
        self.applies = self.applies.saturating_add(timeline.costs().applies);
        let run = timeline.as_replay(self.guard)?;
        let rejected = run.rejected.into_iter().map(|(id, _)| id);
        Some((run.state, rejected.collect()))
    }

    /// Folds by hand, and does something with the state before each event; nothing where that, or a
    /// fold, fails.
    fn by_hand(
        &mut self,
        sketch: &Sketch,
        events: &[Event],
        between: Between,
    ) -> Option<ErasedState> {
        let resolver = &**self.route.resolver();
        let aggregate = events.first()?.aggregate();
        let mut state = self.ask(|| resolver.init(aggregate))?;
        for (at, event) in events.iter().enumerate() {
            self.applies = self.applies.saturating_add(2);
            let bytes = self.encode(&state)?;
            let kept = match between {
                Between::Copy => self.ask(|| resolver.clone_state(&state))?,
                Between::Reread => self.ask(|| resolver.decode_state(&bytes).ok())??,
            };
            if self.encode(&kept)? != bytes {
                return None;
            }
            let view = Seen {
                sketch,
                events,
                at,
                resolver,
            };
            // Of a copy the original is looked at afterwards, of a state that was read nothing.
            let (mut next, left) = (kept, state);
            self.guard
                .run(&mut || drop(resolver.fold(&mut next, event, &view)))
                .ok()?;
            if between == Between::Copy && self.encode(&left)? != bytes {
                return None;
            }
            state = next;
        }
        Some(state)
    }

    fn encode(&self, state: &ErasedState) -> Option<Vec<u8>> {
        let resolver = &**self.route.resolver();
        self.ask(|| resolver.encode_state(state).ok())?
    }

    fn ask<T>(&self, question: impl Fn() -> T) -> Option<T> {
        let mut answer = None;
        let ran = self.guard.run(&mut || answer = Some(question()));
        ran.ok().and(answer)
    }
}

/// What an event's writer had seen, by looking it up.
struct Seen<'a> {
    sketch: &'a Sketch,
    events: &'a [Event],
    at: usize,
    resolver: &'a dyn ErasedResolver,
}

impl Seen<'_> {
    fn is_in_past(&self, other: usize) -> bool {
        let step = self.sketch.steps.get(self.at);
        step.is_some_and(|step| step.past.contains(&other))
    }

    fn footprint(&self, at: usize) -> Footprint {
        let event = self.events.get(at);
        event.map_or(Footprint::NOTHING, |event| {
            self.resolver.footprint(event.payload())
        })
    }
}

impl View for Seen<'_> {
    fn saw(&self, id: EventId) -> bool {
        let place = self.events.iter().position(|event| event.id() == id);
        place.is_some_and(|place| self.is_in_past(place))
    }

    fn rivals(&self) -> Vec<Event> {
        let own = self.footprint(self.at);
        let rival = |at: &usize| !self.is_in_past(*at) && own.overlaps(&self.footprint(*at));
        let before = (0..self.at).filter(rival);
        before
            .filter_map(|at| self.events.get(at).cloned())
            .collect()
    }
}
