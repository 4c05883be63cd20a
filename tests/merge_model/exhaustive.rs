//! All small histories, each in all orders of arrival.

use std::collections::BTreeSet;

use anabranch::event::ReplicaId;
use anabranch::merge::Aggregates;

use crate::authors::{Authors, Line};
use crate::random::{compare, registry};

/// One event of a small history: who, after which earlier events, at which reading.
#[derive(Clone)]
struct Small {
    replica: u64,
    past: BTreeSet<usize>,
    clock: u64,
}

/// Calls back with every history of `events` events on at most `replicas` replicas. The first
/// replica to write is number 0, the next new one number 1 and so on, as names do not matter
/// except for their order, which the caller turns round.
fn histories(events: usize, replicas: u64, clocks: &[u64], visit: &mut dyn FnMut(&[Small])) {
    fn extend(
        history: &mut Vec<Small>,
        events: usize,
        replicas: u64,
        clocks: &[u64],
        visit: &mut dyn FnMut(&[Small]),
    ) {
        if history.len() == events {
            visit(history);
            return;
        }
        let used = history
            .iter()
            .map(|small| small.replica + 1)
            .max()
            .unwrap_or(0);
        for replica in 0..replicas.min(used + 1) {
            for chosen in 0..1usize << history.len() {
                let past: BTreeSet<usize> = (0..history.len())
                    .filter(|at| chosen >> at & 1 == 1)
                    .collect();
                let closed = past.iter().all(|at| history[*at].past.is_subset(&past));
                let own = |at: &usize| history[*at].replica == replica;
                if !closed || !(0..history.len()).filter(own).all(|at| past.contains(&at)) {
                    continue;
                }
                for &clock in clocks {
                    history.push(Small {
                        replica,
                        past: past.clone(),
                        clock,
                    });
                    extend(history, events, replicas, clocks, visit);
                    history.pop();
                }
            }
        }
    }
    extend(&mut Vec::new(), events, replicas, clocks, visit);
}

fn orders(len: usize) -> Vec<Vec<usize>> {
    if len == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(len - 1);
    let insert = |order: &Vec<usize>| {
        (0..len)
            .map(|at| [&order[..at], &[len - 1], &order[at..]].concat())
            .collect::<Vec<_>>()
    };
    shorter.iter().flat_map(insert).collect()
}

fn check(history: &[Small], orders: &[Vec<usize>], name: impl Fn(u64) -> u64) {
    let mut authors = Authors::default();
    for (number, small) in history.iter().enumerate() {
        // All of them touch one of two keys, and one in four is refused.
        let line = Line::new(0, [1, 4, 2, 0, 7][number % 5]);
        authors.write(
            ReplicaId::new(name(small.replica), 1),
            &small.past,
            &[line],
            small.clock,
        );
    }
    let all: BTreeSet<usize> = (0..history.len()).collect();
    let mut digest = None;
    for (at, order) in orders.iter().enumerate() {
        let mut aggregates = Aggregates::new(registry());
        for (place, number) in order.iter().enumerate() {
            aggregates.receive(&authors.commits[*number]);
            // Looking in between must not matter; where it is done differs from order to order.
            if at >> place & 1 == 1 {
                aggregates.fold_all();
            }
        }
        if at == 0 {
            compare(&mut aggregates, &authors, &all);
        }
        let found = aggregates.state_digest();
        assert_eq!(*digest.get_or_insert(found), found, "{order:?}");
    }
}

#[test]
fn every_history_of_four_events_on_three_replicas_in_every_order() {
    let orders = orders(4);
    let mut seen = 0;
    histories(4, 3, &[0, 2], &mut |history| {
        seen += 1;
        check(history, &orders, |replica| replica);
        check(history, &orders, |replica| 9 - replica);
    });
    assert!(seen > 1_000, "{seen}");
}

#[test]
fn every_history_of_five_events_on_two_replicas_in_every_order() {
    let orders = orders(5);
    let mut seen = 0;
    histories(5, 2, &[0], &mut |history| {
        seen += 1;
        check(history, &orders, |replica| replica);
        check(history, &orders, |replica| 9 - replica);
    });
    assert!(seen > 100, "{seen}");
}
