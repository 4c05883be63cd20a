//! The verification of everything, in steps between which others read.
//!
//! What the notes say is taken from one snapshot before the log is read; what is written after that
//! moment is left out. An index is compared with the log twice, as far as it reached then: each entry
//! looks for itself, and a sum over all that the index tells must be that over the entries, so that
//! nothing is there in vain.
//!
//! Memory: writers, waiting commits, one page, and what an index lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::string::String;
use std::vec::Vec;

use fjall::{Keyspace, KvPair, Readable};
use xxhash_rust::xxh3::xxh3_64;

use super::arrivals;
use super::block::{self, Block};
use super::looked_up::LookedUp;
use super::reader::{Reader, bad_key, pair};
use super::recovery::{verify_indexed, verify_received};
use super::rows::{self, AggregateKey};
use super::tables::guarded;
use crate::event::{AggregateId, Chain, Event, EventId, ReplicaId, Seq};
use crate::limits::{FAULTS_MAX, PAGE_BYTES_MAX, PAGE_ENTRIES_MAX, VERIFY_ROWS_MAX};
use crate::log::{Entry, EntryKind};
use crate::store::verify::Walk;
use crate::store::{Inspection, StoreError, VerifyReport};

/// A verification under way.
pub(super) struct Check {
    walk: Walk,
    /// The end of the log when it began, and that of what the indexes told of it.
    end: u64,
    indexed: u64,
    tracks: BTreeMap<ReplicaId, (u64, Chain, u64)>,
    waiting: Vec<u64>,
    ids: Sums,
    histories: Sums,
    /// What was said of the indexes already: one row of them stands for many entries.
    told: BTreeSet<String>,
    looked_up: LookedUp,
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
            indexed: 0,
            tracks: BTreeMap::new(),
            waiting: Vec::new(),
            ids: Sums::default(),
            histories: Sums::default(),
            told: BTreeSet::new(),
            looked_up: LookedUp::default(),
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
            _ if &**key == rows::INDEXED_KEY => {
                let [indexed] = rows::read_numbers_row(key, value, "end of the indexes")?;
                self.indexed = indexed;
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
                        format!("the log asks for {wanted} places, it has {found} or others");
                    self.walk.fault(None, format!("index of {name}"), reason);
                }
            }
        }
        Ok(self.walk.finish())
    }

    /// Reads some blocks, past those that cannot be read.
    fn read_log(&mut self, reader: &Reader, from: u64) -> Result<(), StoreError> {
        let (mut next, mut entries, mut bytes) = (from, 0, 0);
        let snapshot = reader.tables.db.snapshot();
        let keys = rows::position_key(from)..rows::position_key(self.end);
        let mut found = snapshot.range(&reader.tables.log, keys);
        while entries < PAGE_ENTRIES_MAX && bytes < PAGE_BYTES_MAX {
            let row = found
                .next()
                .map(|row| guarded("table log", || pair(row, "log")));
            let row = row.transpose();
            let Some(row) = self.walk.noted(Some(next), row)? else {
                // The table cannot be read on from here: block after block is sought.
                self.missing(next, next.saturating_add(1));
                next = next.saturating_add(1);
                break;
            };
            let first = match &row {
                Some((key, _)) => rows::whole_number(key).ok_or_else(|| bad_key("log"))?,
                None => self.end,
            };
            if first > next {
                next = self.joined(reader, &snapshot, next)?;
            }
            self.missing(next, first);
            next = first;
            let Some((_, row)) = row else { break };
            bytes += row.len();
            let block = guarded("table log", || Block::read(first, row));
            match block {
                Ok(block) => {
                    entries += block.entries();
                    next = block.end();
                    self.block(reader, &block, first)?;
                }
                Err(error) => {
                    next = self.next_block(reader, first)?;
                    let name = block::name(first, next);
                    let error = renamed(error, &name);
                    self.walk.unreadable_as(first, &name, error)?;
                }
            }
        }
        self.at = At::Log(next);
        Ok(())
    }

    /// Reads on in a block that was joined of smaller ones since the last page: its beginning was
    /// read. Returns where it ends; the position itself if there is no such block.
    fn joined(
        &mut self,
        reader: &Reader,
        snapshot: &impl Readable,
        position: u64,
    ) -> Result<u64, StoreError> {
        let block = guarded("table log", || reader.block_before(snapshot, position));
        let Ok(Some(block)) = block else {
            return Ok(position);
        };
        if block.end() <= position {
            return Ok(position);
        }
        self.block(reader, &block, position)?;
        Ok(block.end())
    }

    /// Where the block after one begins, which cannot be read itself.
    fn next_block(&mut self, reader: &Reader, first: u64) -> Result<u64, StoreError> {
        let keys = rows::position_key(first.saturating_add(1))..rows::position_key(self.end);
        let next = reader.tables.log.range(keys).next();
        let next = next.map(|row| guarded("table log", || pair(row, "log")));
        let next = self.walk.noted(Some(first), next.transpose())?.flatten();
        Ok(next
            .and_then(|(key, _)| rows::whole_number(&key))
            .unwrap_or(self.end))
    }

    /// Entries that no block holds.
    fn missing(&mut self, from: u64, end: u64) {
        if from < end {
            self.walk.missing(from, block::name(from, end));
        }
    }

    fn block(&mut self, reader: &Reader, block: &Block, from: u64) -> Result<(), StoreError> {
        for position in from..block.end().min(self.end) {
            let line = block.line(position);
            let entry = line.map(|line| {
                let name = rows::entry_name(position);
                guarded(&name, || reader.entry(position, line))
            });
            match entry {
                Some(Ok(entry)) => self.entry(reader, position, &entry)?,
                Some(Err(error)) => self.walk.unreadable(position, error)?,
                None => {}
            }
        }
        Ok(())
    }

    fn entry(&mut self, reader: &Reader, position: u64, entry: &Entry) -> Result<(), StoreError> {
        self.walk.entry(position, entry);
        let received = verify_received(self.walk.received(), position, entry);
        self.walk.noted(Some(position), received)?;
        if position >= self.indexed {
            return Ok(());
        }
        let found = guarded(&rows::entry_name(position), || {
            verify_indexed(reader, &mut self.looked_up, position, entry)
        });
        self.note_once(position, entry, found)?;
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

    /// Notes what is wrong with an index, once for all entries that a row of it stands for.
    fn note_once(
        &mut self,
        position: u64,
        entry: &Entry,
        found: Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let about = match &found {
            Err(StoreError::Damaged { what, reason }) if *what == rows::entry_name(position) => {
                format!("{reason}: {}", entry.commit.replica())
            }
            Err(StoreError::Damaged { what, .. }) => what.clone(),
            _ => String::new(),
        };
        let is_told = !about.is_empty() && self.told.contains(&about);
        if is_told {
            return Ok(());
        }
        if self.told.len() < FAULTS_MAX {
            self.told.insert(about);
        }
        self.walk.noted(Some(position), found).map(drop)
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
            self.note_row(checked)?;
            left -= 1;
            bytes += row.1.len();
            if left == 0 || bytes >= PAGE_BYTES_MAX {
                return Ok(Some(Bound::Excluded(row.0.to_vec())));
            }
        }
        Ok(None)
    }

    /// Notes what is wrong with a row, unless an entry has run into it before.
    fn note_row(&mut self, checked: Result<(), StoreError>) -> Result<(), StoreError> {
        match &checked {
            Err(StoreError::Damaged { what, .. }) if self.told.contains(what) => Ok(()),
            _ => self.walk.noted(None, checked).map(drop),
        }
    }

    fn id_row(&mut self, reader: &Reader, (key, value): &KvPair) -> Result<(), StoreError> {
        let id = rows::read_id_key(key).ok_or_else(|| bad_key("ids"))?;
        let commits = arrivals::read_row(id, value);
        let commits = commits.inspect_err(|_| self.ids.is_damaged = true)?;
        let mut latest = None;
        for commit in commits {
            if commit.position < self.indexed {
                let id = EventId::new(id.replica, commit.first);
                add(&mut self.ids.found, &rows::id_key(id), commit.position);
            } else {
                latest = latest.max(Some(commit.position));
            }
        }
        came_since(reader, latest, || format!("index row of {id}"))
    }

    fn aggregate_row(&mut self, reader: &Reader, (key, value): &KvPair) -> Result<(), StoreError> {
        let parsed = rows::read_aggregate_key(key).ok_or_else(|| bad_key("aggregates"))?;
        let name = key.split(|byte| *byte == 0).next().unwrap_or_default();
        let aggregate = AggregateId::new(&String::from_utf8_lossy(name));
        let aggregate = aggregate.map_err(|_| bad_key("aggregates"))?;
        match parsed {
            AggregateKey::History(name, first) => {
                let positions = rows::read_history_row(name, first, key, value);
                let positions = positions.inspect_err(|_| self.histories.is_damaged = true)?;
                let (before, since): (Vec<u64>, Vec<u64>) =
                    positions.iter().partition(|at| **at < self.indexed);
                for position in before {
                    let key = rows::aggregate_prefix(&aggregate);
                    add(&mut self.histories.found, &key, position);
                }
                let latest = since.last().copied();
                came_since(reader, latest, || rows::history_name(name, first))
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

/// The same damage, of something whose name is known better.
fn renamed(error: StoreError, name: &str) -> StoreError {
    match error {
        StoreError::Damaged { reason, .. } => rows::misfit(name.into(), reason),
        other => other,
    }
}

/// A row of an entry that came after what the indexes told when the verification began.
fn came_since(
    reader: &Reader,
    position: Option<u64>,
    what: impl FnOnce() -> String,
) -> Result<(), StoreError> {
    let Some(position) = position else {
        return Ok(());
    };
    if reader.block_at(position)?.line(position).is_some() {
        return Ok(());
    }
    let reason = format!("the log has no entry {position}");
    Err(rows::misfit(what(), reason))
}
