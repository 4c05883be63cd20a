use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::event::{ChainMark, EventType, ReplicaId};

/// What one number of the names of a connection stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tell {
    /// A replica that writes in the batch, with the mark of the chain that its first commit there
    /// continues.
    Writer(u32, ReplicaId, Option<ChainMark>),
    /// A replica that is named in the batch and writes nothing there.
    Other(u32, ReplicaId),
    /// An event type.
    Type(u32, EventType),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Writer(u32),
    Replica(u32),
    Type(u32),
}

/// Which numbers a peer has been told, as long as nothing it was sent is sent again.
///
/// A writer's batches continue each other from there on, so what the first of them continued need not
/// be repeated.
#[derive(Clone, Debug, Default)]
pub(super) struct Knowledge(BTreeSet<Told>);

impl Knowledge {
    /// What of this the peer has still to be told. It counts as told from now on.
    pub(super) fn lacks(&mut self, tells: &[Tell]) -> Vec<Tell> {
        let mut lacking = Vec::new();
        for tell in tells {
            let is_known = match tell {
                Tell::Writer(number, _, mark) => {
                    self.0.insert(Told::Replica(*number));
                    let told = Told::Writer(*number);
                    if mark.is_some() {
                        !self.0.insert(told)
                    } else {
                        self.0.contains(&told)
                    }
                }
                Tell::Other(number, _) => !self.0.insert(Told::Replica(*number)),
                Tell::Type(number, _) => !self.0.insert(Told::Type(*number)),
            };
            if !is_known {
                lacking.push(tell.clone());
            }
        }
        lacking
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
