//! All reads, as plain blocking functions on the reader's thread.
//!
//! Invariant: nothing is returned that is not what was written. Every row is checked against its
//! key, and an entry that should be there and is not is damage, not the end of the log.
//!
//! Ranges are read from snapshots: outside of one, fjall shows a write that is half applied.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::string::String;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::vec::Vec;

use fjall::{Guard, Keyspace, Readable};

use super::arrivals::{self, Arrival};
use super::block::{Block, Content, Line};
use super::fresh::Fresh;
use super::recent::Recent;
use super::rows::{self, AggregateKey};
use super::tables::{Tables, failed};
use crate::event::{AggregateId, Commit, EventId, ReplicaId, Seq};
use crate::log::{Entry, IdRange, Known};
use crate::store::{History, HistoryFrom, StoreError, names};

/// Rows passed one by one before the next name is sought; a seek costs about as much.
const STEPS: usize = 16;

/// Reads the tables up to the end of the log as last answered.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) tables: Arc<Tables>,
    pub(super) end: Arc<AtomicU64>,
    fresh: Arc<RwLock<Fresh>>,
    pub(super) recent: Arc<Recent>,
}

impl Reader {
    pub(super) fn new(tables: Arc<Tables>, end: Arc<AtomicU64>, fresh: Arc<RwLock<Fresh>>) -> Self {
        Self {
            tables,
            end,
            fresh,
            recent: Arc::default(),
        }
    }

    /// What the indexes do not tell yet. To be asked before them: it is forgotten once they do.
    fn fresh(&self) -> RwLockReadGuard<'_, Fresh> {
        let fresh = self.fresh.read().unwrap_or_else(PoisonError::into_inner);
        if fresh.is_settled() {
            return fresh;
        }
        drop(fresh);
        let writing = self.fresh.write();
        writing.unwrap_or_else(PoisonError::into_inner).settle();
        // What is queued by now was not answered when this read began.
        self.fresh.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entry at a position that must be there.
    pub(super) fn entry_at(&self, position: u64) -> Result<Entry, StoreError> {
        self.entry_near(&mut None, position)
    }

    /// The entry at a position, out of the block at hand if it is there.
    pub(super) fn entry_near(
        &self,
        at_hand: &mut Option<Arc<Block>>,
        position: u64,
    ) -> Result<Entry, StoreError> {
        if let Some(block) = at_hand
            && let Some(line) = block.line(position)
        {
            return self.entry(position, line);
        }
        let block = self.block_at(position)?;
        let line = block.line(position);
        let entry = self.entry(position, line.ok_or_else(|| missing_entry(position))?);
        *at_hand = Some(block);
        entry
    }

    /// The block that holds a position, or one that does not reach it.
    pub(super) fn block_at(&self, position: u64) -> Result<Arc<Block>, StoreError> {
        if let Some(block) = self.recent.find(position) {
            return Ok(block);
        }
        let block = self.block_before(&self.tables.db.snapshot(), position)?;
        let block = block.ok_or_else(|| missing_entry(position))?;
        self.recent.keep(&block);
        Ok(block)
    }

    /// The last block that begins at a position or before it.
    pub(super) fn block_before(
        &self,
        snapshot: &impl Readable,
        position: u64,
    ) -> Result<Option<Arc<Block>>, StoreError> {
        let keys = ..=rows::position_key(position);
        let Some(row) = snapshot.range(&self.tables.log, keys).next_back() else {
            return Ok(None);
        };
        let (key, row) = pair(row, "log")?;
        let first = rows::whole_number(&key).ok_or_else(|| bad_key("log"))?;
        Ok(Some(Arc::new(Block::read(first, row)?)))
    }

    /// What a line of the log says.
    pub(super) fn entry(&self, position: u64, line: &Line) -> Result<Entry, StoreError> {
        let (commit, chain_before) = match &line.content {
            Content::Commit(commit) => (commit.clone(), line.chain_before),
            Content::Arrival(arrival) => {
                let block = self.block_at(*arrival)?;
                let arrived = block.line(*arrival);
                let arrived = arrived.ok_or_else(|| missing_entry(*arrival))?;
                let Content::Commit(commit) = &arrived.content else {
                    let reason = format!("the commit it releases is not at {arrival}");
                    return Err(rows::misfit(rows::entry_name(position), reason));
                };
                (commit.clone(), line.chain_before.or(arrived.chain_before))
            }
        };
        Ok(Entry {
            commit,
            kind: line.kind,
            from: line.from,
            chain_before,
        })
    }

    /// The index row of the commits among which an event is, or of the last ones before it.
    pub(super) fn arrivals_before(&self, id: EventId) -> Result<Vec<Arrival>, StoreError> {
        let first = rows::id_key(EventId::new(id.replica, Seq::FIRST));
        let snapshot = self.tables.db.snapshot();
        let row = snapshot
            .range(&self.tables.ids, first..=rows::id_key(id))
            .next_back();
        row.map_or(Ok(Vec::new()), |row| Ok(id_pair(row)?.1))
    }

    pub(super) fn locate(&self, ranges: &[IdRange]) -> Result<Vec<u64>, StoreError> {
        let mut positions = Vec::new();
        {
            let fresh = self.fresh();
            for range in ranges {
                fresh.locate(range, &mut positions);
            }
        }
        let snapshot = self.tables.db.snapshot();
        for range in ranges {
            let (first, last) = (*range.seqs.start(), *range.seqs.end());
            if first > last {
                continue;
            }
            let before = self.arrivals_before(EventId::new(range.replica, first))?;
            positions.extend(arrivals::between(&before, first, last));
            let keys = [first, last].map(|seq| rows::id_key(EventId::new(range.replica, seq)));
            for row in snapshot.range(&self.tables.ids, keys[0]..=keys[1]) {
                positions.extend(arrivals::between(&id_pair(row)?.1, first, last));
            }
        }
        positions.sort_unstable();
        positions.dedup();
        Ok(positions)
    }

    pub(super) fn known(&self, ids: &[EventId]) -> Result<Vec<Option<Known>>, StoreError> {
        let mut block: Option<Arc<Block>> = None;
        let mut row: Option<(ReplicaId, Vec<Arrival>)> = None;
        let mut facts: Option<(Commit, Vec<Known>)> = None;
        let mut known = Vec::with_capacity(ids.len());
        for id in ids {
            let is_at_hand = |(commit, _): &(Commit, Vec<Known>)| {
                commit.replica() == id.replica && commit.span().contains(id.seq)
            };
            if !facts.as_ref().is_some_and(is_at_hand) {
                facts = match self.arrival_of(*id, &mut row)? {
                    Some(arrival) => {
                        let entry = self.entry_near(&mut block, arrival.position)?;
                        let known = self::facts(&entry);
                        Some((entry.commit, known))
                    }
                    None => None,
                };
            }
            let fact = facts.as_ref().and_then(|(commit, facts)| {
                let index = id.seq.get().checked_sub(commit.span().first().get())?;
                facts.get(usize::try_from(index).ok()?).copied()
            });
            known.push(fact);
        }
        Ok(known)
    }

    /// Where the commit of an event arrived; looks at the row at hand first.
    fn arrival_of(
        &self,
        id: EventId,
        row: &mut Option<(ReplicaId, Vec<Arrival>)>,
    ) -> Result<Option<Arrival>, StoreError> {
        if let Some((replica, commits)) = row
            && *replica == id.replica
            && let Some(arrival) = arrivals::find(commits, id.seq)
        {
            return Ok(Some(arrival));
        }
        if let Some(arrival) = self.fresh().arrival(id) {
            return Ok(Some(arrival));
        }
        let commits = self.arrivals_before(id)?;
        let arrival = arrivals::find(&commits, id.seq);
        *row = Some((id.replica, commits));
        Ok(arrival)
    }

    pub(super) fn history(
        &self,
        aggregate: &AggregateId,
        from: HistoryFrom,
    ) -> Result<History, StoreError> {
        let fresh = self.fresh().history(aggregate);
        let mut history = History::default();
        let mut start = 0;
        let mut positions = Vec::new();
        let snapshot = self.tables.db.snapshot();
        let prefix = rows::aggregate_prefix(aggregate);
        for row in snapshot.prefix(&self.tables.aggregates, prefix).rev() {
            let (key, value) = pair(row, "aggregates")?;
            match rows::read_aggregate_key(&key) {
                Some(AggregateKey::Fold) if from == HistoryFrom::Start => {}
                Some(AggregateKey::Fold) => {
                    let (position, fold) = rows::read_fold_row(aggregate, &value)?;
                    start = position;
                    history.fold = Some(fold);
                }
                Some(AggregateKey::History(name, first)) => {
                    positions.extend(rows::read_history_row(name, first, &key, &value)?);
                    if first < start {
                        break;
                    }
                }
                None => return Err(bad_key("aggregates")),
            }
        }
        positions.extend(fresh);
        positions.retain(|position| *position >= start);
        positions.sort_unstable();
        positions.dedup();
        history.entries = self.entries_to_keep(&positions)?;
        Ok(history)
    }

    /// Entries at ascending positions. Those that are a small part of their block do not keep it in
    /// memory.
    fn entries_to_keep(&self, positions: &[u64]) -> Result<Vec<(u64, Entry)>, StoreError> {
        let mut entries = Vec::with_capacity(positions.len());
        let mut rest = positions;
        while let Some(first) = rest.first() {
            let block = self.block_at(*first)?;
            let inside = rest.partition_point(|position| *position < block.end());
            // A block that does not reach the position is told as an entry that is missing.
            let (here, behind) = rest.split_at(inside.max(1));
            let is_small_part = here.len().saturating_mul(2) < block.entries();
            for position in here {
                let line = block.line(*position);
                let line = line.ok_or_else(|| missing_entry(*position))?;
                let mut entry = self.entry(*position, line)?;
                if is_small_part {
                    entry.commit = entry.commit.detached();
                }
                entries.push((*position, entry));
            }
            rest = behind;
        }
        Ok(entries)
    }

    /// The row of an aggregate's history among whose entries a position is, or that before it.
    pub(super) fn history_before(
        &self,
        aggregate: &AggregateId,
        position: u64,
    ) -> Result<Vec<u64>, StoreError> {
        let first = rows::history_key(aggregate, 0);
        let last = rows::history_key(aggregate, position);
        let snapshot = self.tables.db.snapshot();
        let mut row = snapshot.range(&self.tables.aggregates, first..=last);
        let Some(row) = row.next_back() else {
            return Ok(Vec::new());
        };
        let (key, row) = pair(row, "aggregates")?;
        let Some(AggregateKey::History(name, first)) = rows::read_aggregate_key(&key) else {
            return Err(bad_key("aggregates"));
        };
        rows::read_history_row(name, first, &key, &row)
    }

    pub(super) fn aggregates(
        &self,
        prefix: &str,
        after: Option<&AggregateId>,
        limit: usize,
    ) -> Result<Vec<AggregateId>, StoreError> {
        let ranges = names::under(prefix, after);
        let mut found = BTreeSet::new();
        {
            let fresh = self.fresh();
            for range in &ranges {
                fresh.names(range, limit, &mut found);
            }
        }
        let mut indexed = Vec::new();
        for (mut start, end) in ranges {
            while indexed.len() < limit
                && let Some(last) = self.names(&start, end.as_deref(), limit, &mut indexed)?
            {
                start = format!("{last}\u{1}");
            }
        }
        found.extend(indexed);
        Ok(found.into_iter().take(limit).collect())
    }

    /// Collects names from one seek. Returns the name after which to seek again.
    fn names(
        &self,
        start: &str,
        end: Option<&str>,
        limit: usize,
        found: &mut Vec<AggregateId>,
    ) -> Result<Option<String>, StoreError> {
        let end = end.map_or(Bound::Unbounded, |end| Bound::Excluded(end.as_bytes()));
        let mut steps = 0;
        let bounds = (Bound::Included(start.as_bytes()), end);
        for row in self.tables.aggregates.range::<&[u8], _>(bounds) {
            let (key, value) = pair(row, "aggregates")?;
            let (name, first) = match rows::read_aggregate_key(&key) {
                Some(AggregateKey::History(name, first)) => (name, first),
                Some(AggregateKey::Fold) => continue,
                None => return Err(bad_key("aggregates")),
            };
            if found.last().is_some_and(|last| last.as_str() == name) {
                steps += 1;
                if steps == STEPS {
                    return Ok(Some(name.into()));
                }
                continue;
            }
            if found.len() == limit {
                return Ok(None);
            }
            rows::read_history_row(name, first, &key, &value)?;
            let what = || format!("history of {name}");
            let name = AggregateId::new(name).map_err(|e| rows::misfit(what(), e.to_string()))?;
            found.push(name);
            steps = 0;
        }
        Ok(None)
    }
}

/// What is known of each event of a commit, as of when it arrived.
fn facts(entry: &Entry) -> Vec<Known> {
    let mut chain = entry.chain_before;
    let facts = entry.commit.events().iter().map(|event| {
        chain = chain.map(|before| before.extend(event.digest()));
        Known {
            digest: event.digest(),
            chain,
            timestamp: event.timestamp(),
        }
    });
    facts.collect()
}

pub(super) fn row_of(
    table: &Keyspace,
    key: &[u8],
    what: &str,
) -> Result<Option<fjall::Slice>, StoreError> {
    table
        .get(key)
        .map_err(|error| failed("read a row", what, &error))
}

pub(super) fn pair(row: Guard, what: &str) -> Result<fjall::KvPair, StoreError> {
    row.into_inner()
        .map_err(|error| failed("read a row", what, &error))
}

/// A row of the index of ids: the first event, and its commit and those behind it.
pub(super) fn id_pair(row: Guard) -> Result<(EventId, Vec<Arrival>), StoreError> {
    let (key, value) = pair(row, "ids")?;
    let id = rows::read_id_key(&key).ok_or_else(|| bad_key("ids"))?;
    Ok((id, arrivals::read_row(id, &value)?))
}

pub(super) fn bad_key(table: &str) -> StoreError {
    rows::misfit(format!("table {table}"), "a key does not parse")
}

pub(super) fn missing_entry(position: u64) -> StoreError {
    rows::misfit(rows::entry_name(position), "it is missing")
}
