use std::collections::VecDeque;
use std::sync::Arc;
use std::vec::Vec;

use super::block::Stored;
use crate::limits::{
    STORE_BLOCK_BYTES, STORE_BLOCK_EVENTS, STORE_JOINED_BLOCKS_MIN, STORE_LOOSE_MAX,
};

/// Blocks that lie behind one another.
pub(super) type Small = Vec<Arc<Vec<Stored>>>;

/// Small blocks behind one another, which are to become one.
///
/// A group of one event is a block of one entry: a row of its own, with little in common that could
/// be left out. So small blocks are kept in mind, and when there is enough for a whole one, that is
/// written in their place. What is kept is bounded by the size of a few blocks.
#[derive(Default)]
pub(super) struct Loose {
    blocks: Small,
    events: usize,
    bytes: usize,
    whole: VecDeque<Small>,
}

impl Loose {
    /// Takes the next block of the log, which was written.
    pub(super) fn add(&mut self, block: Arc<Vec<Stored>>) {
        let commits = block.iter().map(|(entry, _)| &entry.commit);
        let events: usize = commits.clone().map(|commit| commit.events().len()).sum();
        let bytes: usize = commits.map(crate::event::Commit::bytes).sum();
        if self.events.saturating_add(events) > STORE_BLOCK_EVENTS
            || self.bytes.saturating_add(bytes) > STORE_BLOCK_BYTES
        {
            self.end();
        }
        if events > STORE_BLOCK_EVENTS / 2 || bytes > STORE_BLOCK_BYTES / 2 {
            self.end();
            return;
        }
        self.events = self.events.saturating_add(events);
        self.bytes = self.bytes.saturating_add(bytes);
        self.blocks.push(block);
    }

    /// What comes is not joined with what is here: the end of a segment is that of a block.
    pub(super) fn end(&mut self) {
        let blocks = std::mem::take(&mut self.blocks);
        (self.events, self.bytes) = (0, 0);
        if blocks.len() >= STORE_JOINED_BLOCKS_MIN {
            self.whole.push_back(blocks);
        }
    }

    /// The oldest blocks of which one is to be made.
    pub(super) fn take(&mut self) -> Option<Small> {
        self.whole.pop_front()
    }

    /// Whether blocks that could be joined become more than a few.
    pub(super) fn is_behind(&self) -> bool {
        self.whole.len() >= STORE_LOOSE_MAX
    }
}
