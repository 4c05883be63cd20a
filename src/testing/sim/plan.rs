//! What kind of world a seed makes: who may talk to whom, and how rough it is.

use crate::testing::sim::random::Random;

/// Who may dial whom, by number of replica.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a choice of its own, and they combine"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) shape: Shape,
    pub(crate) nodes: usize,
    pub(crate) edges: Vec<(usize, usize)>,
    /// A replica without rules: it stores and forwards.
    pub(crate) plain: Option<usize>,
    /// A replica whose clock is hours ahead.
    pub(crate) skewed: Option<usize>,
    /// Bytes of timelines in memory.
    pub(crate) cache_bytes: usize,
    pub(crate) operations: usize,
    pub(crate) crashes: bool,
    pub(crate) failures: bool,
    pub(crate) restores: bool,
    pub(crate) strangers: bool,
    /// One commit is larger than a frame.
    pub(crate) large: bool,
    /// Every replica founds a log of its own; they become one when they meet.
    pub(crate) founders: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Hub,
    Line,
    Ring,
    TwoHubs,
}

impl Plan {
    /// A hub and its leaves, honest clocks, nothing that goes wrong.
    #[cfg(test)]
    pub(crate) fn calm(leaves: usize, cache_bytes: usize) -> Self {
        Self {
            shape: Shape::Hub,
            nodes: leaves + 1,
            edges: (1..=leaves).map(|leaf| (leaf, 0)).collect(),
            plain: None,
            skewed: None,
            cache_bytes,
            operations: 0,
            crashes: false,
            failures: false,
            restores: false,
            strangers: false,
            large: false,
            founders: false,
        }
    }

    pub(crate) fn random(random: &mut Random) -> Self {
        let shape = *random.pick(&[Shape::Hub, Shape::Line, Shape::Ring, Shape::TwoHubs]);
        let (nodes, edges) = match shape {
            Shape::Hub => {
                let leaves = random.between(3, 5) as usize;
                (leaves + 1, (1..=leaves).map(|leaf| (leaf, 0)).collect())
            }
            Shape::Line => (4, vec![(0, 1), (1, 2), (2, 3)]),
            Shape::Ring => (3, vec![(0, 1), (1, 2), (2, 0)]),
            Shape::TwoHubs => (5, vec![(2, 0), (2, 1), (3, 0), (3, 1), (4, 1), (1, 0)]),
        };
        let restores = random.chance(30);
        Self {
            shape,
            nodes,
            edges,
            plain: random.chance(25).then_some(0),
            skewed: random.chance(25).then_some(nodes - 1),
            cache_bytes: *random.pick(&[1, 3_000, 6_000, 20_000]),
            operations: random.between(60, 160) as usize,
            crashes: random.chance(60),
            failures: random.chance(40),
            restores,
            strangers: random.chance(50),
            large: random.chance(4),
            // A store that forgot which log it had joined may join another one.
            founders: shape == Shape::Hub && !restores,
        }
    }
}
