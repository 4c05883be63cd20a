//! The verification of everything, in steps between which others read.
//!
//! What the notes say is taken from one snapshot before the log is read; what is written after that
//! moment is left out. An index is compared with the log twice: each entry asks for its rows, and a
//! sum over all rows of the index must be that over the rows asked for, so that none is there in
//! vain.
//!
//! Memory: writers, waiting commits and one page.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::string::String;
use std::vec::Vec;

use fjall::{Keyspace, KvPair, Readable};
use xxhash_rust::xxh3::xxh3_64;

use super::reader::{Reader, bad_key, pair, row_of};
use super::recovery::verify_entry;
use super::rows::{self, AggregateKey, IdRow};
use super::tables::guarded;
use crate::event::{AggregateId, Chain, Event, ReplicaId, Seq};
use crate::limits::{PAGE_BYTES_MAX, VERIFY_ROWS_MAX};
use crate::log::{Entry, EntryKind, Page};
use crate::store::verify::{PAGE, Walk, is_fault};
use crate::store::{Inspection, StoreError, VerifyReport};

/// A verification under way.
pub(super) struct Check {
    walk: Walk,
    /// The end of the log when it began.
    end: u64,
    tracks: BTreeMap<ReplicaId, (u64, Chain, u64)>,
    waiting: Vec<u64>,
    ids: Sums,
    histories: Sums,
    at: At,
}

/// What is read next.
enum At {
    Log(u64),
    Ids(Bound<Vec<u8>>),
    Aggregates(Bound<Vec<u8>>),
    End,
}

/// How many rows an index should have and has, each with the sum of their hashes.
#[derive(Default)]
struct Sums {
    wanted: (u64, u64),
    found: (u64, u64),
    /// Not every row could be read.
    is_damaged: bool,
}

fn add(sum: &mut (u64, u64), key: &[u8], position: u64) {
    let row = [key, position.to_be_bytes().as_slice()].concat();
    sum.0 += 1;
    sum.1 = sum.1.wrapping_add(xxh3_64(&row));
}

impl Check {
    /// Reads the notes.
    pub(super) fn begin(reader: &Reader, inspection: Inspection) -> Result<Self, StoreError> {
        let mut check = Self {
            walk: Walk::new(inspection),
            end: 0,
            tracks: BTreeMap::new(),
            waiting: Vec::new(),
            ids: Sums::default(),
            histories: Sums::default(),
            at: At::Log(0),
        };
        let snapshot = reader.tables.db.snapshot();
        for row in snapshot.iter(&reader.tables.notes) {
            let row = guarded("table notes", || pair(row, "notes"));
            let Some(row) = check.walk.noted(None, row)? else {
                break;
            };
            let read = check.note(&row);
            check.walk.noted(None, read)?;
        }
        Ok(check)
    }

    fn note(&mut self, (key, value): &KvPair) -> Result<(), StoreError> {
        let name = || format!("note {}", key.escape_ascii());
        match key.split_first() {
            _ if &**key == rows::HEAD_KEY => {
                let [end, _] = rows::read_numbers_row::<2>(key, value, "head of the log")?;
                self.end = end;
            }
            _ if &**key == rows::EPOCHS_KEY => drop(rows::read_epochs_row(value)?),
            Some((&rows::TRACK, _)) => {
                let (replica, prefix, chain, greatest) = rows::read_track(key, value)?;
                self.tracks.insert(replica, (prefix, chain, greatest));
            }
            Some((&rows::WAITING, position)) => {
                rows::unseal(key, value, name)?;
                let position = rows::whole_number(position);
                self.waiting.push(position.ok_or_else(|| bad_key("notes"))?);
            }
            Some((&rows::NOTE, _)) => drop(rows::unseal(key, value, name)?),
            _ => return Err(bad_key("notes")),
        }
        Ok(())
    }

    /// Reads some more. Tells whether something is left.
    pub(super) fn step(&mut self, reader: &Reader) -> Result<bool, StoreError> {
        match std::mem::replace(&mut self.at, At::End) {
            At::Log(position) if position < self.end => self.read_log(reader, position)?,
            At::Log(_) => {
                self.compare_notes();
                self.at = At::Ids(Bound::Unbounded);
            }
            At::Ids(from) => {
                let table = &reader.tables.ids;
                let next = self.read_rows(reader, table, "ids", from, Self::id_row)?;
                self.at = next.map_or(At::Aggregates(Bound::Unbounded), At::Ids);
            }
            At::Aggregates(from) => {
                let table = &reader.tables.aggregates;
                let next =
                    self.read_rows(reader, table, "aggregates", from, Self::aggregate_row)?;
                self.at = next.map_or(At::End, At::Aggregates);
            }
            At::End => return Ok(false),
        }
        self.walk.tell();
        Ok(true)
    }

    pub(super) fn finish(
        mut self,
        mark: Result<(), StoreError>,
    ) -> Result<VerifyReport, StoreError> {
        self.walk.noted(None, mark)?;
        if self.walk.is_complete() {
            for (sums, name) in [(&self.ids, "ids"), (&self.histories, "histories")] {
                let (wanted, found) = (sums.wanted.0, sums.found.0);
                if sums.wanted != sums.found && !sums.is_damaged {
                    let reason =
                        format!("the log asks for {wanted} rows, it has {found} or others");
                    self.walk.fault(None, format!("index of {name}"), reason);
                }
            }
        }
        Ok(self.walk.finish())
    }

    fn read_log(&mut self, reader: &Reader, from: u64) -> Result<(), StoreError> {
        let page = match guarded("table log", || reader.since(from, PAGE)) {
            Err(error) if is_fault(&error) => self.one_by_one(reader, from)?,
            page => page?,
        };
        for (position, entry) in &page.entries {
            if *position < self.end {
                self.entry(reader, *position, entry)?;
            }
        }
        self.at = At::Log(page.next.max(from.saturating_add(1)));
        Ok(())
    }

    /// A page of which something is damaged.
    fn one_by_one(&mut self, reader: &Reader, from: u64) -> Result<Page, StoreError> {
        let mut page = Page {
            entries: Vec::new(),
            next: from,
        };
        while page.next < self.end && page.entries.len() < PAGE.entries {
            match guarded("table log", || reader.entry_at(page.next)) {
                Ok(entry) => page.entries.push((page.next, entry)),
                Err(error) => self.walk.unreadable(page.next, error)?,
            }
            page.next += 1;
        }
        Ok(page)
    }

    fn entry(&mut self, reader: &Reader, position: u64, entry: &Entry) -> Result<(), StoreError> {
        self.walk.entry(position, entry);
        let received = self.walk.received();
        let rows = guarded(&rows::entry_name(position), || {
            verify_entry(&reader.tables, received, position, entry)
        });
        self.walk.noted(Some(position), rows)?;
        let commit = &entry.commit;
        if entry.kind != EntryKind::Released {
            add(&mut self.ids.wanted, &rows::id_key(commit.id()), position);
        }
        if entry.kind != EntryKind::Waiting {
            let mut names: Vec<_> = commit.events().iter().map(Event::aggregate).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let key = rows::aggregate_prefix(name);
                add(&mut self.histories.wanted, &key, position);
            }
        }
        Ok(())
    }

    /// What the notes say of writers and of waiting commits must be what the log says.
    fn compare_notes(&mut self) {
        if !self.walk.is_complete() {
            return;
        }
        let mut tracks = std::mem::take(&mut self.tracks);
        let mut wrong: Vec<ReplicaId> = Vec::new();
        for (replica, track) in self.walk.received().iter() {
            let (prefix, chain) = track
                .chain()
                .map_or((0, Chain::START), |(seq, chain)| (seq.get(), chain));
            let greatest = track.ranges().last().map_or(0, Seq::get);
            if tracks.remove(&replica) != Some((prefix, chain, greatest)) {
                wrong.push(replica);
            }
        }
        for replica in wrong.into_iter().chain(tracks.into_keys()) {
            let what = format!("track of replica {replica}");
            self.walk
                .fault(None, what, "it does not agree with the log");
        }
        let mut waiting: Vec<u64> = self.walk.waiting().collect();
        waiting.sort_unstable();
        self.waiting.sort_unstable();
        if waiting != self.waiting {
            let reason = "they do not agree with the log";
            self.walk.fault(None, "marks of waiting commits", reason);
        }
    }

    /// Reads some rows of an index. Returns where to go on; nothing at its end, or where it cannot be
    /// read any further.
    fn read_rows(
        &mut self,
        reader: &Reader,
        table: &Keyspace,
        name: &str,
        from: Bound<Vec<u8>>,
        check: fn(&mut Self, &Reader, &KvPair) -> Result<(), StoreError>,
    ) -> Result<Option<Bound<Vec<u8>>>, StoreError> {
        let (mut left, mut bytes) = (VERIFY_ROWS_MAX, 0);
        for row in table.range::<Vec<u8>, _>((from, Bound::Unbounded)) {
            let row = guarded(&format!("table {name}"), || pair(row, name));
            let Some(row) = self.walk.noted(None, row)? else {
                self.ids.is_damaged = true;
                self.histories.is_damaged = true;
                return Ok(None);
            };
            let checked = guarded(name, || check(self, reader, &row));
            self.walk.noted(None, checked)?;
            left -= 1;
            bytes += row.1.len();
            if left == 0 || bytes >= PAGE_BYTES_MAX {
                return Ok(Some(Bound::Excluded(row.0.to_vec())));
            }
        }
        Ok(None)
    }

    fn id_row(&mut self, reader: &Reader, (key, value): &KvPair) -> Result<(), StoreError> {
        let id = rows::read_id_key(key).ok_or_else(|| bad_key("ids"))?;
        let row = IdRow::read(id, value).inspect_err(|_| self.ids.is_damaged = true)?;
        if row.position < self.end {
            add(&mut self.ids.found, key, row.position);
            return Ok(());
        }
        came_since(reader, row.position, || format!("index row of {id}"))
    }

    fn aggregate_row(&mut self, reader: &Reader, (key, value): &KvPair) -> Result<(), StoreError> {
        let parsed = rows::read_aggregate_key(key).ok_or_else(|| bad_key("aggregates"))?;
        let name = key.split(|byte| *byte == 0).next().unwrap_or_default();
        let aggregate = AggregateId::new(&String::from_utf8_lossy(name));
        let aggregate = aggregate.map_err(|_| bad_key("aggregates"))?;
        match parsed {
            AggregateKey::History(_, position) => {
                let what = || format!("history of {aggregate}");
                rows::unseal(key, value, what).inspect_err(|_| self.histories.is_damaged = true)?;
                if position < self.end {
                    let key = rows::aggregate_prefix(&aggregate);
                    add(&mut self.histories.found, &key, position);
                    return Ok(());
                }
                came_since(reader, position, what)
            }
            AggregateKey::Fold => {
                let (_, fold) = rows::read_fold_row(&aggregate, value)?;
                let read = self.walk.inspection().fold(&fold);
                let what = || format!("stored state of {aggregate}");
                read.map_err(|reason| rows::misfit(what(), reason))
            }
        }
    }
}

/// A row of an entry that was written after the verification had begun.
fn came_since(
    reader: &Reader,
    position: u64,
    what: impl FnOnce() -> String,
) -> Result<(), StoreError> {
    let entry = row_of(&reader.tables.log, &rows::position_key(position), "log")?;
    let reason = || format!("the log has no entry {position}");
    entry
        .map(drop)
        .ok_or_else(|| rows::misfit(what(), reason()))
}
