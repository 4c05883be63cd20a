use std::collections::BTreeMap;
use std::ops::Bound;
use std::vec::Vec;

use bytes::Bytes;

use crate::event::{AggregateId, Chain, EventId};
use crate::log::{
    Durability, Entry, EntryKind, EntryList, EntryRef, Epoch, Epochs, Group, IdRange, Known,
    Opening, Page,
};
use crate::store::ledger::Ledger;
use crate::store::verify::{PAGE, Walk, entry_name};
use crate::store::{History, HistoryFrom, Inspection, ReadLimit, StoreError, VerifyReport, names};

/// What one memory store holds, and how much of it counts as fsynced.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    ledger: Ledger,
    log: EntryList,
    arrivals: BTreeMap<EventId, u64>,
    aggregates: BTreeMap<AggregateId, Vec<u64>>,
    folds: BTreeMap<AggregateId, (u64, Bytes)>,
    notes: BTreeMap<Vec<u8>, Bytes>,
    epochs: Epochs,
    openings: u64,
    open: bool,
    clean: bool,
    /// Entries that are covered by a durable append or a flush.
    durable: usize,
    /// What to put back, in reverse, to lose everything that is not.
    undo: Vec<Undo>,
}

#[derive(Clone, Debug)]
enum Undo {
    Note(Vec<u8>, Option<Bytes>),
    Fold(AggregateId, Option<(u64, Bytes)>),
}

impl Image {
    pub(super) fn new() -> Self {
        Self {
            clean: true,
            ..Self::default()
        }
    }

    /// Begins an opening and returns its ordinal, which entitles to write.
    pub(super) fn begin(&mut self, epoch: Epoch) -> (u64, Opening) {
        let clean = self.clean;
        self.sync();
        self.epochs.begin(epoch, self.ledger.end());
        self.openings += 1;
        self.open = true;
        self.clean = false;
        let mut waiting: Vec<u64> = self.ledger.waiting().collect();
        waiting.sort_unstable();
        let opening = Opening {
            epochs: self.epochs.clone(),
            end: self.ledger.end(),
            received: self.ledger.received().clone(),
            waiting: waiting
                .iter()
                .filter_map(|at| self.entry(*at))
                .map(EntryRef::to_entry)
                .collect(),
            notes: self
                .notes
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            clean,
        };
        (self.openings, opening)
    }

    /// Whether this opening may write.
    pub(super) fn admits(&self, opening: u64) -> bool {
        self.open && self.openings == opening
    }

    pub(super) fn append(&mut self, group: &Group) -> Result<u64, StoreError> {
        self.ledger.check(group)?;
        for entry in &group.entries {
            self.push(entry);
        }
        let end = self.ledger.end();
        for row in &group.states {
            let old = self
                .folds
                .insert(row.aggregate.clone(), (end, row.bytes.clone()));
            self.undo.push(Undo::Fold(row.aggregate.clone(), old));
        }
        for note in &group.notes {
            let old = match &note.value {
                Some(value) => self.notes.insert(note.key.clone(), value.clone()),
                None => self.notes.remove(&note.key),
            };
            self.undo.push(Undo::Note(note.key.clone(), old));
        }
        if group.durability == Durability::Durable {
            self.sync();
        }
        Ok(end)
    }

    fn push(&mut self, entry: &Entry) {
        let placed = self.ledger.place(entry);
        let mut entry = entry.clone();
        if entry.kind == EntryKind::Released {
            let arrived = self.entry(placed.arrival);
            let known = arrived.and_then(|arrived| arrived.chain_before);
            entry.chain_before = entry.chain_before.or(known);
        } else {
            entry.chain_before = placed.chain_before;
            self.arrivals.insert(entry.commit.id(), placed.position);
        }
        if entry.kind != EntryKind::Waiting {
            for event in entry.commit.events() {
                let positions = self
                    .aggregates
                    .entry(event.aggregate().clone())
                    .or_default();
                if positions.last() != Some(&placed.position) {
                    positions.push(placed.position);
                }
            }
        }
        self.log.push(entry);
    }

    pub(super) fn sync(&mut self) {
        self.durable = self.log.len();
        self.undo.clear();
    }

    pub(super) fn close(&mut self) {
        self.sync();
        self.open = false;
        self.clean = true;
    }

    /// Forgets everything that no durable append and no flush covers.
    pub(super) fn lose_power(&mut self) {
        while let Some(step) = self.undo.pop() {
            match step {
                Undo::Note(key, Some(value)) => drop(self.notes.insert(key, value)),
                Undo::Note(key, None) => drop(self.notes.remove(&key)),
                Undo::Fold(aggregate, Some(row)) => drop(self.folds.insert(aggregate, row)),
                Undo::Fold(aggregate, None) => drop(self.folds.remove(&aggregate)),
            }
        }
        let all = std::mem::take(&mut self.log);
        self.ledger = Ledger::default();
        self.arrivals.clear();
        self.aggregates.clear();
        for entry in all.iter_from(0).take(self.durable) {
            self.push(&entry.to_entry());
        }
        self.open = false;
        self.clean = false;
    }

    fn entry(&self, position: u64) -> Option<EntryRef<'_>> {
        self.log.get(usize::try_from(position).ok()?)
    }

    pub(super) fn since(&self, position: u64, limit: ReadLimit) -> Page {
        self.read(position..self.ledger.end(), limit, position)
    }

    pub(super) fn at(&self, positions: Vec<u64>, limit: ReadLimit) -> Page {
        let known = positions
            .into_iter()
            .take_while(|position| *position < self.ledger.end());
        self.read(known, limit, 0)
    }

    fn read(&self, positions: impl Iterator<Item = u64>, limit: ReadLimit, next: u64) -> Page {
        let mut page = Page {
            entries: Vec::new(),
            next,
        };
        let mut bytes = 0_usize;
        for position in positions {
            let Some(entry) = self.entry(position) else {
                break;
            };
            bytes = bytes.saturating_add(entry.commit.bytes());
            page.entries.push((position, entry.to_entry()));
            page.next = position + 1;
            if page.entries.len() >= limit.entries || bytes >= limit.bytes {
                break;
            }
        }
        page
    }

    fn arrival(&self, id: EventId) -> Option<(u64, EntryRef<'_>)> {
        let first = EventId::new(id.replica, crate::event::Seq::FIRST);
        let (_, position) = self.arrivals.range(first..=id).next_back()?;
        let entry = self.entry(*position)?;
        entry
            .commit
            .span()
            .contains(id.seq)
            .then_some((*position, entry))
    }

    pub(super) fn locate(&self, ranges: &[IdRange]) -> Vec<u64> {
        let mut positions = Vec::new();
        for range in ranges {
            let first = EventId::new(range.replica, *range.seqs.start());
            let last = EventId::new(range.replica, *range.seqs.end());
            if first > last {
                continue;
            }
            positions.extend(self.arrival(first).map(|(position, _)| position));
            positions.extend(
                self.arrivals
                    .range(first..=last)
                    .map(|(_, position)| *position),
            );
        }
        positions.sort_unstable();
        positions.dedup();
        positions
    }

    pub(super) fn known(&self, id: EventId) -> Option<Known> {
        let (_, entry) = self.arrival(id)?;
        let mut chain = entry.chain_before;
        for event in entry.commit.events() {
            chain = chain.map(|before: Chain| before.extend(event.digest()));
            if event.id() == id {
                let timestamp = event.timestamp();
                return Some(Known {
                    digest: event.digest(),
                    chain,
                    timestamp,
                });
            }
        }
        None
    }

    pub(super) fn history(&self, aggregate: &AggregateId, from: HistoryFrom) -> History {
        let fold = match from {
            HistoryFrom::Fold => self.folds.get(aggregate),
            HistoryFrom::Start => None,
        };
        let start = fold.map_or(0, |(position, _)| *position);
        let positions = self
            .aggregates
            .get(aggregate)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let after = positions.partition_point(|position| *position < start);
        let entries = positions.iter().skip(after);
        History {
            fold: fold.map(|(_, bytes)| bytes.clone()),
            entries: entries
                .filter_map(|p| Some((*p, self.entry(*p)?.to_entry())))
                .collect(),
        }
    }

    pub(super) fn aggregates(
        &self,
        prefix: &str,
        after: Option<&AggregateId>,
        limit: usize,
    ) -> Vec<AggregateId> {
        let mut found = Vec::new();
        for (start, end) in names::under(prefix, after) {
            let end = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let names = self
                .aggregates
                .range::<str, _>((Bound::Included(start.as_str()), end));
            let room = limit.saturating_sub(found.len());
            found.extend(names.map(|(name, _)| name.clone()).take(room));
        }
        found
    }

    /// Walks along the log and compares what is kept beside it with what the log says.
    pub(super) fn verify(&self, inspection: Inspection) -> VerifyReport {
        let mut walk = Walk::new(inspection);
        let mut anew = Self::new();
        for (position, entry) in (0..).zip(self.log.iter_from(0)) {
            let entry = entry.to_entry();
            walk.entry(position, &entry);
            anew.push(&entry);
            if (position + 1) % u64::try_from(PAGE.entries).unwrap_or(u64::MAX) == 0 {
                walk.tell();
            }
        }
        walk.tell();
        for (id, position) in &self.arrivals {
            if anew.arrivals.remove(id) != Some(*position) {
                let reason = "it is not where the index of ids says";
                walk.fault(Some(*position), format!("commit {id}"), reason);
            }
        }
        for (id, position) in anew.arrivals {
            let reason = format!("the index of ids lacks commit {id}");
            walk.fault(Some(position), entry_name(position), reason);
        }
        if self.aggregates != anew.aggregates {
            walk.fault(
                None,
                "index of aggregates",
                "it does not agree with the log",
            );
        }
        if walk.received() != self.ledger.received() {
            walk.fault(None, "what was received", "it does not agree with the log");
        }
        for (aggregate, (position, fold)) in &self.folds {
            let what = || format!("stored state of {aggregate}");
            if *position > self.ledger.end() {
                walk.fault(None, what(), "it is of a place after the end of the log");
            } else if let Err(reason) = walk.inspection().fold(fold) {
                walk.fault(None, what(), reason);
            }
        }
        walk.finish()
    }
}
