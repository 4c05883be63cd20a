//! Random uses of a store, compared with a plain list after each opening.

use std::vec::Vec;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::StoreGuard;
use super::author::{Author, entry};
use super::model::Model;
use super::rig::{Rig, block_on};
use super::writing::note;
use crate::event::{AggregateId, Commit, ReplicaId};
use crate::log::{Durability, Entry, EntryKind, Group, StateRow};
use crate::store::EventStore;

const CASES: u32 = 24;
const NAMES: [&str; 6] = ["a/1", "a/1/x", "a/1 x", "a/2", "b/1", "b/10"];

#[derive(Clone, Debug)]
enum Use {
    Append {
        steps: Vec<Step>,
        notes: Vec<(u8, Option<u8>)>,
        folds: Vec<(usize, u8)>,
        durable: bool,
    },
    Flush,
    Begin,
    Close,
    Drop,
    LosePower,
}

#[derive(Clone, Debug)]
enum Step {
    /// A commit of an author; how many of their earlier ones are left out for now.
    Arrive {
        author: usize,
        ahead: usize,
        names: Vec<usize>,
        waits: bool,
        from: Option<u8>,
    },
    Release(usize),
}

pub fn random_uses_agree_with_a_plain_list<G: StoreGuard>(make: &impl Fn() -> (G, G::Store)) {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let uses = prop::collection::vec(any_use(), 1..14);
    let outcome = TestRunner::new(config).run(&uses, |uses| {
        play(make, &uses);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

fn any_use() -> impl Strategy<Value = Use> {
    let names = prop::collection::vec(0..NAMES.len(), 1..4);
    let arrive = (
        0..3_usize,
        0..3_usize,
        names,
        any::<bool>(),
        prop::option::of(0..3_u8),
    );
    let step = prop_oneof![
        3 => arrive.prop_map(|(author, ahead, names, waits, from)| {
            Step::Arrive { author, ahead, names, waits, from }
        }),
        1 => (0..8_usize).prop_map(Step::Release),
    ];
    let append = (
        prop::collection::vec(step, 0..6),
        prop::collection::vec((0..4_u8, prop::option::of(any::<u8>())), 0..3),
        prop::collection::vec((0..NAMES.len(), any::<u8>()), 0..3),
        any::<bool>(),
    );
    prop_oneof![
        8 => append.prop_map(|(steps, notes, folds, durable)| {
            Use::Append { steps, notes, folds, durable }
        }),
        1 => Just(Use::Flush),
        1 => Just(Use::Begin),
        1 => Just(Use::Close),
        1 => Just(Use::Drop),
        1 => Just(Use::LosePower),
    ]
}

fn play<G: StoreGuard>(make: &impl Fn() -> (G, G::Store), uses: &[Use]) {
    let mut rig = Rig::new(make);
    let mut pools: [(Author, Vec<Commit>); 3] = [1, 2, 3].map(|n| (Author::new(n), Vec::new()));
    // What may be there after a loss of power: the last durable state, and each group after it.
    let mut possible = Vec::from([rig.model.clone()]);
    let mut numbered = 0_u8;
    for next in uses {
        match next {
            Use::Append {
                steps,
                notes,
                folds,
                durable,
            } => {
                let mut group = group(&rig.model, &mut pools, steps);
                group.notes = notes
                    .iter()
                    .map(|(key, value)| note(&[*key], value.as_ref().map(std::slice::from_ref)))
                    .collect();
                group.states = folds
                    .iter()
                    .map(|(name, byte)| fold(NAMES[*name], *byte))
                    .collect();
                if !group.states.is_empty() {
                    // After a loss of power lists are told apart by their ends and notes.
                    numbered += 1;
                    group.notes.push(note(b"group", Some(&[numbered])));
                }
                if *durable {
                    possible.clear();
                } else {
                    group.durability = Durability::Buffered;
                }
                rig.append(group);
            }
            Use::Flush => {
                block_on(rig.store().flush()).unwrap();
                possible.clear();
            }
            Use::Begin => {
                rig.begin();
                rig.check_opening();
                possible.clear();
            }
            Use::Close => {
                rig.reopen();
                possible.clear();
            }
            Use::Drop => {
                rig.store = None;
                rig.open();
                possible.clear();
            }
            Use::LosePower => {
                rig.lose_power();
                rig.open_unbegun();
                rig.begin();
                settle(&mut rig, std::mem::take(&mut possible));
                rig.check_opening();
                // What a list forgot may come again, and then from a fresh author.
                pools = [0, 1, 2].map(|n| (Author::new(10 + rig.opening.end * 3 + n), Vec::new()));
            }
        }
        possible.push(rig.model.clone());
    }
    rig.check();
    rig.reopen();
}

/// Finds which of the possible lists the store has kept.
fn settle<G: StoreGuard>(rig: &mut Rig<G>, possible: Vec<Model>) {
    let epochs = rig.model.epochs.clone();
    let kept = possible.into_iter().rev().find(|model| {
        let notes: Vec<_> = model.notes.clone().into_iter().collect();
        model.end() == rig.opening.end && notes == rig.opening.notes
    });
    rig.model = kept.expect("whole groups are left");
    rig.model.epochs = epochs;
}

fn group(model: &Model, pools: &mut [(Author, Vec<Commit>); 3], steps: &[Step]) -> Group {
    let mut waiting: Vec<_> = model.waiting().iter().map(|e| e.commit.clone()).collect();
    let mut entries = Vec::new();
    for step in steps {
        match step {
            Step::Arrive {
                author,
                ahead,
                names,
                waits,
                from,
            } => {
                let (author, pool) = &mut pools[*author];
                let names: Vec<_> = names.iter().map(|name| NAMES[*name]).collect();
                while pool.len() <= *ahead {
                    pool.push(author.commit(&names));
                }
                let commit = pool.remove(*ahead);
                let kind = if *waits {
                    EntryKind::Waiting
                } else {
                    EntryKind::Ready
                };
                if *waits {
                    waiting.push(commit.clone());
                }
                let from = from.map(|peer| ReplicaId::new(99, peer.into()));
                entries.push(Entry {
                    from,
                    ..entry(kind, &commit)
                });
            }
            Step::Release(which) if !waiting.is_empty() => {
                let commit = waiting.remove(which % waiting.len());
                entries.push(entry(EntryKind::Released, &commit));
            }
            Step::Release(_) => {}
        }
    }
    Group {
        entries,
        ..Group::default()
    }
}

fn fold(name: &str, byte: u8) -> StateRow {
    StateRow {
        aggregate: AggregateId::new(name).unwrap(),
        bytes: Bytes::from(std::vec![byte; 9]),
    }
}
