//! fjall as it comes: one keyspace, one row per event.

use std::path::Path;

use anabranch::event::encode_commit;
use anabranch::log::Group;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

pub(super) struct Raw {
    pub(super) db: Database,
    pub(super) rows: Keyspace,
    pub(super) next: u64,
}

impl Raw {
    pub(super) fn open(path: &Path) -> Self {
        let db = Database::builder(path).open().unwrap();
        let rows = db.keyspace("log", KeyspaceCreateOptions::default).unwrap();
        Self { db, rows, next: 0 }
    }

    /// Encodes and writes a row per commit, then fsyncs.
    pub(super) fn append(&mut self, group: &Group) {
        let mut batch = self.db.batch();
        for entry in &group.entries {
            let mut row = Vec::with_capacity(entry.commit.bytes());
            encode_commit(&entry.commit, &mut row);
            batch.insert(&self.rows, self.next.to_be_bytes(), row);
            self.next += 1;
        }
        batch.commit().unwrap();
        self.db.persist(PersistMode::SyncAll).unwrap();
    }

    /// Writes what is in memory to table files.
    pub(super) fn settle(&self) {
        self.rows.rotate_memtable_and_wait().unwrap();
    }
}
