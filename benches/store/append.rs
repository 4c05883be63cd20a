//! Durable appends of one caller, group after group.

use anabranch::log::{Epoch, Group};
use anabranch::store::{EventStore, FjallStore};

use super::Wishes;
use super::content::{Authors, Fill, entry, group};
use super::raw::Raw;
use super::rows::{Rows, computed, median, timed};
use super::wait::wait;

/// Rounds of each kind, each of some groups.
const ROUNDS: usize = 15;

pub(super) fn measure(wishes: &Wishes, rows: &mut Rows) {
    rows.title("durable appends, one caller (events/s; each group fsynced)");
    let shapes: [(&str, u64, u64, usize); 4] = [
        ("1 event per group", 1, 1, 400),
        ("100 commits of 1 event per group", 100, 1, 60),
        ("1,000 commits of 1 event per group", 1_000, 1, 20),
        ("1 commit of 1,000 events per group", 1, 1_000, 20),
    ];
    for (what, commits, events, groups) in shapes {
        let groups = if wishes.quick { groups / 4 } else { groups };
        let found = compare(wishes, commits, events, groups);
        rows.row(
            what,
            &[
                ("ours", found.ours, 0),
                ("raw fjall", found.raw, 0),
                ("x", found.ratio, 2),
                ("ns computing", found.our_cpu, 0),
                ("raw", found.raw_cpu, 0),
            ],
        );
    }
}

/// Events per second, what they have in common, and time of all threads for each event.
struct Found {
    ours: f64,
    raw: f64,
    ratio: f64,
    our_cpu: f64,
    raw_cpu: f64,
}

fn compare(wishes: &Wishes, commits: u64, events: u64, groups: usize) -> Found {
    let folder = tempfile::tempdir_in(&wishes.folder).unwrap();
    let store = FjallStore::open(folder.path().join("ours")).unwrap();
    wait(store.begin(Epoch::from_bits(1))).unwrap();
    let mut raw = Raw::open(&folder.path().join("raw"));
    let mut authors = Authors::new(1, Fill::Random);
    let mut make = || {
        let entries = (0..commits).map(|_| entry(authors.commit(0, events)));
        group(entries.collect())
    };
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut our_cpu, mut raw_cpu) = (Vec::new(), Vec::new());
    let rounds = if wishes.quick { 5 } else { ROUNDS };
    for round in 0..=rounds {
        let batch: Vec<Group> = (0..groups).map(|_| make()).collect();
        let of_rows: Vec<Group> = batch.iter().map(rows_of).collect();
        // Who writes events has them in memory afterwards: nobody's time is to free them.
        let kept = batch.clone();
        let before = computed();
        let ((), raw_time) = timed(|| of_rows.iter().for_each(|group| raw.append(group)));
        let between = computed();
        let ((), our_time) = timed(|| {
            for group in batch {
                wait(store.append(group)).unwrap();
            }
        });
        let after = computed();
        drop(kept);
        if round == 0 {
            continue;
        }
        let written = (commits * events) as f64 * groups as f64;
        ours.push(written / our_time.as_secs_f64());
        theirs.push(written / raw_time.as_secs_f64());
        ratios.push(raw_time.as_secs_f64() / our_time.as_secs_f64());
        our_cpu.push((after - between) / written);
        raw_cpu.push((between - before) / written);
    }
    wait(store.close()).unwrap();
    Found {
        ours: median(ours),
        raw: median(theirs),
        ratio: median(ratios),
        our_cpu: median(our_cpu),
        raw_cpu: median(raw_cpu),
    }
}

/// For raw fjall each event is a row of the same bytes: commits of one event.
fn rows_of(group: &Group) -> Group {
    if group
        .entries
        .iter()
        .all(|entry| entry.commit.events().len() == 1)
    {
        return group.clone();
    }
    let events: usize = group
        .entries
        .iter()
        .map(|entry| entry.commit.events().len())
        .sum();
    Authors::new(1, Fill::Random).group(events as u64)
}
