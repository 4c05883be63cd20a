use super::{Happening, World};
use crate::engine::{Engine, Input};
use crate::testing::sim::disk::Disk;
use crate::testing::sim::faults::Fault;
use crate::testing::sim::users::marked;
use crate::testing::sim::world::node::Tailer;

impl World {
    pub(crate) fn open(&mut self, node: usize) {
        if !self.nodes[node].open(self.now, &mut self.draws) {
            // What has to be read cannot be read.
            self.count(Fault::BitFlip);
            self.replace_damaged(node);
            return;
        }
        self.trace
            .say(self.now, || format!("replica {node} opens its store"));
        if self.strikes(Fault::CrashOnOpen) {
            self.count(Fault::CrashOnOpen);
            self.end(node, false);
            return;
        }
        self.perform(node);
    }

    pub(crate) fn reopen(&mut self, node: usize) {
        if self.nodes[node].engine.is_none() {
            self.open(node);
        }
    }

    /// Gives a replica one input and carries out what it wants.
    pub(crate) fn drive(&mut self, node: usize, input: Input) {
        if self.nodes[node].paused {
            self.nodes[node].backlog.push(input);
            return;
        }
        let outside = self.nodes[node].outside(self.now, &mut self.draws);
        if let Some(engine) = &mut self.nodes[node].engine {
            engine.handle(outside, input);
            self.perform(node);
        }
    }

    pub(crate) fn perform(&mut self, node: usize) {
        let mut is_first = true;
        while let Some(engine) = &mut self.nodes[node].engine
            && let Some(effect) = engine.poll_effect()
        {
            if !is_first && self.strikes(Fault::CrashBetweenEffects) {
                self.count(Fault::CrashBetweenEffects);
                let power = self.draws.chance(50);
                self.end(node, power);
                return;
            }
            is_first = false;
            self.carry_out(node, effect);
        }
        let node = &mut self.nodes[node];
        node.due = node.engine.as_ref().and_then(Engine::deadline);
    }

    /// Ends a process; it comes back after a while.
    pub(crate) fn kill(&mut self, node: usize) {
        let ran = self.nodes[node].engine.is_some();
        self.count_if(ran, Fault::ProcessKill);
        self.end(node, false);
    }

    /// Ends a process and takes what was not fsynced; it comes back after a while.
    pub(crate) fn cut_power(&mut self, node: usize) {
        self.end(node, true);
    }

    pub(crate) fn end(&mut self, node: usize, power: bool) {
        self.trace.say(self.now, || format!("replica {node} ends"));
        if self.has_forked {
            self.note_listed(node);
        }
        self.nodes[node].stop();
        if power {
            let disk = &mut self.nodes[node].disk;
            let (loose, before) = (disk.loose_groups(), disk.entries.len());
            let kept = if loose > 0 && self.strikes(Fault::TornTail) {
                self.draws.between(1, loose as u64) as usize
            } else {
                0
            };
            let disk = &mut self.nodes[node].disk;
            disk.lose_power(kept);
            let lost = disk.entries.len() < before;
            self.count_if(lost, Fault::PowerLoss);
            self.count_if(kept > 0, Fault::TornTail);
        }
        for at in 0..self.live.len() {
            let connection = self.live[at];
            let ends = &self.connections[connection].ends;
            let Some(end) = ends.iter().position(|end| end.node == node && end.open) else {
                continue;
            };
            self.connections[connection].ends[end].open = false;
            self.cut(connection, 1 - end);
        }
        let delay = self.draws.between(1, 300);
        self.after(delay, Happening::Reopen { node });
    }

    pub(crate) fn pause(&mut self, node: usize, for_ms: u64) {
        if self.is_up(node) {
            self.nodes[node].paused = true;
            let opening = self.nodes[node].opening;
            self.after(for_ms, Happening::Resume { node, opening });
        }
    }

    pub(crate) fn resume(&mut self, node: usize) {
        if !std::mem::take(&mut self.nodes[node].paused) {
            return;
        }
        let backlog = std::mem::take(&mut self.nodes[node].backlog);
        self.count_if(!backlog.is_empty(), Fault::Pause);
        let opening = self.nodes[node].opening;
        for input in backlog {
            // It may end over one of them.
            if self.nodes[node].opening == opening {
                self.drive(node, input);
            }
        }
    }

    /// A store that cannot be read is given up: an old copy is put back, or a new one begins.
    pub(crate) fn replace_damaged(&mut self, node: usize) {
        if self.nodes[node].disk.flipped.is_none() {
            return;
        }
        let disk = match self.nodes[node].backup.take() {
            Some(copy) => {
                self.count(Fault::OldCopy);
                copy
            }
            None => Disk::default(),
        };
        self.replace(node, disk);
    }

    /// Puts another store in the place of a replica's.
    pub(crate) fn replace(&mut self, node: usize, disk: Disk) {
        self.tally.restores += 1;
        self.end(node, false);
        let lost = std::mem::replace(&mut self.nodes[node].disk, disk);
        self.nodes[node].restored = Some(self.now);
        self.nodes[node].was = None;
        self.nodes[node].ended_as = None;
        self.nodes[node].tailer = Tailer::default();
        self.nodes[node].backup = None;
        self.forget_lost(&lost);
    }

    /// What was on no other disk is gone with this one.
    fn forget_lost(&mut self, lost: &Disk) {
        for id in lost.ids() {
            if !self.nodes.iter().any(|node| node.disk.has_durably(id))
                && let Some(mark) = lost.event(id).and_then(marked)
            {
                self.durable.remove(&mark);
            }
        }
    }
}
