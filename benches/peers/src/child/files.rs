//! Stores on disk: filled, and opened by a process that has nothing of them in memory.

use std::fmt::Write as _;
use std::time::Instant;

use anabranch::log::Durability;
use anabranch::{Draft, Filter, FjallStore, Replica};
use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use futures::StreamExt;

use super::{registry, runtime, say, until_told_to_end};
use crate::Done;
use crate::inputs::Random;

/// Events of one commit while a store is filled.
const COMMIT: usize = 500;
/// Characters of a payload, so that an event takes as much as the rows of others: 174 bytes by itself.
const TEXT: usize = 95;
/// Bytes of a row of raw fjall.
pub(crate) const ROW: usize = 174;

/// So many hexadecimal digits, others for each event. Stores compress their blocks: what repeats would
/// take nothing, and of this LZ4 finds nothing to leave out.
pub(crate) fn digits(at: usize, count: usize) -> String {
    let mut random = Random::new(at as u64);
    let mut digits = String::with_capacity(count + 16);
    while digits.len() < count {
        let _ = write!(digits, "{:016x}", random.next());
    }
    digits.truncate(count);
    digits
}

/// Writes so many events, says so, and closes when it is told to end.
pub(super) fn fill(folder: &str, events: usize) -> Done<()> {
    runtime(2)?.block_on(async {
        let store = FjallStore::open(folder)?;
        let replica = Replica::builder(store).registry(registry()).open().await?;
        let mut written = usize::try_from(replica.status().events)?;
        let until = written + events;
        while written < until {
            let count = COMMIT.min(until - written);
            let draft = |at| Draft::new(format!("item/{}", at % 10_000), "set", &digits(at, TEXT));
            let drafts: Result<Vec<Draft>, _> = (written..written + count).map(draft).collect();
            replica
                .record_all_with(drafts?, Durability::Buffered)
                .await?;
            written += count;
        }
        replica.flush().await?;
        say("filled");
        tokio::task::spawn_blocking(until_told_to_end).await?;
        replica.close().await?;
        Ok(())
    })
}

/// Opens a store, reads one state, and says how many microseconds that took; then reads the
/// whole log and says how many events there were and how many nanoseconds it took.
pub(super) fn open(folder: &str) -> Done<()> {
    runtime(2)?.block_on(async {
        let began = Instant::now();
        let store = FjallStore::open(folder)?;
        let replica = Replica::builder(store).registry(registry()).open().await?;
        let state: Option<String> = replica.state("item/7").await?;
        let opened = began.elapsed();
        if state.is_none() {
            return Err("the store has lost an item".into());
        }
        say(&opened.as_micros().to_string());
        let began = Instant::now();
        let mut tail = replica.tail_so_far(Filter::all(), None)?;
        let mut events = 0_u64;
        while let Some(event) = tail.next().await {
            event?;
            events += 1;
        }
        say(&format!("{events} {}", began.elapsed().as_nanos()));
        replica.close().await?;
        Ok(())
    })
}

/// Writes so many rows into raw fjall.
pub(super) fn rows(folder: &str, rows: usize) -> Done<()> {
    let db = Database::builder(folder).open()?;
    let keyspace = db.keyspace("rows", KeyspaceCreateOptions::default)?;
    for first in (0..rows).step_by(COMMIT) {
        let mut batch = db.batch();
        for at in first..rows.min(first + COMMIT) {
            let row = digits(at, ROW);
            batch.insert(&keyspace, (at as u64).to_be_bytes(), row.as_bytes());
        }
        batch.commit()?;
    }
    db.persist(PersistMode::SyncAll)?;
    say("filled");
    until_told_to_end();
    Ok(())
}

/// Opens them, reads one, and says how many microseconds that took; then reads them all and says how
/// many there were and how many nanoseconds it took.
pub(super) fn open_rows(folder: &str) -> Done<()> {
    let began = Instant::now();
    let db = Database::builder(folder).open()?;
    let keyspace = db.keyspace("rows", KeyspaceCreateOptions::default)?;
    if keyspace.get(7_u64.to_be_bytes())?.is_none() {
        return Err("raw fjall has lost a row".into());
    }
    say(&began.elapsed().as_micros().to_string());
    let began = Instant::now();
    let (mut rows, mut bytes) = (0_u64, 0);
    for row in keyspace.iter() {
        bytes += row.value()?.len();
        rows += 1;
    }
    if bytes as u64 != rows * ROW as u64 {
        return Err("raw fjall has lost bytes".into());
    }
    say(&format!("{rows} {}", began.elapsed().as_nanos()));
    Ok(())
}
