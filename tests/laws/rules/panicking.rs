//! Rules that panic on what anybody may write.

use std::collections::BTreeMap;

use anabranch::FoldFn;
use anabranch::resolver::{Resolver, Verdict};
use anabranch::testing::laws::{Alphabet, Law, Suite};
use serde::{Deserialize, Serialize};

use super::{Mistake, leaf, names, numbers};

/// Arithmetic, indexes, and what was never there.
pub fn mistakes() -> Vec<Mistake> {
    vec![
        division(),
        overflow(),
        extreme(),
        pop(),
        not_a_number(),
        slice(),
        index(),
        keys(),
        verdict(),
        shown(),
    ]
}

fn plain<R: Resolver>(name: &'static str, sin: &'static str, suite: Suite<R>) -> Mistake {
    Mistake::new(Law::Totality, name, sin, suite)
}

fn division() -> Mistake {
    let step = |left: &mut u64, parts: &u64| *left /= parts;
    let rule = FoldFn::reducer("share", 1, |_| 100u64, step);
    plain(
        "division_by_zero",
        "something is shared among as many as a payload says",
        Suite::new(rule, Alphabet::of(&[2u64, 3])),
    )
}

fn overflow() -> Mistake {
    let step = |sum: &mut u8, step: &u8| *sum = sum.checked_add(*step).expect("small sums");
    let rule = FoldFn::reducer("sum", 1, |_| 0, step);
    plain(
        "overflow_after_a_while",
        "a sum is expected to fit",
        Suite::new(rule, Alphabet::of(&[100u8, 60])),
    )
}

/// The payloads of the suite are small: the extreme ones are the harness's.
fn extreme() -> Mistake {
    #[derive(Serialize, Deserialize, Debug)]
    struct Move {
        account: String,
        cents: i64,
    }
    let step = |sum: &mut i64, step: &Move| *sum += step.cents;
    let rule = FoldFn::reducer("account", 1, |_| 100i64, step);
    let account = || "a".to_owned();
    let moves = [1, -2].map(|cents| Move {
        account: account(),
        cents,
    });
    plain(
        "overflow_by_an_extreme_payload",
        "whatever number stands in a payload is added",
        Suite::new(rule, Alphabet::of(&moves)),
    )
}

fn pop() -> Mistake {
    let step = |list: &mut Vec<u64>, item: &u64| match item {
        0 => drop(list.pop().expect("an item")),
        _ => list.push(*item),
    };
    let rule = FoldFn::reducer("list", 1, |_| Vec::new(), step);
    plain(
        "unwrap_of_what_another_event_brings",
        "an event takes away what it expects another one to have put there",
        Suite::new(rule, Alphabet::of(&[1u64, 0])).keeping_all(),
    )
}

fn not_a_number() -> Mistake {
    let step = |best: &mut f64, new: &f64| {
        let order = new.partial_cmp(best).expect("numbers");
        if order.is_gt() {
            *best = *new;
        }
    };
    let rule = FoldFn::reducer("best", 1, |_| 0.0, step);
    plain(
        "comparison_of_what_is_not_a_number",
        "floats are compared as if all of them were numbers",
        Suite::new(rule, Alphabet::of(&[1.5, 2.5])),
    )
}

fn slice() -> Mistake {
    let step = |initials: &mut String, name: &String| *initials = name[..1].to_uppercase();
    let rule = FoldFn::reducer("initials", 1, |_| String::new(), step);
    plain(
        "first_byte_of_a_name",
        "a name is cut after its first byte",
        Suite::new(rule, names()),
    )
}

fn index() -> Mistake {
    let step = |text: &mut Vec<u64>, (at, what): &(usize, u64)| {
        text.insert(*at, *what);
        text.truncate(3);
    };
    let rule = FoldFn::reducer("text", 1, |_| Vec::new(), step);
    plain(
        "position_beyond_the_end",
        "something is inserted where the writer's longer list had room for it",
        Suite::new(rule, Alphabet::of(&[(0usize, 1u64), (0, 2)])),
    )
}

fn keys() -> Mistake {
    let step = |places: &mut BTreeMap<String, u64>, path: &Vec<String>| {
        if let Some(first) = path.first() {
            places.insert(first.clone(), 1);
        }
    };
    let rule = FoldFn::reducer("paths", 1, |_| BTreeMap::new(), step)
        .with_footprint(|path: &Vec<String>| leaf(&path[0]));
    plain(
        "footprint_of_an_empty_path",
        "the footprint takes the first segment of a path that may have none",
        Suite::new(rule, Alphabet::of(&[["a"], ["b"]])),
    )
}

fn verdict() -> Mistake {
    let rule = FoldFn::reducer("name", 1, |_| 0, |name: &mut u64, new: &u64| *name = *new)
        .with_judge(|earlier, later| match earlier.cmp(later) {
            core::cmp::Ordering::Equal => unreachable!("nobody writes the same twice"),
            _ => Verdict::LaterWins,
        });
    plain(
        "verdict_on_equals",
        "two people are expected never to write the same",
        Suite::new(rule, numbers()),
    )
}

/// Panics where it is read.
#[derive(Clone, Deserialize)]
struct Ranked(Vec<i64>);

impl Serialize for Ranked {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let best = self.0.iter().max().expect("somebody leads");
        vec![best].serialize(to)
    }
}

fn shown() -> Mistake {
    let step = |all: &mut Ranked, new: &i64| match new {
        0 => all.0.clear(),
        _ => all.0 = vec![*new],
    };
    let rule = FoldFn::reducer("leader", 1, |_| Ranked(vec![1]), step);
    plain(
        "showing_an_empty_state",
        "the state can be written as long as something is in it",
        Suite::new(rule, Alphabet::of(&[1i64, 2])),
    )
}
