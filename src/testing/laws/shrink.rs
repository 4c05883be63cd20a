//! From a history that breaks a law to a smallest one: fewer events, less concurrency, simpler words.

use std::collections::BTreeSet;

use super::bench::Bench;
use super::checks::{Effort, Finding, finding};
use super::history::{History, Word};
use super::law::Law;
use super::suite::Setup;

/// How many histories are tried at most, and how many events are folded for that.
const ATTEMPTS: usize = 2_000;
const STEPS: u64 = 400_000;

/// The smallest history that can be had by leaving things out, and what is seen there.
pub(super) fn shrink(
    law: Law,
    setup: &Setup,
    words: &[Word],
    history: History,
    first: Finding,
) -> (History, Finding) {
    let bench = Bench::new(setup.route.clone());
    let effort = match law {
        Law::Determinism => Effort::Often,
        _ => Effort::Once,
    };
    let (mut smallest, mut seen) = (history, first);
    let mut attempts = 0;
    'smaller: loop {
        let current = smallest.clone();
        for candidate in candidates(&current, words) {
            attempts += 1;
            if attempts > ATTEMPTS || bench.steps() > STEPS {
                break 'smaller;
            }
            if let Some(finding) = finding(law, setup, &bench, &candidate, effort) {
                (smallest, seen) = (candidate, finding);
                continue 'smaller;
            }
        }
        break;
    }
    if law == Law::Sequence {
        let row = smallest.in_a_row();
        if let Some(finding) = finding(law, setup, &bench, &row, effort) {
            return (row, finding);
        }
    }
    (smallest, seen)
}

/// Histories that are smaller by one thing, the greatest gain first.
fn candidates<'a>(
    history: &'a History,
    words: &'a [Word],
) -> impl Iterator<Item = History> + use<'a> {
    let events = history.len();
    let sizes = core::iter::successors(Some(events / 2), |size| Some(size / 2));
    let sizes = sizes.take_while(|size| *size > 0);
    let fewer = sizes.flat_map(move |size| {
        let starts = (0..events).step_by(size);
        starts.map(move |start| history.without(&(start..(start + size).min(events)).collect()))
    });
    let knowing = (1..events).filter_map(move |at| {
        let all: BTreeSet<usize> = (0..at).collect();
        (history.steps[at].past != all).then(|| history.knowing(at, &all))
    });
    let knowing_more = (1..events).flat_map(move |at| {
        let unseen = move |other: &usize| !history.steps[at].past.contains(other);
        let more = move |other| history.knowing(at, &BTreeSet::from([other]));
        (0..at).filter(unseen).map(more)
    });
    let simpler = (0..events).flat_map(move |at| {
        let word = &history.steps[at].word;
        let known = words.iter().position(|other| other.payload == word.payload);
        words.iter().take(known.unwrap_or(0)).map(move |word| {
            let mut simpler = history.clone();
            simpler.steps[at].word = word.clone();
            simpler
        })
    });
    fewer
        .chain(knowing)
        .chain(knowing_more)
        .chain(simpler)
        .chain(fewer_lanes(history))
}

/// The same history by as few writers as its pasts allow.
fn fewer_lanes(history: &History) -> Option<History> {
    let pasts = history.pasts();
    let words: Vec<Word> = history.steps.iter().map(|step| step.word.clone()).collect();
    let lanes = |history: &History| {
        let writers: BTreeSet<usize> = history.steps.iter().map(|step| step.writer).collect();
        (writers.len(), writers.last().copied())
    };
    let relabelled = History::of_pasts(&pasts, &words, false);
    (lanes(&relabelled) < lanes(history)).then_some(relabelled)
}
