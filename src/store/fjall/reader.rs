//! All reads, as plain blocking functions on the reader's thread.
//!
//! Invariant: nothing is returned that is not what was written. Every row is checked against its
//! key, and an entry that should be there and is not is damage, not the end of the log.
//!
//! Ranges are read from snapshots: outside of one, fjall shows a write that is half applied.

use std::ops::Bound;
use std::string::String;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::vec::Vec;

use fjall::{Guard, Keyspace, Readable};

use super::recent::Recent;
use super::rows::{self, AggregateKey, IdRow, LogContent};
use super::tables::{Tables, failed};
use crate::event::{AggregateId, EventId, Seq};
use crate::log::{Entry, IdRange, Known, Page};
use crate::store::{History, HistoryFrom, ReadLimit, StoreError, names};

/// Rows passed one by one before the next name is sought; a seek costs about as much.
const STEPS: usize = 16;

/// Reads the tables up to the end of the log as last answered.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) tables: Arc<Tables>,
    end: Arc<AtomicU64>,
    recent: Arc<Recent>,
}

impl Reader {
    pub(super) fn new(tables: Arc<Tables>, end: Arc<AtomicU64>) -> Self {
        Self {
            tables,
            end,
            recent: Arc::default(),
        }
    }

    pub(super) fn since(&self, position: u64, limit: ReadLimit) -> Result<Page, StoreError> {
        let end = self.end.load(Ordering::Acquire);
        let mut page = Page {
            entries: Vec::new(),
            next: position,
        };
        let mut bytes = 0_usize;
        let snapshot = self.tables.db.snapshot();
        for row in snapshot.range(&self.tables.log, rows::position_key(position)..) {
            let (key, value) = pair(row, "log")?;
            if rows::whole_number(&key) != Some(page.next) {
                break;
            }
            let entry = self.entry(page.next, &value)?;
            bytes = bytes.saturating_add(entry.commit.bytes());
            page.entries.push((page.next, entry));
            page.next = page.next.saturating_add(1);
            if page.entries.len() >= limit.entries || bytes >= limit.bytes {
                return Ok(page);
            }
        }
        if page.next < end {
            return Err(missing_entry(page.next));
        }
        Ok(page)
    }

    pub(super) fn at(&self, positions: &[u64], limit: ReadLimit) -> Result<Page, StoreError> {
        let end = self.end.load(Ordering::Acquire);
        let mut page = Page::default();
        let mut bytes = 0_usize;
        for position in positions
            .iter()
            .copied()
            .take_while(|position| *position < end)
        {
            let entry = self.entry_at(position)?;
            bytes = bytes.saturating_add(entry.commit.bytes());
            page.entries.push((position, entry));
            page.next = position.saturating_add(1);
            if page.entries.len() >= limit.entries || bytes >= limit.bytes {
                break;
            }
        }
        Ok(page)
    }

    /// The entry at a position that must be there.
    pub(super) fn entry_at(&self, position: u64) -> Result<Entry, StoreError> {
        let row = row_of(&self.tables.log, &rows::position_key(position), "log")?;
        self.entry(position, &row.ok_or_else(|| missing_entry(position))?)
    }

    fn entry(&self, position: u64, row: &[u8]) -> Result<Entry, StoreError> {
        let row = rows::read_log_row(position, row)?;
        let (commit, chain_before) = match row.content {
            LogContent::Commit {
                commit,
                chain_before,
            } => (commit, chain_before),
            LogContent::Arrival {
                position: arrival,
                chain_before: at_release,
            } => {
                let key = rows::position_key(arrival);
                let arrived = row_of(&self.tables.log, &key, "log")?;
                let arrived = arrived.ok_or_else(|| missing_entry(arrival))?;
                match rows::read_log_row(arrival, &arrived)?.content {
                    LogContent::Commit {
                        commit,
                        chain_before,
                    } => (commit, at_release.or(chain_before)),
                    LogContent::Arrival { .. } => {
                        let reason = format!("the commit it releases is not at {arrival}");
                        return Err(rows::misfit(rows::entry_name(position), reason));
                    }
                }
            }
        };
        Ok(Entry {
            commit,
            kind: row.kind,
            from: row.from,
            chain_before,
        })
    }

    /// The index row of the commit that holds an event, or of the last one before it.
    fn id_row(&self, id: EventId) -> Result<Option<(EventId, IdRow)>, StoreError> {
        let first = rows::id_key(EventId::new(id.replica, Seq::FIRST));
        let snapshot = self.tables.db.snapshot();
        let row = snapshot
            .range(&self.tables.ids, first..=rows::id_key(id))
            .next_back();
        row.map(id_pair).transpose()
    }

    pub(super) fn locate(&self, ranges: &[IdRange]) -> Result<Vec<u64>, StoreError> {
        let mut positions = Vec::new();
        let snapshot = self.tables.db.snapshot();
        for range in ranges {
            let first = EventId::new(range.replica, *range.seqs.start());
            let last = EventId::new(range.replica, *range.seqs.end());
            if first > last {
                continue;
            }
            if let Some((id, row)) = self.id_row(first)?
                && row.index(id, first).is_some()
            {
                positions.push(row.position);
            }
            let keys = rows::id_key(first)..=rows::id_key(last);
            for row in snapshot.range(&self.tables.ids, keys) {
                positions.push(id_pair(row)?.1.position);
            }
        }
        positions.sort_unstable();
        positions.dedup();
        Ok(positions)
    }

    pub(super) fn known(&self, ids: &[EventId]) -> Result<Vec<Option<Known>>, StoreError> {
        let mut found: Option<(EventId, IdRow, Vec<Known>)> = None;
        let mut known = Vec::with_capacity(ids.len());
        for id in ids {
            if found
                .as_ref()
                .is_none_or(|(first, row, _)| row.index(*first, *id).is_none())
            {
                found = self.id_row(*id)?.map(|(first, row)| {
                    let events = facts(&row);
                    (first, row, events)
                });
            }
            known.push(
                found
                    .as_ref()
                    .and_then(|(first, row, events)| events.get(row.index(*first, *id)?).copied()),
            );
        }
        Ok(known)
    }

    pub(super) fn history(
        &self,
        aggregate: &AggregateId,
        from: HistoryFrom,
    ) -> Result<History, StoreError> {
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
                Some(AggregateKey::History(_, position)) if position < start => break,
                Some(AggregateKey::History(_, position)) => {
                    rows::unseal(&key, &value, || format!("history of {aggregate}"))?;
                    positions.push(position);
                }
                None => return Err(bad_key("aggregates")),
            }
        }
        for position in positions.into_iter().rev() {
            let entry = match self.recent.find(position) {
                Some(entry) => entry,
                None => self.entry_at(position)?,
            };
            self.recent.keep(position, &entry);
            history.entries.push((position, entry));
        }
        Ok(history)
    }

    pub(super) fn aggregates(
        &self,
        prefix: &str,
        after: Option<&AggregateId>,
        limit: usize,
    ) -> Result<Vec<AggregateId>, StoreError> {
        let mut found = Vec::new();
        for (mut start, end) in names::under(prefix, after) {
            while found.len() < limit
                && let Some(last) = self.names(&start, end.as_deref(), limit, &mut found)?
            {
                start = format!("{last}\u{1}");
            }
        }
        Ok(found)
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
            let name = match rows::read_aggregate_key(&key) {
                Some(AggregateKey::History(name, _)) => name,
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
            let what = || format!("history of {name}");
            rows::unseal(&key, &value, what)?;
            let name = AggregateId::new(name).map_err(|e| rows::misfit(what(), e.to_string()))?;
            found.push(name);
            steps = 0;
        }
        Ok(None)
    }
}

/// What is known of each event of a row.
fn facts(row: &IdRow) -> Vec<Known> {
    let mut chain = row.chain_before;
    let facts = row.digests.iter().map(|digest| {
        chain = chain.map(|before| before.extend(*digest));
        Known {
            digest: *digest,
            chain,
            timestamp: row.timestamp,
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

pub(super) fn id_pair(row: Guard) -> Result<(EventId, IdRow), StoreError> {
    let (key, value) = pair(row, "ids")?;
    let id = rows::read_id_key(&key).ok_or_else(|| bad_key("ids"))?;
    Ok((id, IdRow::read(id, &value)?))
}

pub(super) fn bad_key(table: &str) -> StoreError {
    rows::misfit(format!("table {table}"), "a key does not parse")
}

fn missing_entry(position: u64) -> StoreError {
    rows::misfit(rows::entry_name(position), "it is missing")
}
