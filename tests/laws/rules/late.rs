//! Mistakes that only the fifth event shows: small histories are tried in full.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use anabranch::FoldFn;
use anabranch::testing::laws::{Alphabet, Law, Suite};
use serde::{Deserialize, Serialize};

use super::{Mistake, leaf};

/// What four events do not show.
pub fn mistakes() -> Vec<Mistake> {
    let all = [
        determinism(),
        purity(),
        totality(),
        split(),
        footprint(),
        sequence(),
        invariant(),
    ];
    all.map(|mistake| Mistake {
        enough: mistake.enough.max(40_000),
        ..mistake
    })
    .into()
}

/// The event that shows it.
const FIFTH: u64 = 5;

/// One payload: the shapes alone are many.
fn names() -> Alphabet {
    Alphabet::of(&["a"])
}

/// How many events there were, up to the fifth, and a value.
type Counted = (u64, u64);

fn counted(
    name: &'static str,
    fifth: impl Fn(&mut u64) + Send + Sync + 'static,
) -> FoldFn<Counted, String> {
    let step = move |(count, value): &mut Counted, _: &String| {
        *count = (*count + 1).min(FIFTH);
        if *count == FIFTH {
            fifth(value);
        }
    };
    FoldFn::reducer(name, 1, |_| (0, 0), step)
}

fn determinism() -> Mistake {
    let rule = counted("chance", |value| *value = RandomState::new().hash_one(1));
    Mistake::new(
        Law::Determinism,
        "chance_from_the_fifth_event_on",
        "a number is drawn as soon as there are five",
        Suite::new(rule, names()),
    )
}

fn purity() -> Mistake {
    let asked = AtomicU64::new(0);
    let rule = counted("parity", move |value| {
        *value = asked.fetch_add(1, Ordering::Relaxed);
    });
    Mistake::new(
        Law::Purity,
        "memory_from_the_fifth_event_on",
        "a field of the rule counts as soon as there are five",
        Suite::new(rule, names()),
    )
    .also(&[Law::Determinism])
}

fn totality() -> Mistake {
    let rule = counted("four", |_| panic!("no more than four"));
    Mistake::new(
        Law::Totality,
        "panic_at_the_fifth_event",
        "no more than four are expected",
        Suite::new(rule, names()),
    )
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Hidden {
    shown: u64,
    #[serde(skip)]
    count: u64,
}

fn split() -> Mistake {
    let step = |state: &mut Hidden, _: &String| {
        state.count = (state.count + 1).min(FIFTH);
        state.shown = u64::from(state.count == FIFTH);
    };
    let rule = FoldFn::reducer("hidden", 1, |_| Hidden::default(), step);
    Mistake::new(
        Law::StateSplit,
        "forgotten_until_the_fifth_event",
        "a field that is not written decides as soon as there are five",
        Suite::new(rule, names()),
    )
}

fn footprint() -> Mistake {
    type Places = BTreeMap<String, u64>;
    let step = |places: &mut Places, name: &String| {
        let all: u64 = places.values().sum();
        let times = places.entry(name.clone()).or_default();
        *times = if all >= FIFTH - 1 { 9 } else { *times + 1 };
    };
    let rule =
        FoldFn::reducer("places", 1, |_| Places::new(), step).with_footprint(|name| leaf(name));
    Mistake::new(
        Law::Footprint,
        "total_read_at_the_fifth_event",
        "the fifth of all counts for more, and an event names its own place only",
        Suite::new(rule, Alphabet::of(&["a", "b"])),
    )
}

fn sequence() -> Mistake {
    let rule = counted("sum", |value| *value = 1);
    Mistake::new(
        Law::Sequence,
        "other_than_its_reducer_from_the_fifth_event_on",
        "five do what the plain reducer does not",
        Suite::new(rule, names()).with_reducer(|all: &[String]| {
            let count = u64::try_from(all.len()).unwrap_or(u64::MAX);
            (count.min(FIFTH), 0u64)
        }),
    )
}

fn invariant() -> Mistake {
    let rule = counted("boat", |_| {});
    Mistake::new(
        Law::Invariants,
        "five_in_a_boat_for_four",
        "nobody counts who is in the boat",
        Suite::new(rule, names()).with_invariant("there is room", |(count, _)| *count < FIFTH),
    )
}
