//! Mistakes that people make in rules, each found by the law that names it.
#![expect(
    clippy::disallowed_methods,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "planted mistakes"
)]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anabranch::event::EventId;
use anabranch::resolver::{Claims, Footprint, Key, Rejection, Resolver, Verdict};
use anabranch::testing::laws::{Alphabet, Law, Suite};
use anabranch::{Context, FoldFn};
use serde::{Deserialize, Serialize};

/// The law that names the mistake is the first one that is broken.
fn found<R: Resolver>(law: Law, suite: &Suite<R>) {
    let report = suite.check();
    assert_eq!(report.broken().first(), Some(&law), "{report}");
}

fn numbers() -> Alphabet {
    Alphabet::of(&[1u64, 2, 3])
}

fn names() -> Alphabet {
    Alphabet::of(&["a", "b"])
}

fn leaf(name: &str) -> Footprint {
    Footprint::Keys(vec![Key::leaf([name])])
}

type Many = BTreeMap<String, u64>;

#[test]
fn a_hash_set_in_the_state_is_found() {
    let rule = FoldFn::reducer(
        "tags",
        1,
        |_| HashSet::new(),
        |tags: &mut HashSet<u64>, tag| {
            tags.insert(*tag);
        },
    );
    found(Law::Determinism, &Suite::new(rule, numbers()));
}

#[test]
fn a_list_in_the_order_of_a_hash_set_is_found() {
    let rule = FoldFn::reducer(
        "any",
        1,
        |_| Vec::<u64>::new(),
        |seen: &mut Vec<u64>, new: &u64| {
            let mut all: HashSet<u64> = seen.iter().copied().collect();
            all.insert(*new);
            *seen = all.into_iter().collect();
        },
    );
    found(Law::Determinism, &Suite::new(rule, numbers()));
}

#[test]
fn a_clock_that_counts_milliseconds_is_found() {
    let rule = FoldFn::reducer(
        "stamped",
        1,
        |_| (0, 0),
        |state: &mut (u64, u128), new: &u64| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            *state = (*new, now.as_millis());
        },
    );
    found(Law::Determinism, &Suite::new(rule, numbers()));
}

#[test]
fn a_timer_in_admit_is_found() {
    let start = Instant::now();
    let rule = FoldFn::reducer("slow", 1, |_| 0, |state: &mut u64, new: &u64| *state = *new)
        .with_admit(move |_, _, _| match start.elapsed().as_nanos() % 2 {
            0 => Ok(()),
            _ => Err(Rejection::new("too late")),
        });
    found(Law::Determinism, &Suite::new(rule, numbers()));
}

#[test]
fn a_random_id_is_found() {
    let rule = FoldFn::reducer(
        "ids",
        1,
        |_| 0,
        |id: &mut u64, _: &u64| {
            use std::hash::{BuildHasher, RandomState};
            *id = RandomState::new().hash_one(1);
        },
    );
    found(Law::Determinism, &Suite::new(rule, numbers()));
}

#[test]
fn the_name_of_the_thread_is_found() {
    let rule = FoldFn::reducer(
        "who",
        1,
        |_| String::new(),
        |who: &mut String, _: &u64| {
            *who = format!("{:?}", std::thread::current().id());
        },
    );
    found(Law::Determinism, &Suite::new(rule, numbers()));
}

#[test]
fn a_count_behind_a_shared_reference_is_found() {
    let counted = AtomicU64::new(0);
    let rule = FoldFn::reducer(
        "votes",
        1,
        |_| 0,
        move |votes: &mut u64, step: &u64| {
            *votes = counted.fetch_add(*step, Ordering::Relaxed) + step;
        },
    );
    let report = Suite::new(rule, numbers()).check();
    assert!(report.broken().contains(&Law::Purity), "{report}");
}

#[test]
fn a_memory_of_what_was_asked_is_found() {
    // Two requests for one seat: the second is refused, though nobody has folded the first.
    let asked = Mutex::new(BTreeSet::new());
    let rule = FoldFn::reducer(
        "seats",
        1,
        |_| BTreeSet::new(),
        |taken: &mut BTreeSet<u64>, seat| {
            taken.insert(*seat);
        },
    )
    .with_admit(move |taken, seat: &u64, cx| {
        let mut asked = asked.lock().unwrap();
        if taken.is_empty() {
            asked.clear();
        }
        if asked.insert((cx.id(), *seat)) {
            Ok(())
        } else {
            Err(Rejection::new("asked before"))
        }
    });
    found(Law::Purity, &Suite::new(rule, Alphabet::of(&[1u64])));
}

#[test]
fn a_division_by_zero_is_found() {
    let rule = FoldFn::reducer(
        "share",
        1,
        |_| 100u64,
        |left: &mut u64, parts: &u64| *left /= parts,
    );
    found(Law::Totality, &Suite::new(rule, Alphabet::of(&[2u64, 3])));
}

#[test]
fn an_overflow_is_found() {
    let rule = FoldFn::reducer(
        "sum",
        1,
        |_| 0u8,
        |sum: &mut u8, step: &u8| {
            *sum = sum.checked_add(*step).unwrap();
        },
    );
    found(Law::Totality, &Suite::new(rule, Alphabet::of(&[100u8, 60])));
}

#[test]
fn an_unwrap_of_what_another_event_should_have_brought_is_found() {
    let rule = FoldFn::reducer(
        "list",
        1,
        |_| Vec::new(),
        |list: &mut Vec<u64>, item: &u64| match item {
            0 => drop(list.pop().unwrap()),
            _ => list.push(*item),
        },
    );
    let suite = Suite::new(rule, Alphabet::of(&[1u64, 0])).keeping_all();
    found(Law::Totality, &suite);
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Peak {
    peak: u64,
    #[serde(skip)]
    sum: u64,
}

#[test]
fn a_state_that_forgets_on_writing_is_found() {
    let rule = FoldFn::reducer(
        "peak",
        1,
        |_| Peak::default(),
        |state: &mut Peak, step: &u64| {
            state.sum = state.sum.wrapping_add(*step);
            state.peak = state.peak.max(state.sum);
        },
    );
    found(Law::StateSplit, &Suite::new(rule, numbers()));
}

#[test]
fn a_state_that_rounds_on_writing_is_found() {
    #[derive(Clone, Default, Serialize, Deserialize)]
    #[serde(into = "u64", from = "u64")]
    struct Cents(f64);
    impl From<u64> for Cents {
        fn from(cents: u64) -> Self {
            Self(cents as f64)
        }
    }
    impl From<Cents> for u64 {
        fn from(cents: Cents) -> Self {
            cents.0 as Self
        }
    }
    let rule = FoldFn::reducer(
        "cents",
        1,
        |_| Cents::default(),
        |sum: &mut Cents, step: &u64| {
            sum.0 += *step as f64 / 2.0;
        },
    );
    found(Law::StateSplit, &Suite::new(rule, numbers()));
}

#[test]
fn copies_of_a_state_that_share_memory_are_found() {
    #[derive(Clone)]
    struct Shared(Arc<Mutex<u64>>);
    impl Serialize for Shared {
        fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            self.0.lock().unwrap().serialize(to)
        }
    }
    impl<'de> Deserialize<'de> for Shared {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            u64::deserialize(from).map(|sum| Self(Arc::new(Mutex::new(sum))))
        }
    }
    let start = |_: &_| Shared(Arc::default());
    let rule = FoldFn::reducer("shared", 1, start, |sum: &mut Shared, step: &u64| {
        *sum.0.lock().unwrap() += step;
    });
    let report = Suite::new(rule, numbers()).check();
    assert!(report.broken().contains(&Law::Rollback), "{report}");
}

#[test]
fn a_footprint_that_leaves_out_a_total_is_found() {
    let rule = FoldFn::reducer(
        "shelf",
        1,
        |_| Many::new(),
        |shelf: &mut Many, name: &String| {
            let number = shelf.len() as u64;
            shelf.entry(name.clone()).or_insert(number);
        },
    )
    .with_footprint(|name| leaf(name));
    found(Law::Footprint, &Suite::new(rule, names()));
}

#[test]
fn a_footprint_that_leaves_out_what_admit_reads_is_found() {
    let rule = FoldFn::reducer(
        "guests",
        1,
        |_| BTreeSet::new(),
        |guests: &mut BTreeSet<String>, name: &String| {
            guests.insert(name.clone());
        },
    )
    .with_admit(|guests, _, _| match guests.len() {
        0..2 => Ok(()),
        _ => Err(Rejection::new("full")),
    })
    .with_footprint(|name| leaf(name));
    found(
        Law::Footprint,
        &Suite::new(rule, Alphabet::of(&["a", "b", "c"])),
    );
}

#[test]
fn a_footprint_of_nothing_is_found() {
    let rule = FoldFn::reducer("name", 1, |_| 0, |name: &mut u64, new: &u64| *name = *new)
        .with_footprint(|_| Footprint::NOTHING);
    found(Law::Footprint, &Suite::new(rule, numbers()));
}

#[test]
fn a_swap_that_names_one_of_its_two_places_is_found() {
    let rule = FoldFn::reducer(
        "swap",
        1,
        |_| Many::new(),
        |state: &mut Many, (from, to): &(String, String)| {
            let moved = state.remove(from).unwrap_or(1);
            state.insert(to.clone(), moved + 1);
        },
    )
    .with_footprint(|(from, _)| leaf(from));
    let moves = Alphabet::of(&[("a", "b"), ("b", "a")]);
    found(Law::Footprint, &Suite::new(rule, moves).keeping_all());
}

#[test]
fn a_floating_sum_under_a_false_claim_is_found() {
    let rule = FoldFn::reducer(
        "mean",
        1,
        |_| 0f64,
        |sum: &mut f64, step: &f64| *sum += step,
    )
    .with_claims(Claims::commuting());
    found(
        Law::Commutation,
        &Suite::new(rule, Alphabet::of(&[0.1, 0.2, 0.3])),
    );
}

#[test]
fn a_last_write_under_a_false_claim_is_found() {
    let rule = FoldFn::reducer("name", 1, |_| 0, |name: &mut u64, new: &u64| *name = *new)
        .with_claims(Claims::commuting());
    found(Law::Commutation, &Suite::new(rule, numbers()));
}

#[test]
fn a_set_that_loses_concurrent_adds_under_a_false_claim_is_found() {
    let rule = FoldFn::reducer(
        "set",
        1,
        |_| BTreeSet::new(),
        |set: &mut BTreeSet<u64>, (add, item): &(bool, u64)| {
            if *add {
                set.insert(*item);
            } else {
                set.remove(item);
            }
        },
    )
    .with_claims(Claims::commuting());
    found(
        Law::Commutation,
        &Suite::new(rule, Alphabet::of(&[(true, 1), (false, 1)])),
    );
}

#[test]
fn a_capacity_for_named_guests_under_a_false_claim_is_found() {
    let rule = FoldFn::reducer(
        "guests",
        1,
        |_| BTreeSet::new(),
        |guests: &mut BTreeSet<u64>, name: &u64| {
            guests.insert(*name);
        },
    )
    .with_admit(|guests, _, _| match guests.len() {
        0..2 => Ok(()),
        _ => Err(Rejection::new("full")),
    })
    .with_claims(Claims::commuting());
    found(Law::Commutation, &Suite::new(rule, numbers()));
}

#[test]
fn a_claim_that_holds_for_every_two_events_and_fails_for_three_is_found() {
    // The median of what was said at once, made of running halves: two commute, three do not.
    let rule = FoldFn::reducer(
        "mean",
        1,
        |_| None,
        |mean: &mut Option<f64>, new: &f64| {
            *mean = Some(mean.map_or(*new, |old| f64::midpoint(old, *new)));
        },
    )
    .with_claims(Claims::commuting());
    let report = Suite::new(rule, Alphabet::of(&[1.0, 2.0])).check();
    let failure = report.failures().next().unwrap();
    assert_eq!(
        (failure.law, failure.history.len()),
        (Law::Commutation, 3),
        "{report}"
    );
}

#[test]
fn a_list_of_rivals_in_the_order_of_folding_is_found() {
    let apply = |kept: &mut Vec<(EventId, u64)>, new: &u64, cx: &Context<'_, u64>| {
        kept.retain(|(id, _)| !cx.saw(*id));
        kept.push((cx.id(), *new));
    };
    let rule = FoldFn::new("kept", 1, |_| Vec::new(), apply).with_claims(Claims::commuting());
    found(Law::Commutation, &Suite::new(rule, numbers()));
}

#[test]
fn a_refusal_that_depends_on_order_under_a_false_claim_is_found() {
    let rule = FoldFn::reducer(
        "stock",
        1,
        |_| 1i64,
        |left: &mut i64, step: &i64| *left += step,
    )
    .with_admit(|left, step, _| match left + step {
        ..0 => Err(Rejection::new("none left")),
        _ => Ok(()),
    })
    .with_claims(Claims::commuting());
    found(
        Law::Commutation,
        &Suite::new(rule, Alphabet::of(&[-1i64, 1])),
    );
}

#[test]
fn a_maximum_that_says_the_later_wins_is_found() {
    let rule = FoldFn::reducer(
        "high",
        1,
        |_| 0,
        |high: &mut u64, new: &u64| *high = *new.max(high),
    );
    found(Law::Loss, &Suite::new(rule, numbers()));
}

#[test]
fn an_overruled_write_that_is_said_to_be_merged_is_found() {
    let rule = FoldFn::reducer("name", 1, |_| 0, |name: &mut u64, new: &u64| *name = *new)
        .with_judge(|_, _| Verdict::Merged);
    found(Law::Loss, &Suite::new(rule, numbers()));
}

#[test]
fn a_rule_that_differs_from_its_reducer_is_found() {
    let apply = |last: &mut u64, new: &u64, cx: &Context<'_, u64>| {
        // Meant for ties, met by everybody.
        if cx.key().seq.get() < 3 || new > last {
            *last = *new;
        }
    };
    let rule = FoldFn::new("last", 1, |_| 0, apply);
    let suite =
        Suite::new(rule, numbers()).with_reducer(|all: &[u64]| all.last().copied().unwrap_or(0));
    let report = suite.check();
    assert!(report.broken().contains(&Law::Sequence), "{report}");
}

#[test]
fn a_balance_below_zero_is_found() {
    let rule = FoldFn::reducer(
        "purse",
        1,
        |_| 3i64,
        |left: &mut i64, step: &i64| *left += step,
    )
    .with_judge(|_, _| Verdict::Merged);
    let suite = Suite::new(rule, Alphabet::of(&[-2i64, 1]))
        .with_invariant("nobody owes anything", |left| *left >= 0);
    found(Law::Invariants, &suite);
}

#[test]
fn a_history_in_the_state_is_found() {
    let rule = FoldFn::reducer(
        "last",
        1,
        |_| Vec::new(),
        |all: &mut Vec<u64>, new: &u64| all.push(*new),
    );
    found(Law::Growth, &Suite::new(rule, numbers()));
}

#[test]
fn tombstones_for_ever_are_found() {
    type Tombs = (BTreeMap<EventId, u64>, BTreeSet<EventId>);
    let apply = |(alive, dead): &mut Tombs, new: &u64, cx: &Context<'_, u64>| {
        dead.extend(alive.keys().filter(|id| cx.saw(**id)));
        alive.retain(|id, _| !dead.contains(id));
        alive.insert(cx.id(), *new);
    };
    let rule = FoldFn::new("tombs", 1, |_| Tombs::default(), apply);
    found(Law::Growth, &Suite::new(rule, numbers()));
}

#[test]
fn a_resolution_that_leaves_its_question_open_is_found() {
    let rule = StillOpen;
    let suite = Suite::new(rule, Alphabet::of(&[1u64, 2])).with_resolutions(Alphabet::of(&[9u64]));
    found(Law::Resolution, &suite);
}

/// Whoever disagrees opens a question, and nobody closes it.
struct StillOpen;

impl Resolver for StillOpen {
    type State = (u64, bool);
    type Payload = u64;

    fn id(&self) -> anabranch::resolver::ResolverId {
        anabranch::resolver::ResolverId::new("open", 1)
    }

    fn init(&self, _: &anabranch::AggregateId) -> (u64, bool) {
        (0, false)
    }

    fn apply(&self, state: &mut (u64, bool), new: &u64, cx: &Context<'_, u64>) {
        *state = (*new, state.1 || !cx.rivals().is_empty());
    }

    fn rule_at(&self, _: &Key) -> Cow<'static, str> {
        Cow::Borrowed("a person decides")
    }

    fn pieces(
        &self,
        state: &(u64, bool),
    ) -> Result<Vec<anabranch::resolver::Piece>, anabranch::event::PayloadError> {
        Ok(vec![anabranch::resolver::Piece {
            key: Key::everything(),
            value: anabranch::event::cbor::to_vec(&state.0)?,
            from: Vec::new(),
            open: state.1,
        }])
    }
}

#[test]
#[should_panic(expected = "breaks the law of determinism")]
fn a_time_zone_is_found_by_asking_another_process() {
    let rule = FoldFn::reducer(
        "zone",
        1,
        |_| String::new(),
        |zone: &mut String, _: &u64| {
            *zone = std::env::var("TZ").unwrap_or_default();
        },
    );
    let test = concat!(
        module_path!(),
        "::a_time_zone_is_found_by_asking_another_process"
    );
    Suite::new(rule, numbers()).assert_same_elsewhere(test);
}

#[test]
#[should_panic(expected = "breaks the law of determinism")]
fn a_seed_drawn_once_per_process_is_found_by_asking_another_process() {
    static SEED: std::sync::OnceLock<std::hash::RandomState> = std::sync::OnceLock::new();
    let rule = FoldFn::reducer(
        "seeded",
        1,
        |_| 0,
        |state: &mut u64, new: &u64| {
            use std::hash::BuildHasher;
            *state = SEED.get_or_init(Default::default).hash_one(new);
        },
    );
    let test = concat!(
        module_path!(),
        "::a_seed_drawn_once_per_process_is_found_by_asking_another_process"
    );
    Suite::new(rule, numbers()).assert_same_elsewhere(test);
}
