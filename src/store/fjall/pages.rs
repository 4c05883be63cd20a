//! Pages of the log: what a long read takes.
//!
//! Rows are read a page ahead of what is decoded, and where there are many, two threads decode them.
//! Blocks that did not fit the page any more are kept for the next one.
//!
//! Invariant: a page is what reading one block after another would give, an error included; only a
//! block that begins behind the page may be damaged without a word, until it is asked for.

use std::ops::Bound;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::vec::Vec;

use fjall::{Readable, Slice};

use super::block::Block;
use super::reader::{Reader, bad_key, missing_entry, pair};
use super::rows;
use crate::limits::{STORE_APART_BYTES, STORE_READ_BYTES};
use crate::log::{Entry, Page};
use crate::store::{ReadLimit, StoreError};

/// A row of the log, with its position.
type Row = (u64, Slice);

impl Reader {
    pub(super) fn since(&self, position: u64, limit: ReadLimit) -> Result<Page, StoreError> {
        let end = self.end.load(Ordering::Acquire);
        let mut filling = Filling::new(position, limit);
        let snapshot = self.tables.db.snapshot();
        loop {
            while let Some(block) = self.recent.find(filling.page.next) {
                if self.fill(&mut filling, &block)? {
                    return Ok(filling.page);
                }
            }
            let next = filling.page.next;
            if next >= end {
                return Ok(filling.page);
            }
            let rows = self.rows(&snapshot, &filling)?;
            if self.fill_from(&mut filling, &rows)? {
                return Ok(filling.page);
            }
            if filling.page.next == next {
                return Err(missing_entry(next));
            }
        }
    }

    /// The row that holds the next entry of a page, and rows behind it: about as many as it takes.
    fn rows(&self, snapshot: &impl Readable, page: &Filling) -> Result<Vec<Row>, StoreError> {
        let next = page.page.next;
        let (most_entries, most_bytes) = page.left();
        let key = rows::position_key(next);
        let log = &self.tables.log;
        // Not always a row that begins there: blocks are joined, also after one was read.
        let row = snapshot.range(log, ..=key).next_back();
        let behind = snapshot.range(log, (Bound::Excluded(key), Bound::Unbounded));
        let (mut rows, mut entries, mut bytes) = (Vec::new(), 0_u64, 0_usize);
        for row in row.into_iter().chain(behind) {
            let (key, row) = match pair(row, "log") {
                Ok(pair) => pair,
                // It is told when the page begins there.
                Err(_) if entries > 0 => break,
                Err(error) => return Err(error),
            };
            let first = rows::whole_number(&key).ok_or_else(|| bad_key("log"))?;
            let row_end = first.saturating_add(Block::claimed_entries(&row));
            entries = entries.saturating_add(row_end.saturating_sub(first.max(next)));
            bytes = bytes.saturating_add(row.len());
            rows.push((first, row));
            let is_enough =
                entries >= rows::count(most_entries) || bytes >= most_bytes.min(STORE_READ_BYTES);
            if entries > 0 && is_enough {
                break;
            }
        }
        Ok(rows)
    }

    /// Adds the entries of some rows. Tells whether the page is full.
    fn fill_from(&self, filling: &mut Filling, rows: &[Row]) -> Result<bool, StoreError> {
        let mut is_full = false;
        for block in decode(rows) {
            if is_full {
                if let Ok(block) = block {
                    self.recent.keep(&Arc::new(block));
                }
                continue;
            }
            let block = block?;
            if block.first > filling.page.next {
                break;
            }
            if filling.takes_all_of(&block) {
                filling.take(block);
                continue;
            }
            is_full = self.fill(filling, &block)?;
            if is_full && filling.page.next < block.end() {
                self.recent.keep(&Arc::new(block));
            }
        }
        Ok(is_full)
    }

    pub(super) fn at(&self, positions: &[u64], limit: ReadLimit) -> Result<Page, StoreError> {
        let end = self.end.load(Ordering::Acquire);
        let mut filling = Filling::new(0, limit);
        let mut block: Option<Arc<Block>> = None;
        for position in positions
            .iter()
            .copied()
            .take_while(|position| *position < end)
        {
            let entry = self.entry_near(&mut block, position)?;
            if filling.push(position, entry) {
                break;
            }
        }
        Ok(filling.page)
    }

    /// Adds the entries of a block from where the page ends. Tells whether the page is full.
    fn fill(&self, filling: &mut Filling, block: &Block) -> Result<bool, StoreError> {
        while let Some(line) = block.line(filling.page.next) {
            let position = filling.page.next;
            if filling.push(position, self.entry(position, line)?) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Reads rows back, in their order; half of them on another thread where that is worth one.
fn decode(rows: &[Row]) -> Vec<Result<Block, StoreError>> {
    let bytes: usize = rows.iter().map(|(_, row)| row.len()).sum();
    if rows.len() < 2 || bytes < STORE_APART_BYTES {
        return read(rows);
    }
    let (rows, more) = rows.split_at(rows.len() / 2);
    thread::scope(|scope| {
        let other = thread::Builder::new().spawn_scoped(scope, || read(more));
        let mut blocks = read(rows);
        blocks.extend(match other.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(more)) => more,
            Ok(Err(panic)) => resume_unwind(panic),
            // There is no other thread to be had.
            Err(_) => read(more),
        });
        blocks
    })
}

fn read(rows: &[Row]) -> Vec<Result<Block, StoreError>> {
    let blocks = rows
        .iter()
        .map(|(first, row)| Block::read(*first, row.clone()));
    blocks.collect()
}

/// A page that is being put together.
struct Filling {
    page: Page,
    limit: ReadLimit,
    bytes: usize,
}

impl Filling {
    fn new(next: u64, limit: ReadLimit) -> Self {
        let entries = Vec::new();
        Self {
            page: Page { entries, next },
            limit,
            bytes: 0,
        }
    }

    /// How many entries and bytes there is room for.
    fn left(&self) -> (usize, usize) {
        let entries = self.limit.entries.saturating_sub(self.page.entries.len());
        (entries, self.limit.bytes.saturating_sub(self.bytes))
    }

    /// Whether a block follows the page, holds every commit that it lists, and leaves room in it.
    fn takes_all_of(&self, block: &Block) -> bool {
        let (entries, bytes) = self.left();
        block.first == self.page.next
            && block.entries() < entries
            && block.commit_bytes().is_some_and(|all| all < bytes)
    }

    /// Adds all of a block, of which nothing is copied.
    fn take(&mut self, block: Block) {
        self.page.entries.reserve(block.entries());
        for (position, entry) in block.into_entries() {
            self.push(position, entry);
        }
    }

    /// Adds an entry. Tells whether the page is full.
    fn push(&mut self, position: u64, entry: Entry) -> bool {
        self.bytes = self.bytes.saturating_add(entry.commit.bytes());
        self.page.entries.push((position, entry));
        self.page.next = position.saturating_add(1);
        self.page.entries.len() >= self.limit.entries || self.bytes >= self.limit.bytes
    }
}
