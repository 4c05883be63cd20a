//! Processes that are killed in the middle of writing, and in the middle of opening.

use std::path::Path;

use anabranch::log::Durability;
use anabranch::store::{EventStore, FjallStore, StoreError};

use super::content::{self, EPOCH, check_at_least, scratch, wait};
use super::process::{self, Second};

const BYTES: usize = 3_000;

/// Writes groups until it is killed, some of them queued behind others, some buffered.
fn write_until_killed(folder: &Path) {
    process::say("opening");
    let store = FjallStore::open(folder).unwrap();
    let opening = wait(store.begin(EPOCH)).unwrap();
    let mut next = content::groups(&opening) + 1;
    process::say("open");
    loop {
        let burst: Vec<_> = (next..next + 1 + next % 3)
            .map(|number| {
                let durability = if number % 4 == 0 {
                    Durability::Buffered
                } else {
                    Durability::Durable
                };
                let group = content::group(number, BYTES, durability);
                (number, durability, store.append(group))
            })
            .collect();
        for (number, durability, append) in burst {
            wait(append).unwrap();
            if durability == Durability::Durable {
                process::say(&format!("durable {number}"));
            }
            next = number + 1;
        }
    }
}

fn acknowledged(line: &str) -> Option<u64> {
    line.strip_prefix("durable ")
        .and_then(|number| number.parse().ok())
}

#[test]
fn what_was_acknowledged_is_there_once_after_each_kill() {
    if let Some(folder) = process::part() {
        return write_until_killed(&folder);
    }
    let home = scratch();
    let folder = home.path().join("store");
    let name = "crash::kill::what_was_acknowledged_is_there_once_after_each_kill";
    let (mut last, mut held) = (0, 0);
    for cycle in 0..24_u64 {
        let mut second = Second::start(name, &folder, None);
        // Some are killed while they open, the others after some groups.
        let mut wanted = (cycle % 4) * (1 + cycle % 7) * 3;
        assert_eq!(second.hear().as_deref(), Some("opening"));
        while wanted > 0 {
            let line = second.hear().expect("it writes until it is killed");
            if let Some(number) = acknowledged(&line) {
                last = number;
                wanted -= 1;
            }
        }
        last = second
            .kill()
            .iter()
            .filter_map(|line| acknowledged(line))
            .fold(last, u64::max);
        if cycle % 3 == 1 {
            held = check_at_least(&folder, last.max(held), BYTES);
            last = held;
        }
    }
    assert!(check_at_least(&folder, last, BYTES) > 50);
}

#[test]
fn a_second_process_is_told_who_has_the_store() {
    if let Some(folder) = process::part() {
        let store = FjallStore::open(folder).unwrap();
        wait(store.begin(EPOCH)).unwrap();
        process::say("open");
        return stay();
    }
    let home = scratch();
    let name = "crash::kill::a_second_process_is_told_who_has_the_store";
    let mut second = Second::start(name, home.path(), None);
    assert_eq!(second.hear().as_deref(), Some("open"));
    let pid = second.id();
    let Err(StoreError::Locked { path, holder }) = FjallStore::open(home.path()) else {
        panic!("two processes have the store");
    };
    assert_eq!(path, home.path());
    let holder = holder.unwrap();
    assert!(
        holder.starts_with(&format!("process {pid} (crash")),
        "{holder}"
    );
    second.kill();
    let store = FjallStore::open(home.path()).unwrap();
    assert!(!wait(store.begin(EPOCH)).unwrap().clean);
}

/// Stays until its parent kills it or is gone.
fn stay() {
    let mut line = String::new();
    drop(std::io::stdin().read_line(&mut line));
}
