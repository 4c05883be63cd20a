//! Those who use and abuse the replicas, at random.
//!
//! What they ask for is answered, or the run fails; what they are told is held against what the disk
//! holds at that moment.

mod answers;
mod asking;
pub(crate) mod rules;
pub(crate) mod strangers;
mod troubles;
mod writing;

use super::plan::WHOLE;
use super::world::World;
use crate::event::Event;

impl World {
    /// Something that somebody does, or that goes wrong.
    pub(crate) fn operate(&mut self) {
        if self.draws.below(WHOLE) < self.plan.trouble {
            self.trouble();
        } else {
            let node = self.anybody();
            match self.draws.below(100) {
                0..=39 => self.record(node),
                40..=51 => self.load(node),
                52..=56 => self.ingest(node),
                57..=59 => self.flush(node),
                60..=63 => self.watch(node),
                64..=69 => self.read_on(node),
                70..=92 => self.dial_somewhere(),
                93..=97 => self.part(),
                98 => self.back_up(node),
                _ => {
                    let long = self.draws.log_uniform(500, 60_000);
                    self.run_until(self.now + long);
                }
            }
        }
        let pause = self.draws.below(self.plan.pause_ms);
        self.run_until(self.now + pause);
    }

    pub(crate) fn anybody(&mut self) -> usize {
        self.draws.below(self.nodes.len() as u64) as usize
    }
}

/// The number that a local write carries.
pub(crate) fn marked(event: &Event) -> Option<u64> {
    rules::mark(event.metadata())
}
