//! Stores on disk that several rows share: filled once, opened often.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Done;
use crate::child::Process;

/// What a store holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A replica of this crate.
    Replica,
    /// Raw fjall, a row per event.
    Rows,
}

/// Every store that was filled, until the end of the run.
#[derive(Default)]
pub(crate) struct Stores {
    folder: Option<TempDir>,
    filled: BTreeMap<(Kind, usize), PathBuf>,
}

/// What it said that opened a store.
pub(crate) struct Opened {
    /// Until the first answer.
    pub(crate) micros: f64,
    /// To read one event of the whole log.
    pub(crate) replay_ns: f64,
}

impl Stores {
    /// A folder that is gone when the run ends.
    pub(crate) fn folder(&mut self) -> Done<&Path> {
        if self.folder.is_none() {
            self.folder = Some(
                tempfile::Builder::new()
                    .prefix("anabranch-peers")
                    .tempdir()?,
            );
        }
        Ok(self.folder.as_ref().ok_or("no folder")?.path())
    }

    /// A store with so many events that was closed properly.
    pub(crate) fn filled(&mut self, kind: Kind, events: usize) -> Done<PathBuf> {
        if let Some(known) = self.filled.get(&(kind, events)) {
            return Ok(known.clone());
        }
        let name = if kind == Kind::Replica {
            "replica"
        } else {
            "rows"
        };
        let path = self.folder()?.join(format!("{name}-{events}"));
        let text = path.to_str().ok_or("a path that is no text")?;
        let child = if kind == Kind::Replica {
            "fill"
        } else {
            "rows"
        };
        let mut filling = Process::start(&[child, text, &events.to_string()])?;
        filling.line()?;
        filling.end()?;
        self.filled.insert((kind, events), path.clone());
        Ok(path)
    }
}

/// Opens a store in a process that has nothing of it in memory.
pub(crate) fn open(kind: Kind, path: &Path) -> Done<Opened> {
    let text = path.to_str().ok_or("a path that is no text")?;
    let child = if kind == Kind::Replica {
        "open"
    } else {
        "open-rows"
    };
    let mut opening = Process::start(&[child, text])?;
    let micros = opening.line()?.parse()?;
    let read = opening.line()?;
    opening.end()?;
    let (events, nanos) = read.split_once(' ').ok_or("two numbers are wanted")?;
    let replay_ns = nanos.parse::<f64>()? / events.parse::<f64>()?.max(1.0);
    Ok(Opened { micros, replay_ns })
}

/// Writes a little more and dies of it.
pub(crate) fn crash(kind: Kind, path: &Path) -> Done<()> {
    let text = path.to_str().ok_or("a path that is no text")?;
    let child = if kind == Kind::Replica {
        "fill"
    } else {
        "rows"
    };
    let mut filling = Process::start(&[child, text, "500"])?;
    filling.line()?;
    filling.kill()
}

/// Bytes of all files in a folder, as the disk counts them.
pub(crate) fn bytes(folder: &Path) -> Done<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            self::bytes(&entry.path())?
        } else {
            metadata.blocks() * 512
        };
    }
    Ok(bytes)
}
