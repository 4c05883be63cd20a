//! What everybody is given: the same writes, from one seed.
//!
//! A value is 32 hexadecimal digits, so it holds 16 bytes that nothing can compress. Keys are drawn
//! evenly.

use std::fmt::Write as _;

/// `SplitMix64`: small, good enough, and the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// One write of one key.
#[derive(Clone)]
pub(crate) struct Write {
    /// Who writes, from 0.
    pub(crate) replica: usize,
    /// What is written, from 0.
    pub(crate) key: usize,
    /// 32 hexadecimal digits.
    pub(crate) value: String,
    /// Which write it is of all of them, by the clock that all writers share.
    pub(crate) at: usize,
}

/// Writes of one replica that travel together.
pub(crate) struct Batch {
    pub(crate) replica: usize,
    pub(crate) writes: Vec<Write>,
}

/// One change of a tree of maps.
pub(crate) struct Change {
    /// From the root to a leaf, at least one segment.
    pub(crate) path: Vec<String>,
    /// The new value as text, or nothing where it goes.
    pub(crate) value: Option<String>,
}

/// How a workload is shaped.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) replicas: usize,
    pub(crate) keys: usize,
    pub(crate) writes: usize,
}

/// Writes of replicas that have seen nothing of one another, in batches of at most so many; the
/// batches come in turns.
pub(crate) fn bulk(shape: Shape, per_batch: usize) -> Vec<Batch> {
    let mut random = Random::new(1);
    let mut open: Vec<Vec<Write>> = vec![Vec::new(); shape.replicas];
    let mut batches = Vec::new();
    for at in 0..shape.writes {
        let replica = at % shape.replicas;
        open[replica].push(write(&mut random, at, replica, shape.keys));
        if open[replica].len() == per_batch {
            let writes = std::mem::take(&mut open[replica]);
            batches.push(Batch { replica, writes });
        }
    }
    for (replica, writes) in open.into_iter().enumerate() {
        if !writes.is_empty() {
            batches.push(Batch { replica, writes });
        }
    }
    batches
}

/// Writes one at a time, each by somebody drawn at random.
pub(crate) fn live(shape: Shape) -> Vec<Write> {
    let mut random = Random::new(2);
    let one = |at| {
        let replica = random.below(shape.replicas);
        write(&mut random, at, replica, shape.keys)
    };
    (0..shape.writes).map(one).collect()
}

fn write(random: &mut Random, at: usize, replica: usize, keys: usize) -> Write {
    let key = random.below(keys);
    let mut value = String::with_capacity(32);
    let _ = write!(value, "{:016x}{:016x}", random.next(), random.next());
    Write {
        replica,
        key,
        value,
        at,
    }
}

/// The name that peers give a key.
pub(crate) fn name(key: usize) -> String {
    format!("k{key}")
}

/// An order of so many batches: the given one for 0, backwards for 1, shuffled for any other, but
/// those of one replica stay in order among themselves where `owners` says who wrote them.
pub(crate) fn order(round: usize, owners: &[usize]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..owners.len()).collect();
    match round {
        0 => {}
        1 => order.reverse(),
        seed => Random::new(seed as u64).shuffle(&mut order),
    }
    // What a writer wrote first comes first: nobody here is measured on how it waits for a past.
    let replicas = owners.iter().max().map_or(0, |max| max + 1);
    let mut next = vec![0; replicas];
    let mut of: Vec<Vec<usize>> = vec![Vec::new(); replicas];
    for (at, owner) in owners.iter().enumerate() {
        of[*owner].push(at);
    }
    for place in &mut order {
        let owner = owners[*place];
        *place = of[owner][next[owner]];
        next[owner] += 1;
    }
    order
}

impl Write {
    /// What the write adds where keys are counters.
    pub(crate) fn step(&self) -> i64 {
        self.value.bytes().next().map_or(1, i64::from)
    }

    /// Whether it adds its key where keys are elements of sets; three of four do.
    pub(crate) fn adds(&self) -> bool {
        !self.at.is_multiple_of(4)
    }
}
