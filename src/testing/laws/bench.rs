//! The naive fold that every law is measured by: no checkpoints, no shortcuts, no memory.
//!
//! Answers to `saw` and `rivals` follow from the history alone, whatever order events are folded in.
//! Knows no law.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::history::{History, aggregate};
use super::quiet::caught;
use crate::event::{AggregateId, Event, EventId, Payload};
use crate::resolver::{Decision, ErasedResolver, ErasedState, Folded, Footprint, Route, View};

/// Why a fold came to no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The rule panicked with these words, at the event of this number if at one.
    Panicked(Option<usize>, String),
    /// The state cannot be written.
    Unwritable(String),
    /// What was written cannot be read.
    Unreadable(Vec<u8>, String),
}

/// What folding a history came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// The state in canonical CBOR.
    pub(super) state: Vec<u8>,
    /// Which events were refused, and why.
    pub(super) refused: BTreeMap<usize, String>,
}

impl Run {
    /// Whether both have the same state and refused the same events, for whatever reasons.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        self.state == other.state && self.refused.keys().eq(other.refused.keys())
    }
}

/// A rule, and how much it was asked to do.
pub(super) struct Bench {
    pub(super) rule: Arc<dyn ErasedResolver>,
    pub(super) route: Route,
    pub(super) aggregate: AggregateId,
    steps: Cell<u64>,
}

/// A history with what the fold needs of it.
pub(super) struct Case {
    pub(super) history: History,
    pub(super) events: Vec<Event>,
    pub(super) footprints: Vec<Arc<Footprint>>,
}

impl Case {
    pub(super) fn order(&self) -> Vec<usize> {
        (0..self.events.len()).collect()
    }
}

impl Bench {
    pub(super) fn new(route: Route) -> Self {
        Self {
            rule: Arc::clone(route.resolver()),
            route,
            aggregate: aggregate(),
            steps: Cell::new(0),
        }
    }

    /// How often the rule was asked to fold an event so far, or to do about as much.
    pub(super) fn steps(&self) -> u64 {
        self.steps.get()
    }

    pub(super) fn count(&self, steps: usize) {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        self.steps.set(self.steps.get().saturating_add(steps));
    }

    pub(super) fn case(&self, history: &History) -> Result<Case, Fault> {
        let events = history.events();
        let footprints = events.iter().enumerate();
        let footprints = footprints.map(|(at, event)| self.footprint(at, event.payload()));
        Ok(Case {
            footprints: footprints.collect::<Result<_, _>>()?,
            history: history.clone(),
            events,
        })
    }

    pub(super) fn footprint(&self, at: usize, payload: &Payload) -> Result<Arc<Footprint>, Fault> {
        guarded(Some(at), || Arc::new(self.rule.footprint(payload)))
    }

    pub(super) fn init(&self) -> Result<ErasedState, Fault> {
        guarded(None, || self.rule.init(&self.aggregate))
    }

    pub(super) fn copy(&self, state: &ErasedState) -> Result<ErasedState, Fault> {
        guarded(None, || self.rule.clone_state(state))
    }

    pub(super) fn encode(&self, state: &ErasedState) -> Result<Vec<u8>, Fault> {
        guarded(None, || self.rule.encode_state(state))?
            .map_err(|why| Fault::Unwritable(why.to_string()))
    }

    pub(super) fn decode(&self, bytes: &[u8]) -> Result<ErasedState, Fault> {
        guarded(None, || self.rule.decode_state(bytes))?
            .map_err(|why| Fault::Unreadable(bytes.to_vec(), why.to_string()))
    }

    pub(super) fn present(&self, state: &ErasedState) -> Result<Vec<u8>, Fault> {
        guarded(None, || self.rule.present(state))?
            .map_err(|why| Fault::Unwritable(why.to_string()))
    }

    /// Folds one event; the reason if it is refused.
    pub(super) fn step(
        &self,
        case: &Case,
        state: &mut ErasedState,
        at: usize,
    ) -> Result<Option<String>, Fault> {
        self.step_asking(case, state, at)
            .map(|(refused, _)| refused)
    }

    /// The same, and whether the rule asked for rivals.
    pub(super) fn step_asking(
        &self,
        case: &Case,
        state: &mut ErasedState,
        at: usize,
    ) -> Result<(Option<String>, bool), Fault> {
        self.count(1);
        let view = Seen::new(case, at);
        self.fold_seeing(case, state, at, &view)
    }

    /// The same where one of the events before it is not there.
    pub(super) fn step_without(
        &self,
        case: &Case,
        state: &mut ErasedState,
        at: usize,
        absent: usize,
    ) -> Result<Option<String>, Fault> {
        self.count(1);
        let view = Seen {
            absent: Some(absent),
            ..Seen::new(case, at)
        };
        self.fold_seeing(case, state, at, &view)
            .map(|(refused, _)| refused)
    }

    fn fold_seeing(
        &self,
        case: &Case,
        state: &mut ErasedState,
        at: usize,
        view: &Seen<'_>,
    ) -> Result<(Option<String>, bool), Fault> {
        let folded = guarded(Some(at), || self.rule.fold(state, &case.events[at], view))?;
        let refused = match folded {
            Folded::Applied => None,
            Folded::Rejected(why) => Some(why.reason().to_owned()),
        };
        Ok((refused, view.asked.get()))
    }

    /// Whether an event would be refused, without folding it.
    pub(super) fn admit(
        &self,
        case: &Case,
        state: &ErasedState,
        at: usize,
    ) -> Result<Option<String>, Fault> {
        let view = Seen::new(case, at);
        let admitted = guarded(Some(at), || self.rule.admit(state, &case.events[at], &view))?;
        Ok(admitted.err().map(|why| why.reason().to_owned()))
    }

    /// Goes on with these events, in this order.
    pub(super) fn go_on(
        &self,
        case: &Case,
        state: &mut ErasedState,
        order: &[usize],
    ) -> Result<BTreeMap<usize, String>, Fault> {
        let mut refused = BTreeMap::new();
        for at in order {
            if let Some(why) = self.step(case, state, *at)? {
                refused.insert(*at, why);
            }
        }
        Ok(refused)
    }

    /// Folds these events, in this order.
    pub(super) fn fold(&self, case: &Case, order: &[usize]) -> Result<Run, Fault> {
        let mut state = self.init()?;
        let refused = self.go_on(case, &mut state, order)?;
        let state = self.encode(&state)?;
        Ok(Run { state, refused })
    }

    /// What a rule says of two concurrent events, at each place that both touch.
    pub(super) fn decide(
        &self,
        case: &Case,
        earlier: usize,
        later: usize,
    ) -> Result<Vec<Decision>, Fault> {
        let keys = case.footprints[earlier].shared(&case.footprints[later]);
        let payload = |at: usize| case.events[at].payload();
        let decide = || self.rule.decide(&keys, payload(earlier), payload(later));
        guarded(None, decide).map(Option::unwrap_or_default)
    }
}

/// Calls a rule; a panic of it is a fault.
pub(super) fn guarded<T>(at: Option<usize>, work: impl FnOnce() -> T) -> Result<T, Fault> {
    caught(work).map_err(|said| Fault::Panicked(at, said))
}

/// What an event's writer had seen, by looking it up.
struct Seen<'a> {
    case: &'a Case,
    at: usize,
    past: &'a BTreeSet<usize>,
    absent: Option<usize>,
    asked: Cell<bool>,
}

impl<'a> Seen<'a> {
    fn new(case: &'a Case, at: usize) -> Self {
        Self {
            case,
            at,
            past: &case.history.steps[at].past,
            absent: None,
            asked: Cell::new(false),
        }
    }
}

impl View for Seen<'_> {
    fn saw(&self, id: EventId) -> bool {
        self.past.iter().any(|at| self.case.events[*at].id() == id)
    }

    fn rivals(&self) -> Vec<Event> {
        self.asked.set(true);
        let footprint = &self.case.footprints[self.at];
        (0..self.at)
            .filter(|at| self.absent != Some(*at))
            .filter(|at| !self.past.contains(at) && footprint.overlaps(&self.case.footprints[*at]))
            .map(|at| self.case.events[at].clone())
            .collect()
    }
}
