use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use ciborium::Value;
use proptest::prelude::*;

use super::super::Document;
use super::histories::histories;
use super::model::Path;
use crate::event::{EventId, cbor};
use crate::resolver::Resolver;
use crate::resolver::tests::rehearsal::Rehearsal;

/// Every place that is shown, down to the given fields.
fn shown(state: &Document, fields: impl IntoIterator<Item = Path>) -> BTreeMap<Path, Value> {
    let value = |path: Path| Some((path.clone(), state.value(path).unwrap()?));
    fields.into_iter().filter_map(value).collect()
}

/// Builds nested maps from what stands at paths of which none begins another.
fn nested(fields: &BTreeMap<Path, Value>) -> Value {
    let firsts: BTreeSet<&String> = fields.keys().filter_map(|path| path.first()).collect();
    let entry = |first: &String| {
        let below = fields.iter().filter(|(path, _)| path[0] == *first);
        let below: BTreeMap<Path, Value> = below
            .map(|(path, value)| (path[1..].to_vec(), value.clone()))
            .collect();
        let value = below
            .get(&Path::new())
            .cloned()
            .unwrap_or_else(|| nested(&below));
        (Value::from(first.as_str()), value)
    };
    let mut entries: Vec<(Value, Value)> = firsts.into_iter().map(entry).collect();
    entries.sort_by_key(|(key, _)| {
        (
            key.as_text().unwrap().len(),
            key.as_text().unwrap().to_owned(),
        )
    });
    Value::Map(entries)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_document_shows_what_the_model_does(history in histories(false, 0..12)) {
        let (rules, rehearsal) = (history.rules(), &history.rehearsal);
        let visible = history.visible();
        let admitted = history.admitted();
        let mut state = Rehearsal::start(&rules);
        for at in 0..rehearsal.len() {
            // Every step goes on from the bytes of the one before it.
            let bytes = cbor::to_vec(&state).unwrap();
            prop_assert!(cbor::is_canonical(&bytes));
            let again: Document = cbor::from_slice(&bytes).unwrap();
            prop_assert_eq!(&again, &state);
            state = again;
            let outcome = rehearsal.step(&rules, &mut state, at);
            prop_assert_eq!(outcome.is_ok(), admitted.contains(&at), "{}: {:?}", at, outcome);
        }
        let expected: BTreeMap<Path, Value> =
            visible.iter().map(|(path, (value, _))| (path.clone(), value.clone())).collect();
        prop_assert_eq!(shown(&state, expected.keys().cloned()), expected.clone());
        let bytes = rules.present(&state).unwrap();
        prop_assert!(cbor::is_canonical(&bytes));
        prop_assert_eq!(cbor::from_slice::<Value>(&bytes).unwrap(), nested(&expected));
        prop_assert_eq!(state.is_empty(), expected.is_empty());
    }

    #[test]
    fn pieces_come_from_the_events_of_the_model(history in histories(false, 0..12)) {
        let (rules, rehearsal) = (history.rules(), &history.rehearsal);
        let state = rehearsal.fold(&rules, 0..rehearsal.len());
        let pieces = rules.pieces(&state).unwrap();
        prop_assert!(pieces.is_sorted_by_key(|piece| &piece.key));
        for (path, (value, from)) in history.visible() {
            let here: Vec<_> =
                pieces.iter().filter(|piece| piece.key.path.starts_with(&path)).collect();
            prop_assert!(!here.is_empty());
            let found: BTreeSet<EventId> =
                here.iter().flat_map(|piece| piece.from.iter().copied()).collect();
            prop_assert_eq!(found, from.iter().map(|at| rehearsal.id(*at)).collect());
            let open = value.as_map().is_some_and(|map| map[0].0.as_text() == Some("open"));
            prop_assert!(here.iter().all(|piece| piece.open == open));
            let values: Vec<Value> =
                here.iter().map(|piece| cbor::from_slice(&piece.value).unwrap()).collect();
            match value {
                Value::Array(all) => prop_assert_eq!(values.len(), all.len()),
                Value::Map(map) if open => {
                    prop_assert_eq!(values, map[0].1.as_array().unwrap().clone());
                }
                value => prop_assert_eq!(values, [value]),
            }
        }
    }

    /// Two neighbours at a time, rejections included, which is every place of a late event.
    #[test]
    fn concurrent_events_with_disjoint_footprints_commute(history in histories(false, 2..12)) {
        let (rules, rehearsal) = (history.rules(), &history.rehearsal);
        let footprint = |at: usize| {
            Resolver::footprint(&rules, &rules.decode(rehearsal.payload(at)).unwrap())
        };
        let mut before = Rehearsal::start(&rules);
        for later in 1..rehearsal.len() {
            let earlier = later - 1;
            let apart = !footprint(earlier).overlaps(&footprint(later));
            if apart && !rehearsal.past(later).contains(&earlier) {
                let fold = |order: [usize; 2]| {
                    let mut state = before.clone();
                    let step = |at| (at, rehearsal.step(&rules, &mut state, at));
                    let outcomes: BTreeMap<usize, _> = order.into_iter().map(step).collect();
                    (state, outcomes)
                };
                prop_assert_eq!(fold([earlier, later]), fold([later, earlier]));
            }
            // A rejection changes nothing.
            let _ = rehearsal.step(&rules, &mut before, earlier);
        }
    }

    #[test]
    fn a_document_of_rules_that_commute_is_the_same_in_any_order(
        history in histories(true, 0..12),
        draws in prop::collection::vec(any::<prop::sample::Index>(), 12),
    ) {
        let rules = history.rules();
        prop_assert!(Resolver::claims(&rules).commutes);
        let rehearsal = &history.rehearsal;
        let straight = rehearsal.fold(&rules, 0..rehearsal.len());
        let order = rehearsal.shuffled(&draws);
        prop_assert_eq!(order.len(), rehearsal.len());
        prop_assert_eq!(rehearsal.fold(&rules, order), straight);
    }
}
