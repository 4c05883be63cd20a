//! Rules that read more than their arguments, or remember.

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anabranch::FoldFn;
use anabranch::event::OrderKey;
use anabranch::resolver::Rejection;
use anabranch::testing::laws::{Alphabet, Law, Suite};

use super::{Mistake, leaf, numbers};

/// Arrival order, clocks, chance and hidden memory.
pub fn mistakes() -> Vec<Mistake> {
    vec![
        hash_set(),
        hash_order(),
        clock(),
        timer(),
        random_id(),
        random_key(),
        thread(),
        thread_local(),
        static_counter(),
        shared_count(),
        asked_before(),
        too_late(),
    ]
}

fn hash_set() -> Mistake {
    let step = |tags: &mut HashSet<u64>, tag: &u64| {
        tags.insert(*tag);
    };
    let rule = FoldFn::reducer("tags", 1, |_| HashSet::new(), step);
    Mistake::new(
        Law::Determinism,
        "hash_set_in_the_state",
        "the state is written in the order of a hash set",
        Suite::new(rule, numbers()),
    )
}

fn hash_order() -> Mistake {
    let step = |seen: &mut Vec<u64>, new: &u64| {
        let mut all: HashSet<u64> = seen.iter().copied().collect();
        all.insert(*new);
        *seen = all.into_iter().collect();
    };
    let rule = FoldFn::reducer("any", 1, |_| Vec::new(), step);
    Mistake::new(
        Law::Determinism,
        "list_in_hash_order",
        "a list is made distinct by way of a hash set",
        Suite::new(rule, numbers()),
    )
}

fn clock() -> Mistake {
    let step = |state: &mut (u64, u128), new: &u64| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        *state = (*new, now.map_or(0, |now| now.as_millis()));
    };
    let rule = FoldFn::reducer("stamped", 1, |_| (0, 0), step);
    Mistake::new(
        Law::Determinism,
        "clock_in_milliseconds",
        "each value is stamped with the time of folding, in milliseconds",
        Suite::new(rule, numbers()),
    )
}

fn timer() -> Mistake {
    let start = Instant::now();
    let rule = FoldFn::reducer("slow", 1, |_| 0, |state: &mut u64, new: &u64| *state = *new)
        .with_admit(move |_, _, _| match start.elapsed().as_nanos() % 2 {
            0 => Ok(()),
            _ => Err(Rejection::new("too late")),
        });
    Mistake::new(
        Law::Determinism,
        "timer_in_admit",
        "what is admitted depends on how long the program has run",
        Suite::new(rule, numbers()),
    )
}

fn random_id() -> Mistake {
    let step = |id: &mut u64, _: &u64| *id = RandomState::new().hash_one(1);
    let rule = FoldFn::reducer("ids", 1, |_| 0, step);
    Mistake::new(
        Law::Determinism,
        "random_id",
        "a random id is given to what is added",
        Suite::new(rule, numbers()),
    )
}

fn random_key() -> Mistake {
    let rule = FoldFn::reducer("name", 1, |_| 0, |name: &mut u64, new: &u64| *name = *new)
        .with_footprint(|_| leaf(&RandomState::new().hash_one(1).to_string()));
    Mistake::new(
        Law::Determinism,
        "random_footprint",
        "the keys of a footprint are hashed with a random seed",
        Suite::new(rule, numbers()),
    )
}

fn thread() -> Mistake {
    let step = |who: &mut String, _: &u64| *who = format!("{:?}", std::thread::current().id());
    let rule = FoldFn::reducer("who", 1, |_| String::new(), step);
    Mistake::new(
        Law::Determinism,
        "name_of_the_thread",
        "the thread that folds is written down",
        Suite::new(rule, numbers()),
    )
}

fn thread_local() -> Mistake {
    thread_local!(static LAST: Cell<u64> = const { Cell::new(0) });
    let step = |changes: &mut u64, new: &u64| *changes += u64::from(LAST.replace(*new) != *new);
    let rule = FoldFn::reducer("changes", 1, |_| 0, step);
    Mistake::new(
        Law::Determinism,
        "value_in_a_thread_local",
        "the last value is kept in a thread local instead of the state",
        Suite::new(rule, numbers()),
    )
}

fn static_counter() -> Mistake {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let step = |ids: &mut Vec<u64>, _: &u64| *ids = vec![NEXT.fetch_add(1, Ordering::Relaxed)];
    let rule = FoldFn::reducer("ids", 1, |_| Vec::new(), step);
    Mistake::new(
        Law::Determinism,
        "ids_from_a_static_counter",
        "ids are drawn from a counter of the program",
        Suite::new(rule, numbers()),
    )
}

/// Counted again whenever the engine folds again.
fn shared_count() -> Mistake {
    let totals: Mutex<HashMap<u64, u64>> = Mutex::default();
    let step = move |votes: &mut (u64, u64), step: &u64| {
        let mut totals = totals.lock().expect("a lock that nobody broke");
        if votes.0 == 0 {
            totals.clear();
        }
        *totals.entry(*step).or_default() += 1;
        *votes = (votes.0 + 1, totals.values().sum());
    };
    let rule = FoldFn::reducer("votes", 1, |_| (0, 0), step);
    Mistake::new(
        Law::Purity,
        "count_beside_the_state",
        "votes are counted in a field of the rule, so that a replay counts them again",
        Suite::new(rule, numbers()),
    )
    .also(&[Law::Determinism])
}

fn asked_before() -> Mistake {
    let asked = Mutex::new(BTreeSet::new());
    let step = |taken: &mut BTreeSet<u64>, seat: &u64| {
        taken.insert(*seat);
    };
    let rule = FoldFn::reducer("seats", 1, |_| BTreeSet::new(), step).with_admit(
        move |taken: &BTreeSet<u64>, seat: &u64, cx| {
            let mut asked = asked.lock().expect("a lock that nobody broke");
            if taken.is_empty() {
                asked.clear();
            }
            if asked.insert((cx.id(), *seat)) {
                Ok(())
            } else {
                Err(Rejection::new("asked before"))
            }
        },
    );
    Mistake::new(
        Law::Purity,
        "memory_of_what_was_asked",
        "a seat is held as soon as somebody asks whether it is free",
        Suite::new(rule, Alphabet::of(&[1u64])),
    )
    .also(&[Law::Determinism])
}

fn too_late() -> Mistake {
    let newest: Mutex<Option<OrderKey>> = Mutex::default();
    let rule = FoldFn::reducer("log", 1, |_| 0, |sum: &mut u64, new: &u64| *sum ^= new).with_admit(
        move |state, _, cx| {
            let mut newest = newest.lock().expect("a lock that nobody broke");
            if *state == 0 {
                *newest = None;
            }
            if *newest > Some(cx.key()) {
                return Err(Rejection::new("too late"));
            }
            *newest = Some(cx.key());
            Ok(())
        },
    );
    Mistake::new(
        Law::Rollback,
        "refuses_what_arrives_late",
        "what comes after a newer event is refused, by a note beside the state",
        Suite::new(rule, Alphabet::of(&[1u64, 2, 4])),
    )
}
