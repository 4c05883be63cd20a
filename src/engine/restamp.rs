use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::arrival::Looked;
use super::reading::Pending;
use super::writer::{Then, WriteItem};
use super::{Effect, Engine, LinkId};
use crate::event::{Commit, CommitSpan, Event, EventId, EventParts, Head, Heads, Seq, Timestamp};
use crate::log::{Durability, IdRange, Page, ReadLimit};

/// A peer refuses this replica's commits from one on; they are written again under a new
/// incarnation, each naming what it replaces, and the refused ones are not sent any more.
///
/// The refused commits stay in the log: the fold skips an event whose replacement is ready.
impl Engine {
    pub(super) fn begin_restamp(&mut self, link: LinkId, refused: EventId, clock_ms: u64) {
        let own = self.identity.own(self.inbox.received());
        let Some((last, _)) = own else { return };
        let old = self.identity.replica;
        self.renew_incarnation();
        let ahead = self.now.wall_ms.saturating_sub(clock_ms);
        self.clock_offset_ms = i64::try_from(ahead).map_or(i64::MIN, |ahead| -ahead);
        let notes = alloc::vec![self.peers.withdraw(old, refused.seq), self.identity_note()];
        let durability = Durability::Durable;
        self.writer.push(WriteItem {
            notes,
            durability,
            ..WriteItem::default()
        });
        let seqs = refused.seq..=last.max(refused.seq);
        let request = self.request(Pending::RestampLocated { link });
        let ranges = alloc::vec![IdRange { replica: old, seqs }];
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

    pub(super) fn restamp(&mut self, link: LinkId, page: &Page, looked: &Looked) {
        let mut item = WriteItem {
            durability: Durability::Durable,
            ..WriteItem::default()
        };
        let mut renamed = BTreeMap::new();
        for (_, entry) in &page.entries {
            if let Some(commit) = self.rewritten(&entry.commit, &mut renamed, looked) {
                self.accept(&commit, None, &mut item);
            }
        }
        item.notes.push(self.identity_note());
        item.then.push(Then::Restamped { link });
        self.writer.push(item);
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
        let floor = named
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
            let parts = EventParts {
                id,
                commit: span,
                timestamp,
                heads: Heads::new(heads.collect()).ok()?,
                replaces: Some(event.id()),
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
