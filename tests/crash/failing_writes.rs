//! A disk that takes no more bytes.

use anabranch::log::Durability;
use anabranch::store::{EventStore, FjallStore, StoreError};

use super::content::{self, EPOCH, check_at_least, scratch, wait};
use super::process::{self, Second};

const BYTES: usize = 3_000;

/// Writes until a write fails, then demands that nothing is written any more and all can be read.
fn write_until_it_fails(folder: &std::path::Path) {
    let store = FjallStore::open(folder).unwrap();
    let opening = wait(store.begin(EPOCH)).unwrap();
    for number in content::groups(&opening) + 1.. {
        match wait(store.append(content::group(number, BYTES, Durability::Durable))) {
            Ok(_) => process::say(&format!("durable {number}")),
            Err(failure) => {
                process::say(&format!("failed {failure}"));
                break;
            }
        }
    }
    for _ in 0..2 {
        let refused = wait(store.append(content::group(1, BYTES, Durability::Buffered)));
        assert!(
            matches!(refused, Err(StoreError::Poisoned { .. })),
            "{refused:?}"
        );
        assert!(matches!(
            wait(store.flush()),
            Err(StoreError::Poisoned { .. })
        ));
    }
    assert!(
        !wait(store.since(0, content::ALL))
            .unwrap()
            .entries
            .is_empty()
    );
    assert!(wait(store.close()).is_err());
    process::say("done");
}

#[cfg(unix)]
#[test]
fn a_store_whose_write_failed_writes_no_more_and_loses_nothing() {
    if let Some(folder) = process::part() {
        return write_until_it_fails(&folder);
    }
    let home = scratch();
    let folder = home.path().join("store");
    let store = FjallStore::open(&folder).unwrap();
    wait(store.begin(EPOCH)).unwrap();
    wait(store.append(content::group(1, BYTES, Durability::Durable))).unwrap();
    wait(store.close()).unwrap();
    drop(store);
    let name = "crash::failing_writes::a_store_whose_write_failed_writes_no_more_and_loses_nothing";
    let mut held = 1;
    for blocks in [400, 800] {
        let mut second = Second::start(name, &folder, Some(blocks));
        let (mut failed, mut done) = (false, false);
        while let Some(line) = second.hear() {
            held = line
                .strip_prefix("durable ")
                .map_or(held, |number| number.parse().unwrap());
            // In a pause between two groups it is the next one that hears of it.
            let why = line.strip_prefix("failed ").unwrap_or_default();
            failed |= why.contains("store cannot write to the journal");
            done |= line == "done";
        }
        assert!(failed && done, "the file grew beyond its limit");
        held = check_at_least(&folder, held, BYTES);
    }
    assert!(held > 10);
}
