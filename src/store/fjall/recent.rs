use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::limits::STORE_RECENT_BYTES;
use crate::log::Entry;

/// Entries that were read lately, decoded.
///
/// A large commit touches many aggregates, and whoever reads one of them often reads the next:
/// without this the commit would be decoded once for each. What the log holds never changes, so
/// nothing here is ever out of date.
#[derive(Default)]
pub(super) struct Recent(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    entries: BTreeMap<u64, (Entry, u64)>,
    by_use: BTreeMap<u64, u64>,
    uses: u64,
    bytes: usize,
}

impl Recent {
    pub(super) fn find(&self, position: u64) -> Option<Entry> {
        let mut kept = self.lock();
        kept.uses += 1;
        let now = kept.uses;
        let (entry, used) = kept.entries.get_mut(&position)?;
        let entry = entry.clone();
        let before = std::mem::replace(used, now);
        kept.by_use.remove(&before);
        kept.by_use.insert(now, position);
        Some(entry)
    }

    /// Keeps an entry; the least lately used leave when the bytes pass their bound.
    pub(super) fn keep(&self, position: u64, entry: &Entry) {
        let mut kept = self.lock();
        if kept.entries.contains_key(&position) {
            return;
        }
        kept.uses += 1;
        let now = kept.uses;
        kept.bytes = kept.bytes.saturating_add(entry.commit.bytes());
        kept.entries.insert(position, (entry.clone(), now));
        kept.by_use.insert(now, position);
        while kept.bytes > STORE_RECENT_BYTES
            && let Some((_, oldest)) = kept.by_use.pop_first()
        {
            if let Some((entry, _)) = kept.entries.remove(&oldest) {
                kept.bytes = kept.bytes.saturating_sub(entry.commit.bytes());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
