use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use super::block::Block;
use crate::limits::{STORE_ENTRY_BYTES, STORE_RECENT_BYTES};

/// Blocks that were read lately, decoded.
///
/// Whoever reads one entry of a block often reads the next, or the same one for another aggregate:
/// without this the block would be decoded once for each. What the log holds never changes, so
/// nothing here is ever out of date.
#[derive(Default)]
pub(super) struct Recent(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    blocks: BTreeMap<u64, (Arc<Block>, u64)>,
    by_use: BTreeMap<u64, u64>,
    uses: u64,
    bytes: usize,
}

impl Recent {
    /// The block that holds a position.
    pub(super) fn find(&self, position: u64) -> Option<Arc<Block>> {
        let mut kept = self.lock();
        kept.uses += 1;
        let now = kept.uses;
        let (first, (block, used)) = kept.blocks.range_mut(..=position).next_back()?;
        if block.end() <= position {
            return None;
        }
        let (first, block) = (*first, Arc::clone(block));
        let before = std::mem::replace(used, now);
        kept.by_use.remove(&before);
        kept.by_use.insert(now, first);
        Some(block)
    }

    /// Keeps a block; the least lately used leave when the bytes pass their bound.
    pub(super) fn keep(&self, block: &Arc<Block>) {
        let mut kept = self.lock();
        // Those that it was joined of.
        let parts = kept.blocks.range(block.first..block.end());
        let parts: Vec<u64> = parts.map(|(first, _)| *first).collect();
        for part in parts {
            kept.leave(part);
        }
        kept.uses += 1;
        let now = kept.uses;
        kept.bytes = kept.bytes.saturating_add(size(block));
        kept.blocks.insert(block.first, (Arc::clone(block), now));
        kept.by_use.insert(now, block.first);
        while kept.bytes > STORE_RECENT_BYTES
            && kept.blocks.len() > 1
            && let Some((_, oldest)) = kept.by_use.first_key_value()
        {
            let oldest = *oldest;
            kept.leave(oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn leave(&mut self, first: u64) {
        if let Some((block, used)) = self.blocks.remove(&first) {
            self.by_use.remove(&used);
            self.bytes = self.bytes.saturating_sub(size(&block));
        }
    }
}

/// About the memory that a block takes.
fn size(block: &Block) -> usize {
    block.bytes + block.entries() * STORE_ENTRY_BYTES
}
