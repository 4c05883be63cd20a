use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{LinkId, Ticket};
use crate::event::{Commit, EventId};
use crate::log::Known;
use crate::protocol::Delivery;

/// Commits of others that wait for a look at what the store knows of some events.
#[derive(Debug)]
pub(super) enum Parked {
    Delivery {
        link: LinkId,
        delivery: Delivery,
    },
    Ingest {
        ticket: Ticket,
        commits: Vec<Commit>,
    },
}

/// What the store said of the events that were looked up.
pub(super) type Looked = BTreeMap<EventId, Known>;
