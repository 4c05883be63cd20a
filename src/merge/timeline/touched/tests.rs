use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::ToString;

use proptest::prelude::*;

use super::*;
use crate::event::{ReplicaId, Seq, Timestamp};
use crate::limits::KEY_SEGMENTS_MAX;
use crate::resolver::Key;

/// The obvious model: every touch in a list, every past written out.
#[derive(Default)]
struct Listed {
    touches: Vec<(OrderKey, Footprint)>,
}

impl Listed {
    fn observe(&mut self, key: OrderKey, footprint: &Footprint, past: &BTreeSet<EventId>) -> bool {
        let misses = |(other, touched): &(OrderKey, Footprint)| {
            !past.contains(&other.id()) && touched.overlaps(footprint)
        };
        let raced = self.touches.iter().any(misses);
        self.touches.push((key, footprint.clone()));
        raced
    }

    fn last(&self, footprint: &Footprint) -> Option<OrderKey> {
        let overlapping = self.touches.iter();
        overlapping
            .filter(|(_, touched)| touched.overlaps(footprint))
            .map(|(key, _)| *key)
            .max()
    }
}

/// One event: its writer, whose newest events it saw beside its writer's own, and what it touches.
#[derive(Clone, Debug)]
struct Write {
    writer: u64,
    sees: u8,
    lag: u64,
    footprint: Footprint,
}

fn keys() -> impl Strategy<Value = Key> {
    let path = prop::collection::vec(0u8..3, 0..4);
    (path, any::<bool>()).prop_map(|(path, branch)| Key {
        path: path.iter().map(ToString::to_string).collect(),
        branch,
    })
}

fn footprints() -> impl Strategy<Value = Footprint> {
    prop_oneof![
        1 => Just(Footprint::Everything),
        1 => Just(Footprint::NOTHING),
        12 => prop::collection::vec(keys(), 1..4).prop_map(Footprint::Keys),
    ]
}

fn writes() -> impl Strategy<Value = Vec<Write>> {
    let write = (0..6u64, any::<u8>(), 0..9u64, footprints());
    let write = write.prop_map(|(writer, sees, lag, footprint)| Write {
        writer,
        sees,
        lag,
        footprint,
    });
    prop::collection::vec(write, 0..60)
}

fn order_key(stamp: u64, writer: u64, seq: usize) -> OrderKey {
    OrderKey {
        timestamp: Timestamp::from_bits(stamp),
        replica: ReplicaId::new(writer, 0),
        seq: Seq::new(u64::try_from(seq).unwrap()).unwrap(),
    }
}

/// The events with their pasts, in the order in which they were written.
fn play(writes: Vec<Write>) -> Vec<(OrderKey, BTreeSet<EventId>, Footprint)> {
    let mut written: Vec<(OrderKey, BTreeSet<EventId>, Footprint)> = Vec::new();
    for Write {
        writer,
        sees,
        lag,
        footprint,
    } in writes
    {
        let mut past = BTreeSet::new();
        let mut floor = 0;
        for other in 0..6 {
            let of_other = |(key, ..): &&(OrderKey, _, _)| key.replica.device() == other;
            if (other == writer || sees >> other & 1 == 1)
                && let Some((key, theirs, _)) = written.iter().rfind(of_other)
            {
                past.insert(key.id());
                past.extend(theirs);
                floor = floor.max(key.timestamp.to_bits());
            }
        }
        let own = |(key, ..): &&(OrderKey, _, _)| key.replica.device() == writer;
        let seq = written.iter().filter(own).count() + 1;
        written.push((order_key(floor + 1 + lag, writer, seq), past, footprint));
    }
    written
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_history_is_told_like_a_list_of_all_touches_tells_it(
        writes in writes(),
        asked in prop::collection::vec(footprints(), 1..4),
        late in prop::collection::vec(any::<bool>(), 60),
    ) {
        let mut open = play(writes);
        let (mut touched, mut listed) = (Touched::default(), Listed::default());
        let mut given = BTreeSet::new();
        let mut late = late.into_iter();
        while !open.is_empty() {
            // Any order that extends causality: now the first that was written, now the last that can be.
            let ready = |(_, past, _): &(OrderKey, BTreeSet<EventId>, Footprint)| past.is_subset(&given);
            let next = if late.next().unwrap_or_default() {
                open.iter().rposition(ready)
            } else {
                open.iter().position(ready)
            };
            let (key, past, footprint) = open.remove(next.unwrap());
            let sees_all = past == given;
            let mut saw = |id: EventId| {
                assert!(!sees_all, "asked though it saw everything");
                past.contains(&id)
            };
            prop_assert_eq!(
                touched.observe(key, &footprint, sees_all, &mut saw),
                listed.observe(key, &footprint, &past)
            );
            given.insert(key.id());
            for footprint in &asked {
                prop_assert_eq!(touched.last(footprint), listed.last(footprint));
            }
        }
    }
}

fn leaf(path: &str) -> Footprint {
    Footprint::Keys(Vec::from([Key::leaf(path.split('/'))]))
}

fn branch(path: &str) -> Footprint {
    Footprint::Keys(Vec::from([Key::branch(path.split('/'))]))
}

#[test]
fn leaves_and_branches_are_told_apart() {
    let mut touched = Touched::default();
    let key = order_key(1, 1, 1);
    assert!(!touched.observe(key, &leaf("a/b"), false, &mut |_| false));
    for (asked, found) in [
        (leaf("a/b"), true),
        (branch("a/b"), true),
        (branch("a"), true),
        (Footprint::Everything, true),
        (leaf("a"), false),
        (leaf("a/b/c"), false),
        (branch("a/b/c"), false),
        (branch("b"), false),
        (Footprint::NOTHING, false),
    ] {
        assert_eq!(touched.last(&asked), found.then_some(key), "{asked:?}");
    }
}

#[test]
fn what_touches_nothing_races_with_nothing_and_leaves_no_trace() {
    let mut touched = Touched::default();
    let nothing = Footprint::NOTHING;
    assert!(!touched.observe(order_key(1, 1, 1), &nothing, false, &mut |_| false));
    let everything = Footprint::Everything;
    assert_eq!(touched.last(&everything), None);
    assert!(!touched.observe(order_key(1, 2, 1), &everything, false, &mut |_| false));
    assert!(!touched.observe(order_key(1, 3, 1), &nothing, false, &mut |_| false));
}

#[test]
fn beyond_the_heads_that_are_kept_an_event_races_unless_it_saw_everything() {
    let mut touched = Touched::default();
    let writers = u64::try_from(TOUCH_HEADS_MAX).unwrap() + 1;
    for writer in 1..=writers {
        let raced = touched.observe(order_key(1, writer, 1), &leaf("a"), false, &mut |_| false);
        assert_eq!(raced, writer > 1);
    }
    assert_eq!(touched.last(&leaf("a")), Some(order_key(1, writers, 1)));
    // At the place itself and above it.
    assert_eq!(touched.further_heads, 2 * (TOUCH_HEADS_MAX - 1));
    let mut saw = |_| true;
    assert!(touched.observe(order_key(2, 1, 2), &leaf("a"), false, &mut saw));
    assert!(!touched.observe(order_key(3, 1, 3), &leaf("a"), true, &mut saw));
    assert!(!touched.observe(order_key(4, 1, 4), &leaf("a"), false, &mut saw));
    assert_eq!(touched.further_heads, 0);
}

#[test]
fn a_long_key_costs_no_more_than_the_segments_that_are_looked_at() {
    let long = |last: &str| {
        let mut path = alloc::vec!["x".to_string(); 100_000];
        path.push(last.to_string());
        Footprint::Keys(Vec::from([Key {
            path,
            branch: false,
        }]))
    };
    let mut touched = Touched::default();
    touched.observe(order_key(1, 1, 1), &long("a"), false, &mut |_| false);
    assert_eq!(touched.places.len(), KEY_SEGMENTS_MAX);
    assert!(touched.observe(order_key(1, 2, 1), &long("b"), false, &mut |_| false));
}

#[test]
fn memory_grows_with_the_places_and_not_with_the_events() {
    let mut touched = Touched::default();
    let mut bytes = 0;
    for (seq, place) in (1..1_000).map(|seq| (seq, format!("a/{}", seq % 7))) {
        let stamp = u64::try_from(seq).unwrap();
        touched.observe(
            order_key(stamp, 1, seq),
            &leaf(&place),
            seq % 2 == 0,
            &mut |_| true,
        );
        if seq == 7 {
            bytes = touched.bytes();
        }
    }
    assert_eq!((touched.places.len(), touched.bytes()), (8, bytes));
}

#[test]
fn of_the_heads_only_those_are_kept_that_nobody_saw_and_each_once() {
    let mut touched = Touched::default();
    let places = (0..100).map(|place| Key::leaf(["a".to_string(), place.to_string()]));
    let many = Footprint::Keys(places.collect());
    touched.observe(order_key(9, 2, 1), &leaf("a/0"), false, &mut |_| false);
    touched.observe(order_key(5, 1, 1), &many, false, &mut |_| false);
    // At `a/0` and twice above it.
    assert_eq!(touched.further_heads, 3);
    let mut saw = |id: EventId| id.replica.device() == 1;
    for seq in 2..100 {
        assert!(touched.observe(order_key(9, 1, seq), &many, false, &mut saw));
    }
    assert_eq!(touched.further_heads, 3);
    assert!(!touched.observe(order_key(10, 3, 1), &branch("a"), false, &mut |_| true));
    assert_eq!(
        touched.further_heads, 2,
        "what lies below `a` was not touched"
    );
}
