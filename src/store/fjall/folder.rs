//! A store's directory: what it is, who has it open, and how far it was fsynced.
//!
//! ```text
//! format   "anabranch store\nformat 3\n", and "founding\n" until the tables are there
//! lock     locked by the operating system while open; holds "process 4711 (anabranch serve)"
//! mark     the high-water mark, see `mark`
//! data/    fjall's files
//! ```
//!
//! Invariant: a directory that holds anything else is refused and not touched, and files are only
//! ever removed from one whose format says that it is still being founded.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::string::String;

use super::mark::Mark;
use crate::store::StoreError;

const FORMAT: u32 = 3;
const MAGIC: &str = "anabranch store\nformat ";
const FOUNDING: &str = "founding\n";
const HOLDER: &str = "process ";

/// A directory that this process has locked.
pub(super) struct Folder {
    path: PathBuf,
    /// Whether its tables must still be made.
    pub(super) founding: bool,
    pub(super) mark: Mark,
    /// Held until the folder is dropped.
    _lock: File,
}

/// What a directory is before it is touched.
enum Found {
    Nothing,
    Founding,
    Store,
}

impl Folder {
    /// Takes possession of a directory, which is made if it is absent.
    pub(super) fn claim(path: &Path) -> Result<Self, StoreError> {
        let is_new = !path.exists();
        if is_new {
            fs::create_dir_all(path).map_err(failed("create", path))?;
        }
        inspect(path)?;
        let lock = lock(path)?;
        let found = inspect(path)?;
        let mark = path.join("mark");
        if matches!(found, Found::Store) {
            let mark = Mark::open(&mark)?;
            return Ok(Self {
                path: path.into(),
                founding: false,
                mark,
                _lock: lock,
            });
        }
        write_format(path, FOUNDING)?;
        if let Some(parent) = path.parent().filter(|_| is_new) {
            sync_folder(if parent.as_os_str().is_empty() {
                Path::new(".")
            } else {
                parent
            })?;
        }
        let data = path.join("data");
        if data.exists() {
            fs::remove_dir_all(&data).map_err(failed("clear", &data))?;
        }
        let mark = Mark::create(&mark)?;
        Ok(Self {
            path: path.into(),
            founding: true,
            mark,
            _lock: lock,
        })
    }

    /// Where fjall's files are.
    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Says that the tables are there, durably.
    pub(super) fn founded(&mut self) -> Result<(), StoreError> {
        write_format(&self.path, "")?;
        self.founding = false;
        Ok(())
    }
}

fn inspect(path: &Path) -> Result<Found, StoreError> {
    let not_a_store = |reason: String| StoreError::NotAStore {
        path: path.into(),
        reason,
    };
    if !path.is_dir() {
        return Err(not_a_store("it is not a directory".into()));
    }
    let format = match fs::read(path.join("format")) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            for name in fs::read_dir(path).map_err(failed("read", path))? {
                let name = name.map_err(failed("read", path))?;
                if name.file_name() != "format.new" && !is_our_lock(&name.path()) {
                    let name = name.file_name().to_string_lossy().into_owned();
                    return Err(not_a_store(format!(
                        "it holds `{name}` but no file `format`"
                    )));
                }
            }
            return Ok(Found::Nothing);
        }
        Err(error) => return Err(StoreError::io("read format", &error)),
    };
    let text = std::str::from_utf8(&format).unwrap_or_default();
    let parsed = text
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.split_once('\n'));
    let Some((Ok(found), rest)) = parsed.map(|(number, rest)| (number.parse::<u32>(), rest)) else {
        return Err(not_a_store("its file `format` is not one of ours".into()));
    };
    if found < FORMAT {
        return Err(StoreError::OutdatedFormat {
            path: path.into(),
            found,
            min: FORMAT,
        });
    }
    if found > FORMAT {
        return Err(StoreError::UnsupportedFormat {
            path: path.into(),
            found,
            max: FORMAT,
        });
    }
    match rest {
        "" => Ok(Found::Store),
        FOUNDING => Ok(Found::Founding),
        _ => Err(not_a_store("its file `format` is not one of ours".into())),
    }
}

fn is_our_lock(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "lock")
        && fs::read_to_string(path).is_ok_and(|text| text.is_empty() || text.starts_with(HOLDER))
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let lock_path = path.join("lock");
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&lock_path);
    let mut file = opened.map_err(failed("open", &lock_path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(error)) => return Err(failed("lock", &lock_path)(error)),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let read = file.read_to_string(&mut holder);
            let holder = holder.lines().next().map(String::from);
            let holder = holder.filter(|line| read.is_ok() && line.starts_with(HOLDER));
            return Err(StoreError::Locked {
                path: path.into(),
                holder,
            });
        }
    }
    let written = file
        .set_len(0)
        .and_then(|()| writeln!(file, "{}", holder()));
    written.map_err(failed("write", &lock_path))?;
    Ok(file)
}

/// Names this process without what its later arguments may say in confidence.
fn holder() -> String {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_default();
    let program = Path::new(&program)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let command = arguments
        .next()
        .map(|word| word.to_string_lossy().into_owned());
    let command = command
        .filter(|word| !word.starts_with('-'))
        .map(|word| format!(" {word}"));
    let called: String = (program + &command.unwrap_or_default())
        .chars()
        .filter(|character| !character.is_control())
        .take(100)
        .collect();
    format!("{HOLDER}{} ({called})", std::process::id())
}

fn write_format(path: &Path, state: &str) -> Result<(), StoreError> {
    let new = path.join("format.new");
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(format!("{MAGIC}{FORMAT}\n{state}").as_bytes())?;
        file.sync_all()
    });
    written.map_err(failed("write", &new))?;
    fs::rename(&new, path.join("format")).map_err(failed("rename", &new))?;
    sync_folder(path)
}

/// Makes the names in a directory durable, where the system knows such a thing.
pub(super) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    if cfg!(unix) {
        File::open(path)
            .and_then(|folder| folder.sync_all())
            .map_err(failed("fsync", path))?;
    }
    Ok(())
}

fn failed(verb: &str, path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let action = format!("{verb} {}", path.display());
    move |error| StoreError::io(&action, &error)
}
