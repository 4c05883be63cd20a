//! Rules whose footprints are too small.

use std::collections::{BTreeMap, BTreeSet};

use anabranch::FoldFn;
use anabranch::resolver::{Footprint, Key, Rejection, Resolver};
use anabranch::testing::laws::{Alphabet, Law, Suite};

use super::{Mistake, leaf, names, numbers};

type Many = BTreeMap<String, u64>;

/// What is read or written outside of what was named.
pub fn mistakes() -> Vec<Mistake> {
    vec![
        total(),
        admit(),
        nothing(),
        swap(),
        prefix(),
        below(),
        spelling(),
        renumbered(),
        flag(),
    ]
}

fn plain<R: Resolver>(name: &'static str, sin: &'static str, suite: Suite<R>) -> Mistake {
    Mistake::new(Law::Footprint, name, sin, suite)
}

fn total() -> Mistake {
    let step = |shelf: &mut Many, name: &String| {
        let number = u64::try_from(shelf.len()).unwrap_or(u64::MAX);
        shelf.entry(name.clone()).or_insert(number);
    };
    let rule = FoldFn::reducer("shelf", 1, |_| Many::new(), step).with_footprint(|name| leaf(name));
    plain(
        "number_of_entries_not_named",
        "a new entry is numbered by how many there are, and only its own place is named",
        Suite::new(rule, names()),
    )
}

fn admit() -> Mistake {
    let step = |guests: &mut BTreeSet<String>, name: &String| {
        guests.insert(name.clone());
    };
    let rule = FoldFn::reducer("guests", 1, |_| BTreeSet::new(), step)
        .with_admit(|guests, _, _| match guests.len() {
            0..2 => Ok(()),
            _ => Err(Rejection::new("full")),
        })
        .with_footprint(|name| leaf(name));
    plain(
        "capacity_not_named",
        "a guest is admitted by how many others there are, and only the guest is named",
        Suite::new(rule, Alphabet::of(&["a", "b", "c"])),
    )
}

fn nothing() -> Mistake {
    let rule = FoldFn::reducer("name", 1, |_| 0, |name: &mut u64, new: &u64| *name = *new)
        .with_footprint(|_| Footprint::NOTHING);
    plain(
        "footprint_of_nothing",
        "an event that writes says that it touches nothing",
        Suite::new(rule, numbers()),
    )
}

fn swap() -> Mistake {
    let step = |state: &mut Many, (from, to): &(String, String)| {
        let moved = state.remove(from).unwrap_or(1);
        state.insert(to.clone(), moved + 1);
    };
    let rule =
        FoldFn::reducer("move", 1, |_| Many::new(), step).with_footprint(|(from, _)| leaf(from));
    let moves = Alphabet::of(&[("a", "b"), ("b", "a")]);
    plain(
        "move_that_names_where_from",
        "something is moved, and only the place that it leaves is named",
        Suite::new(rule, moves).keeping_all(),
    )
}

/// `("", x)` adds x; `(x, "")` removes all that begins with x.
fn prefix() -> Mistake {
    let step = |files: &mut Many, (gone, new): &(String, String)| {
        if new.is_empty() {
            files.retain(|name, _| !name.starts_with(gone));
        } else {
            files.insert(new.clone(), 1);
        }
    };
    let rule = FoldFn::reducer("files", 1, |_| Many::new(), step)
        .with_footprint(|(gone, new)| leaf(if new.is_empty() { gone } else { new }));
    plain(
        "prefix_taken_for_a_folder",
        "removing a folder removes every name that begins like it",
        Suite::new(rule, Alphabet::of(&[("", "ab"), ("a", "")])),
    )
}

fn below() -> Mistake {
    let step = |tree: &mut BTreeMap<String, Many>, (at, below): &(String, String)| {
        if below.is_empty() {
            tree.remove(at);
        } else {
            tree.entry(at.clone()).or_default().insert(below.clone(), 1);
        }
    };
    let rule = FoldFn::reducer("tree", 1, |_| BTreeMap::new(), step).with_footprint(
        |(at, below): &(String, String)| {
            let path = [at.as_str(), below.as_str()];
            let path = path.iter().filter(|segment| !segment.is_empty());
            Footprint::Keys(vec![Key::leaf(path.copied())])
        },
    );
    plain(
        "leaf_named_for_a_branch",
        "what is removed with everything below it is named as a single place",
        Suite::new(rule, Alphabet::of(&[("a", "x"), ("a", "")])),
    )
}

fn spelling() -> Mistake {
    let step = |state: &mut Many, name: &String| {
        let times = state.entry(name.to_lowercase()).or_default();
        *times =
            (*times * 2 + u64::try_from(name.len()).unwrap_or(0) + u64::from(name == "A")) % 97;
    };
    let rule = FoldFn::reducer("names", 1, |_| Many::new(), step).with_footprint(|name| leaf(name));
    plain(
        "key_before_it_is_normalised",
        "names are stored in lower case and named as they are spelled",
        Suite::new(rule, Alphabet::of(&["A", "a"])),
    )
}

fn renumbered() -> Mistake {
    let step = |ranks: &mut Vec<String>, name: &String| {
        if !ranks.contains(name) {
            ranks.push(name.clone());
        }
    };
    let rule = FoldFn::reducer("ranks", 1, |_| Vec::new(), step).with_footprint(|name| leaf(name));
    plain(
        "list_whose_order_is_not_named",
        "elements with keys of their own stand in a list in the order of their coming",
        Suite::new(rule, names()),
    )
}

fn flag() -> Mistake {
    let step = |(open, names): &mut (bool, BTreeSet<String>), name: &String| {
        if name == "close" {
            *open = false;
        } else if *open {
            names.insert(name.clone());
        }
    };
    let rule = FoldFn::reducer("list", 1, |_| (true, BTreeSet::new()), step)
        .with_footprint(|name| leaf(name));
    plain(
        "switch_that_is_read_and_not_named",
        "whether a list is closed is read by those who name only their own entry",
        Suite::new(rule, Alphabet::of(&["a", "close"])),
    )
}
