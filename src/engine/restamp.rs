use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::link::LinkState;
use super::looking::Looked;
use super::reading::Pending;
use super::record::RecordWaiting;
use super::writer::{Then, WriteItem};
use super::{Effect, Engine, Failure, LinkId};
use crate::event::{
    Commit, CommitSpan, Event, EventId, EventParts, Head, Heads, Metadata, Seq, Timestamp,
};
use crate::log::{Durability, IdRange, Page, ReadLimit};
use crate::protocol::Input;

/// Refused commits that are about to be written again.
#[derive(Debug)]
pub(super) struct Restamping {
    refusal: Refusal,
    /// Local writes that wait: they would name events that nobody else will ever get.
    records: Vec<RecordWaiting>,
    /// What was refused meanwhile, here or on other connections.
    later: Vec<Refusal>,
}

#[derive(Clone, Copy, Debug)]
struct Refusal {
    link: LinkId,
    /// The first refused commit; all that its writer wrote after it is written again, too.
    commit: EventId,
    /// The refusing end's wall clock.
    clock_ms: u64,
}

/// A peer refuses this replica's commits from one on; they are written again under a new
/// incarnation, each naming what it replaces, and the refused ones are not sent any more.
///
/// The refused commits stay in the log: the fold skips an event whose replacement is ready. That
/// they are withdrawn, who this replica is from now on, and the new commits are one write, so a
/// crash leaves all of it or nothing, and then they are refused again.
impl Engine {
    pub(super) fn on_refused(
        &mut self,
        link: LinkId,
        state: &mut LinkState,
        commit: EventId,
        clock_ms: u64,
    ) {
        let refusal = Refusal {
            link,
            commit,
            clock_ms,
        };
        if self.peers.is_withdrawn(commit) {
            // Written again since it was sent.
            state.input(self.now, Input::Again);
        } else if commit.replica != self.identity.replica {
            state.stuck = true;
        } else if let Some(restamping) = &mut self.restamping {
            restamping.later.push(refusal);
        } else {
            self.restamping = Some(Restamping {
                refusal,
                records: Vec::new(),
                later: Vec::new(),
            });
            // Whatever was written before must be stored before it can be read.
            self.writer.push(WriteItem {
                durability: Durability::Durable,
                then: alloc::vec![Then::LocateRefused],
                ..WriteItem::default()
            });
        }
    }

    /// A local write that has to wait, if refused commits are being written again.
    pub(super) fn held_back(&mut self, wish: RecordWaiting) -> Option<RecordWaiting> {
        match &mut self.restamping {
            Some(restamping) if !mutant!("writes-not-held-back") => {
                restamping.records.push(wish);
                None
            }
            _ => Some(wish),
        }
    }

    /// Everything written before the refusal is stored.
    pub(super) fn locate_refused(&mut self) {
        let Some(Refusal { link, commit, .. }) = self.restamping.as_ref().map(|r| r.refusal) else {
            return;
        };
        let own = self.inbox.received().chain(commit.replica);
        let last = own.map_or(commit.seq, |(last, _)| last.max(commit.seq));
        let request = self.request(Pending::RestampLocated { link });
        let ranges = alloc::vec![IdRange {
            replica: commit.replica,
            seqs: commit.seq..=last,
        }];
        self.effects.push_back(Effect::Locate { request, ranges });
    }

    pub(super) fn read_to_restamp(&mut self, link: LinkId, positions: Vec<u64>) {
        let request = self.request(Pending::RestampRead { link });
        let limit = ReadLimit {
            entries: positions.len(),
            bytes: usize::MAX,
        };
        self.effects.push_back(Effect::ReadAt {
            request,
            positions,
            limit,
        });
    }

    /// The refused commits were read: their heads' stamps are needed to stamp them again.
    pub(super) fn look_to_restamp(&mut self, link: LinkId, page: Page) {
        let commits = page.entries.iter().map(|(_, entry)| &entry.commit);
        let events = commits.flat_map(|commit| commit.events().iter());
        let ids: Vec<EventId> = events
            .flat_map(|event| event.heads().iter().map(|head| head.id))
            .collect();
        let request = self.request(Pending::RestampLook {
            link,
            page,
            ids: ids.clone(),
        });
        self.effects.push_back(Effect::Known { request, ids });
    }

    pub(super) fn restamp(&mut self, page: &Page, looked: &Looked) {
        let Some(restamping) = self.restamping.take() else {
            return;
        };
        let Refusal {
            link,
            commit,
            clock_ms,
        } = restamping.refusal;
        self.renew_incarnation();
        let ahead = self.now.wall_ms.saturating_sub(clock_ms);
        self.clock_offset_ms = i64::try_from(ahead).map_or(i64::MIN, |ahead| -ahead);
        let mut item = WriteItem {
            notes: match self.peers.withdraw(commit.replica, commit.seq) {
                _ if mutant!("withdrawal-not-stored") => Vec::new(),
                note => alloc::vec![note],
            },
            durability: Durability::Durable,
            then: alloc::vec![Then::Restamped { link }],
            ..WriteItem::default()
        };
        let mut renamed = BTreeMap::new();
        let mut entries: Vec<_> = page.entries.iter().collect();
        if mutant!("restamp-loses-order") {
            entries.reverse();
        }
        for (_, entry) in entries {
            if let Some(commit) = self.rewritten(&entry.commit, &mut renamed, looked) {
                self.accept(commit, None, &mut item);
            }
        }
        item.identity = Some(self.marked_identity());
        self.writer.push(item);
        self.go_on_after_restamp(restamping);
    }

    /// The refused commits cannot be read: the connection ends, and they are refused again when it
    /// comes back.
    pub(super) fn restamp_failed(&mut self, link: LinkId, failure: &Failure) {
        self.end_link_failed(link, failure);
        self.give_up_restamp();
    }

    /// What waited goes on as if nothing had been refused.
    pub(super) fn give_up_restamp(&mut self) {
        if let Some(restamping) = self.restamping.take() {
            self.go_on_after_restamp(restamping);
        }
    }

    fn go_on_after_restamp(&mut self, restamping: Restamping) {
        for wish in restamping.records {
            self.record(wish);
        }
        for refusal in restamping.later {
            self.with_link(refusal.link, |engine, state| {
                engine.on_refused(refusal.link, state, refusal.commit, refusal.clock_ms);
            });
        }
    }

    /// The same commit under the present incarnation. Heads that were withdrawn are named by their
    /// new names; nothing if the clock or the seqs are at their end.
    fn rewritten(
        &mut self,
        commit: &Commit,
        renamed: &mut BTreeMap<EventId, (Head, Timestamp)>,
        looked: &Looked,
    ) -> Option<Commit> {
        let (first, mut chain) = self.identity.next(self.inbox.received())?;
        let span = CommitSpan::new(first.seq, commit.events().len()).ok()?;
        let named = commit
            .events()
            .iter()
            .flat_map(|event| event.heads().iter());
        // What it names of itself is stamped with it.
        let inside = |id: EventId| id.replica == commit.replica() && commit.span().contains(id.seq);
        let floor = named
            .filter(|head| !inside(head.id))
            .filter_map(|head| match renamed.get(&head.id) {
                Some((_, timestamp)) => Some(*timestamp),
                None => looked.get(&head.id).map(|known| known.timestamp),
            })
            .max();
        let wall = self.now.wall_ms.saturating_add_signed(self.clock_offset_ms);
        let timestamp = self.clock.tick(wall, floor).ok()?;
        let mut events = Vec::with_capacity(commit.events().len());
        let mut next: Option<Seq> = Some(first.seq);
        for event in commit.events() {
            let id = EventId::new(first.replica, next?);
            let heads = event.heads().iter();
            let heads = heads.map(|head| renamed.get(&head.id).map_or(*head, |(new, _)| *new));
            let metadata = match event.parts().metadata.clone() {
                _ if mutant!("restamp-loses-metadata") => Metadata::new(),
                metadata => metadata,
            };
            let parts = EventParts {
                id,
                commit: span,
                timestamp,
                heads: Heads::new(heads.collect()).ok()?,
                replaces: Some(event.id()),
                metadata,
                ..event.parts().clone()
            };
            let new = Event::assemble(parts).ok()?;
            chain = chain.extend(new.digest());
            renamed.insert(
                event.id(),
                (
                    Head {
                        id,
                        tag: chain.tag(),
                    },
                    timestamp,
                ),
            );
            events.push(new);
            next = id.seq.next();
        }
        Commit::new(events).ok()
    }
}
