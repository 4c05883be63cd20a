//! All histories of one shape: a tree walk over the choices of payloads, which shares the folds of
//! what histories begin with. Decides nothing about rules.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::bench::{Bench, Case, Fault};
use super::history::{History, Word};
use super::path::Path;
use super::shapes::Pasts;
use crate::event::Event;
use crate::resolver::Footprint;

/// One payload, made ready for each place of a shape.
struct Letter<'a> {
    word: &'a Word,
    events: Vec<Event>,
    footprint: Option<Arc<Footprint>>,
}

/// What is shown each history: folded, or the fault of the rule at its last event.
pub(super) type Visit<'a> = dyn FnMut(&Path<'_>, Result<(), Fault>) -> ControlFlow<()> + 'a;

/// A walk over the histories of one shape.
pub(super) struct Walk<'a> {
    path: Path<'a>,
    letters: Vec<Letter<'a>>,
    /// How many of the letters stand at any place but the last.
    inner: usize,
    events: usize,
}

impl<'a> Walk<'a> {
    /// The histories that saw each other as these pasts say, each of whose events has one of the
    /// words; the last event may also have one of the others. Nothing where the rule fails before
    /// any event.
    pub(super) fn new(
        bench: &'a Bench,
        pasts: &Pasts,
        words: &'a [Word],
        others: &'a [Word],
        apart: bool,
        tries: usize,
    ) -> Option<Self> {
        let events = pasts.len();
        let all = words.iter().chain(others);
        let letters: Vec<Letter<'a>> = all
            .map(|word| Letter {
                word,
                events: history(pasts, word, apart).events(),
                footprint: bench.footprint(0, word.payload()).ok(),
            })
            .collect();
        let first = letters.first()?;
        let everything = Arc::new(Footprint::Everything);
        let case = Case {
            history: history(pasts, first.word, apart),
            events: first.events.clone(),
            footprints: std::iter::repeat_n(everything, events).collect(),
        };
        Some(Self {
            path: Path::new(bench, case).ok()?.with_tries(tries),
            letters,
            inner: words.len(),
            events,
        })
    }

    /// Shows each history once.
    pub(super) fn each(&mut self, visit: &mut Visit<'_>) -> ControlFlow<()> {
        let at = self.path.len();
        let is_last = at + 1 == self.events;
        let choices = if is_last {
            self.letters.len()
        } else {
            self.inner
        };
        for choice in 0..choices {
            if !self.choose(at, choice) {
                continue;
            }
            match self.path.push() {
                Ok(()) => {
                    let flow = if is_last {
                        visit(&self.path, Ok(()))
                    } else {
                        self.each(visit)
                    };
                    self.path.pop();
                    flow?;
                }
                Err(fault) if is_last => visit(&self.path, Err(fault))?,
                // A shorter history, which was visited before.
                Err(_) => {}
            }
        }
        ControlFlow::Continue(())
    }

    fn choose(&mut self, at: usize, choice: usize) -> bool {
        let letter = &self.letters[choice];
        let Some(footprint) = &letter.footprint else {
            return false;
        };
        let case = &mut self.path.case;
        case.history.steps[at].word = letter.word.clone();
        case.events[at] = letter.events[at].clone();
        case.footprints[at] = Arc::clone(footprint);
        true
    }
}

fn history(pasts: &Pasts, word: &Word, apart: bool) -> History {
    History::of_pasts(pasts, &vec![word.clone(); pasts.len()], apart)
}
