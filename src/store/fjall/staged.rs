//! The rows of one write: one or more groups, applied by fjall entirely or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::vec::Vec;

use fjall::{Keyspace, OwnedWriteBatch};

use super::block::{Block, Stored};
use super::fresh::IndexRow;
use super::loose::Small;
use super::mark::Extent;
use super::rows;
use super::tables::Tables;
use crate::event::{Chain, ReplicaId, Seq};
use crate::limits::{STORE_BLOCK_BYTES, STORE_BLOCK_EVENTS};
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
    /// Entries that are not in a block yet.
    open: Vec<Stored>,
    open_events: usize,
    open_bytes: usize,
    blocks: Vec<Arc<Vec<Stored>>>,
    indexed: u64,
    bytes: u64,
}

/// A write that the operating system has.
pub(super) struct Committed {
    /// The entries of each block.
    pub(super) blocks: Vec<Arc<Vec<Stored>>>,
    /// How far the indexes reach, if it has moved.
    pub(super) indexed: u64,
    /// How many bytes the journal took, about.
    pub(super) bytes: u64,
}

impl<'t> Staged<'t> {
    pub(super) fn new(tables: &'t Tables) -> Self {
        Self {
            tables,
            batch: tables.db.batch(),
            notes: BTreeMap::new(),
            folds: BTreeMap::new(),
            replicas: BTreeSet::new(),
            open: Vec::new(),
            open_events: 0,
            open_bytes: 0,
            blocks: Vec::new(),
            indexed: 0,
            bytes: 0,
        }
    }

    /// Adds a group that the ledger has checked.
    pub(super) fn group(&mut self, group: Group, ledger: &mut Ledger) {
        for entry in group.entries {
            let placed = ledger.place(&entry);
            self.entry(entry, placed);
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

    /// Adds rows of the indexes, and after the last ones of a segment up to where they reach.
    pub(super) fn index(&mut self, rows: Vec<IndexRow>, indexed: Option<u64>) {
        let tables = self.tables;
        for row in rows {
            match row {
                IndexRow::Ids(key, row) => self.put(&tables.ids, &key, row),
                IndexRow::History(key, row) => self.put(&tables.aggregates, &key, row),
            }
        }
        if let Some(indexed) = indexed {
            self.indexed = indexed;
            let row = rows::numbers_row(rows::INDEXED_KEY, [indexed]);
            self.notes.insert(rows::INDEXED_KEY.to_vec(), Some(row));
        }
    }

    /// Puts one block in the place of several that lie behind one another.
    pub(super) fn join(&mut self, blocks: &Small) {
        let firsts = blocks.iter().filter_map(|block| block.first());
        let keys: Vec<_> = firsts
            .map(|(_, placed)| rows::position_key(placed.position))
            .collect();
        let Some((key, others)) = keys.split_first() else {
            return;
        };
        let entries: Vec<&Stored> = blocks.iter().flat_map(|block| &**block).collect();
        let row = Block::row(u64::from_be_bytes(*key), &entries);
        self.put(&self.tables.log, key, row);
        for key in others {
            self.count(key.len());
            self.batch.remove(&self.tables.log, *key);
        }
    }

    fn entry(&mut self, entry: Entry, placed: Placed) {
        let commit = &entry.commit;
        if entry.kind != EntryKind::Ready {
            let waiting = rows::prefixed(rows::WAITING, &rows::position_key(placed.arrival));
            let is_waiting = entry.kind == EntryKind::Waiting;
            let row = is_waiting.then(|| rows::seal(&waiting, Vec::new()));
            self.notes.insert(waiting, row);
        }
        if entry.kind != EntryKind::Released {
            self.replicas.insert(commit.replica());
        }
        let (events, bytes) = (commit.events().len(), commit.bytes());
        if self.open_bytes.saturating_add(bytes) > STORE_BLOCK_BYTES
            || self.open_events.saturating_add(events) > STORE_BLOCK_EVENTS
        {
            self.end_block();
        }
        self.open_events = self.open_events.saturating_add(events);
        self.open_bytes = self.open_bytes.saturating_add(bytes);
        self.open.push((entry, placed));
    }

    fn end_block(&mut self) {
        let entries = std::mem::take(&mut self.open);
        (self.open_events, self.open_bytes) = (0, 0);
        let Some((_, placed)) = entries.first() else {
            return;
        };
        let row = Block::row(placed.position, &entries.iter().collect::<Vec<_>>());
        let key = rows::position_key(placed.position);
        self.put(&self.tables.log, &key, row);
        self.blocks.push(Arc::new(entries));
    }

    fn put(&mut self, table: &Keyspace, key: &[u8], row: Vec<u8>) {
        self.count(key.len() + row.len());
        self.batch.insert(table, key, row);
    }

    fn count(&mut self, bytes: usize) {
        /// What fjall's journal adds to a row, about.
        const OVERHEAD: usize = 20;
        self.bytes = self.bytes.saturating_add(rows::count(bytes + OVERHEAD));
    }

    /// Hands the write to the operating system, and says with it how far the log reaches then.
    pub(super) fn commit(mut self, ledger: &Ledger, extent: Extent) -> fjall::Result<Committed> {
        self.end_block();
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
        self.finish()
    }

    /// Hands a write to the operating system that brings nothing which could be missed.
    pub(super) fn finish(mut self) -> fjall::Result<Committed> {
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
        Ok(Committed {
            blocks: self.blocks,
            indexed: self.indexed,
            bytes: self.bytes,
        })
    }
}
