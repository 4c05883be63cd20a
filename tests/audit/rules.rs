//! Rules that break one law each.

use std::collections::{BTreeMap, HashSet};

use anabranch::resolver::{Claims, FoldFn, Footprint, Key, Resolver};
use serde::{Deserialize, Serialize};

/// Lets the order of a hash set show.
pub(crate) fn hash_set() -> impl Resolver {
    let note = |seen: &mut HashSet<String>, name: &String| {
        seen.insert(name.clone());
    };
    FoldFn::reducer("seen", 1, |_| HashSet::new(), note)
}

/// Numbers all places as they come, and names only the one that is written.
pub(crate) fn small_footprint() -> impl Resolver {
    let number = |places: &mut BTreeMap<String, usize>, name: &String| {
        let next = places.len();
        places.entry(name.clone()).or_insert(next);
    };
    FoldFn::reducer("places", 1, |_| BTreeMap::new(), number)
        .with_footprint(|name: &String| Footprint::Keys(vec![Key::leaf([name.as_str()])]))
}

/// The last one wins, and yet it says that the order does not matter.
pub(crate) fn false_claim() -> impl Resolver {
    FoldFn::reducer(
        "last",
        1,
        |_| String::new(),
        |last: &mut String, new: &String| {
            last.clone_from(new);
        },
    )
    .with_claims(Claims::commuting())
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Peak {
    peak: i64,
    #[serde(skip)]
    sum: i64,
}

/// Forgets a part of its state when it is written.
pub(crate) fn forgetful() -> impl Resolver {
    FoldFn::reducer(
        "peak",
        1,
        |_| Peak::default(),
        |state: &mut Peak, step: &i64| {
            state.sum += step;
            state.peak = state.peak.max(state.sum);
        },
    )
}

/// Depends on the machine.
pub(crate) fn local(offset: u64) -> impl Resolver {
    FoldFn::reducer(
        "sum",
        1,
        |_| 0u64,
        move |sum: &mut u64, step: &u64| *sum += step + offset,
    )
}
