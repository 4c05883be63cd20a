//! What a store knows of itself when it is opened, and the check of its tail after an unclean end.
//!
//! Cost: replicas, waiting commits and events beyond a gap; after an unclean end a bounded number of
//! the last entries, and those that the indexes do not tell yet. Never history.

use std::collections::BTreeMap;
use std::ops::Range;
use std::string::ToString;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};

use super::arrivals::Arrival;
use super::block::Block;
use super::fresh::Fresh;
use super::looked_up::LookedUp;
use super::mark::Extent;
use super::reader::{Reader, bad_key, pair, row_of};
use super::rows;
use super::tables::Tables;
use crate::event::{Chain, Event, ReplicaId, Seq, SeqRanges};
use crate::limits::{STORE_TAIL_BYTES, STORE_TAIL_EVENTS};
use crate::log::{Entry, EntryKind, Epochs, IdRange, Received, Track};
use crate::store::StoreError;
use crate::store::ledger::Ledger;

/// Everything the writer has in memory.
pub(super) struct Recovered {
    pub(super) ledger: Ledger,
    pub(super) epochs: Epochs,
    pub(super) extent: Extent,
    pub(super) fresh: Arc<RwLock<Fresh>>,
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
    if extent.end < mark.end || extent.writes < mark.writes {
        return Err(damaged(format!(
            "it ends at entry {} of write {}, but entry {} of write {} was acknowledged",
            extent.end, extent.writes, mark.end, mark.writes
        )));
    }
    check_end(tables, extent)?;
    let epochs = match row_of(&tables.notes, rows::EPOCHS_KEY, "notes")? {
        Some(row) => rows::read_epochs_row(&row)?,
        None if extent.writes == 0 => Epochs::new(),
        None => return Err(damaged("its list of openings is missing".into())),
    };
    let fresh = Arc::new(RwLock::new(Fresh::default()));
    let end = Arc::new(AtomicU64::new(extent.end));
    let reader = Reader::new(Arc::clone(tables), end, Arc::clone(&fresh));
    let indexed = indexed(tables)?;
    if indexed > extent.end {
        return Err(damaged(format!(
            "its indexes reach to entry {indexed}, its head says {}",
            extent.end
        )));
    }
    index_tail(&reader, indexed..extent.end, &fresh)?;
    let mut ledger = Ledger::restored(extent.end, received(&reader)?);
    for row in tables.notes.prefix([rows::WAITING]) {
        let (key, value) = pair(row, "notes")?;
        let position = rows::whole_number(key.get(1..).unwrap_or_default());
        let position =
            position.ok_or_else(|| damaged("a waiting commit has no position".into()))?;
        rows::unseal(&key, &value, || format!("waiting mark of entry {position}"))?;
        ledger.restore_waiting(position, &reader.entry_at(position)?.commit);
    }
    if !clean {
        verify_tail(&reader, &ledger, indexed)?;
    }
    Ok(Recovered {
        ledger,
        epochs,
        extent,
        fresh,
    })
}

fn damaged(reason: String) -> StoreError {
    rows::misfit("log".into(), reason)
}

/// The log must end where its head says.
fn check_end(tables: &Tables, extent: Extent) -> Result<(), StoreError> {
    let last = match tables.log.last_key_value() {
        Some(row) => {
            let (key, row) = pair(row, "log")?;
            let first = rows::whole_number(&key).ok_or_else(|| bad_key("log"))?;
            Block::end_of(first, &row)
        }
        None => Some(0),
    };
    // A last block that is not what was written is told by whoever reads it, as any other.
    if let Some(last) = last.filter(|last| *last != extent.end) {
        let head = extent.end;
        return Err(damaged(format!(
            "its entries end at {last}, its head says {head}"
        )));
    }
    Ok(())
}

/// Up to where the indexes tell what the log holds.
fn indexed(tables: &Tables) -> Result<u64, StoreError> {
    let Some(row) = row_of(&tables.notes, rows::INDEXED_KEY, "notes")? else {
        return Ok(0);
    };
    let [indexed] = rows::read_numbers_row(rows::INDEXED_KEY, &row, "end of the indexes")?;
    Ok(indexed)
}

/// Puts together what the indexes do not tell.
fn index_tail(
    reader: &Reader,
    mut positions: Range<u64>,
    fresh: &RwLock<Fresh>,
) -> Result<(), StoreError> {
    let mut fresh = fresh.write().unwrap_or_else(PoisonError::into_inner);
    while !positions.is_empty() {
        let block = reader.block_at(positions.start)?;
        while let Some(line) = block.line(positions.start) {
            let entry = reader.entry(positions.start, line)?;
            fresh.add(positions.start, entry.kind, &entry.commit);
            positions.start += 1;
        }
        fresh.end_block();
    }
    Ok(())
}

fn received(reader: &Reader) -> Result<Received, StoreError> {
    let mut received = Received::new();
    for row in reader.tables.notes.prefix([rows::TRACK]) {
        let (key, value) = pair(row, "notes")?;
        let (replica, prefix, chain, greatest) = rows::read_track(&key, &value)?;
        received.restore(replica, track(reader, replica, prefix, chain, greatest)?);
    }
    Ok(received)
}

/// What lies beyond a gap is read from the log, so that a track stays a small row.
fn track(
    reader: &Reader,
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
        let seqs = from..=to;
        let positions = reader.locate(&[IdRange { replica, seqs }])?;
        let mut block = None;
        for position in positions {
            let commit = reader.entry_near(&mut block, position)?.commit;
            ranges.insert(commit.span().first()..=commit.span().last());
            let digests = commit.events().iter();
            beyond.extend(digests.map(|event| (event.id().seq, event.digest())));
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

/// Reads the last entries and what was written with them. Those that the indexes do not tell have
/// been read already.
fn verify_tail(reader: &Reader, ledger: &Ledger, indexed: u64) -> Result<(), StoreError> {
    let (mut events, mut bytes) = (0_usize, 0_usize);
    let mut block = None;
    let mut looked_up = LookedUp::default();
    for position in (0..ledger.end()).rev() {
        let entry = reader.entry_near(&mut block, position)?;
        verify_received(ledger.received(), position, &entry)?;
        if position < indexed {
            verify_indexed(reader, &mut looked_up, position, &entry)?;
        }
        events = events.saturating_add(entry.commit.events().len());
        bytes = bytes.saturating_add(entry.commit.bytes());
        if events >= STORE_TAIL_EVENTS || bytes >= STORE_TAIL_BYTES {
            break;
        }
    }
    Ok(())
}

fn unlike(position: u64, what: &str) -> StoreError {
    rows::misfit(rows::entry_name(position), what.to_string())
}

/// Compares an entry with what is said to be received.
pub(super) fn verify_received(
    received: &Received,
    position: u64,
    entry: &Entry,
) -> Result<(), StoreError> {
    let mut events = entry.commit.events().iter();
    if events.all(|event| received.contains(event.id())) {
        Ok(())
    } else {
        Err(unlike(position, "the track of its replica lacks it"))
    }
}

/// Looks for an entry in the indexes.
pub(super) fn verify_indexed(
    reader: &Reader,
    looked_up: &mut LookedUp,
    position: u64,
    entry: &Entry,
) -> Result<(), StoreError> {
    let commit = &entry.commit;
    let Some(found) = looked_up.arrival(reader, commit.id())? else {
        return Err(unlike(position, "the index of ids lacks it"));
    };
    let is_arrival = entry.kind != EntryKind::Released;
    if found != Arrival::of(commit, if is_arrival { position } else { found.position }) {
        return Err(unlike(position, "the index of ids says something else"));
    }
    if entry.kind == EntryKind::Waiting {
        return Ok(());
    }
    let mut last = None;
    for name in commit.events().iter().map(Event::aggregate) {
        if last != Some(name) && !looked_up.is_in_history(reader, name, position)? {
            return Err(unlike(position, "the history of its aggregate lacks it"));
        }
        last = Some(name);
    }
    Ok(())
}
