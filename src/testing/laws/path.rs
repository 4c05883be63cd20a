//! A history as it is folded, event by event, with every state on the way.
//!
//! What one event more does is seen without folding those before it again. Knows no law.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::bench::{Bench, Case, Fault, Run};
use super::history::History;
use super::shapes::all_arrivals;
use crate::resolver::ErasedState;

/// The state after so many events.
pub(super) struct Level {
    pub(super) state: ErasedState,
    /// The same in canonical CBOR, from when it was new.
    pub(super) written: Vec<u8>,
    /// Why the event that led here was refused, if it was.
    pub(super) refused: Option<String>,
    /// Whether the rule asked for its rivals.
    pub(super) asked: bool,
}

/// The canonical fold of a history, as far as it went.
pub(super) struct Path<'a> {
    pub(super) bench: &'a Bench,
    pub(super) case: Case,
    levels: Vec<Level>,
    arrivals: OnceCell<Vec<Vec<usize>>>,
    tries: usize,
}

impl<'a> Path<'a> {
    /// The state before any event of a case.
    pub(super) fn new(bench: &'a Bench, case: Case) -> Result<Self, Fault> {
        let state = bench.init()?;
        let start = Level {
            written: bench.encode(&state)?,
            state,
            refused: None,
            asked: false,
        };
        Ok(Self {
            bench,
            case,
            levels: vec![start],
            arrivals: OnceCell::new(),
            tries: 1,
        })
    }

    /// Says how many orders of arrival are tried with each choice of payloads.
    pub(super) const fn with_tries(mut self, tries: usize) -> Self {
        self.tries = tries;
        self
    }

    pub(super) const fn tries(&self) -> usize {
        self.tries
    }

    /// The orders in which the events of the case can come, counted once.
    pub(super) fn arrivals(&self) -> &[Vec<usize>] {
        self.arrivals
            .get_or_init(|| all_arrivals(&self.case.history.pasts()))
    }

    /// How many events are folded.
    pub(super) fn len(&self) -> usize {
        self.levels.len() - 1
    }

    /// The number of the newest event.
    pub(super) fn last(&self) -> usize {
        self.levels.len() - 2
    }

    /// Folds the next event of the case.
    pub(super) fn push(&mut self) -> Result<(), Fault> {
        let at = self.len();
        let mut state = self.bench.copy(&self.newest().state)?;
        let (refused, asked) = self.bench.step_asking(&self.case, &mut state, at)?;
        self.levels.push(Level {
            written: self.bench.encode(&state)?,
            state,
            refused,
            asked,
        });
        Ok(())
    }

    /// Forgets the newest event.
    pub(super) fn pop(&mut self) {
        self.levels.pop();
    }

    /// The state before an event.
    pub(super) fn before(&self, at: usize) -> &Level {
        &self.levels[at]
    }

    /// The state after an event.
    pub(super) fn after(&self, at: usize) -> &Level {
        &self.levels[at + 1]
    }

    /// The state after the newest event.
    pub(super) fn newest(&self) -> &Level {
        &self.levels[self.len()]
    }

    /// The events that are folded.
    pub(super) fn history(&self) -> History {
        self.case.history.first(self.len())
    }

    /// What it came to so far.
    pub(super) fn run(&self) -> Run {
        let why = |at: usize| self.after(at).refused.clone().map(|why| (at, why));
        Run {
            state: self.newest().written.clone(),
            refused: (0..self.len()).filter_map(why).collect(),
        }
    }

    /// What it would have come to if an event had been folded behind all that came later.
    pub(super) fn behind(&self, at: usize) -> Result<Run, Fault> {
        let mut state = self.bench.copy(&self.before(at).state)?;
        let order: Vec<usize> = (at + 1..self.len()).chain([at]).collect();
        let why = |at: usize| self.after(at).refused.clone().map(|why| (at, why));
        let mut refused: BTreeMap<usize, String> = (0..at).filter_map(why).collect();
        refused.extend(self.bench.go_on(&self.case, &mut state, &order)?);
        Ok(Run {
            state: self.bench.encode(&state)?,
            refused,
        })
    }

    /// Whether a run is what this one came to, whatever the reasons of refusals.
    pub(super) fn agrees(&self, run: &Run) -> bool {
        self.newest().written == run.state
            && (0..self.len())
                .all(|at| self.after(at).refused.is_some() == run.refused.contains_key(&at))
    }
}
