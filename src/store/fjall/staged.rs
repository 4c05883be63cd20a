//! The rows of one write: one or more groups, applied by fjall entirely or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

use fjall::{Keyspace, OwnedWriteBatch};

use super::mark::Extent;
use super::rows::{self, IdRow};
use super::tables::Tables;
use crate::event::{Chain, ReplicaId, Seq};
use crate::log::{Entry, EntryKind, Epochs, Group};
use crate::store::ledger::{Ledger, Placed};

/// Rows gathered so far. Those that a later group of the same write may replace are kept apart,
/// since fjall cannot order two writes of one key within a batch.
pub(super) struct Staged<'t> {
    tables: &'t Tables,
    batch: OwnedWriteBatch,
    notes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    folds: BTreeMap<Vec<u8>, Vec<u8>>,
    replicas: BTreeSet<ReplicaId>,
    bytes: u64,
}

impl<'t> Staged<'t> {
    pub(super) fn new(tables: &'t Tables) -> Self {
        Self {
            tables,
            batch: tables.db.batch(),
            notes: BTreeMap::new(),
            folds: BTreeMap::new(),
            replicas: BTreeSet::new(),
            bytes: 0,
        }
    }

    /// Adds a group that the ledger has checked.
    pub(super) fn group(&mut self, group: &Group, ledger: &mut Ledger) {
        for entry in &group.entries {
            let placed = ledger.place(entry);
            self.entry(entry, &placed);
        }
        for state in &group.states {
            let key = rows::fold_key(&state.aggregate);
            let row = rows::fold_row(&key, ledger.end(), &state.bytes);
            self.folds.insert(key, row);
        }
        for note in &group.notes {
            let key = rows::prefixed(rows::NOTE, &note.key);
            let row = note
                .value
                .as_ref()
                .map(|value| rows::seal(&key, value.to_vec()));
            self.notes.insert(key, row);
        }
    }

    pub(super) fn epochs(&mut self, epochs: &Epochs) {
        self.notes
            .insert(rows::EPOCHS_KEY.to_vec(), Some(rows::epochs_row(epochs)));
    }

    fn entry(&mut self, entry: &Entry, placed: &Placed) {
        let commit = &entry.commit;
        let key = rows::position_key(placed.position);
        self.put(&self.tables.log, &key, rows::log_row(entry, placed));
        let waiting = rows::prefixed(rows::WAITING, &rows::position_key(placed.arrival));
        match entry.kind {
            EntryKind::Ready => {}
            EntryKind::Waiting => {
                let row = rows::seal(&waiting, Vec::new());
                self.notes.insert(waiting, Some(row));
            }
            EntryKind::Released => drop(self.notes.insert(waiting, None)),
        }
        if entry.kind != EntryKind::Released {
            let row = IdRow::of(commit, placed).row(commit.id());
            self.put(&self.tables.ids, &rows::id_key(commit.id()), row);
            self.replicas.insert(commit.replica());
        }
        if entry.kind == EntryKind::Waiting {
            return;
        }
        let names: BTreeSet<_> = commit
            .events()
            .iter()
            .map(crate::event::Event::aggregate)
            .collect();
        for name in names {
            let key = rows::history_key(name, placed.position);
            let row = rows::seal(&key, Vec::new());
            self.put(&self.tables.aggregates, &key, row);
        }
    }

    fn put(&mut self, table: &Keyspace, key: &[u8], row: Vec<u8>) {
        self.count(key.len() + row.len());
        self.batch.insert(table, key, row);
    }

    fn count(&mut self, bytes: usize) {
        /// What fjall's journal adds to a row, about.
        const OVERHEAD: usize = 20;
        self.bytes = self
            .bytes
            .saturating_add(u64::try_from(bytes + OVERHEAD).unwrap_or(u64::MAX));
    }

    /// Hands the write to the operating system. Returns how many bytes it took, about.
    pub(super) fn commit(mut self, ledger: &Ledger, extent: Extent) -> fjall::Result<u64> {
        for replica in std::mem::take(&mut self.replicas) {
            let Some(track) = ledger.received().track(replica) else {
                continue;
            };
            let (prefix, chain) = track
                .chain()
                .map_or((0, Chain::START), |(s, c)| (s.get(), c));
            let greatest = track.ranges().last().map_or(0, Seq::get);
            let key = rows::prefixed(rows::TRACK, &replica.to_bytes());
            let row = rows::track_row(&key, prefix, chain, greatest);
            self.notes.insert(key, Some(row));
        }
        let head = rows::numbers_row(rows::HEAD_KEY, [extent.end, extent.writes]);
        self.notes.insert(rows::HEAD_KEY.to_vec(), Some(head));
        let tables = self.tables;
        for (key, row) in std::mem::take(&mut self.folds) {
            self.put(&tables.aggregates, &key, row);
        }
        for (key, row) in std::mem::take(&mut self.notes) {
            if let Some(row) = row {
                self.put(&tables.notes, &key, row);
            } else {
                self.count(key.len());
                self.batch.remove(&tables.notes, key);
            }
        }
        self.batch.commit()?;
        Ok(self.bytes)
    }
}
