//! The history in the merge core alone: no store, no network, no clock.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::time::Instant;

use anabranch::event::{AggregateId, Commit, Event, EventId, OrderKey, PayloadError, cbor};
use anabranch::merge::Aggregates;
use anabranch::resolver::{FieldMerge, FieldWrites, Fields, Registry};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::data::{self, History, Numbers, state_line};
use crate::{progress, progress_ends};

/// Shuffled orders of delivery.
const ORDERS: u64 = 10;

/// Checks everything and prints what it found.
pub(crate) fn run(history: &History, expected: &str) -> Result<(), Box<dyn Error>> {
    let events = history
        .commits
        .iter()
        .map(|commit| commit.events().len())
        .sum::<usize>();
    let writes = history
        .commits
        .iter()
        .flat_map(Commit::events)
        .map(|event| writes(event).len());
    let writes = writes.sum::<usize>();
    println!(
        "The core: {events} events, {writes} field writes, {} records",
        data::records(history)
    );

    let all: Vec<&Commit> = history.commits.iter().collect();
    report("in order", &deliver(&all), events, expected)?;
    for seed in 1..=ORDERS {
        let shuffled = shuffled(&all, seed);
        let name = format!(
            "shuffled {seed:2}, {} duplicates",
            shuffled.len() - all.len()
        );
        report(&name, &deliver(&shuffled), events, expected)?;
    }
    digests(history)?;
    lost(history);
    settled(history);
    Ok(())
}

fn per(count: usize, unit: f64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / unit
}

/// What came of one delivery.
struct Run {
    aggregates: Aggregates,
    receive_s: f64,
    fold_s: f64,
}

#[expect(
    clippy::disallowed_methods,
    reason = "an example that measures reads the clock"
)]
fn deliver(commits: &[&Commit]) -> Run {
    let start = Instant::now();
    let mut aggregates = Aggregates::new(Registry::new().with_default(FieldMerge));
    for commit in commits {
        aggregates.receive(commit);
    }
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
        let commits: Vec<&Commit> = data::commits_of(history, line).collect();
        let run = deliver(&commits);
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
fn shuffled<'a>(commits: &[&'a Commit], seed: u64) -> Vec<&'a Commit> {
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

type Path = Vec<String>;

/// What an event says of each path it writes: its value, or that it is gone.
fn writes(event: &Event) -> BTreeMap<Path, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let Ok(writes) = FieldWrites::read(event.payload()) else {
        return found;
    };
    for path in writes.removals() {
        found.insert(path.iter().map(ToString::to_string).collect(), None);
    }
    writes.for_each_leaf(&mut |path, value| {
        let path = path.iter().map(ToString::to_string).collect();
        found.insert(path, Some(value.to_vec()));
    });
    found
}

/// One event of a record.
struct Write<'a> {
    line: usize,
    past: &'a Numbers,
    key: OrderKey,
    writes: BTreeMap<Path, Option<Vec<u8>>>,
}

impl Write<'_> {
    fn is_concurrent(&self, other: &Self) -> bool {
        !self.past.contains(other.line) && !other.past.contains(self.line)
    }
}

/// How many field writes are undone by a concurrent one, if the last one wins record by record, and
/// if it wins field by field.
fn lost(history: &History) {
    let mut records: BTreeMap<&str, Vec<Write<'_>>> = BTreeMap::new();
    for (line, of) in history.lines.iter().enumerate() {
        let commit = of.commit.and_then(|number| history.commits.get(number));
        for event in commit.into_iter().flat_map(Commit::events) {
            let (past, key) = (&of.past, event.order_key());
            let write = Write {
                line,
                past,
                key,
                writes: writes(event),
            };
            records
                .entry(event.aggregate().as_str())
                .or_default()
                .push(write);
        }
    }
    let (mut all, mut by_record, mut by_field, mut pairs) = (0, 0, 0, 0);
    for record in records.values_mut() {
        record.sort_by_key(|write| write.key);
        for (at, write) in record.iter().enumerate() {
            all += write.writes.len();
            let later: Vec<&Write<'_>> = record
                .iter()
                .skip(at + 1)
                .filter(|later| write.is_concurrent(later))
                .collect();
            pairs += later.len();
            for (path, value) in &write.writes {
                by_record += usize::from(
                    later
                        .iter()
                        .any(|later| seen(record, later, path) != *value),
                );
                let differs =
                    |later: &&Write<'_>| later.writes.get(path).is_some_and(|v| v != value);
                by_field += usize::from(later.iter().any(differs));
            }
        }
    }
    println!("\nField writes undone by a concurrent write of the same record");
    println!("(of {all}; {pairs} pairs of concurrent events on one record)\n");
    println!("  rule                          writes lost    in a million");
    for (rule, lost) in [
        ("whole-record last write wins", by_record),
        ("field merge", by_field),
    ] {
        println!("  {rule:28} {lost:12} {:15.0}", per(lost, per(all, 1e6)));
    }
}

/// The value at a path in the record as the writer of an event left it.
fn seen(record: &[Write<'_>], by: &Write<'_>, path: &Path) -> Option<Vec<u8>> {
    let known = record
        .iter()
        .filter(|write| write.line == by.line || by.past.contains(write.line));
    known
        .rev()
        .find_map(|write| write.writes.get(path))
        .cloned()
        .flatten()
}

/// Where a person decided, how often the last to be committed was what the person chose.
fn settled(history: &History) {
    let order: BTreeMap<usize, EventId> = history
        .lines
        .iter()
        .enumerate()
        .filter_map(|(line, of)| Some((line, history.commits.get(of.commit?)?.id())))
        .collect();
    let (mut paths, mut agreed) = (0, 0);
    for settled in history.lines.iter().flat_map(|line| &line.settled) {
        let last = settled.rivals.iter().max_by_key(|(line, _)| {
            (
                history.lines.get(*line).map(|line| line.time),
                order.get(line),
            )
        });
        paths += 1;
        agreed += usize::from(last.is_some_and(|(_, value)| *value == settled.result));
    }
    println!(
        "\nOf {paths} paths that a person settled, last write wins by commit time agrees on {agreed}."
    );
}
