use crate::testing::sim::faults::Fault;

/// What does not get through for a while.
#[derive(Clone, Debug)]
struct Blockade {
    until: u64,
    fault: Fault,
    has_held: bool,
}

/// Which of them lies between two replicas, by direction.
#[derive(Clone, Debug)]
pub(crate) struct Blockades {
    nodes: usize,
    all: Vec<Blockade>,
    between: Vec<Option<usize>>,
}

impl Blockades {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            nodes,
            all: Vec::new(),
            between: vec![None; nodes * nodes],
        }
    }

    /// Nothing gets from one to the other until then.
    pub(crate) fn raise(&mut self, pairs: &[(usize, usize)], until: u64, fault: Fault) {
        for (from, to) in pairs {
            self.between[from * self.nodes + to] = Some(self.all.len());
        }
        self.all.push(Blockade {
            until,
            fault,
            has_held: false,
        });
    }

    /// Until when a frame is held, and what for if it is the first.
    pub(crate) fn hold(
        &mut self,
        from: usize,
        to: usize,
        now: u64,
    ) -> Option<(u64, Option<Fault>)> {
        let at = self.between[from * self.nodes + to]?;
        let blockade = &mut self.all[at];
        if blockade.until <= now {
            return None;
        }
        let is_first = !std::mem::replace(&mut blockade.has_held, true);
        Some((blockade.until, is_first.then_some(blockade.fault)))
    }

    pub(crate) fn lift(&mut self) {
        self.between.fill(None);
    }
}
