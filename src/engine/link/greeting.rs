use alloc::sync::Arc;

use super::LinkState;
use crate::engine::reading::Pending;
use crate::engine::writer::WriteItem;
use crate::engine::{Effect, Engine, LinkId};
use crate::event::{Chain, EventId, ReplicaId, Seq};
use crate::log::Durability;
use crate::protocol::{CloseCode, Greeting, Input, Standing};

/// Two ends get to know each other: whose log it is, and whether this store is what its peers
/// remember.
impl Engine {
    pub(super) fn greeted(&mut self, link: LinkId, state: &mut LinkState, greeting: &Greeting) {
        state.peer = Some(greeting.replica);
        state.writer = state.peer;
        state.receives = greeting.direction.pull;
        let own = greeting.own.map(|(seq, _)| seq);
        self.peers.introduced(greeting.replica, own);
        if self.identity.lineage_shared && self.identity.lineage != greeting.lineage {
            // Another connection has settled the lineage since this one opened. The peer has not
            // been answered yet, so it joins the settled one when it comes back.
            let reason = "the lineage of this log was settled meanwhile";
            self.end_link(link, state, CloseCode::OUTDATED, reason.into());
            return;
        }
        if state.me != self.identity.replica {
            let reason = "this replica took a new incarnation meanwhile";
            self.end_link(link, state, CloseCode::NEW_INCARNATION, reason.into());
            return;
        }
        let mut item = WriteItem {
            durability: Durability::Durable,
            ..WriteItem::default()
        };
        if self.identity.lineage != greeting.lineage || !self.identity.lineage_shared {
            self.identity.lineage = greeting.lineage;
            self.identity.lineage_shared = true;
            if !mutant!("lineage-not-stored") {
                item.identity = Some(self.marked_identity());
            }
        }
        if let Some(address) = &state.options.address {
            item.notes
                .extend(self.peers.met_at(address, greeting.replica));
        }
        if !item.is_empty() {
            self.writer.push(item);
        }
        self.effects.push_back(Effect::LinkChanged(link));
        match self.compare_own(greeting.knows_of_us) {
            OwnPast::Agrees => self.stand(state),
            OwnPast::Differs => self.take_new_incarnation(link, state),
            OwnPast::Unknown(id, chain) => {
                self.stand(state);
                let request = self.request(Pending::OwnPast { link, chain });
                self.effects.push_back(Effect::Known {
                    request,
                    ids: alloc::vec![id],
                });
            }
        }
    }

    fn compare_own(&self, known: Option<(Seq, Chain)>) -> OwnPast {
        let known = known.filter(|_| !mutant!("seq-reused-after-restore"));
        let Some((seq, chain)) = known else {
            return OwnPast::Agrees;
        };
        match self.identity.own(self.inbox.received()) {
            Some((own, _)) if own < seq => OwnPast::Differs,
            None => OwnPast::Differs,
            Some((own, ours)) if own == seq && ours == chain => OwnPast::Agrees,
            Some((own, _)) if own == seq => OwnPast::Differs,
            Some(_) => OwnPast::Unknown(EventId::new(self.identity.replica, seq), chain),
        }
    }

    /// This store was restored or cloned: a peer knows another past of this replica. What is
    /// written from now on belongs to a new incarnation; the connection is opened anew, and the
    /// lost past is pulled like anybody's.
    pub(in crate::engine) fn take_new_incarnation(&mut self, link: LinkId, state: &mut LinkState) {
        if state.me == self.identity.replica {
            self.renew_incarnation();
            let identity = self.marked_identity();
            self.writer.push(WriteItem {
                identity: Some(identity).filter(|_| !mutant!("incarnation-not-stored")),
                durability: Durability::Durable,
                ..WriteItem::default()
            });
        }
        let reason = "this store was restored or cloned and took a new incarnation";
        self.end_link(link, state, CloseCode::NEW_INCARNATION, reason.into());
    }

    pub(in crate::engine) fn renew_incarnation(&mut self) {
        let device = self.identity.replica.device();
        let fresh = self.entropy ^ self.identity.replica.incarnation().rotate_left(17);
        self.identity.replica = ReplicaId::new(device, fresh);
        self.clock = crate::clock::HybridClock::new();
    }

    /// What is here is copied once for all who connect before something new comes.
    pub(super) fn stand(&mut self, state: &mut LinkState) {
        let Some(peer) = state.peer else { return };
        let peer = self.peers.known(peer, self.inbox.received());
        let end = self.log.end();
        let received = match &self.standing {
            Some((at, received)) if *at == end => received.clone(),
            _ => Arc::new(self.inbox.received().clone()),
        };
        self.standing = Some((end, received.clone()));
        let standing = Standing { peer, received };
        state.input(self.now, Input::Standing(standing));
    }
}

/// What a peer's memory of this replica says.
enum OwnPast {
    Agrees,
    Differs,
    /// The peer knows less than is here: whether its part agrees, the store must say.
    Unknown(EventId, Chain),
}
