//! Keys and rows, to the byte. Numbers are big-endian.
//!
//! ```text
//! row        content | xxh3-64 of the content, seeded with the xxh3-64 of the key: u64
//! log        position u64 -> kind u8 (0 ready, 1 waiting, 2 released; +16 from, +32 chain)
//!            | from: replica 16 | chain before 16
//!            | canonical commit, or for a released one the position at which it arrived: u64
//! ids        replica 16, first seq u64 -> position u64 | timestamp u64
//!            | 0, or 1 and chain before 16 | digest 16 of each event
//! aggregates name, 0, 1, position u64 -> nothing       (ready and released commits that touch it)
//!            name, 0, 2 -> position u64 | fold
//! notes      `e` -> for each opening: epoch u64, start u64
//!            `h` -> end of the log u64 | number of writes u64
//!            `n`, key -> note
//!            `t`, replica 16 -> last seq before the first gap u64 (0: none) | chain there 16
//!            | greatest seq u64
//!            `w`, position u64 -> nothing              (commits that still wait)
//! ```
//!
//! A name holds no byte below 32, so its rows lie together and before those of longer names.

use std::string::String;
use std::vec::Vec;

use bytes::Bytes;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::event::{
    AggregateId, Chain, Commit, Digest, EventId, ReplicaId, Seq, Timestamp, decode_commit,
    encode_commit,
};
use crate::log::{Entry, EntryKind, Epoch, Epochs};
use crate::store::StoreError;
use crate::store::ledger::Placed;

pub(super) const EPOCHS_KEY: &[u8] = b"e";
pub(super) const HEAD_KEY: &[u8] = b"h";
pub(super) const NOTE: u8 = b'n';
pub(super) const TRACK: u8 = b't';
pub(super) const WAITING: u8 = b'w';

const FROM: u8 = 16;
const CHAIN: u8 = 32;
const SUM: usize = 8;

/// Ends a row with the checksum that ties it to its key.
pub(super) fn seal(key: &[u8], mut content: Vec<u8>) -> Vec<u8> {
    let sum = xxh3_64_with_seed(&content, xxh3_64(key));
    content.extend_from_slice(&sum.to_be_bytes());
    content
}

/// The content of a row, if it is what was written under this key.
pub(super) fn unseal<'v>(
    key: &[u8],
    row: &'v [u8],
    what: impl FnOnce() -> String,
) -> Result<&'v [u8], StoreError> {
    let sealed = row
        .len()
        .checked_sub(SUM)
        .and_then(|at| row.split_at_checked(at));
    match sealed {
        Some((content, sum))
            if sum
                == xxh3_64_with_seed(content, xxh3_64(key))
                    .to_be_bytes()
                    .as_slice() =>
        {
            Ok(content)
        }
        _ => Err(StoreError::Damaged {
            what: what(),
            reason: "its checksum is wrong".into(),
        }),
    }
}

/// The error for a row whose checksum fits and whose content does not.
pub(super) fn misfit(what: String, reason: impl Into<String>) -> StoreError {
    StoreError::Damaged {
        what,
        reason: reason.into(),
    }
}

/// What stands in the log at one position.
pub(super) struct LogRow {
    pub(super) kind: EntryKind,
    pub(super) from: Option<ReplicaId>,
    pub(super) content: LogContent,
}

pub(super) enum LogContent {
    Commit {
        commit: Commit,
        chain_before: Option<Chain>,
    },
    /// A released commit stands at the position where it arrived; what was before it may have come
    /// only since then.
    Arrival {
        position: u64,
        chain_before: Option<Chain>,
    },
}

pub(super) fn position_key(position: u64) -> [u8; 8] {
    position.to_be_bytes()
}

pub(super) fn entry_name(position: u64) -> String {
    format!("log entry {position}")
}

pub(super) fn log_row(entry: &Entry, placed: &Placed) -> Vec<u8> {
    let released = entry.kind == EntryKind::Released;
    let kind = match entry.kind {
        EntryKind::Ready => 0,
        EntryKind::Waiting => 1,
        EntryKind::Released => 2,
    };
    let chain = if released {
        entry.chain_before
    } else {
        placed.chain_before
    };
    let mut row = Vec::with_capacity(48 + if released { 0 } else { entry.commit.bytes() });
    row.push(kind + entry.from.map_or(0, |_| FROM) + chain.map_or(0, |_| CHAIN));
    if let Some(from) = entry.from {
        row.extend_from_slice(&from.to_bytes());
    }
    if let Some(chain) = chain {
        row.extend_from_slice(&chain.to_bytes());
    }
    if released {
        row.extend_from_slice(&placed.arrival.to_be_bytes());
    } else {
        encode_commit(&entry.commit, &mut row);
    }
    seal(&position_key(placed.position), row)
}

pub(super) fn read_log_row(position: u64, row: &[u8]) -> Result<LogRow, StoreError> {
    let what = || entry_name(position);
    let mut rest = unseal(&position_key(position), row, what)?;
    let parsed = (|| {
        let [flags] = take(&mut rest)?;
        let from = if flags & FROM == 0 {
            None
        } else {
            Some(ReplicaId::from_bytes(take(&mut rest)?))
        };
        let chain = if flags & CHAIN == 0 {
            None
        } else {
            Some(Chain::from_bytes(take(&mut rest)?))
        };
        let kind = match flags & !(FROM | CHAIN) {
            0 => EntryKind::Ready,
            1 => EntryKind::Waiting,
            2 => EntryKind::Released,
            _ => return None,
        };
        Some((kind, from, chain))
    })();
    let Some((kind, from, chain_before)) = parsed else {
        return Err(misfit(what(), "its head is not one"));
    };
    let content = if kind == EntryKind::Released {
        let arrival = whole_number(rest).ok_or_else(|| misfit(what(), "it names no position"))?;
        LogContent::Arrival {
            position: arrival,
            chain_before,
        }
    } else {
        let commit = decode_commit(rest).map_err(|error| misfit(what(), error.to_string()))?;
        LogContent::Commit {
            commit,
            chain_before,
        }
    };
    Ok(LogRow {
        kind,
        from,
        content,
    })
}

/// What is kept of a commit's events beside the log.
pub(super) struct IdRow {
    pub(super) position: u64,
    pub(super) timestamp: Timestamp,
    pub(super) chain_before: Option<Chain>,
    pub(super) digests: Vec<Digest>,
}

impl IdRow {
    pub(super) fn of(commit: &Commit, placed: &Placed) -> Self {
        Self {
            position: placed.arrival,
            timestamp: commit.timestamp(),
            chain_before: placed.chain_before,
            digests: commit
                .events()
                .iter()
                .map(crate::event::Event::digest)
                .collect(),
        }
    }

    /// Index of an event of this commit, if it is one.
    pub(super) fn index(&self, first: EventId, id: EventId) -> Option<usize> {
        let offset = id.seq.get().checked_sub(first.seq.get())?;
        let index = usize::try_from(offset).ok()?;
        (first.replica == id.replica && index < self.digests.len()).then_some(index)
    }

    /// The last seq of the commit whose first one is given.
    pub(super) fn last(&self, first: Seq) -> Option<Seq> {
        let more = u64::try_from(self.digests.len()).ok()?.checked_sub(1)?;
        Seq::new(first.get().checked_add(more)?)
    }

    pub(super) fn row(&self, id: EventId) -> Vec<u8> {
        let mut row = Vec::with_capacity(48 + 16 * self.digests.len());
        row.extend_from_slice(&self.position.to_be_bytes());
        row.extend_from_slice(&self.timestamp.to_bits().to_be_bytes());
        row.push(u8::from(self.chain_before.is_some()));
        if let Some(chain) = self.chain_before {
            row.extend_from_slice(&chain.to_bytes());
        }
        for digest in &self.digests {
            row.extend_from_slice(&digest.to_bytes());
        }
        seal(&id_key(id), row)
    }

    pub(super) fn read(id: EventId, row: &[u8]) -> Result<Self, StoreError> {
        let what = || format!("index row of {id}");
        let mut rest = unseal(&id_key(id), row, what)?;
        let parsed = (|| {
            let position = u64::from_be_bytes(take(&mut rest)?);
            let timestamp = Timestamp::from_bits(u64::from_be_bytes(take(&mut rest)?));
            let chain_before = match take(&mut rest)? {
                [0] => None,
                _ => Some(Chain::from_bytes(take(&mut rest)?)),
            };
            let (digests, left) = rest.as_chunks::<16>();
            let digests: Vec<_> = digests
                .iter()
                .map(|bytes| Digest::from_bytes(*bytes))
                .collect();
            (left.is_empty() && !digests.is_empty()).then_some(Self {
                position,
                timestamp,
                chain_before,
                digests,
            })
        })();
        parsed.ok_or_else(|| misfit(what(), "its content does not parse"))
    }
}

pub(super) fn id_key(id: EventId) -> [u8; 24] {
    let mut key = [0; 24];
    let (replica, seq) = key.split_at_mut(16);
    replica.copy_from_slice(&id.replica.to_bytes());
    seq.copy_from_slice(&id.seq.get().to_be_bytes());
    key
}

pub(super) fn read_id_key(mut key: &[u8]) -> Option<EventId> {
    let replica = ReplicaId::from_bytes(take(&mut key)?);
    let seq = Seq::new(whole_number(key)?)?;
    Some(EventId::new(replica, seq))
}

const HISTORY: u8 = 1;
const FOLD: u8 = 2;

pub(super) fn aggregate_prefix(aggregate: &AggregateId) -> Vec<u8> {
    let mut key = Vec::with_capacity(aggregate.as_str().len() + 10);
    key.extend_from_slice(aggregate.as_str().as_bytes());
    key.push(0);
    key
}

pub(super) fn history_key(aggregate: &AggregateId, position: u64) -> Vec<u8> {
    let mut key = aggregate_prefix(aggregate);
    key.push(HISTORY);
    key.extend_from_slice(&position.to_be_bytes());
    key
}

pub(super) fn fold_key(aggregate: &AggregateId) -> Vec<u8> {
    let mut key = aggregate_prefix(aggregate);
    key.push(FOLD);
    key
}

/// What a key of the aggregates' table leads to.
pub(super) enum AggregateKey<'k> {
    History(&'k str, u64),
    Fold,
}

pub(super) fn read_aggregate_key(key: &[u8]) -> Option<AggregateKey<'_>> {
    let end = key.iter().position(|byte| *byte == 0)?;
    let (name, mut rest) = key.split_at_checked(end)?;
    match take(&mut rest)? {
        [0, HISTORY] => Some(AggregateKey::History(
            std::str::from_utf8(name).ok()?,
            whole_number(rest)?,
        )),
        [0, FOLD] => rest.is_empty().then_some(AggregateKey::Fold),
        _ => None,
    }
}

pub(super) fn fold_row(key: &[u8], position: u64, fold: &Bytes) -> Vec<u8> {
    let mut row = Vec::with_capacity(16 + fold.len());
    row.extend_from_slice(&position.to_be_bytes());
    row.extend_from_slice(fold);
    seal(key, row)
}

pub(super) fn read_fold_row(
    aggregate: &AggregateId,
    row: &[u8],
) -> Result<(u64, Bytes), StoreError> {
    let what = || format!("stored state of {aggregate}");
    let mut rest = unseal(&fold_key(aggregate), row, what)?;
    let position = take(&mut rest).map(u64::from_be_bytes);
    let position = position.ok_or_else(|| misfit(what(), "it names no position"))?;
    Ok((position, Bytes::copy_from_slice(rest)))
}

pub(super) fn prefixed(prefix: u8, rest: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + rest.len());
    key.push(prefix);
    key.extend_from_slice(rest);
    key
}

pub(super) fn epochs_row(epochs: &Epochs) -> Vec<u8> {
    let mut row = Vec::with_capacity(16 * epochs.iter().len() + SUM);
    for (epoch, start) in epochs.iter() {
        row.extend_from_slice(&epoch.to_bits().to_be_bytes());
        row.extend_from_slice(&start.to_be_bytes());
    }
    seal(EPOCHS_KEY, row)
}

pub(super) fn read_epochs_row(row: &[u8]) -> Result<Epochs, StoreError> {
    let mut rest = unseal(EPOCHS_KEY, row, || "list of openings".into())?;
    let mut list = Vec::new();
    while let Some(epoch) = take(&mut rest)
        && let Some(start) = take(&mut rest)
    {
        list.push((
            Epoch::from_bits(u64::from_be_bytes(epoch)),
            u64::from_be_bytes(start),
        ));
    }
    Ok(Epochs::from_list(list))
}

/// Several numbers as one row.
pub(super) fn numbers_row<const N: usize>(key: &[u8], numbers: [u64; N]) -> Vec<u8> {
    seal(
        key,
        numbers
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect(),
    )
}

pub(super) fn read_numbers_row<const N: usize>(
    key: &[u8],
    row: &[u8],
    what: &str,
) -> Result<[u64; N], StoreError> {
    let mut rest = unseal(key, row, || what.into())?;
    let mut numbers = [0; N];
    for number in &mut numbers {
        let bytes = take(&mut rest).ok_or_else(|| misfit(what.into(), "it is too short"))?;
        *number = u64::from_be_bytes(bytes);
    }
    Ok(numbers)
}

pub(super) fn track_row(key: &[u8], prefix: u64, chain: Chain, greatest: u64) -> Vec<u8> {
    let mut row = Vec::with_capacity(40);
    row.extend_from_slice(&prefix.to_be_bytes());
    row.extend_from_slice(&chain.to_bytes());
    row.extend_from_slice(&greatest.to_be_bytes());
    seal(key, row)
}

/// The replica of a track's key, its last seq before the first gap, the chain there, and its
/// greatest seq.
pub(super) fn read_track(
    key: &[u8],
    row: &[u8],
) -> Result<(ReplicaId, u64, Chain, u64), StoreError> {
    let mut id = key.get(1..).unwrap_or_default();
    let replica = take(&mut id).map(ReplicaId::from_bytes);
    let what = || {
        replica.map_or("track".into(), |replica| {
            format!("track of replica {replica}")
        })
    };
    let mut rest = unseal(key, row, what)?;
    let parsed = (|| {
        let prefix = u64::from_be_bytes(take(&mut rest)?);
        let chain = Chain::from_bytes(take(&mut rest)?);
        Some((replica?, prefix, chain, whole_number(rest)?))
    })();
    parsed.ok_or_else(|| misfit(what(), "its content does not parse"))
}

pub(super) fn whole_number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}
