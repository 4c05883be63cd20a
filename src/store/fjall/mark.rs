//! The high-water mark: how far the log was fsynced, kept beside it.
//!
//! A journal with a damaged spot is cut there when it is read, in silence; the mark tells how much
//! was there once. It is overwritten in place after the fsync of the data and before the write is
//! acknowledged, and is not fsynced itself: it guards against rot, not against a loss of power.
//!
//! ```text
//! "abmk" | clean u8 | end of the log u64 | number of writes u64 | xxh3-64 of these: u64
//! ```

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use crate::store::StoreError;

const MAGIC: [u8; 4] = *b"abmk";
const BYTES: usize = 29;

/// How far a log reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// The position the next entry gets.
    pub(super) end: u64,
    /// How many writes there were, those without entries included.
    pub(super) writes: u64,
}

/// The open file.
pub(super) struct Mark {
    file: File,
    /// Whether the last use ended with a close.
    pub(super) clean: bool,
    /// What was last known to be fsynced.
    pub(super) extent: Extent,
}

impl Mark {
    pub(super) fn create(path: &Path) -> Result<Self, StoreError> {
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path);
        let file = opened.map_err(|error| StoreError::io("create the high-water mark", &error))?;
        let mut mark = Self {
            file,
            clean: true,
            extent: Extent::default(),
        };
        mark.write(true, Extent::default())?;
        mark.sync()?;
        Ok(mark)
    }

    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.is_file() {
            return Err(damaged("its file `mark` is missing"));
        }
        let opened = OpenOptions::new().read(true).write(true).open(path);
        let file = opened.map_err(|error| StoreError::io("open the high-water mark", &error))?;
        let mut mark = Self {
            file,
            clean: false,
            extent: Extent::default(),
        };
        (mark.clean, mark.extent) = mark.read()?;
        Ok(mark)
    }

    /// What the file says.
    fn read(&mut self) -> Result<(bool, Extent), StoreError> {
        let mut bytes = [0; BYTES];
        let read = self.file.seek(SeekFrom::Start(0));
        let read = read.and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => damaged("its file `mark` is too short"),
            _ => StoreError::io("read the high-water mark", &error),
        })?;
        let (content, sum) = bytes.split_at(BYTES - 8);
        let parsed = (|| {
            if sum != xxh3_64(content).to_be_bytes() {
                return None;
            }
            let (magic, rest) = content.split_first_chunk::<4>()?;
            let (clean, rest) = rest.split_first()?;
            let (end, writes) = rest.split_first_chunk::<8>()?;
            let writes = u64::from_be_bytes(writes.try_into().ok()?);
            let extent = Extent {
                end: u64::from_be_bytes(*end),
                writes,
            };
            (*magic == MAGIC).then_some((*clean == 1, extent))
        })();
        parsed.ok_or_else(|| damaged("its checksum is wrong"))
    }

    /// Whether the file still says what was last written to it.
    pub(super) fn verify(&mut self) -> Result<(), StoreError> {
        if self.read()? == (self.clean, self.extent) {
            Ok(())
        } else {
            Err(damaged(
                "its file `mark` says something else than was written",
            ))
        }
    }

    /// Overwrites the mark in place, in one write.
    pub(super) fn write(&mut self, clean: bool, extent: Extent) -> Result<(), StoreError> {
        let mut bytes = std::vec::Vec::with_capacity(BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.push(u8::from(clean));
        bytes.extend_from_slice(&extent.end.to_be_bytes());
        bytes.extend_from_slice(&extent.writes.to_be_bytes());
        let sum = xxh3_64(&bytes);
        bytes.extend_from_slice(&sum.to_be_bytes());
        let written = self
            .file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.write_all(&bytes));
        written.map_err(|error| StoreError::io("write the high-water mark", &error))?;
        self.clean = clean;
        self.extent = extent;
        Ok(())
    }

    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.file
            .sync_data()
            .map_err(|error| StoreError::io("fsync the high-water mark", &error))
    }
}

fn damaged(reason: &str) -> StoreError {
    StoreError::Damaged {
        what: "high-water mark".into(),
        reason: reason.into(),
    }
}
