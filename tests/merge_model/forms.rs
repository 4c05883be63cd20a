//! A timeline that has only its fold in memory gives the answers of one that has its history.

use std::collections::BTreeMap;

use anabranch::event::{AggregateId, ChainTag, Commit, Event, ReplicaId};
use anabranch::merge::{Inbox, Integration, Ready, Receipt, StaleFold, StoredFold, Timeline};
use anabranch::merge::{Unguarded, tags};
use anabranch::resolver::{FieldMerge, Registry, Route};
use proptest::prelude::*;

use crate::authors::{Authors, Line, aggregate};
use crate::journal::{Journal, Lists};
use crate::random::{Step, play, steps, within};

pub(crate) type History = Vec<(Event, Option<ChainTag>)>;

fn route() -> Route {
    Route::new(Journal)
}

/// What becomes ready, in that order, from commits that arrive in this one.
pub(crate) fn ready(authors: &Authors, order: &[usize]) -> History {
    let mut inbox = Inbox::new();
    let mut history = History::new();
    for number in order {
        let commit = authors.commits[*number].clone();
        let Receipt::Arrived {
            ready,
            chain_before,
            released,
        } = inbox.receive(&commit)
        else {
            continue;
        };
        let own = ready.then_some(Ready {
            commit,
            chain_before,
        });
        for Ready {
            commit,
            chain_before,
        } in own.into_iter().chain(released)
        {
            history.extend(
                commit
                    .events()
                    .iter()
                    .cloned()
                    .zip(tags(&commit, chain_before)),
            );
        }
    }
    history
}

fn same(lean: &mut Timeline, full: &mut Timeline) {
    lean.fold(&Unguarded);
    full.fold(&Unguarded);
    let entries = |timeline: &Timeline| -> Lists {
        timeline
            .state()
            .unwrap()
            .downcast_ref::<Lists>()
            .unwrap()
            .clone()
    };
    assert_eq!(entries(lean), entries(full));
    assert_eq!(lean.digest(), full.digest());
    assert_eq!(lean.heads(), full.heads());
    assert_eq!(lean.last(), full.last());
    assert_eq!(lean.vector(), full.vector());
    assert_eq!(
        (lean.len(), lean.rejections()),
        (full.len(), full.rejections())
    );
    let own = ReplicaId::new(0, 0);
    assert_eq!(lean.heads_for_write(own), full.heads_for_write(own));
    assert_eq!(lean.to_fold(), full.to_fold());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_fold_stands_for_its_history(
        replicas in 1usize..=5,
        steps in steps(5),
        shuffle in any::<prop::sample::Index>(),
        pauses in prop::collection::vec(0u8..5, 200),
    ) {
        let steps: Vec<Step> = steps.into_iter().map(|step| within(step, replicas)).collect();
        let authors = play(replicas, &steps);
        let mut events = authors.commits.iter().flat_map(Commit::events);
        let replacing = events.any(|event| event.replaces().is_some());
        let mut order: Vec<usize> = (0..authors.commits.len()).collect();
        if !order.is_empty() {
            // Mostly in order, so that the lean form lives for a while.
            let at = shuffle.index(order.len());
            order.rotate_left(at / 3);
        }
        let mut full: BTreeMap<AggregateId, Timeline> = BTreeMap::new();
        let mut lean: BTreeMap<AggregateId, Timeline> = BTreeMap::new();
        let mut stored: BTreeMap<AggregateId, History> = BTreeMap::new();
        for ((event, tag), pause) in ready(&authors, &order).into_iter().zip(pauses.iter().cycle()) {
            let id = event.aggregate().clone();
            let new = || Timeline::new(id.clone(), Some(route()));
            let (full, lean) =
                (full.entry(id.clone()).or_insert_with(new), lean.entry(id.clone()).or_insert_with(new));
            let history = stored.entry(id.clone()).or_default();
            if lean.needs_history(&event) {
                prop_assert_eq!(lean.integrate(event.clone(), tag), Integration::HistoryMissing);
                *lean = Timeline::with_history(id.clone(), Some(route()), history.clone());
            }
            history.push((event.clone(), tag));
            let results = (lean.integrate(event.clone(), tag), full.integrate(event, tag));
            // Where something is replaced, how far the last fold reached shows in the hints.
            prop_assert!(replacing || results.0 == results.1, "{results:?}");
            match pause {
                0 => same(lean, full),
                1 => {
                    lean.fold(&Unguarded);
                    prop_assert_eq!(lean.drop_history(), full_can_be_stored(full));
                }
                2 => {
                    lean.fold(&Unguarded);
                    prop_assert_eq!(lean.to_fold().is_some(), full_can_be_stored(full));
                    if let Some(fold) = lean.to_fold() {
                        let fold = StoredFold::decode(&fold.encode()).unwrap();
                        *lean = Timeline::from_fold(id, Some(route()), fold).unwrap();
                    }
                }
                _ => {}
            }
        }
        for (id, lean) in &mut lean {
            same(lean, full.get_mut(id).unwrap());
        }
    }
}

fn full_can_be_stored(full: &mut Timeline) -> bool {
    full.fold(&Unguarded);
    full.to_fold().is_some()
}

/// A history of one event after the other, by two replicas in turn.
fn straight(events: u8) -> History {
    let mut authors = Authors::default();
    for number in 0..events {
        let known = (0..usize::from(number)).collect();
        authors.write(
            ReplicaId::new(u64::from(number) % 2, 0),
            &known,
            &[Line::new(0, 4)],
            0,
        );
    }
    let order: Vec<usize> = (0..usize::from(events)).collect();
    ready(&authors, &order)
}

#[test]
fn events_one_after_the_other_never_need_the_history() {
    let mut lean = Timeline::new(aggregate(0), Some(route()));
    lean.fold(&Unguarded);
    assert!(lean.drop_history());
    for (event, tag) in straight(30) {
        assert!(!lean.needs_history(&event));
        assert_eq!(
            lean.integrate(event, tag),
            Integration::Added {
                late: false,
                raced: false
            }
        );
        let outcome = lean.fold(&Unguarded);
        assert_eq!((outcome.applied, outcome.late), (1, false));
        assert_eq!(lean.events().count(), 0);
    }
    assert_eq!(lean.len(), 30);
}

#[test]
fn several_events_may_wait_to_be_folded_without_the_history() {
    let mut history = straight(9).into_iter();
    let mut lean = Timeline::with_history(aggregate(0), Some(route()), history.by_ref().take(4));
    lean.fold(&Unguarded);
    assert!(lean.drop_history());
    for (event, tag) in history {
        assert!(!lean.needs_history(&event));
        lean.integrate(event, tag);
        assert_eq!(lean.to_fold(), None);
        assert!(!lean.drop_history());
    }
    assert_eq!(lean.fold(&Unguarded).applied, 5);
    let mut full = Timeline::with_history(aggregate(0), Some(route()), straight(9));
    same(&mut lean, &mut full);
}

#[test]
fn a_duplicate_needs_the_history_and_changes_nothing() {
    let history = straight(3);
    let mut lean = Timeline::with_history(aggregate(0), Some(route()), history.clone());
    lean.fold(&Unguarded);
    assert_eq!(
        lean.integrate(history[1].0.clone(), history[1].1),
        Integration::Duplicate
    );
    assert!(lean.drop_history());
    for (event, tag) in history {
        assert_eq!(lean.integrate(event, tag), Integration::HistoryMissing);
    }
    assert_eq!(lean.len(), 3);
}

#[test]
fn a_fold_of_another_rule_is_not_gone_on_from() {
    let mut timeline = Timeline::with_history(aggregate(0), Some(route()), straight(3));
    timeline.fold(&Unguarded);
    let fold = timeline.to_fold().unwrap();
    let open = |route| Timeline::from_fold(aggregate(0), route, fold.clone()).unwrap_err();
    assert_eq!(open(None), StaleFold::NoResolver);
    assert!(matches!(
        open(Some(Route::new(FieldMerge))),
        StaleFold::OtherRule { .. }
    ));
    let registry = Registry::new().with("journal", Journal).unwrap();
    let bound = registry.route(&aggregate(0)).cloned();
    assert!(Timeline::from_fold(aggregate(0), bound, fold).is_ok());
}

#[test]
fn damaged_folds_are_told_from_sound_ones() {
    let mut timeline = Timeline::with_history(aggregate(0), Some(route()), straight(3));
    timeline.fold(&Unguarded);
    let bytes = timeline.to_fold().unwrap().encode();
    assert!(StoredFold::decode(&bytes).is_ok());
    for len in 0..bytes.len() {
        assert!(StoredFold::decode(&bytes[..len]).is_err());
    }
    assert!(StoredFold::decode(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn a_timeline_can_be_shared_between_threads() {
    fn shareable<T: Send + Sync>() {}
    shareable::<Timeline>();
    shareable::<Inbox>();
}
