//! A history long enough that vectors are kept on the way, with branches from all its depths.

use std::collections::BTreeSet;

use anabranch::event::ReplicaId;
use anabranch::merge::Aggregates;

use crate::authors::{Authors, Line};
use crate::random::{compare, registry};

#[test]
fn branches_from_any_depth_see_what_lies_below_and_nothing_else() {
    let mut authors = Authors::default();
    for number in 0..150usize {
        // Only what it names is needed to write it.
        let known = number.checked_sub(1).into_iter().collect();
        // Two writers in turn, and now and then one who writes once and never again.
        let replica = match number % 10 {
            5 => ReplicaId::new(3, number as u64),
            _ => ReplicaId::new(number as u64 % 2, 0),
        };
        authors.write(replica, &known, &[Line::new(0, 4)], number as u64);
    }
    for number in 0..15usize {
        let replica = ReplicaId::new(2, number as u64);
        let depth = BTreeSet::from([number * 10]);
        authors.write(replica, &depth, &[Line::new(0, 4)], 300 - number as u64);
        let after = BTreeSet::from([150 + number * 2]);
        authors.write(replica, &after, &[Line::new(0, 8)], 0);
    }
    let all: BTreeSet<usize> = (0..authors.commits.len()).collect();
    let mut aggregates = Aggregates::new(registry());
    for commit in &authors.commits {
        aggregates.receive(commit);
    }
    compare(&mut aggregates, &authors, &all);
    let mut backwards = Aggregates::new(registry());
    for commit in authors.commits.iter().rev() {
        backwards.receive(commit);
        backwards.fold_all();
    }
    compare(&mut backwards, &authors, &all);
}
