//! Bytes that are not what was written.
//!
//! Whatever is done to one file, the store either refuses to open, or answers each question rightly
//! or with an error. It never panics, and never takes less for all.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anabranch::log::Durability;
use anabranch::store::{EventStore, FjallStore, StoreError};

use super::content::{EPOCH, check, check_at_least, group, groups, scratch, wait};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    FlipBit,
    ZeroSector,
    Truncate,
    Garbage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Refused,
    Unreadable,
    Whole,
}

pub(super) struct Fixture {
    pub(super) folder: tempfile::TempDir,
    groups: u64,
    bytes: usize,
}

impl Fixture {
    /// A store whose content lies in the journal, as a process that was killed leaves it.
    fn in_journal() -> Self {
        Self::new(40, 100, false)
    }

    /// A store whose content lies in tables, as a clean close leaves it.
    pub(super) fn in_tables() -> Self {
        Self::new(100, 5_000, true)
    }

    fn new(number: u64, bytes: usize, clean: bool) -> Self {
        let folder = scratch();
        let store = FjallStore::open(folder.path()).unwrap();
        wait(store.begin(EPOCH)).unwrap();
        for n in 1..=number {
            let last = if n % 20 == 0 || n == number {
                Durability::Durable
            } else {
                Durability::Buffered
            };
            wait(store.append(group(n, bytes, last))).unwrap();
        }
        if clean {
            wait(store.close()).unwrap();
        }
        drop(store);
        let (journal, content) = journal(folder.path());
        fs::write(journal, content).unwrap();
        Self {
            folder,
            groups: number,
            bytes,
        }
    }

    /// Files that hold something and that somebody reads: no lock, no manifest that was replaced.
    pub(super) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        walk(self.folder.path(), &mut |path| {
            let bytes = content(path);
            let name = path.file_name().unwrap().to_str().unwrap();
            let newer = name.strip_prefix('v').and_then(|id| id.parse::<u64>().ok());
            let newer = newer.map(|id| path.with_file_name(format!("v{}", id + 1)));
            if bytes.is_empty() || name == "lock" || newer.is_some_and(|path| path.exists()) {
                return;
            }
            files.push((
                path.strip_prefix(self.folder.path()).unwrap().to_path_buf(),
                bytes,
            ));
        });
        files.sort();
        files
    }

    fn outcome(&self, folder: &Path) -> Outcome {
        let store = match FjallStore::open(folder) {
            Ok(store) => store,
            Err(error) => {
                let expected = matches!(
                    error,
                    StoreError::Damaged { .. }
                        | StoreError::NotAStore { .. }
                        | StoreError::UnsupportedFormat { .. }
                        | StoreError::Io { .. }
                );
                assert!(expected, "{error}");
                return Outcome::Refused;
            }
        };
        let Ok(opening) = wait(store.begin(EPOCH)) else {
            return Outcome::Unreadable;
        };
        assert_eq!(groups(&opening), self.groups, "groups were lost in silence");
        match check(&store, &opening, self.groups, self.bytes) {
            Ok(()) => Outcome::Whole,
            Err(_) => Outcome::Unreadable,
        }
    }

    /// Harms one file of a copy.
    fn harm(&self, file: &Path, bytes: &[u8], harm: Harm, at: usize) -> Outcome {
        let copy = scratch();
        self::copy(self.folder.path(), copy.path());
        let mut bytes = bytes.to_vec();
        match harm {
            Harm::FlipBit => bytes[at] ^= 1 << (at % 8),
            Harm::ZeroSector => {
                let end = bytes.len().min(at + 512);
                bytes[at..end].fill(0);
            }
            Harm::Truncate => bytes.truncate(at),
            Harm::Garbage => bytes.extend((0..700).map(|n| u8::try_from(n % 251).unwrap() ^ 0x5a)),
        }
        fs::write(copy.path().join(file), bytes).unwrap();
        self.outcome(copy.path())
    }

    /// Harms every file in every way at several places, and counts the outcomes.
    fn harm_everything(&self, places: usize) -> BTreeMap<Outcome, usize> {
        let mut counts = BTreeMap::new();
        for (file, bytes) in self.files() {
            for harm in [
                Harm::FlipBit,
                Harm::ZeroSector,
                Harm::Truncate,
                Harm::Garbage,
            ] {
                let places = if harm == Harm::Garbage { 1 } else { places };
                for place in 0..places {
                    let at = (bytes.len() - 1) * (2 * place + 1) / (2 * places);
                    let outcome = self.harm(&file, &bytes, harm, at);
                    println!("{} {harm:?} at {at}: {outcome:?}", file.display());
                    *counts.entry(outcome).or_default() += 1;
                }
            }
        }
        counts
    }
}

/// Copies a folder; a journal without the empty room at its end.
pub(super) fn copy(from: &Path, to: &Path) {
    walk(from, &mut |path| {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, content(path)).unwrap();
    });
}

/// The bytes of a file; of a journal those before the empty room at its end.
fn content(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    if is_journal(path) {
        let used = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        bytes.truncate(used);
    }
    bytes
}

fn is_journal(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jnl")
}

fn walk(folder: &Path, visit: &mut impl FnMut(&Path)) {
    for name in fs::read_dir(folder).unwrap() {
        let path = name.unwrap().path();
        if path.is_dir() {
            walk(&path, visit);
        } else {
            visit(&path);
        }
    }
}

#[test]
fn a_harmed_journal_is_never_taken_for_a_shorter_log() {
    let fixture = Fixture::in_journal();
    let (journal, bytes) = fixture
        .files()
        .into_iter()
        .find(|(path, _)| is_journal(path))
        .unwrap();
    for harm in [Harm::FlipBit, Harm::ZeroSector, Harm::Truncate] {
        for place in 1..30 {
            let at = bytes.len() * place / 30;
            let outcome = fixture.harm(&journal, &bytes, harm, at);
            assert_eq!(
                outcome,
                Outcome::Refused,
                "{harm:?} at {at} of {}",
                bytes.len()
            );
        }
    }
    for garbage in 0..3 {
        let cut = bytes.len() - garbage;
        let outcome = fixture.harm(&journal, &bytes[..cut], Harm::Garbage, 0);
        let expected = if garbage == 0 {
            Outcome::Whole
        } else {
            Outcome::Refused
        };
        assert_eq!(outcome, expected, "garbage after {garbage} bytes were cut");
    }
}

#[test]
fn no_harm_to_a_store_in_its_journal_is_silent() {
    let counts = Fixture::in_journal().harm_everything(2);
    println!("{counts:?}");
    assert!(counts.contains_key(&Outcome::Refused) && counts.contains_key(&Outcome::Whole));
}

#[test]
fn no_harm_to_a_store_in_tables_is_silent() {
    let counts = Fixture::in_tables().harm_everything(2);
    println!("{counts:?}");
    assert!(counts.contains_key(&Outcome::Refused) && counts.contains_key(&Outcome::Unreadable));
}

#[test]
fn a_buffered_tail_that_is_gone_is_no_damage() {
    let fixture = Fixture::new(37, 100, false);
    let store = FjallStore::open(fixture.folder.path()).unwrap();
    wait(store.begin(EPOCH)).unwrap();
    let before = journal(fixture.folder.path()).1;
    for number in 38..45 {
        wait(store.append(group(number, 100, Durability::Buffered))).unwrap();
    }
    drop(store);
    let (path, after) = journal(fixture.folder.path());
    let mut kept = Vec::new();
    for cut in [
        before.len(),
        before.len().midpoint(after.len()),
        after.len() - 1,
        after.len(),
    ] {
        let copy = scratch();
        self::copy(fixture.folder.path(), copy.path());
        let target = copy
            .path()
            .join(path.strip_prefix(fixture.folder.path()).unwrap());
        fs::write(target, &after[..cut]).unwrap();
        kept.push(check_at_least(copy.path(), 37, 100));
    }
    assert!(
        kept.is_sorted() && kept[0] == 37 && kept[2] == 43 && kept[3] == 44,
        "{kept:?}"
    );
}

fn journal(folder: &Path) -> (PathBuf, Vec<u8>) {
    let mut found = None;
    walk(folder, &mut |path| {
        if is_journal(path) {
            found = Some(path.to_path_buf());
        }
    });
    let path = found.unwrap();
    let bytes = content(&path);
    (path, bytes)
}
