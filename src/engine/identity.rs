use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::event::cbor::Writer;
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

    /// As a note holds it: what serde makes of it, without its detours, since every write has one.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut note = Writer::with_capacity(ROOM);
        note.map(4);
        note.text("lineage");
        array(&mut note, self.lineage.to_bits().to_be_bytes());
        note.text("replica");
        array(&mut note, self.replica.to_bytes());
        note.text("clock_mark").uint(self.clock_mark.to_bits());
        note.text("lineage_shared").bool(self.lineage_shared);
        note.into_bytes()
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

/// Enough for two arrays of 16 numbers of one or two bytes, four names, and a number.
const ROOM: usize = 128;

/// Numbers, as serde tells bytes.
fn array(note: &mut Writer, bytes: [u8; 16]) {
    let mut items = [0; 33];
    let mut len = 0;
    for byte in bytes {
        let free = items.get_mut(len..).and_then(<[u8]>::first_chunk_mut);
        let Some(place) = free else { break };
        // A number from 24 on has a byte of its own behind its head; a shorter one is written over there.
        let is_long = byte >= 24;
        *place = if is_long { [0x18, byte] } else { [byte, 0] };
        len += 1 + usize::from(is_long);
    }
    note.array(bytes.len());
    note.raw(items.get(..len).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::cbor;

    #[test]
    fn a_note_is_what_serde_makes_of_an_identity() {
        for shift in [0, 1, 4, 8, 31, 63] {
            let number = 0x8123_4567_89ab_17ff_u64 >> shift;
            let identity = Identity {
                replica: ReplicaId::new(number, !number),
                lineage: Lineage::from_bits(u128::from(number) << 61),
                lineage_shared: number.is_multiple_of(2),
                clock_mark: Timestamp::from_bits(number),
            };
            let encoded = identity.encode();
            assert_eq!(encoded, cbor::to_vec(&identity).unwrap());
            assert!(encoded.len() <= ROOM);
        }
    }
}
