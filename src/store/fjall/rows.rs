//! Keys and rows, to the byte. Numbers are big-endian, varints LEB128.
//!
//! ```text
//! row        content | xxh3-64 of the content, seeded with the xxh3-64 of the key: u64
//!            (of a history row its last four bytes)
//! log        position u64 -> see `block`
//! ids        replica 16, first seq u64 -> consecutive seqs of one writer, in pieces: events of each
//!            commit varint | commits varint | where the first arrived, as zigzag of the difference
//!            to the place behind the piece before (or to 0): varint; the others arrived behind it
//! aggregates name, 0, 1, position -> further positions, as differences less one: varints
//!            (ready and released commits that touch it)
//!            name, 0, 2 -> position u64 | fold
//! notes      `e` -> for each opening: epoch u64, start u64
//!            `h` -> end of the log u64 | number of writes u64
//!            `i` -> end of what `ids` and `aggregates` tell of the log: u64, see `fresh`
//!            `n`, key -> note
//!            `t`, replica 16 -> last seq before the first gap u64 (0: none) | chain there 16
//!            | greatest seq u64
//!            `w`, position u64 -> nothing              (commits that still wait)
//! ```
//!
//! A name holds no byte below 32, so its rows lie together and before those of longer names. The
//! position in a key of `aggregates` is the number of its bytes and those, without leading zeros.

use std::string::String;
use std::vec::Vec;

use bytes::Bytes;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::event::{AggregateId, Chain, EventId, ReplicaId, Seq};
use crate::log::{Epoch, Epochs};
use crate::store::StoreError;

pub(super) const EPOCHS_KEY: &[u8] = b"e";
pub(super) const HEAD_KEY: &[u8] = b"h";
pub(super) const INDEXED_KEY: &[u8] = b"i";
pub(super) const NOTE: u8 = b'n';
pub(super) const TRACK: u8 = b't';
pub(super) const WAITING: u8 = b'w';

/// Bytes of a row's checksum, and of that of a history row, of which there are many.
pub(super) const SUM: usize = 8;
const SHORT_SUM: usize = 4;

/// Ends a row with the checksum that ties it to its key.
pub(super) fn seal(key: &[u8], content: Vec<u8>) -> Vec<u8> {
    sealed::<SUM>(key, content)
}

/// The content of a row, if it is what was written under this key.
pub(super) fn unseal<'v>(
    key: &[u8],
    row: &'v [u8],
    what: impl FnOnce() -> String,
) -> Result<&'v [u8], StoreError> {
    unsealed::<SUM>(key, row).ok_or_else(|| wrong_sum(what()))
}

fn sealed<const N: usize>(key: &[u8], mut content: Vec<u8>) -> Vec<u8> {
    let sum = xxh3_64_with_seed(&content, xxh3_64(key)).to_be_bytes();
    content.extend_from_slice(sum.last_chunk::<N>().unwrap_or(&[0; N]));
    content
}

fn unsealed<'v, const N: usize>(key: &[u8], row: &'v [u8]) -> Option<&'v [u8]> {
    let (content, sum) = row.split_last_chunk::<N>()?;
    let wanted = xxh3_64_with_seed(content, xxh3_64(key)).to_be_bytes();
    (wanted.last_chunk() == Some(sum)).then_some(content)
}

fn wrong_sum(what: String) -> StoreError {
    misfit(what, "its checksum is wrong")
}

/// The error for a row whose checksum fits and whose content does not.
pub(super) fn misfit(what: String, reason: impl Into<String>) -> StoreError {
    StoreError::Damaged {
        what,
        reason: reason.into(),
    }
}

pub(super) fn position_key(position: u64) -> [u8; 8] {
    position.to_be_bytes()
}

pub(super) fn entry_name(position: u64) -> String {
    format!("log entry {position}")
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
    put_position(position, &mut key);
    key
}

/// A number such that longer ones are greater and sort behind.
fn put_position(position: u64, key: &mut Vec<u8>) {
    let bytes = position.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let (_, digits) = bytes.split_at(zeros);
    key.push(digits.len().to_be_bytes().last().copied().unwrap_or(0));
    key.extend_from_slice(digits);
}

fn read_position(key: &[u8]) -> Option<u64> {
    let (len, digits) = key.split_first()?;
    let mut bytes = [0; 8];
    let zeros = 8_usize.checked_sub(digits.len())?;
    bytes.get_mut(zeros..)?.copy_from_slice(digits);
    let is_shortest = digits.first() != Some(&0) && usize::from(*len) == digits.len();
    is_shortest.then_some(u64::from_be_bytes(bytes))
}

/// The row of ascending positions, the first of which is in its key.
pub(super) fn history_row(key: &[u8], positions: &[u64]) -> Vec<u8> {
    let mut row = Vec::with_capacity(2 * positions.len() + SHORT_SUM);
    for (before, position) in positions.iter().zip(positions.iter().skip(1)) {
        put_number(position.saturating_sub(before.saturating_add(1)), &mut row);
    }
    sealed::<SHORT_SUM>(key, row)
}

pub(super) fn history_name(name: &str, first: u64) -> String {
    format!("history of {name} from entry {first} on")
}

/// The positions of a row, ascending; the first is in its key.
pub(super) fn read_history_row(
    name: &str,
    first: u64,
    key: &[u8],
    row: &[u8],
) -> Result<Vec<u64>, StoreError> {
    let what = || history_name(name, first);
    let mut rest = unsealed::<SHORT_SUM>(key, row).ok_or_else(|| wrong_sum(what()))?;
    let mut positions = Vec::from([first]);
    let mut last = first;
    while !rest.is_empty() {
        let next = take_number(&mut rest).and_then(|skipped| last.checked_add(skipped));
        let next = next.and_then(|next| next.checked_add(1));
        last = next.ok_or_else(|| misfit(what(), "its content does not parse"))?;
        positions.push(last);
    }
    Ok(positions)
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
            read_position(rest)?,
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

pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

pub(super) fn put_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

pub(super) fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let [byte] = take(rest)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

pub(super) fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
