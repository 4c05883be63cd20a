//! A power cut for a store on real files.
//!
//! fjall says in its log when it fsyncs a journal, and with which mode. At that moment the files
//! hold exactly what the fsync makes durable, so this listener copies them; what is written later is
//! thrown away when the power is cut. Take the fsync out of the store, or weaken its mode, and the
//! copy is never made.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

use anabranch::store::FjallStore;
use anabranch::testing::conformance::store::Place;
use log::{LevelFilter, Log, Metadata, Record};
use tempfile::TempDir;

/// A directory in which what was not fsynced can be thrown away, and a store in it.
pub(crate) fn store_in_a_folder() -> (Place<TempDir, FjallStore>, FjallStore) {
    static LISTEN: Once = Once::new();
    LISTEN.call_once(|| {
        log::set_logger(&Listener).unwrap();
        log::set_max_level(LevelFilter::Trace);
    });
    let folder = scratch();
    fs::create_dir(folder.path().join("image")).unwrap();
    let open = |folder: &TempDir| FjallStore::open(folder.path().join("store"));
    Place::with_power(folder, open, lose_power)
}

/// A folder in memory where there is such a thing: what an fsync keeps is told by the listener, not by
/// the disk, and a busy disk can take a minute for one.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

fn lose_power(folder: &TempDir, store: FjallStore) {
    let path = |name| folder.path().join(name);
    copy(&path("image"), &path("cut")).unwrap();
    drop(store);
    // The mark is no journal: it is overwritten after each fsync, so the newest is the worst.
    fs::copy(path("store/mark"), path("cut/mark")).unwrap();
    fs::remove_dir_all(path("store")).unwrap();
    fs::rename(path("cut"), path("store")).unwrap();
}

struct Listener;

impl Log for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "fjall::journal::writer"
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = record.args().to_string();
        let path = text
            .strip_prefix("Persisting journal at ")
            .and_then(|rest| rest.strip_suffix(" with mode=SyncData"));
        // .../store/data/0.jnl, and the image beside it, where a test has asked for one.
        let store = path.and_then(|path| Path::new(path).parent()?.parent());
        let image = store.and_then(|store| Some(store.parent()?.join("image")));
        if let (Some(store), Some(image)) = (store, image.filter(|image| image.is_dir())) {
            static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
            let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
            // The writer waits here, but fjall's own threads may be putting tables in the place of
            // others: an image of neither state would be one that no loss of power leaves.
            while store.is_dir() && !copy_at_rest(store, &image) {}
        }
    }

    fn flush(&self) {}
}

/// Copies a directory that must not change meanwhile; says whether it did not.
fn copy_at_rest(from: &Path, to: &Path) -> bool {
    let Ok(before) = files(from) else {
        return false;
    };
    fs::remove_dir_all(to).unwrap();
    copy(from, to).is_ok() && files(from).is_ok_and(|after| after == before)
}

/// Every file below a folder with its length.
fn files(folder: &Path) -> io::Result<BTreeMap<PathBuf, u64>> {
    let mut found = BTreeMap::new();
    for name in fs::read_dir(folder)? {
        let name = name?;
        if name.file_type()?.is_dir() {
            found.extend(files(&name.path())?);
        } else {
            found.insert(name.path(), name.metadata()?.len());
        }
    }
    Ok(found)
}

/// Copies a directory; a journal up to the empty room at its end.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to).unwrap();
    for name in fs::read_dir(from)? {
        let name = name?;
        let target = to.join(name.file_name());
        if name.file_type()?.is_dir() {
            copy(&name.path(), &target)?;
        } else {
            copy_file(&name.path(), &target)?;
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let (mut from, mut to) = (File::open(from)?, File::create(to).unwrap());
    let mut chunk = vec![0; 1 << 16];
    loop {
        let read = from.read(&mut chunk)?;
        let content = chunk.get(..read).unwrap();
        if content.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        to.write_all(content).unwrap();
    }
}
