//! What a store knows of itself when it is opened, and the check of its tail after an unclean end.
//!
//! Cost: replicas, waiting commits and events beyond a gap; after an unclean end a bounded number of
//! the last entries. Never history.

use std::collections::BTreeMap;
use std::string::ToString;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::vec::Vec;

use super::mark::Extent;
use super::reader::{Reader, id_pair, pair, row_of};
use super::rows::{self, IdRow};
use super::tables::Tables;
use crate::event::{Chain, EventId, ReplicaId, Seq, SeqRanges};
use crate::limits::{STORE_TAIL_BYTES, STORE_TAIL_ENTRIES};
use crate::log::{Entry, EntryKind, Epochs, Received, Track};
use crate::store::StoreError;
use crate::store::ledger::Ledger;

/// Everything the writer has in memory.
pub(super) struct Recovered {
    pub(super) ledger: Ledger,
    pub(super) epochs: Epochs,
    pub(super) extent: Extent,
}

/// Reads the bookkeeping back and holds it against the mark, and against the log's last entry.
pub(super) fn recover(
    tables: &Arc<Tables>,
    mark: Extent,
    clean: bool,
) -> Result<Recovered, StoreError> {
    let extent = match row_of(&tables.notes, rows::HEAD_KEY, "notes")? {
        Some(row) => {
            let [end, writes] = rows::read_numbers_row(rows::HEAD_KEY, &row, "head of the log")?;
            Extent { end, writes }
        }
        None => Extent::default(),
    };
    let damaged = |reason| StoreError::Damaged {
        what: "log".into(),
        reason,
    };
    if extent.end < mark.end || extent.writes < mark.writes {
        return Err(damaged(format!(
            "it ends at entry {} of write {}, but entry {} of write {} was acknowledged",
            extent.end, extent.writes, mark.end, mark.writes
        )));
    }
    let last = match tables.log.last_key_value() {
        Some(row) => rows::whole_number(&pair(row, "log")?.0).and_then(|last| last.checked_add(1)),
        None => Some(0),
    };
    if last != Some(extent.end) {
        return Err(damaged(format!(
            "its entries end at {}, its head says {}",
            last.unwrap_or(u64::MAX),
            extent.end
        )));
    }
    let epochs = match row_of(&tables.notes, rows::EPOCHS_KEY, "notes")? {
        Some(row) => rows::read_epochs_row(&row)?,
        None if extent.writes == 0 => Epochs::new(),
        None => return Err(damaged("its list of openings is missing".into())),
    };
    let mut ledger = Ledger::restored(extent.end, received(tables)?);
    let reader = Reader::new(Arc::clone(tables), Arc::new(AtomicU64::new(extent.end)));
    for row in tables.notes.prefix([rows::WAITING]) {
        let (key, value) = pair(row, "notes")?;
        let position = rows::whole_number(key.get(1..).unwrap_or_default());
        let position =
            position.ok_or_else(|| damaged("a waiting commit has no position".into()))?;
        rows::unseal(&key, &value, || format!("waiting mark of entry {position}"))?;
        ledger.restore_waiting(position, &reader.entry_at(position)?.commit);
    }
    if !clean {
        verify_tail(tables, &reader, &ledger)?;
    }
    Ok(Recovered {
        ledger,
        epochs,
        extent,
    })
}

fn received(tables: &Tables) -> Result<Received, StoreError> {
    let mut received = Received::new();
    for row in tables.notes.prefix([rows::TRACK]) {
        let (key, value) = pair(row, "notes")?;
        let (replica, prefix, chain, greatest) = rows::read_track(&key, &value)?;
        received.restore(replica, track(tables, replica, prefix, chain, greatest)?);
    }
    Ok(received)
}

/// What lies beyond a gap is read from the index of ids, so that a track stays a small row.
fn track(
    tables: &Tables,
    replica: ReplicaId,
    prefix: u64,
    chain: Chain,
    greatest: u64,
) -> Result<Track, StoreError> {
    let mut ranges = Seq::new(prefix).map_or_else(SeqRanges::new, SeqRanges::up_to);
    let mut beyond = BTreeMap::new();
    if greatest > prefix {
        let from = Seq::new(prefix.saturating_add(1)).unwrap_or(Seq::FIRST);
        let to = Seq::new(greatest).unwrap_or(Seq::FIRST);
        let keys = [from, to].map(|seq| rows::id_key(EventId::new(replica, seq)));
        for row in tables.ids.range(keys[0]..=keys[1]) {
            let (id, row) = id_pair(row)?;
            let mut next = Some(id.seq);
            for digest in &row.digests {
                let Some(seq) = next else { break };
                beyond.insert(seq, *digest);
                next = seq.next();
            }
            if let Some(last) = row.last(id.seq) {
                ranges.insert(id.seq..=last);
            }
        }
    }
    if ranges.last().map_or(0, Seq::get) != greatest
        || ranges.prefix().map_or(0, Seq::get) != prefix
    {
        let what = format!("track of replica {replica}");
        return Err(rows::misfit(
            what,
            "the index of ids does not agree with it",
        ));
    }
    Ok(Track::restored(ranges, chain, beyond))
}

/// Reads the last entries and everything that was written with them.
fn verify_tail(tables: &Tables, reader: &Reader, ledger: &Ledger) -> Result<(), StoreError> {
    let mut bytes = 0_usize;
    for position in (0..ledger.end())
        .rev()
        .zip(0..STORE_TAIL_ENTRIES)
        .map(|(at, _)| at)
    {
        let entry = reader.entry_at(position)?;
        verify_entry(tables, ledger.received(), position, &entry)?;
        bytes = bytes.saturating_add(entry.commit.bytes());
        if bytes >= STORE_TAIL_BYTES {
            break;
        }
    }
    Ok(())
}

/// Compares an entry with what was written with it.
pub(super) fn verify_entry(
    tables: &Tables,
    received: &Received,
    position: u64,
    entry: &Entry,
) -> Result<(), StoreError> {
    let commit = &entry.commit;
    let unlike = |what: &str| Err(rows::misfit(rows::entry_name(position), what.to_string()));
    let Some(row) = row_of(&tables.ids, &rows::id_key(commit.id()), "ids")? else {
        return unlike("the index of ids lacks it");
    };
    let row = IdRow::read(commit.id(), &row)?;
    let digests: Vec<_> = commit
        .events()
        .iter()
        .map(crate::event::Event::digest)
        .collect();
    let arrived = entry.kind == EntryKind::Released
        || (row.position == position && row.chain_before == entry.chain_before);
    if row.digests != digests || row.timestamp != commit.timestamp() || !arrived {
        return unlike("the index of ids says something else");
    }
    for event in commit.events() {
        if !received.contains(event.id()) {
            return unlike("the track of its replica lacks it");
        }
        if entry.kind == EntryKind::Waiting {
            continue;
        }
        let key = rows::history_key(event.aggregate(), position);
        let Some(row) = row_of(&tables.aggregates, &key, "aggregates")? else {
            return unlike("the history of its aggregate lacks it");
        };
        rows::unseal(&key, &row, || format!("history of {}", event.aggregate()))?;
    }
    Ok(())
}
