//! The four fjall keyspaces, and fjall's failures in a store's words.
//!
//! Invariant: a keyspace, journal or version file that should be there is never made anew in
//! silence. fjall itself would; without its journals it would even count writes from the start and
//! lose them at the next recovery, so what is missing is looked for before fjall is asked.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::string::{String, ToString};
use std::time::Duration;
use std::vec::Vec;

use fjall::config::{
    CompressionPolicy, FilterPolicy, FilterPolicyEntry, PartitioningPolicy, PinningPolicy,
};
use fjall::{
    AbstractTree, CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode,
};

use super::manifest;
use crate::limits::{STORE_CACHE_BYTES, STORE_JOURNAL_BYTES, STORE_TABLE_BYTES};
use crate::store::{Compacted, StoreError};

const WORKERS: usize = 2;
const OPEN_FILES: usize = 200;
const LOG: &str = "log";
const IDS: &str = "ids";
const AGGREGATES: &str = "aggregates";
const NOTES: &str = "notes";

/// The database and its keyspaces; dropping the last of them lets go of the files.
pub(super) struct Tables {
    pub(super) db: Database,
    pub(super) log: Keyspace,
    pub(super) ids: Keyspace,
    pub(super) aggregates: Keyspace,
    pub(super) notes: Keyspace,
}

impl Tables {
    /// Makes new tables in an absent or empty folder.
    pub(super) fn found(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, |_, _| Ok(()))
    }

    /// Opens tables that must be there.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let missing = |what: String| StoreError::Damaged {
            what,
            reason: "it is missing".into(),
        };
        if !path.join("version").is_file() {
            return Err(missing("data/version".into()));
        }
        let names = std::fs::read_dir(path).map_err(|error| StoreError::io("read data", &error))?;
        let journal = |name: &Path| name.extension().is_some_and(|extension| extension == "jnl");
        if !names.flatten().any(|name| journal(&name.path())) {
            return Err(missing("journal in data".into()));
        }
        manifest::check(path)?;
        Self::open_with(path, |db, name| {
            if db.keyspace_exists(name) {
                Ok(())
            } else {
                Err(missing(format!("table {name}")))
            }
        })
    }

    fn open_with(
        path: &Path,
        check: impl Fn(&Database, &str) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        guarded("tables", || {
            let opened = Database::builder(path)
                .cache_size(STORE_CACHE_BYTES)
                .max_journaling_size(STORE_JOURNAL_BYTES)
                .max_cached_files(Some(OPEN_FILES))
                .worker_threads(WORKERS)
                .journal_compression(CompressionType::None)
                .open();
            let db = opened.map_err(|error| failed("open the tables", "tables", &error))?;
            let table = |name: &str| {
                check(&db, name)?;
                db.keyspace(name, options)
                    .map_err(|error| failed("open a table", name, &error))
            };
            Ok(Self {
                log: table(LOG)?,
                ids: table(IDS)?,
                aggregates: table(AGGREGATES)?,
                notes: table(NOTES)?,
                db,
            })
        })
    }

    /// Fsyncs everything that was committed so far. The only fsync of data there is; of what the
    /// system says about the journal's file it leaves out what is not needed to read it again.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.db
            .persist(PersistMode::SyncData)
            .map_err(|error| failed("fsync the journal", "journal", &error))
    }

    /// Merges all files of each table into one run, which drops rows that were overwritten or
    /// removed. Beside reads and writes; needs as much room as the greatest table takes, for a while.
    ///
    /// What fjall does by itself leaves little to do: of 30 MB of states, written one over the other
    /// into five rows, 4 to 19 MB were left on the disk and 1.2 MB after this; of 300 MB, 4 MB were
    /// (`what_was_overwritten_is_given_back_when_a_store_is_compacted`).
    pub(super) fn compact(&self) -> Result<Compacted, StoreError> {
        let tables = [&self.log, &self.ids, &self.aggregates, &self.notes];
        let bytes = || tables.iter().map(|table| table.disk_space()).sum();
        for table in tables {
            let rotated = table.rotate_memtable();
            rotated.map_err(|error| failed("write a table", table.name(), &error))?;
            self.await_files(table)?;
        }
        let bytes_before = bytes();
        for table in tables.iter().filter(|table| table.table_count() > 1) {
            let compacted = table.major_compact();
            compacted.map_err(|error| failed("compact a table", table.name(), &error))?;
        }
        Ok(Compacted {
            bytes_before,
            bytes_after: bytes(),
        })
    }

    /// Waits until what was set aside in memory is in table files.
    fn await_files(&self, table: &Keyspace) -> Result<(), StoreError> {
        while table.sealed_memtable_count() > 0 {
            // Fails once a background write has.
            let persisted = self.db.persist(PersistMode::Buffer);
            persisted.map_err(|error| failed("write tables", table.name(), &error))?;
            std::thread::park_timeout(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Writes what is in memory to table files, so that no journal need be read at the next open.
    /// Tells whether nothing is left in memory; gives up after half a minute.
    pub(super) fn settle(&self) -> bool {
        let tables = [&self.log, &self.ids, &self.aggregates, &self.notes];
        if tables.iter().any(|table| table.rotate_memtable().is_err()) {
            return false;
        }
        for _ in 0..30_000 {
            if tables
                .iter()
                .all(|table| table.tree.get_highest_memtable_seqno().is_none())
            {
                return true;
            }
            if self.db.persist(PersistMode::Buffer).is_err() {
                return false;
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        false
    }
}

/// Bytes of all journals in a data folder.
pub(super) fn journal_bytes(path: &Path) -> u64 {
    journals(path)
        .iter()
        .filter_map(|path| path.metadata().ok())
        .map(|data| data.len())
        .sum()
}

/// Empties the journal of closed tables of which nothing is left in memory. Does nothing if there
/// are several.
pub(super) fn empty_journal(path: &Path) -> Result<(), StoreError> {
    if let [journal] = journals(path).as_slice() {
        let file = std::fs::OpenOptions::new().write(true).open(journal);
        let emptied = file.and_then(|file| {
            file.set_len(0)?;
            file.sync_all()
        });
        emptied.map_err(|error| StoreError::io("empty the journal", &error))?;
    }
    Ok(())
}

fn journals(path: &Path) -> Vec<std::path::PathBuf> {
    let names = std::fs::read_dir(path).into_iter().flatten().flatten();
    let paths = names.map(|name| name.path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "jnl"))
        .collect()
}

/// Rows are found by ranges and by keys that are there, so filters would only cost memory. Indexes
/// are cut into pages and none is kept in memory, or opening a store and reading one row of it would
/// read in proportion to its tables. Blocks are compressed, which costs the threads in the background
/// and whoever reads them some 50 ns an event; the journal, which everybody waits for, is not.
fn options() -> KeyspaceCreateOptions {
    let mut options = KeyspaceCreateOptions::default()
        .max_memtable_size(STORE_TABLE_BYTES)
        .filter_policy(FilterPolicy::all(FilterPolicyEntry::None))
        .index_block_pinning_policy(PinningPolicy::all(false))
        .expect_point_read_hits(true)
        .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4));
    options.index_block_partitioning_policy = PartitioningPolicy::all(true);
    options
}

/// Runs something that calls fjall, which panics on some damaged files.
pub(super) fn guarded<T>(
    what: &str,
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let reason = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
            .unwrap_or_else(|| "reading it panicked".into());
        Err(StoreError::Damaged {
            what: what.into(),
            reason,
        })
    })
}

/// A failure of fjall: the operating system's, or damage.
pub(super) fn failed(action: &str, what: &str, error: &fjall::Error) -> StoreError {
    let system = match error {
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => Some(error),
        fjall::Error::Poisoned => {
            return StoreError::Poisoned {
                reason: "a background write failed".into(),
            };
        }
        fjall::Error::Locked => {
            return StoreError::Locked {
                path: what.into(),
                holder: None,
            };
        }
        _ => None,
    };
    match system {
        Some(error)
            if !matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::UnexpectedEof | ErrorKind::InvalidData
            ) =>
        {
            StoreError::io(action, error)
        }
        _ => StoreError::Damaged {
            what: what.into(),
            reason: error.to_string(),
        },
    }
}
