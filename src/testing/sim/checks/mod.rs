//! After the faults: everybody connects, falls silent within a bound, and holds the same.
//!
//! Each check is an assertion over the whole world, written against the disks and an independent
//! fold of what they hold. A check that fails panics, and the run tells it as its failure.

mod agreement;
mod echo;
mod events;
mod forks;
mod gaps;
mod held;
mod reference;
mod sent;
mod settling;
mod subscribers;
mod written;

use super::world::World;

impl World {
    /// Everything that must hold in a healed world.
    pub(crate) fn check_all(&mut self) {
        self.check_held();
        self.check_credit();
        self.check_woken();
        if self.has_forked && self.check_forks() {
            return;
        }
        self.check_events();
        self.check_gaps();
        self.check_stamps();
        self.check_merged();
        self.check_subscribers();
        if self.plan.echo {
            self.check_echo();
            self.check_events();
        }
    }
}
