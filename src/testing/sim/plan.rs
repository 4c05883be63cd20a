//! What kind of world a seed makes: who may talk to whom, how rough it is, and in which ways.

use super::draws::Draws;
use super::faults::Fault;

/// Chances are in parts of this.
pub(crate) const WHOLE: u64 = 1 << 20;

/// More than a world's aggregates take.
const MUCH: usize = 1 << 20;

/// Whose clock may be hours or years off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wild {
    Nobody,
    /// This one's, and only ahead: others write what it would refuse, were it behind.
    One(usize),
    /// Those of all leaves, around a hub that writes nothing itself.
    Leaves,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and they combine"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) shape: Shape,
    pub(crate) nodes: usize,
    /// Who may dial whom, by number of replica.
    pub(crate) edges: Vec<(usize, usize)>,
    /// A replica without rules: it stores and forwards.
    pub(crate) plain: Option<usize>,
    pub(crate) wild: Wild,
    /// Bytes of timelines in memory.
    pub(crate) cache_bytes: usize,
    pub(crate) operations: usize,
    /// Longest pause between two operations, in milliseconds.
    pub(crate) pause_ms: u64,
    /// How often an operation is something that goes wrong, in parts of [`WHOLE`].
    pub(crate) trouble: u64,
    pub(crate) strangers: bool,
    /// The aggregate that is written more often than the others.
    pub(crate) liked: Option<usize>,
    /// Once, somebody writes a great many aggregates.
    pub(crate) crowd: bool,
    /// Every replica founds a log of its own; they become one when they meet.
    pub(crate) founders: bool,
    /// A reconnect at the end is measured, too.
    pub(crate) echo: bool,
    /// How likely each fault is where it can happen, in parts of [`WHOLE`].
    rates: [u32; Fault::COUNT],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Pair,
    Hub,
    Line,
    Ring,
    TwoHubs,
}

impl Shape {
    fn random(draws: &mut Draws) -> Self {
        *draws.pick(&[
            Self::Pair,
            Self::Hub,
            Self::Hub,
            Self::Line,
            Self::Ring,
            Self::TwoHubs,
        ])
    }

    fn edges(self, draws: &mut Draws) -> (usize, Vec<(usize, usize)>) {
        match self {
            Self::Pair => (2, vec![(1, 0)]),
            Self::Hub => {
                let leaves = draws.between(2, 4) as usize;
                (leaves + 1, (1..=leaves).map(|leaf| (leaf, 0)).collect())
            }
            Self::Line => (4, vec![(0, 1), (1, 2), (2, 3)]),
            Self::Ring => (3, vec![(0, 1), (1, 2), (2, 0)]),
            Self::TwoHubs => (5, vec![(2, 0), (2, 1), (3, 0), (3, 1), (4, 1), (1, 0)]),
        }
    }
}

/// Faults that make stores forget or double what others may know, so that a store that forgot which
/// log it had joined may join another one, and a stamp that was refused may come back.
const OBLIVION: [Fault; 4] = [
    Fault::OldCopy,
    Fault::WipedStore,
    Fault::Clone,
    Fault::BitFlip,
];

impl Plan {
    /// A hub and its leaves, honest clocks, nothing that goes wrong.
    #[cfg(test)]
    pub(crate) fn calm(leaves: usize, cache_bytes: usize) -> Self {
        Self {
            shape: Shape::Hub,
            nodes: leaves + 1,
            edges: (1..=leaves).map(|leaf| (leaf, 0)).collect(),
            plain: None,
            wild: Wild::Nobody,
            cache_bytes,
            operations: 0,
            pause_ms: 30,
            trouble: 0,
            strangers: false,
            liked: None,
            crowd: false,
            founders: false,
            echo: false,
            rates: [0; Fault::COUNT],
        }
    }

    pub(crate) fn random(draws: &mut Draws) -> Self {
        let shape = Shape::random(draws);
        let (nodes, edges) = shape.edges(draws);
        let operations = match draws.below(100) {
            0 => draws.between(800, 2_000),
            1..=5 => draws.between(280, 800),
            _ => draws.between(200, 230),
        };
        let wild = match draws.below(20) {
            0..=2 => Wild::One(nodes - 1),
            3 if shape == Shape::Hub => Wild::Leaves,
            _ => Wild::Nobody,
        };
        let mut plan = Self {
            shape,
            nodes,
            edges,
            plain: draws.chance(15).then_some(0),
            wild,
            cache_bytes: match draws.below(12) {
                0 => 1,
                1 => 3_000,
                2 => 6_000,
                3 => 20_000,
                _ => MUCH,
            },
            operations: operations as usize,
            pause_ms: draws.log_uniform(4, 60),
            trouble: draws.log_uniform(WHOLE / 200, WHOLE / 8),
            strangers: draws.chance(50),
            liked: draws.chance(30).then(|| draws.below(64) as usize),
            crowd: draws.chance(2),
            founders: draws.chance(30),
            echo: draws.chance(15),
            rates: rates(draws),
        };
        if plan.wild != Wild::Nobody || (plan.founders && draws.chance(50)) {
            plan.spare(&OBLIVION);
            plan.spare(&[Fault::Fork]);
        }
        if plan.rate(Fault::Clone) > 0 {
            // Whoever knows better than the clone must go on knowing it.
            plan.spare(&[Fault::OldCopy, Fault::WipedStore, Fault::BitFlip]);
        }
        if plan.rate(Fault::Clone) > 0 && plan.rate(Fault::Fork) == 0 && draws.chance(40) {
            plan.rates[Fault::Fork.index()] = WHOLE as u32;
        }
        plan.founders &= shape == Shape::Hub && !plan.forgets();
        plan
    }

    /// Lets a fault happen wherever it can.
    #[cfg(test)]
    pub(crate) fn set(&mut self, fault: Fault) {
        self.rates[fault.index()] = WHOLE as u32;
    }

    fn spare(&mut self, faults: &[Fault]) {
        for fault in faults {
            self.rates[fault.index()] = 0;
        }
    }

    pub(crate) fn rate(&self, fault: Fault) -> u64 {
        u64::from(self.rates[fault.index()])
    }

    /// Whether a replica's clock may be far off.
    pub(crate) fn is_wild(&self, node: usize) -> bool {
        match self.wild {
            Wild::Nobody => false,
            Wild::One(wild) => wild == node,
            Wild::Leaves => node != 0,
        }
    }

    /// Whether users write there.
    pub(crate) fn is_written(&self, node: usize) -> bool {
        self.wild != Wild::Leaves || node != 0
    }

    /// Whether some store may forget or double what others know.
    pub(crate) fn forgets(&self) -> bool {
        OBLIVION.iter().any(|fault| self.rate(*fault) > 0)
    }
}

/// Each seed has its own kinds of trouble, some of them often.
fn rates(draws: &mut Draws) -> [u32; Fault::COUNT] {
    let mut rates = [0; Fault::COUNT];
    let share = *draws.pick(&[5, 20, 40, 60, 80]);
    for fault in Fault::ALL {
        if draws.chance(share) {
            let (low, high) = range(*fault);
            rates[fault.index()] = draws.log_uniform(low, high) as u32;
        }
    }
    rates
}

/// Between what chances a fault is drawn, where it can happen: at each frame, write, read or step of
/// a replica. For what goes wrong as an operation of its own it is a weight among the others.
fn range(fault: Fault) -> (u64, u64) {
    match fault {
        Fault::SlowWrite | Fault::SlowRead => (WHOLE / 500, WHOLE / 10),
        Fault::ReadError => (WHOLE / 2_000, WHOLE / 50),
        Fault::CrashBeforeAnswer => (WHOLE / 5_000, WHOLE / 100),
        Fault::CrashOnOpen => (WHOLE / 50, WHOLE / 3),
        Fault::CrashBetweenEffects => (WHOLE / 10_000, WHOLE / 500),
        Fault::TornTail | Fault::HalfOpen => (WHOLE / 20, WHOLE / 2),
        Fault::DelaySpike => (WHOLE / 5_000, WHOLE / 50),
        Fault::SlowLink | Fault::DialRefused | Fault::SecondLink => (WHOLE / 50, WHOLE / 4),
        Fault::TruncatedFrame | Fault::CorruptFrame => (WHOLE / 5_000, WHOLE / 200),
        Fault::OldBasis | Fault::Garbage | Fault::UnknownType => (WHOLE / 100, WHOLE / 4),
        Fault::LargeCommit => (WHOLE / 20_000, WHOLE / 1_000),
        Fault::Fork => (WHOLE / 2, WHOLE),
        Fault::BitFlip | Fault::HubAway => (WHOLE / 200, WHOLE / 20),
        _ => (WHOLE / 50, WHOLE),
    }
}
