//! The search for a history that breaks a law: all small ones first, then long ones at random.
//!
//! A search follows from the rule, the payloads and the budget, so it finds the same every time.

use super::bench::{Bench, Run};
use super::budget::Budget;
use super::checks::{Effort, Finding, finding};
use super::draws::Draws;
use super::history::{History, Word};
use super::law::Law;
use super::report::{Failure, Trial};
use super::shapes::{Pasts, all_pasts};
use super::shrink::shrink;
use super::suite::Setup;
use super::words::garbage;

/// Histories of up to so many events are tried one after the other.
const SMALL: usize = 5;
/// An alphabet of up to so many payloads is tried whole.
const FEW: usize = 4;
/// A larger one is tried whole up to so many events; beyond that, parts of it are.
const WHOLE: usize = 2;
/// How many parts of a large alphabet are tried.
const PARTS: usize = 8;
/// Random histories have up to so many events, and replicas.
const EVENTS: usize = 200;
const REPLICAS: usize = 8;
/// So many small histories are folded again at the end, when time has passed.
const KEPT: usize = 200;
/// How many histories of each length another process is asked about.
const SOME: usize = 100;

/// A search under way.
struct Search<'a> {
    law: Law,
    setup: &'a Setup,
    bench: Bench,
    words: Vec<Word>,
    trial: Trial,
    kept: Vec<(History, Run)>,
    found: Option<(History, Finding)>,
}

/// Tries one law.
pub(super) fn search(law: Law, setup: &Setup) -> Trial {
    let mut words = setup.words.clone();
    if law == Law::Totality {
        words.extend(garbage());
    }
    let mut search = Search {
        law,
        setup,
        bench: Bench::new(setup.route.clone()),
        words,
        trial: Trial {
            law,
            histories: 0,
            complete_to: 0,
            failure: None,
        },
        kept: Vec::new(),
        found: None,
    };
    search.small();
    if !matches!(law, Law::Growth | Law::Resolution | Law::Loss) {
        search.random();
    }
    search.later();
    if let Some((history, finding)) = search.found.take() {
        let words = &search.words;
        let (history, finding) = shrink(law, setup, words, history, finding);
        search.trial.failure = Some(Failure::new(law, setup, history, finding));
    }
    search.trial
}

impl Search<'_> {
    fn budget(&self) -> Budget {
        self.setup.budget
    }

    /// Tries one history; whether the search may end.
    fn visit(&mut self, history: History) -> bool {
        self.trial.histories += 1;
        let found = finding(self.law, self.setup, &self.bench, &history, Effort::Once);
        if let Some(finding) = found {
            self.found = Some((history, finding));
            return true;
        }
        if self.law == Law::Determinism && self.kept.len() < KEPT {
            let run = self.bench.case(&history);
            let run = run.and_then(|case| self.bench.fold(&case, &case.order()));
            self.kept.extend(run.ok().map(|run| (history, run)));
        }
        false
    }

    /// How many events the small histories of a law have at most: some laws try many orders or
    /// rounds of each.
    const fn most(&self) -> usize {
        match self.law {
            Law::Growth => 2,
            // A longer past makes outcomes equal by chance.
            Law::Resolution | Law::Loss => 3,
            _ => SMALL,
        }
    }

    fn small(&mut self) {
        let whole: Vec<usize> = (0..self.words.len()).collect();
        let mut draws = Draws::new(self.budget().seed);
        for events in 1..=self.most() {
            let remaining = (self.budget().steps * 2 / 3).saturating_sub(self.bench.steps());
            let left = u64::try_from(self.most() - events + 1).unwrap_or(1);
            let share = remaining / left;
            let alphabets = if whole.len() <= FEW || events <= WHOLE {
                vec![whole.clone()]
            } else {
                (0..PARTS).map(|_| part(&whole, &mut draws)).collect()
            };
            let mut complete = alphabets.len() == 1;
            let each = share / u64::try_from(alphabets.len()).unwrap_or(1);
            for alphabet in alphabets {
                let limit = self.bench.steps().saturating_add(each);
                complete &= self.level(events, &alphabet, limit);
                if self.found.is_some() {
                    return;
                }
            }
            if complete && self.trial.complete_to + 1 == events {
                self.trial.complete_to = events;
            }
        }
    }

    /// All histories of so many events over these words, or as many as the limit allows, spread
    /// evenly over them; whether it was all.
    fn level(&mut self, events: usize, alphabet: &[usize], limit: u64) -> bool {
        let shapes = all_pasts(events);
        let exponent = u32::try_from(events).unwrap_or(u32::MAX);
        let Some(total) = alphabet
            .len()
            .checked_pow(exponent)
            .and_then(|words| words.checked_mul(shapes.len()))
        else {
            return false;
        };
        let stride = coprime(total);
        let mut at = 0;
        for number in 0..total {
            if self.bench.steps() > limit {
                return false;
            }
            let word = |letter: usize| self.words[alphabet[letter]].clone();
            let history = numbered(&shapes, alphabet.len(), &word, at, number % 2 == 1);
            if self.visit(history) {
                return false;
            }
            at = (at + stride) % total;
        }
        true
    }

    fn random(&mut self) {
        let mut draws = Draws::new(self.budget().seed ^ 0xa5a5);
        while self.found.is_none() && self.bench.steps() < self.budget().steps {
            let history = self.drawn(&mut draws);
            self.visit(history);
        }
    }

    /// A history of people who are offline now and then.
    fn drawn(&self, draws: &mut Draws) -> History {
        let few: Vec<usize> = (0..2 + draws.below(5))
            .map(|_| draws.below(self.words.len()))
            .collect();
        let most = if draws.one_in(16) { EVENTS } else { 24 };
        let (events, replicas) = (
            SMALL + 1 + draws.below(most - SMALL),
            2 + draws.below(REPLICAS - 1),
        );
        let mut history = History::new();
        let mut newest: Vec<Option<usize>> = vec![None; replicas];
        for at in 0..events {
            let writer = draws.below(replicas);
            let other = newest[draws.below(replicas)].filter(|_| draws.one_in(2));
            let word = self.words[few[draws.below(few.len())]].clone();
            history.push(writer, &other.into_iter().collect(), word);
            newest[writer] = Some(at);
        }
        self.bench.count(events * events / 32);
        history
    }

    /// Folds what was folded at the beginning once more.
    fn later(&mut self) {
        if self.found.is_some() {
            return;
        }
        for (history, before) in core::mem::take(&mut self.kept) {
            let again = self.bench.case(&history);
            let again = again.and_then(|case| self.bench.fold(&case, &case.order()));
            if again.is_ok_and(|again| again != before) {
                let found = finding(self.law, self.setup, &self.bench, &history, Effort::Often);
                self.found = found.map(|finding| (history, finding));
                if self.found.is_some() {
                    return;
                }
            }
        }
    }
}

/// The history of this number: the shape is the last digit, the words are the others.
fn numbered(
    shapes: &[Pasts],
    letters: usize,
    word: &dyn Fn(usize) -> Word,
    number: usize,
    apart: bool,
) -> History {
    let pasts = &shapes[number % shapes.len()];
    let mut rest = number / shapes.len();
    let mut words = Vec::new();
    for _ in pasts {
        words.push(word(rest % letters));
        rest /= letters;
    }
    History::of_pasts(pasts, &words, apart)
}

/// Some histories of up to three events, the same every time.
pub(super) fn some_small(words: &[Word]) -> Vec<History> {
    let mut some = Vec::new();
    for events in 1..=3 {
        let shapes = all_pasts(events);
        let total = shapes.len() * words.len().pow(u32::try_from(events).unwrap_or(1));
        let (stride, word) = (coprime(total), |letter: usize| words[letter].clone());
        let number = |turn: usize| turn * stride % total;
        let turns = 0..total.min(SOME);
        some.extend(
            turns.map(|turn| numbered(&shapes, words.len(), &word, number(turn), turn % 2 == 1)),
        );
    }
    some
}

/// Three of these words.
fn part(whole: &[usize], draws: &mut Draws) -> Vec<usize> {
    let mut words: Vec<usize> = (0..3).map(|_| whole[draws.below(whole.len())]).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// A stride that comes by every number below a total.
fn coprime(total: usize) -> usize {
    const fn divisor(one: usize, other: usize) -> usize {
        if other == 0 {
            one
        } else {
            divisor(other, one % other)
        }
    }
    let first = (total / 13 * 8).max(1);
    (first..=first + total)
        .find(|stride| divisor(*stride, total) == 1)
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stride_comes_by_every_number() {
        for total in 1..200 {
            let stride = coprime(total);
            let mut seen = vec![false; total];
            (0..total).for_each(|number| seen[number * stride % total] = true);
            assert!(seen.iter().all(|seen| *seen), "{total}");
        }
    }
}
