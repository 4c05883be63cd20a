//! The history in the merge core alone: no store, no network, no clock.

use std::error::Error;
use std::fmt::Write as _;
use std::time::Instant;

use anabranch::event::{AggregateId, Commit, PayloadError, cbor};
use anabranch::merge::Aggregates;
use anabranch::resolver::{FieldMerge, Fields, Registry, Resolver};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::ancestry::writes;
use crate::data::{History, state_line};
use crate::{progress, progress_ends};

/// Shuffled orders of delivery.
const ORDERS: u64 = 10;

/// Checks everything and prints what it found.
pub(crate) fn run(history: &History, expected: &str) -> Result<(), Box<dyn Error>> {
    let events = history.told.events().count();
    let writes: usize = history.told.events().map(|event| writes(event).len()).sum();
    println!(
        "The core: {events} events, {writes} field writes, {} records",
        history.told.records()
    );

    let all: Vec<&Commit> = history.told.commits.iter().collect();
    report("in order", &fold(&all), events, expected)?;
    for seed in 1..=ORDERS {
        let shuffled = shuffled(&all, seed);
        let name = format!(
            "shuffled {seed:2}, {} duplicates",
            shuffled.len() - all.len()
        );
        report(&name, &fold(&shuffled), events, expected)?;
    }
    digests(history)
}

pub(crate) fn per(count: usize, unit: f64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / unit
}

/// What came of one delivery.
struct Run {
    aggregates: Aggregates,
    receive_s: f64,
    fold_s: f64,
}

/// One replica that was given some commits, all of whose records have the same rule.
pub(crate) fn deliver<'a>(
    commits: impl IntoIterator<Item = &'a Commit>,
    rule: impl Resolver,
) -> Aggregates {
    deliver_to(Registry::new().with_default(rule), commits)
}

/// The same, each record with the rule of its kind.
pub(crate) fn deliver_to<'a>(
    registry: Registry,
    commits: impl IntoIterator<Item = &'a Commit>,
) -> Aggregates {
    let mut aggregates = Aggregates::new(registry);
    for commit in commits {
        aggregates.receive(commit);
    }
    aggregates
}

#[expect(
    clippy::disallowed_methods,
    reason = "an example that measures reads the clock"
)]
fn fold(commits: &[&Commit]) -> Run {
    let start = Instant::now();
    let mut aggregates = deliver(commits.iter().copied(), FieldMerge);
    let received = Instant::now();
    aggregates.fold_all();
    let folded = Instant::now();
    Run {
        aggregates,
        receive_s: (received - start).as_secs_f64(),
        fold_s: (folded - received).as_secs_f64(),
    }
}

fn report(name: &str, run: &Run, events: usize, expected: &str) -> Result<(), Box<dyn Error>> {
    let total = run.receive_s + run.fold_s;
    let rate = per(events, total);
    println!(
        "  {name:32} {total:6.3} s = {:.3} to receive + {:.3} to fold, {rate:9.0} events/s",
        run.receive_s, run.fold_s
    );
    if run.aggregates.inbox().waiting_len() > 0 {
        return Err(format!("{name}: commits wait though all are here").into());
    }
    let state = state(&run.aggregates)?;
    if state != expected {
        let differ = |(found, wanted): &(&str, &str)| found != wanted;
        let first = state.lines().zip(expected.lines()).find(differ);
        return Err(format!("{name}: the state differs from what is expected at {first:?}").into());
    }
    Ok(())
}

/// The visible fields as sorted lines.
fn state(aggregates: &Aggregates) -> Result<String, Box<dyn Error>> {
    let mut lines = Vec::new();
    for timeline in aggregates.iter() {
        let state = timeline.state().map_err(Clone::clone)?;
        let fields: &Fields = state.downcast_ref().ok_or("folded by another rule")?;
        push_lines(timeline.aggregate(), fields, &mut lines)?;
    }
    lines.sort_unstable();
    Ok(lines.concat())
}

/// The visible fields of one record as lines.
pub(crate) fn push_lines(
    record: &AggregateId,
    fields: &Fields,
    lines: &mut Vec<String>,
) -> Result<(), PayloadError> {
    for field in fields.iter() {
        let value: Value = cbor::from_slice(field.value)?;
        lines.push(state_line(record, &field.path, &value));
    }
    Ok(())
}

/// The state of exactly the past of each line that says what it must be.
fn digests(history: &History) -> Result<(), Box<dyn Error>> {
    let lines = history.lines.iter().enumerate();
    let known: Vec<_> = lines
        .filter_map(|(at, line)| Some((at, line, line.digest.as_ref()?)))
        .collect();
    for (done, (number, line, digest)) in known.iter().enumerate() {
        progress(&format!(
            "checking digests: {} of {}",
            done + 1,
            known.len()
        ));
        let commits: Vec<&Commit> = history.told.of(&line.past).collect();
        let run = fold(&commits);
        let mut found = String::new();
        for byte in Sha256::digest(state(&run.aggregates)?) {
            write!(found, "{byte:02x}")?;
        }
        if found != **digest {
            return Err(
                format!("line {number}: the state has digest {found}, not {digest}").into(),
            );
        }
    }
    progress_ends();
    println!(
        "  {} digests hold, each for exactly the past of its commit",
        known.len()
    );
    Ok(())
}

/// Every commit once and every fifth twice, in an order that depends on the seed alone.
pub(crate) fn shuffled<'a>(commits: &[&'a Commit], seed: u64) -> Vec<&'a Commit> {
    let mut shuffled: Vec<&Commit> = commits
        .iter()
        .chain(commits.iter().step_by(5))
        .copied()
        .collect();
    // SplitMix64, then Fisher and Yates.
    let mut state = seed;
    let mut random = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    for (last, places) in (1..shuffled.len()).zip(2..) {
        let other = usize::try_from(random() % places).unwrap_or_default();
        shuffled.swap(last, other);
    }
    shuffled
}
