//! For tests of rules: every history of a few events, whoever had seen what, in every order.

use alloc::vec;
use alloc::vec::Vec;

use crate::event::{EventId, ReplicaId, Seq};

/// The past of each event: the numbers of the events that its writer had seen, and of those that
/// their writers had. Events are numbered in canonical order.
pub(super) type Pasts = Vec<Vec<usize>>;

/// Every way in which so many events can have seen each other: 1, 2, 7, 40 and 357 for 1 to 5.
pub(super) fn all_pasts(events: usize) -> Vec<Pasts> {
    let mut all = vec![Pasts::new()];
    for number in 0..events {
        let longer = |pasts: Pasts| {
            let closed = |seen: &Vec<usize>| {
                seen.iter()
                    .all(|at| pasts[*at].iter().all(|past| seen.contains(past)))
            };
            let choices: Vec<Vec<usize>> = subsets(number).into_iter().filter(closed).collect();
            let extended = move |seen| [pasts.clone(), vec![seen]].concat();
            choices.into_iter().map(extended)
        };
        all = all.into_iter().flat_map(longer).collect();
    }
    all
}

/// Every order in which these events can be folded: those that extend causality.
pub(super) fn all_orders(pasts: &Pasts) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for _ in pasts {
        let longer = |order: Vec<usize>| {
            let next = |at: &usize| {
                !order.contains(at) && pasts[*at].iter().all(|seen| order.contains(seen))
            };
            let next: Vec<usize> = (0..pasts.len()).filter(next).collect();
            next.into_iter()
                .map(move |at| [order.clone(), vec![at]].concat())
        };
        all = all.into_iter().flat_map(longer).collect();
    }
    all
}

/// Every sequence of so many of these letters.
pub(super) fn all_words<T: Clone>(letters: &[T], len: usize) -> Vec<Vec<T>> {
    let mut all = vec![Vec::new()];
    for _ in 0..len {
        let longer = |word: Vec<T>| {
            letters
                .iter()
                .map(move |letter| [word.clone(), vec![letter.clone()]].concat())
        };
        all = all.into_iter().flat_map(longer).collect();
    }
    all
}

/// The id of an event: each by a replica of its own, ids in another order than the events.
pub(super) fn id_of(number: usize) -> EventId {
    let number = u64::try_from(number).unwrap();
    EventId::new(
        ReplicaId::new((number * 5 + 3) % 7, number),
        Seq::new(number + 1).unwrap(),
    )
}

fn subsets(of: usize) -> Vec<Vec<usize>> {
    (0..1usize << of)
        .map(|bits| (0..of).filter(|at| bits >> at & 1 == 1).collect())
        .collect()
}

#[test]
fn histories_are_as_many_as_are_known() {
    let count = |events| all_pasts(events).len();
    assert_eq!([1, 2, 3, 4, 5].map(count), [1, 2, 7, 40, 357]);
    let unrelated: Pasts = vec![Vec::new(); 4];
    assert_eq!(all_orders(&unrelated).len(), 24);
    assert_eq!(all_words(&['a', 'b'], 3).len(), 8);
}
