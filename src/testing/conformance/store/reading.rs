//! How entries and what is known of events are found.

use std::vec::Vec;

use super::StoreGuard;
use super::author::{Author, ready, released, waiting};
use super::pace::{Pace, beside};
use super::rig::{ALL, Rig, block_on, range};
use crate::event::{Chain, Commit, EventId, Seq};
use crate::log::{Entry, Group};
use crate::store::{EventStore, ReadLimit};

pub fn past_the_end_there_is_nothing<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let mut rig = Rig::new(make);
    rig.append_all([ready(&Author::new(1).commit(&["a/1"]))]);
    for position in [1, 2, 1 << 63, u64::MAX] {
        let page = block_on(rig.store().since(position, ALL)).unwrap();
        assert!(page.entries.is_empty());
        assert_eq!(page.next, position);
        let page = block_on(rig.store().at(Vec::from([position]), ALL)).unwrap();
        assert!(page.entries.is_empty());
    }
}

pub fn a_page_ends_at_the_first_bound_but_is_never_empty<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    rig.append_all(
        (0..10)
            .map(|_| ready(&author.commit(&["a/1"])))
            .collect::<Vec<_>>(),
    );
    let size = rig.model.log[0].commit.bytes();
    let cases = [
        (
            ReadLimit {
                entries: 0,
                bytes: 0,
            },
            1,
        ),
        (
            ReadLimit {
                entries: 4,
                bytes: usize::MAX,
            },
            4,
        ),
        (
            ReadLimit {
                entries: usize::MAX,
                bytes: 1,
            },
            1,
        ),
        (
            ReadLimit {
                entries: usize::MAX,
                bytes: size,
            },
            1,
        ),
        (
            ReadLimit {
                entries: usize::MAX,
                bytes: size + 1,
            },
            2,
        ),
        (
            ReadLimit {
                entries: 3,
                bytes: size * 100,
            },
            3,
        ),
    ];
    for (limit, wanted) in cases {
        let page = block_on(rig.store().since(2, limit)).unwrap();
        assert_eq!(
            (page.entries.len(), page.next),
            (wanted, 2 + wanted as u64),
            "{limit:?}"
        );
        let page = block_on(rig.store().at((2..10).collect(), limit)).unwrap();
        assert_eq!(
            (page.entries.len(), page.next),
            (wanted, 2 + wanted as u64),
            "{limit:?}"
        );
    }
}

pub fn entries_are_read_at_the_positions_asked_for<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    let commits: Vec<_> = (0..6).map(|_| author.commit(&["a/1"])).collect();
    rig.append_all([
        waiting(&commits[1]),
        ready(&commits[0]),
        released(&commits[1]),
    ]);
    rig.append_all(commits[2..].iter().map(ready).collect::<Vec<_>>());
    let page = block_on(rig.store().at(Vec::from([2, 3, 6, 7]), ALL)).unwrap();
    let wanted: Vec<_> = [2, 3, 6]
        .map(|at| (at, rig.model.log[at as usize].clone()))
        .into();
    assert_eq!(page.entries, wanted);
    assert_eq!(page.next, 7);
    let page = block_on(rig.store().at(Vec::new(), ALL)).unwrap();
    assert!(page.entries.is_empty());
}

pub fn each_event_is_located_where_its_commit_arrived<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let (mut near, mut far) = (Author::new(1), Author::new(2));
    let triple = near.commit(&["a/1", "a/2", "a/3"]);
    let single = near.commit(&["a/1"]);
    let other = far.commit(&["a/1", "a/1"]);
    rig.append_all([
        waiting(&single),
        ready(&other),
        ready(&triple),
        released(&single),
    ]);
    let locate = |ranges| block_on(rig.store().locate(ranges)).unwrap();
    let (near, far) = (near.replica(), far.replica());
    assert_eq!(locate(Vec::from([range(near, 4, 4)])), [0]);
    assert_eq!(locate(Vec::from([range(near, 2, 2)])), [2]);
    assert_eq!(
        locate(Vec::from([range(near, 3, 99), range(near, 1, 1)])),
        [0, 2]
    );
    assert_eq!(
        locate(Vec::from([range(far, 2, u64::MAX), range(near, 1, 1)])),
        [1, 2]
    );
    assert!(locate(Vec::from([range(near, 5, 99), range(far, 9, 3)])).is_empty());
    assert!(locate(Vec::from([range(Author::new(3).replica(), 1, 9)])).is_empty());
    assert!(locate(Vec::new()).is_empty());
}

pub fn digest_chain_and_stamp_are_known_of_each_event<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    let commits = [author.commit(&["a/1", "a/2"]), author.commit(&["a/1"])];
    rig.append_all(commits.iter().map(ready).collect::<Vec<_>>());
    let events: Vec<_> = commits.iter().flat_map(Commit::events).collect();
    let ids = events.iter().map(|event| event.id()).collect();
    let mut chain = Chain::START;
    for (event, known) in events.iter().zip(block_on(rig.store().known(ids)).unwrap()) {
        let known = known.unwrap();
        chain = chain.extend(event.digest());
        assert_eq!(known.digest, event.digest());
        assert_eq!(known.chain, Some(chain));
        assert_eq!(known.timestamp, event.timestamp());
    }
}

pub fn a_chain_is_known_where_everything_before_it_was_here<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    let commits: Vec<_> = (0..4).map(|_| author.commit(&["a/1", "a/2"])).collect();
    rig.append_all([ready(&commits[0]), ready(&commits[2]), ready(&commits[1])]);
    rig.append_all([ready(&commits[3])]);
    let ids = (1..=8)
        .map(|n| EventId::new(author.replica(), Seq::new(n).unwrap()))
        .collect();
    let known = block_on(rig.store().known(ids)).unwrap();
    let chained: Vec<_> = known
        .iter()
        .map(|known| known.unwrap().chain.is_some())
        .collect();
    assert_eq!(chained, [true, true, true, true, false, false, true, true]);
    let whole = commits
        .iter()
        .fold(Chain::START, |chain, commit| commit.chain_after(chain));
    assert_eq!(known[7].unwrap().chain, Some(whole));
    rig.reopen();
}

pub fn a_chain_value_that_the_caller_brings_is_not_believed<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    let [first, second, third] = [(); 3].map(|()| author.commit(&["a/1"]));
    let wrong = Some(third.chain_after(Chain::START));
    let claim = |entry| Entry {
        chain_before: wrong,
        ..entry
    };
    rig.append_all([claim(ready(&first)), claim(waiting(&third))]);
    rig.check();
    rig.append_all([claim(ready(&second))]);
    rig.reopen();
}

pub fn a_released_entry_keeps_the_chain_value_it_was_given<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(1);
    let (first, second) = (author.commit(&["a/1"]), author.commit(&["a/1"]));
    let chain_before = Some(first.chain_after(Chain::START));
    let release = Entry {
        chain_before,
        ..released(&second)
    };
    rig.append_all([waiting(&second), ready(&first), release]);
    let page = block_on(rig.store().since(0, ALL)).unwrap();
    let chains: Vec<_> = page
        .entries
        .iter()
        .map(|(_, entry)| entry.chain_before)
        .collect();
    assert_eq!(chains, [None, Some(Chain::START), chain_before]);
}

pub fn nothing_is_known_of_an_event_that_is_not_here<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    let mut rig = Rig::new(make);
    let mut author = Author::new(2);
    let missing = author.commit(&["a/1", "a/2"]);
    let here = author.commit(&["a/1"]);
    rig.append_all([waiting(&here)]);
    let stranger = Author::new(1).commit(&["a/1"]);
    let after = EventId::new(author.replica(), Seq::new(4).unwrap());
    let far = EventId::new(Author::new(3).replica(), Seq::new(u64::MAX).unwrap());
    let ids = [
        missing.id(),
        missing.events()[1].id(),
        stranger.id(),
        after,
        far,
        here.id(),
    ];
    let known = block_on(rig.store().known(ids.into())).unwrap();
    let there: Vec<_> = known.iter().map(Option::is_some).collect();
    assert_eq!(there, [false, false, false, false, false, true]);
}

pub fn a_reader_beside_a_writer_sees_whole_groups_in_order<G: StoreGuard>(
    make: &impl Fn() -> (G, G::Store),
) {
    const GROUPS: u64 = 60;
    const SIZE: u64 = 5;
    let rig = Rig::new(make);
    let store = rig.store();
    let mut author = Author::new(1);
    let commits: Vec<_> = (0..GROUPS * SIZE)
        .map(|_| author.commit(&["a/1"]))
        .collect();
    let write = |pace: &Pace| {
        let mut last = 0;
        for chunk in commits.chunks(SIZE as usize) {
            last = pace.write(last);
            let entries = chunk.iter().map(ready).collect();
            block_on(store.append(Group {
                entries,
                ..Group::default()
            }))
            .unwrap();
        }
    };
    let read = |pace: &Pace| {
        let mut next = 0;
        while next < GROUPS * SIZE {
            pace.read();
            let page = block_on(store.since(next, ALL)).unwrap();
            for (position, entry) in &page.entries {
                assert_eq!(*position, next);
                assert_eq!(entry.commit, commits[next as usize]);
                next += 1;
            }
            assert_eq!(next % SIZE, 0, "a group was seen in part");
        }
    };
    beside(write, &[&read]);
}
