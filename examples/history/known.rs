//! What was counted independently of this project, to compare with.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::ancestry::Concurrency;

/// What others counted.
pub(crate) struct Known {
    pub(crate) concurrency: Concurrency,
    /// Paths that a person settled.
    pub(crate) settled: usize,
    /// Those where the rival that was committed last is what the person chose.
    pub(crate) last_committed: usize,
}

#[derive(Deserialize)]
struct Stats {
    concurrent_pairs_same_path: usize,
    conflict_outcomes: BTreeMap<String, usize>,
    lww_match: usize,
    lww_mismatch: usize,
}

/// Reads the counts in a folder. Those that its `legislators.stats.json` does not hold are taken from
/// its `README.md`, where they stand in prose.
pub(crate) fn known(folder: &Path) -> Result<Known, Box<dyn Error>> {
    let path = folder.join("legislators.stats.json");
    let text =
        fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let stats: Stats = serde_json::from_slice(&text)?;
    let outcomes = stats.conflict_outcomes.iter();
    let settled = outcomes.filter(|(name, _)| *name != "agree");
    let settled = settled.map(|(_, count)| count).sum();
    if stats.lww_match + stats.lww_mismatch != settled {
        return Err("legislators.stats.json contradicts itself".into());
    }
    Ok(Known {
        concurrency: Concurrency {
            pairs: 9_684,
            sharing: 1_589,
            differing: 104,
            places: stats.concurrent_pairs_same_path,
            differing_places: 134,
        },
        settled,
        last_committed: stats.lww_match,
    })
}
