//! Two rules as people write them, each with a mistake that no compiler and few tests will find.

use std::collections::{BTreeMap, HashMap};

use anabranch::resolver::{FoldFn, Footprint, Key, Resolver};
use serde::{Deserialize, Serialize};

#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Board {
    points: BTreeMap<String, u32>,
    /// Who has most points stands first.
    pub(crate) ranks: Vec<String>,
}

/// A scoreboard. Those who have as many points stand in the order in which a hash map tells them, and
/// each hash map has an order of its own.
pub(crate) fn board() -> impl Resolver {
    let score = |board: &mut Board, name: &String| {
        *board.points.entry(name.clone()).or_default() += 1;
        let points: HashMap<&String, u32> = board.points.iter().map(|(n, p)| (n, *p)).collect();
        let mut ranks: Vec<_> = points.into_iter().collect();
        ranks.sort_by_key(|(_, points)| std::cmp::Reverse(*points));
        board.ranks = ranks.into_iter().map(|(name, _)| name.clone()).collect();
    };
    FoldFn::reducer("board", 1, |_| Board::default(), score)
}

/// A queue: who comes gets the next number. It says of itself that somebody who comes touches nothing
/// but their own place, and yet the number depends on everybody who is there.
pub(crate) fn queue() -> impl Resolver {
    let join = |queue: &mut BTreeMap<String, usize>, name: &String| {
        let number = queue.len() + 1;
        queue.entry(name.clone()).or_insert(number);
    };
    FoldFn::reducer("queue", 1, |_| BTreeMap::new(), join)
        .with_footprint(|name: &String| Footprint::Keys(vec![Key::leaf([name.as_str()])]))
}
