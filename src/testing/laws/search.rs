//! The search for a history that breaks a law: all small ones first, then long ones at random.
//!
//! A search follows from the rule, the payloads and the budget, so it finds the same every time.

use std::ops::ControlFlow;

use super::bench::{Bench, Run};
use super::checks::{Effort, Finding, fault, finding, finding_at_newest};
use super::draws::Draws;
use super::history::{History, Word};
use super::law::Law;
use super::path::Path;
use super::report::{Failure, Partly, Trial};
use super::shapes::{Pasts, all_pasts};
use super::shrink::shrink;
use super::suite::Setup;
use super::walk::Walk;
use super::words::{garbage, twisted};

/// Histories of up to so many events are tried one after the other.
const SMALL: usize = 5;
/// So many events or more are tried in a walk, fewer in each way that a law knows.
const WALKED: usize = 4;
/// An alphabet of up to so many payloads is tried whole.
const FEW: usize = 4;
/// A larger one is tried whole up to so many events; beyond that, parts of it are, and for them there
/// is so large a part of the budget.
const WHOLE: usize = 2;
const PARTS: usize = 8;
const FOR_PARTS: u64 = 4;
/// Where not all can be tried, so large a part of what is left goes into some.
const FOR_SAMPLES: u64 = 4;
/// So many shapes are walked to tell what all of them would cost.
const PROBED: usize = 6;
/// Up to so many events, the last one may be any garbage.
const GARBLED: usize = 4;
/// About so many orders of arrival are tried for a shape, where there are few payloads.
const TRIES: usize = 256;
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
    /// The payloads of the suite, behind them what no rule expects.
    words: Vec<Word>,
    expected: usize,
    trial: Trial,
    kept: Vec<(History, Run)>,
    found: Option<(History, Finding)>,
}

/// Tries one law.
pub(super) fn search(law: Law, setup: &Setup) -> Trial {
    let mut words = setup.words.clone();
    if law == Law::Totality {
        words.extend(garbage());
        words.extend(twisted(&setup.words));
    }
    let mut search = Search {
        law,
        setup,
        bench: Bench::new(setup.route.clone()),
        words,
        expected: setup.words.len(),
        trial: Trial::new(law, setup.words.len()),
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

/// All histories of so many events: the ways to have seen each other, and the words that they choose
/// from by number. The last event may also have one of the others.
struct Level {
    shapes: Vec<Pasts>,
    events: usize,
    words: Vec<Word>,
    others: Vec<Word>,
}

impl Level {
    fn total(&self) -> Option<u64> {
        let inner = u32::try_from(self.events - 1).ok()?;
        let words = self.words.len().checked_pow(inner)?;
        let last = self.words.len() + self.others.len();
        let total = words.checked_mul(last)?.checked_mul(self.shapes.len())?;
        u64::try_from(total).ok()
    }

    /// The history of this number: the shape is the last digit, the words are the others.
    fn numbered(&self, number: usize, apart: bool) -> History {
        let pasts = &self.shapes[number % self.shapes.len()];
        let mut rest = number / self.shapes.len();
        let mut words = Vec::new();
        for _ in 1..pasts.len() {
            words.push(self.words[rest % self.words.len()].clone());
            rest /= self.words.len();
        }
        let last = self.words.iter().chain(&self.others).nth(rest);
        words.extend(last.cloned());
        History::of_pasts(pasts, &words, apart)
    }

    /// Numbers that come by every history once, spread over them.
    fn numbers(&self) -> impl Iterator<Item = usize> + use<> {
        let total = self.total().and_then(|total| usize::try_from(total).ok());
        spread(total.unwrap_or(usize::MAX / 2))
    }
}

/// Every number below a total once, spread over them.
fn spread(total: usize) -> impl Iterator<Item = usize> {
    let stride = coprime(total);
    let next = move |at: &usize| at.checked_add(stride)?.checked_rem(total);
    core::iter::successors(Some(0), next).take(total)
}

impl Search<'_> {
    /// What is left of a part of the budget.
    fn left(&self, steps: u64) -> u64 {
        steps.saturating_sub(self.bench.steps())
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

    /// How many events the small histories of a law have at most: some laws try many rounds of each,
    /// or add more to it, and a longer past makes outcomes equal by chance, with nothing lost.
    const fn most(&self) -> usize {
        match self.law {
            Law::Growth => 2,
            Law::Resolution | Law::Loss => 3,
            _ => SMALL,
        }
    }

    /// The ways to have seen each other that a law says something about.
    fn shapes(&self, events: usize) -> Vec<Pasts> {
        let mut shapes = all_pasts(events);
        let last = events - 1;
        match self.law {
            Law::Sequence => shapes.retain(|pasts| pasts[last].len() == last),
            Law::Loss => shapes.retain(|pasts| last > 0 && !pasts[last].contains(&(last - 1))),
            _ => {}
        }
        shapes
    }

    fn small(&mut self) {
        let mut draws = Draws::new(self.setup.budget.seed);
        let budget = self.setup.budget.small();
        for events in 1..=self.most() {
            let levels = self.levels(events, &mut draws);
            let parts = u64::try_from(levels.len()).unwrap_or(1).max(1);
            let (mut tried, mut of) = (0, 0);
            for level in levels {
                let share = if parts > 1 { parts * FOR_PARTS } else { 1 };
                let left = self.left(budget) / share;
                let before = self.trial.histories;
                let total = level.total().unwrap_or(u64::MAX);
                if events < WALKED || !self.walk(&level, left) {
                    let share = if events > WHOLE { FOR_SAMPLES } else { 1 };
                    self.sample(&level, self.bench.steps() + left / share);
                }
                if self.found.is_some() {
                    return;
                }
                tried += self.trial.histories - before;
                of = total.saturating_add(of);
            }
            self.tell(events, tried, of);
        }
    }

    /// Notes how much of a size was tried.
    fn tell(&mut self, events: usize, tried: u64, of: u64) {
        let parts = self.expected > FEW && events > WHOLE;
        if tried == of && !parts && self.trial.complete_to + 1 == events {
            self.trial.complete_to = events;
            self.trial.complete += tried;
        } else {
            self.trial.partly.push(Partly {
                events,
                tried,
                of: (!parts).then_some(of),
            });
        }
    }

    /// What is tried of a size: all of it, or parts of a large alphabet.
    fn levels(&self, events: usize, draws: &mut Draws) -> Vec<Level> {
        let (words, others) = self.words.split_at(self.expected);
        let level = |words: Vec<Word>, others: &[Word]| Level {
            shapes: self.shapes(events),
            events,
            words,
            others: others.to_vec(),
        };
        if self.expected > FEW && events > WHOLE {
            let part = |_| level(part(words, draws), &[]);
            return (0..PARTS).map(part).collect();
        }
        let others = if events > GARBLED { &[] } else { others };
        if events <= WHOLE && self.expected <= FEW {
            return vec![level(self.words.clone(), &[])];
        }
        vec![level(words.to_vec(), others)]
    }

    /// As many histories of a size as the limit allows, spread over it.
    fn sample(&mut self, level: &Level, limit: u64) {
        if level.shapes.is_empty() {
            return;
        }
        for (turn, number) in level.numbers().enumerate() {
            let over = self.bench.steps() > limit;
            if over || self.visit(level.numbered(number, turn % 2 == 1)) {
                return;
            }
        }
    }

    /// All histories of a size, if so many steps allow; a few shapes are walked to find out. Whether
    /// nothing is left to try.
    fn walk(&mut self, level: &Level, steps: u64) -> bool {
        let inner = u32::try_from(level.events).unwrap_or(u32::MAX);
        let leaves = level.words.len().saturating_pow(inner).max(1);
        let tries = if self.setup.budget.is_complete() {
            usize::MAX
        } else {
            (TRIES / leaves).max(1)
        };
        let (start, before) = (self.bench.steps(), self.trial.histories);
        let shapes = level.shapes.len();
        for (walked, number) in spread(shapes).enumerate() {
            let so_far = self.bench.steps() - start;
            let all = so_far.saturating_mul(u64::try_from(shapes).unwrap_or(u64::MAX));
            let few = u64::try_from(walked).unwrap_or(1).max(1);
            if so_far > steps || (walked == PROBED && all / few > steps) {
                self.trial.histories = before;
                return false;
            }
            let (words, others, apart) = (&level.words, &level.others, number % 2 == 1);
            let pasts = &level.shapes[number];
            let walk = Walk::new(&self.bench, pasts, words, others, apart, tries);
            let Some(mut walk) = walk else {
                return true;
            };
            let (mut turn, mut found) = (0, None);
            let (law, setup) = (self.law, self.setup);
            let ended = walk.each(&mut |path: &Path<'_>, folded| {
                let finding = match folded {
                    Ok(()) => finding_at_newest(law, setup, path, turn),
                    Err(failed) => fault(law, failed),
                };
                turn += 1;
                found = finding.map(|finding| (path.case.history.clone(), finding));
                if found.is_some() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            self.trial.histories += u64::try_from(turn).unwrap_or(u64::MAX);
            if ended.is_break() {
                self.found = found;
                return true;
            }
        }
        true
    }

    fn random(&mut self) {
        let mut draws = Draws::new(self.setup.budget.seed ^ 0xa5a5);
        let end = self.bench.steps() + self.setup.budget.random();
        while self.found.is_none() && self.bench.steps() < end {
            let history = self.drawn(&mut draws);
            self.visit(history);
            self.trial.random += 1;
        }
    }

    /// A history of people who are offline now and then.
    fn drawn(&self, draws: &mut Draws) -> History {
        let few: Vec<usize> = (0..2 + draws.below(5))
            .map(|_| {
                // Garbage alone would be refused alone.
                let all = draws.one_in(4);
                draws.below(if all { self.words.len() } else { self.expected })
            })
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

/// Some histories of up to three events, the same every time.
pub(super) fn some_small(words: &[Word]) -> Vec<History> {
    let mut some = Vec::new();
    for events in 1..=3 {
        let level = Level {
            shapes: all_pasts(events),
            events,
            words: words.to_vec(),
            others: Vec::new(),
        };
        let numbers = level.numbers().take(SOME).enumerate();
        some.extend(numbers.map(|(turn, number)| level.numbered(number, turn % 2 == 1)));
    }
    some
}

/// Three of these words.
fn part(whole: &[Word], draws: &mut Draws) -> Vec<Word> {
    let mut places: Vec<usize> = (0..3).map(|_| draws.below(whole.len())).collect();
    places.sort_unstable();
    places.dedup();
    places.into_iter().map(|at| whole[at].clone()).collect()
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
