use serde::{Deserialize, Serialize};

use crate::event::{Chain, EventId, ReplicaId, Seq, Timestamp};
use crate::log::{Epoch, Received};
use crate::protocol::Lineage;

/// Random bits for a store that has no identity yet, and the epoch of this opening.
#[derive(Clone, Copy, Debug)]
pub struct Birth {
    /// This opening.
    pub epoch: Epoch,
    /// The device, should the store be new.
    pub device: u64,
    /// Its first incarnation.
    pub incarnation: u64,
    /// The log's lineage, should the store be new.
    pub lineage: Lineage,
}

/// Who this replica is. Stored as one note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) replica: ReplicaId,
    pub(super) lineage: Lineage,
    pub(super) lineage_shared: bool,
    /// The greatest stamp this incarnation's clock has shown.
    pub(super) clock_mark: Timestamp,
}

impl Identity {
    pub(super) fn new(birth: &Birth) -> Self {
        Self {
            replica: ReplicaId::new(birth.device, birth.incarnation),
            lineage: birth.lineage,
            lineage_shared: false,
            clock_mark: Timestamp::ZERO,
        }
    }

    /// The last own event with the chain value there.
    pub(super) fn own(&self, received: &Received) -> Option<(Seq, Chain)> {
        received.chain(self.replica)
    }

    /// The id the next own event gets, with the chain value before it; nothing at the end of seqs.
    pub(super) fn next(&self, received: &Received) -> Option<(EventId, Chain)> {
        match self.own(received) {
            None => Some((EventId::new(self.replica, Seq::FIRST), Chain::START)),
            Some((last, chain)) => Some((EventId::new(self.replica, last.next()?), chain)),
        }
    }
}
