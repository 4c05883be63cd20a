use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::link::LinkState;
use super::looking::Looked;
use super::reading::Pending;
use super::record::RecordWaiting;
use super::writer::{Then, WriteItem};
use super::{Effect, Engine, Failure, LinkId};
use crate::clock;
use crate::event::{
    Commit, CommitSpan, Event, EventId, EventParts, Head, Heads, Metadata, Seq, Timestamp,
};
use crate::log::{Durability, IdRange, Page, ReadLimit};
use crate::protocol::{Input, Reason};

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
    why: Reason,
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
        why: Reason,
    ) {
        let refusal = Refusal {
            link,
            commit,
            clock_ms,
            why,
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
        if restamping.refusal.is_final(page, looked) {
            self.with_link(restamping.refusal.link, |_, state| state.stuck = true);
            self.go_on_after_restamp(restamping);
            return;
        }
        let Refusal {
            link,
            commit,
            clock_ms,
            ..
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
                let Refusal {
                    link,
                    commit,
                    clock_ms,
                    why,
                } = refusal;
                engine.on_refused(link, state, commit, clock_ms, why);
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
        let floor = floor(commit, renamed, looked);
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

impl Refusal {
    /// Whether the peer would have taken the commit, had it known of its past what is known here. It holds
    /// another branch of that, whose tag is the same by chance, and what is written again would be
    /// refused again, for ever.
    fn is_final(&self, page: &Page, looked: &Looked) -> bool {
        let mut commits = page.entries.iter().map(|(_, entry)| &entry.commit);
        let refused = commits.find(|commit| commit.id() == self.commit);
        let is_lifted = |commit: &Commit| {
            let past = floor(commit, &BTreeMap::new(), looked);
            clock::first_hop_skew(commit.timestamp(), self.clock_ms, past).is_none()
        };
        matches!(self.why, Reason::ClockSkew { .. }) && refused.is_some_and(is_lifted)
    }
}

/// The latest stamp of what a commit names outside itself: what it names of itself is stamped with it.
fn floor(
    commit: &Commit,
    renamed: &BTreeMap<EventId, (Head, Timestamp)>,
    looked: &Looked,
) -> Option<Timestamp> {
    let heads = commit.events().iter().flat_map(Event::heads);
    let inside = |id: EventId| id.replica == commit.replica() && commit.span().contains(id.seq);
    let stamps =
        heads
            .filter(|head| !inside(head.id))
            .filter_map(|head| match renamed.get(&head.id) {
                Some((_, timestamp)) => Some(*timestamp),
                None => looked.get(&head.id).map(|known| known.timestamp),
            });
    stamps.max()
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::event::{Chain, ChainTag, Digest, Payload, ReplicaId};
    use crate::limits::DRIFT_MS_MAX;
    use crate::log::{Entry, EntryKind, Known};

    const FAR: u64 = 10 * DRIFT_MS_MAX;

    fn id(writer: u64) -> EventId {
        EventId::new(ReplicaId::new(writer, 1), Seq::FIRST)
    }

    /// A page with a commit of the second writer on an event of the first.
    fn page(timestamp: Timestamp) -> Page {
        let tag = ChainTag::from_bits(7);
        let event = Event::assemble(EventParts {
            id: id(2),
            commit: CommitSpan::new(Seq::FIRST, 1).unwrap(),
            timestamp,
            written_ms: 1,
            aggregate: "a/1".parse().unwrap(),
            event_type: "set".parse().unwrap(),
            heads: Heads::new(vec![Head { id: id(1), tag }]).unwrap(),
            replaces: None,
            metadata: Metadata::new(),
            payload: Payload::from_bytes(vec![1].into()).unwrap(),
        });
        let entry = Entry {
            commit: Commit::new(vec![event.unwrap()]).unwrap(),
            kind: EntryKind::Ready,
            from: None,
            chain_before: Some(Chain::START),
        };
        Page {
            entries: vec![(0, entry)],
            next: 1,
        }
    }

    fn is_final(why: Reason, past: Timestamp, stamped: Timestamp) -> bool {
        let known = Known {
            digest: Digest::of(b"past"),
            chain: None,
            timestamp: past,
        };
        let refusal = Refusal {
            link: LinkId(1),
            commit: id(2),
            clock_ms: 0,
            why,
        };
        refusal.is_final(&page(stamped), &Looked::from([(id(1), known)]))
    }

    #[test]
    fn what_its_past_forces_to_a_stamp_is_not_written_again_for_it() {
        let skewed = Reason::ClockSkew {
            ahead_ms: FAR,
            max_ms: DRIFT_MS_MAX,
        };
        let far = Timestamp::at_millis(FAR);
        let lifted = far.next().unwrap();
        assert!(is_final(skewed, far, lifted));
        // A clock that was ahead gave it a later stamp, or its past lies behind: it can be lower.
        assert!(!is_final(skewed, far, lifted.next().unwrap()));
        assert!(!is_final(skewed, Timestamp::at_millis(1), lifted));
        // Another name is what is wanted, not another stamp.
        assert!(!is_final(Reason::Forked, far, lifted));
    }
}
