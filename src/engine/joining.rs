use alloc::vec::Vec;

use super::io::{Failure, Reply};
use super::writer::{Then, WriteItem};
use super::{Engine, Ticket};
use crate::log::Durability;
use crate::protocol::Lineage;

impl Engine {
    /// An empty log that nobody shares yet takes the lineage of what it is about to be given; any
    /// other one must be of that lineage. Two logs founded apart become one only where two replicas
    /// meet, so that both of them know.
    pub(super) fn join(&mut self, ticket: Ticket, lineage: Lineage, shared: bool) {
        if let Some(reason) = self.writer.failed.clone() {
            self.reply(ticket, Err(Failure::Store { reason }));
            return;
        }
        let ours = self.identity.lineage;
        let is_empty = self.inbox.received().events() == 0;
        if ours != lineage && (self.identity.lineage_shared || !is_empty) {
            let theirs = lineage;
            self.reply(ticket, Err(Failure::OtherLineage { ours, theirs }));
            return;
        }
        let shared = shared || self.identity.lineage_shared;
        if ours == lineage && shared == self.identity.lineage_shared {
            self.reply(ticket, Ok(Reply::Done));
            return;
        }
        self.identity.lineage = lineage;
        self.identity.lineage_shared = shared;
        let identity = Some(self.marked_identity());
        self.writer.push(WriteItem {
            identity,
            durability: Durability::Durable,
            then: Vec::from([Then::Done(ticket)]),
            ..WriteItem::default()
        });
    }
}
