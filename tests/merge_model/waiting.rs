//! What waits, for what, and what lets it go.

use std::collections::BTreeSet;

use anabranch::event::{Chain, Commit, Event, EventId, ReplicaId};
use anabranch::merge::{Inbox, Ready, Receipt};
use proptest::prelude::*;

use crate::authors::{Authors, Line, seq};
use crate::random::{deliveries, play, steps};

const ALICE: ReplicaId = ReplicaId::new(1, 0);
const BOB: ReplicaId = ReplicaId::new(2, 0);

fn arrived(receipt: Receipt) -> (bool, Option<Chain>, Vec<EventId>) {
    let Receipt::Arrived {
        ready,
        chain_before,
        released,
    } = receipt
    else {
        panic!("a duplicate");
    };
    (
        ready,
        chain_before,
        released.iter().map(|ready| ready.commit.id()).collect(),
    )
}

/// Alice writes twice, Bob sees the second and writes to another aggregate, too.
fn three() -> Authors {
    let mut authors = Authors::default();
    authors.write(ALICE, &BTreeSet::new(), &[Line::new(0, 1)], 1);
    authors.write(ALICE, &BTreeSet::from([0]), &[Line::new(1, 1)], 1);
    authors.write(
        BOB,
        &BTreeSet::from([0, 1]),
        &[Line::new(1, 1), Line::new(2, 1)],
        1,
    );
    authors
}

#[test]
fn a_commit_waits_for_what_it_names_and_for_its_writers_earlier_events() {
    let authors = three();
    let [first, second, third] = &authors.commits[..] else {
        panic!()
    };
    let mut inbox = Inbox::new();
    assert_eq!(
        arrived(inbox.receive(third)),
        (false, Some(Chain::START), vec![])
    );
    assert_eq!(inbox.missing(third), [second.id()]);
    assert_eq!(arrived(inbox.receive(second)), (false, None, vec![]));
    assert_eq!(inbox.missing(second), [first.id()]);
    assert_eq!(inbox.missing(third), []);
    let waiting: Vec<_> = inbox
        .waiting()
        .map(|(commit, ids)| (commit.id(), ids))
        .collect();
    assert_eq!(
        waiting,
        [
            (second.id(), vec![first.id()]),
            (third.id(), vec![second.id()])
        ]
    );
    assert!(inbox.received().contains(second.id()) && !inbox.is_ready(second.id()));
    let released = vec![second.id(), third.id()];
    assert_eq!(
        arrived(inbox.receive(first)),
        (true, Some(Chain::START), released)
    );
    assert_eq!(inbox.waiting_len(), 0);
    for commit in &authors.commits {
        assert_eq!(inbox.receive(commit), Receipt::Duplicate);
    }
}

#[test]
fn a_released_commit_brings_its_chain_value() {
    let authors = three();
    let [first, second, _] = &authors.commits[..] else {
        panic!()
    };
    let mut inbox = Inbox::new();
    inbox.receive(second);
    let Receipt::Arrived { released, .. } = inbox.receive(first) else {
        panic!()
    };
    let after = first.chain_after(Chain::START);
    assert_eq!(
        released,
        [Ready {
            commit: second.clone(),
            chain_before: Some(after)
        }]
    );
}

#[test]
fn a_long_chain_is_released_without_recursion() {
    let mut authors = Authors::default();
    for number in 0..3_000usize {
        // Two writers in turn, each naming the other's last event.
        let known = number.checked_sub(1).into_iter().collect();
        let replica = if number % 2 == 0 { ALICE } else { BOB };
        authors.write(replica, &known, &[Line::new(0, 1)], number as u64);
    }
    let mut inbox = Inbox::new();
    for commit in authors.commits.iter().skip(1).rev() {
        assert!(!arrived(inbox.receive(commit)).0);
    }
    let (ready, _, released) = arrived(inbox.receive(&authors.commits[0]));
    assert!(ready);
    let expected: Vec<EventId> = authors.commits.iter().skip(1).map(Commit::id).collect();
    assert_eq!(released, expected);
}

#[test]
fn an_overlapping_commit_counts_as_a_duplicate() {
    let mut one = Authors::default();
    one.write(ALICE, &BTreeSet::new(), &[Line::new(0, 1)], 1);
    let mut other = Authors::default();
    other.write(
        ALICE,
        &BTreeSet::new(),
        &[Line::new(0, 1), Line::new(0, 1)],
        1,
    );
    let mut inbox = Inbox::new();
    inbox.receive(&one.commits[0]);
    assert_eq!(inbox.receive(&other.commits[0]), Receipt::Duplicate);
    assert!(!inbox.received().contains(EventId::new(ALICE, seq(2))));
}

proptest! {
    #[test]
    fn a_restored_inbox_goes_on_as_the_old_one(
        steps in steps(4),
        deliveries in deliveries(),
        at in 0usize..60,
        chains_known in any::<bool>(),
    ) {
        let authors = play(4, &steps);
        prop_assume!(!authors.commits.is_empty());
        let mut inbox = Inbox::new();
        let mut restored = Inbox::new();
        for (number, delivery) in deliveries.iter().enumerate() {
            if number == at {
                let waiting = inbox.waiting().map(|(commit, _)| {
                    let chain = chain_before(&authors, commit, inbox.received());
                    (commit.clone(), chain.filter(|_| chains_known))
                });
                let (again, released) = Inbox::restored(inbox.received().clone(), waiting);
                prop_assert_eq!(released, []);
                restored = again;
            } else if number < at {
                inbox.receive(&authors.commits[delivery.index(authors.commits.len())]);
                continue;
            }
            let commit = &authors.commits[delivery.index(authors.commits.len())];
            let (one, other) = (inbox.receive(commit), restored.receive(commit));
            if chains_known {
                prop_assert_eq!(one, other);
            } else if one != Receipt::Duplicate {
                prop_assert_eq!(arrived(one), arrived(other));
            }
            let waiting = |inbox: &Inbox| -> Vec<(EventId, Vec<EventId>)> {
                inbox.waiting().map(|(commit, ids)| (commit.id(), ids)).collect()
            };
            prop_assert_eq!(waiting(&inbox), waiting(&restored));
        }
    }

    #[test]
    fn what_a_store_failed_to_release_is_released_when_the_inbox_is_restored(steps in steps(4)) {
        let authors = play(4, &steps);
        let mut inbox = Inbox::new();
        for commit in &authors.commits {
            inbox.receive(commit);
        }
        let all = authors.commits.iter().map(|commit| {
            (commit.clone(), chain_before(&authors, commit, inbox.received()))
        });
        let (again, released) = Inbox::restored(inbox.received().clone(), all);
        prop_assert_eq!(released.len(), authors.commits.len());
        prop_assert_eq!(again.waiting_len(), 0);
        let mut before = BTreeSet::new();
        for Ready { commit, .. } in released {
            before.extend(commit.events().iter().map(Event::id));
            let mut heads = commit.events().iter().flat_map(Event::heads);
            prop_assert!(heads.all(|head| before.contains(&head.id)), "not in a causal order");
        }
    }
}

/// The chain value before a commit, as a store knows it: where everything before it is here.
fn chain_before(
    authors: &Authors,
    commit: &Commit,
    received: &anabranch::log::Received,
) -> Option<Chain> {
    let before = commit.span().first().previous();
    if received.chain(commit.replica()).map(|(seq, _)| seq) < before {
        return None;
    }
    let own = authors
        .commits
        .iter()
        .filter(|other| other.replica() == commit.replica());
    let earlier = own.take_while(|other| other.id() != commit.id());
    Some(earlier.fold(Chain::START, |chain, other| other.chain_after(chain)))
}
