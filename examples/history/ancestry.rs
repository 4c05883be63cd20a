//! What the ancestry of lines alone tells of concurrency: no heads, no vectors, no footprints.
//!
//! Every pair of events of one record is looked at, so this is slow and simple, and what the engine
//! finds is compared with it.

use std::collections::BTreeMap;

use anabranch::event::{AggregateId, Commit, Event, OrderKey};
use anabranch::resolver::FieldWrites;

use crate::data::{History, Numbers, Telling};
use crate::in_memory::per;

pub(crate) type Path = Vec<String>;

/// Of all pairs of concurrent events on one record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Concurrency {
    /// Pairs, whatever they touch.
    pub(crate) pairs: usize,
    /// Pairs that both write some path.
    pub(crate) sharing: usize,
    /// Those that write different values there.
    pub(crate) differing: usize,
    /// Paths that both of a pair write, over all pairs.
    pub(crate) places: usize,
    /// Those where the values differ.
    pub(crate) differing_places: usize,
}

/// What an event says of each path it writes: its value, or that it is gone.
pub(crate) fn writes(event: &Event) -> BTreeMap<Path, Option<Vec<u8>>> {
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

/// The events of each record in canonical order.
fn records<'a>(
    history: &'a History,
    telling: &'a Telling,
) -> BTreeMap<&'a AggregateId, Vec<Write<'a>>> {
    let mut records: BTreeMap<_, Vec<Write<'_>>> = BTreeMap::new();
    for (line, of) in history.lines.iter().enumerate() {
        let events = telling.commit(line).map_or(&[][..], Commit::events);
        for event in events {
            records.entry(event.aggregate()).or_default().push(Write {
                line,
                past: &of.past,
                key: event.order_key(),
                writes: writes(event),
            });
        }
    }
    for record in records.values_mut() {
        record.sort_by_key(|write| write.key);
    }
    records
}

/// Each event of a record with those that are concurrent with it and later in canonical order.
fn concurrent<'a>(
    record: &'a [Write<'a>],
) -> impl Iterator<Item = (&'a Write<'a>, Vec<&'a Write<'a>>)> {
    record.iter().enumerate().map(|(at, write)| {
        let behind = record.iter().skip(at + 1);
        let later = behind.filter(|later| write.is_concurrent(later));
        (write, later.collect())
    })
}

/// Counts pairs of concurrent events.
pub(crate) fn count(history: &History, telling: &Telling) -> Concurrency {
    let mut count = Concurrency::default();
    for record in records(history, telling).values() {
        for (write, later) in concurrent(record) {
            for later in later {
                let shared = write
                    .writes
                    .iter()
                    .filter_map(|(path, value)| later.writes.get(path).map(|other| other != value));
                let differ: Vec<bool> = shared.collect();
                let differing = differ.iter().filter(|differ| **differ).count();
                count.pairs += 1;
                count.sharing += usize::from(!differ.is_empty());
                count.differing += usize::from(differing > 0);
                count.places += differ.len();
                count.differing_places += differing;
            }
        }
    }
    count
}

/// Prints how many field writes are undone by a concurrent one, if the last one wins record by
/// record, and if it wins field by field.
pub(crate) fn lost(history: &History) {
    let (mut all, mut by_record, mut by_field) = (0, 0, 0);
    for record in records(history, &history.told).values() {
        for (write, later) in concurrent(record) {
            all += write.writes.len();
            for (path, value) in &write.writes {
                let mut states = later.iter().map(|later| seen(record, later, path));
                by_record += usize::from(states.any(|state| state != *value));
                let mut written = later.iter().filter_map(|later| later.writes.get(path));
                by_field += usize::from(written.any(|other| other != value));
            }
        }
    }
    println!("\nField writes undone by a concurrent write of the same record (of {all})\n");
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
