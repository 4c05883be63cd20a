use alloc::sync::Arc;
use alloc::vec::Vec;

use super::LinkState;
use crate::engine::reading::Pending;
use crate::engine::{Effect, Engine, LinkId};
use crate::event::{Chain, EventId};
use crate::log::{Epoch, Known, Page, ReadLimit, Received};
use crate::protocol::{Input, Prepared};

/// What sessions send is found for them: in the store, or in memory as long as the store has not
/// answered it.
impl Engine {
    pub(super) fn read_for(
        &mut self,
        link: LinkId,
        state: &mut LinkState,
        since: u64,
        limit: ReadLimit,
    ) {
        let end = self.log.offered_end();
        if since < self.log.stored_end().min(end) {
            let request = self.request(Pending::Page { link });
            self.effects.push_back(Effect::ReadSince {
                request,
                position: since,
                limit,
            });
            return;
        }
        let kept = self.log.kept_between(since, end);
        let kept = kept.take(limit.entries.max(1));
        let entries: Vec<_> = kept.map(|(at, entry)| (at, entry.clone())).collect();
        let next = entries
            .last()
            .map_or(end.max(since), |(position, _)| position + 1);
        let entries = self.sendable(entries);
        self.note_read(&mut state.audit, state.peer, &entries);
        state.input(self.now, Input::Entries { entries, next, end });
    }

    pub(in crate::engine) fn page_for(&mut self, link: LinkId, page: Page) {
        let end = self.log.offered_end();
        let mut entries = self.sendable(page.entries);
        entries.retain(|(position, _)| *position < end);
        let next = page.next.min(end);
        self.with_link(link, |engine, state| {
            engine.note_read(&mut state.audit, state.peer, &entries);
            state.input(engine.now, Input::Entries { entries, next, end });
        });
    }

    pub(super) fn locate_for(&mut self, link: LinkId, state: &mut LinkState, theirs: &Received) {
        self.compare_branches(link, state, theirs);
        // The store finds only what it has answered; what comes after is read along the log.
        let end = match self.log.offered_end() {
            offered if mutant!("located-beyond-stored") => offered,
            offered => offered.min(self.log.stored_end()),
        };
        let ranges = self.inbox.received().without(theirs);
        let request = self.request(Pending::Located { link, end });
        self.effects.push_back(Effect::Locate { request, ranges });
    }

    /// Where both ends hold events of a writer, their chains must agree as far as both go: events
    /// that stand in both summaries are not sent, so a fork would show nowhere else.
    fn compare_branches(&mut self, link: LinkId, state: &mut LinkState, theirs: &Received) {
        let mut expected = Vec::new();
        for (replica, track) in theirs.iter() {
            let (Some((seq, chain)), Some((last, ours))) =
                (track.chain(), self.inbox.received().chain(replica))
            else {
                continue;
            };
            let id = EventId::new(replica, seq);
            if seq < last {
                expected.push((id, chain));
            } else if seq == last && chain != ours {
                state.found_fork(id);
            }
        }
        if !expected.is_empty() {
            let ids = expected.iter().map(|(id, _)| *id).collect();
            let request = self.request(Pending::Branches { link, expected });
            self.effects.push_back(Effect::Known { request, ids });
        }
    }

    /// The store said what the chains were where the peer's end.
    pub(in crate::engine) fn branches_known(
        &mut self,
        link: LinkId,
        expected: &[(EventId, Chain)],
        known: &[Option<Known>],
    ) {
        self.with_link(link, |_, state| {
            for ((id, chain), known) in expected.iter().zip(known) {
                let ours = known.and_then(|known| known.chain);
                if ours.is_some_and(|ours| ours != *chain) {
                    state.found_fork(*id);
                }
            }
        });
    }

    pub(in crate::engine) fn located_for(
        &mut self,
        link: LinkId,
        mut positions: Vec<u64>,
        end: u64,
    ) {
        positions.retain(|position| *position < end);
        self.tell_session(link, Input::Located { positions, end });
    }

    /// Offers what has become sendable to every connection, encoded once for all, as often as the
    /// [pace](super::Pace) allows. What nobody is to be sent is passed at once.
    pub(in crate::engine) fn broadcast(&mut self) {
        if self.links.is_empty() {
            self.pace.begin();
            self.log.offered();
            return;
        }
        while let Some((from, next)) = self.log.to_offer() {
            // What is gathered begins with something that somebody is to be sent.
            if self.pace.due().is_none() && self.may_pass(from, next) {
                self.links.pass(self.now, next);
                self.log.offered();
                continue;
            }
            let entries = next.saturating_sub(from);
            if !self.pace.admits(entries, self.now.mono_ms) {
                break;
            }
            let Some(epoch) = self.log.epochs.current() else {
                return;
            };
            let prepared = Arc::new(self.prepared(epoch, from, next));
            self.log.offered();
            let mut link = self.links.next(None);
            while let Some(at) = link {
                self.tell_session(at, Input::Appended(prepared.clone()));
                link = self.links.next(Some(at));
            }
        }
    }

    /// Whether no connection has anything to send, ask or tell because of these positions.
    fn may_pass(&self, from: u64, next: u64) -> bool {
        let offered = self.log.kept_between(from, next);
        self.links.iter().all(|state| {
            state.session.may_pass(from, next)
                && self.has_nothing_to_add(state)
                && !state.session.wants(offered.clone())
        })
    }

    /// Offers what was held back for a moment, so that nothing of it is missed by what comes now.
    pub(in crate::engine) fn offer_gathered(&mut self) {
        self.pace.begin();
        self.broadcast();
    }

    /// Entries of these positions for all connections; without the entries if nobody wants any.
    fn prepared(&mut self, epoch: Epoch, from: u64, next: u64) -> Prepared {
        let offered = self.log.kept_between(from, next);
        let is_wanted = |state: &LinkState| state.session.wants(offered.clone());
        if !self.links.iter().any(is_wanted) {
            return Prepared::named(epoch, from, next, Vec::new(), &mut self.names);
        }
        let offered = offered.map(|(at, entry)| (at, entry.clone())).collect();
        let entries = self.sendable(offered);
        let prepared = Prepared::named(epoch, from, next, entries, &mut self.names);
        let is_packed = self.links.iter().any(|state| state.session.compresses());
        match self.compression.as_deref().filter(|_| is_packed) {
            Some(compression) => prepared.packed(compression),
            None => prepared,
        }
    }
}
