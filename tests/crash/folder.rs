//! Folders that are something else, or somebody else's, or not whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anabranch::log::Durability;
use anabranch::store::{EventStore, FjallStore, StoreError};

use super::content::{self, EPOCH, check_at_least, scratch, wait};

/// Names and bytes of all files, without the lock, which every opener may write.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for name in fs::read_dir(folder).unwrap() {
        let path = name.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.file_name().unwrap() != "lock" {
            files.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    files
}

fn store_with(folder: &Path, groups: u64) {
    let store = FjallStore::open(folder).unwrap();
    wait(store.begin(EPOCH)).unwrap();
    for number in 1..=groups {
        wait(store.append(content::group(number, 100, Durability::Durable))).unwrap();
    }
    wait(store.close()).unwrap();
}

#[test]
fn a_folder_that_holds_something_else_is_refused_and_not_touched() {
    for (name, text) in [
        ("thesis.txt", "years of work"),
        ("format", "PNG"),
        ("lock", "4711\n"),
    ] {
        let folder = scratch();
        fs::write(folder.path().join(name), text).unwrap();
        let refused = FjallStore::open(folder.path());
        assert!(
            matches!(refused, Err(StoreError::NotAStore { .. })),
            "{name}: {refused:?}"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), text);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let refused = FjallStore::open(file.path());
    assert!(
        matches!(refused, Err(StoreError::NotAStore { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_newer_format_is_refused_and_not_touched() {
    let folder = scratch();
    store_with(folder.path(), 3);
    let format = folder.path().join("format");
    fs::write(
        &format,
        fs::read_to_string(&format)
            .unwrap()
            .replace("format 3", "format 4"),
    )
    .unwrap();
    let before = files(folder.path());
    let refused = FjallStore::open(folder.path());
    assert!(
        matches!(
            refused,
            Err(StoreError::UnsupportedFormat {
                found: 4,
                max: 3,
                ..
            })
        ),
        "{refused:?}"
    );
    assert_eq!(files(folder.path()), before);
}

#[test]
fn an_older_format_is_refused_and_not_touched() {
    let folder = scratch();
    fs::write(folder.path().join("format"), "anabranch store\nformat 1\n").unwrap();
    fs::write(folder.path().join("mark"), "as it was written then").unwrap();
    let before = files(folder.path());
    let refused = FjallStore::open(folder.path());
    assert!(
        matches!(
            refused,
            Err(StoreError::OutdatedFormat {
                found: 1,
                min: 3,
                ..
            })
        ),
        "{refused:?}"
    );
    assert_eq!(files(folder.path()), before);
}

#[test]
fn the_same_process_cannot_open_a_store_twice() {
    let folder = scratch();
    let store = FjallStore::open(folder.path()).unwrap();
    let Err(StoreError::Locked { holder, .. }) = FjallStore::open(folder.path()) else {
        panic!("opened twice");
    };
    assert!(
        holder
            .unwrap()
            .starts_with(&format!("process {} (", std::process::id()))
    );
    wait(store.close()).unwrap();
    drop(FjallStore::open(folder.path()).unwrap());
}

#[test]
fn a_store_that_was_being_founded_is_founded_again() {
    let folder = scratch();
    let new = "anabranch store\nformat 3\nfounding\n";
    fs::write(folder.path().join("lock"), "process 4711 (anabranch)\n").unwrap();
    fs::write(folder.path().join("format.new"), "anabr").unwrap();
    store_with(folder.path(), 2);
    check_at_least(folder.path(), 2, 100);
    let half = scratch();
    fs::write(half.path().join("format"), new).unwrap();
    fs::create_dir_all(half.path().join("data/keyspaces/0")).unwrap();
    fs::write(half.path().join("data/0.jnl"), "half").unwrap();
    store_with(half.path(), 2);
    check_at_least(half.path(), 2, 100);
}

#[test]
fn a_folder_of_which_something_is_missing_is_refused() {
    let folder = scratch();
    store_with(folder.path(), 6);
    let missing = |what: &str| {
        let copy = scratch();
        super::damage::copy(folder.path(), copy.path());
        let path = copy.path().join(what);
        let journal = fs::read_dir(copy.path().join("data")).unwrap().flatten();
        let journal = journal
            .map(|name| name.path())
            .find(|path| path.extension().is_some());
        match what {
            "journal" => fs::remove_file(journal.unwrap()).unwrap(),
            _ if path.is_dir() => fs::remove_dir_all(path).unwrap(),
            _ => fs::remove_file(path).unwrap(),
        }
        let refused = FjallStore::open(copy.path());
        let expected = match what {
            "format" => matches!(refused, Err(StoreError::NotAStore { .. })),
            _ => matches!(refused, Err(StoreError::Damaged { .. })),
        };
        assert!(expected, "{what}: {refused:?}");
    };
    let parts = [
        "data/version",
        "data/keyspaces/1",
        "data/keyspaces/3/current",
    ];
    for what in ["format", "mark", "data", "journal"]
        .into_iter()
        .chain(parts)
    {
        missing(what);
    }
    check_at_least(folder.path(), 6, 100);
}

#[cfg(unix)]
#[test]
fn a_folder_that_may_not_be_written_is_an_error_that_names_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = scratch();
    let path = folder.path().join("below/store");
    fs::write(
        folder.path().join("below"),
        "a file where a folder should be",
    )
    .unwrap();
    let refused = FjallStore::open(&path).unwrap_err();
    assert!(refused.to_string().contains("below/store"), "{refused}");
    let shut = scratch();
    fs::set_permissions(shut.path(), fs::Permissions::from_mode(0o500)).unwrap();
    // Whoever may write everywhere opens it all the same.
    if let Err(refused) = FjallStore::open(shut.path().join("store")) {
        assert!(matches!(refused, StoreError::Io { .. }), "{refused}");
        assert!(refused.to_string().contains("store"), "{refused}");
    }
}
