use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::LinkState;
use crate::engine::io::Failure;
use crate::engine::writer::WriteItem;
use crate::engine::{Effect, Engine, LinkId};
use crate::event::{AggregateId, EventId};
use crate::limits::FORKS_LISTED_MAX;
use crate::protocol::{CloseCode, Input};

/// How connections end: a one-time sync when both ends have everything, any other when one end or
/// the carrier says so.
impl Engine {
    pub(in crate::engine) fn count_rejection(&mut self, event: EventId) {
        for link in &self.counting {
            if let Some(state) = self.links.lent(*link)
                && let Some(seqs) = state.pulled.get(&event.replica)
                && seqs.contains(event.seq)
            {
                state.report.rejected += 1;
            }
        }
    }

    /// A one-time sync has everything: looks at each aggregate that it touched, one after the other,
    /// to learn which events were rejected, then says goodbye.
    pub(super) fn settle_next(&mut self, link: LinkId, state: &mut LinkState) {
        if state.settling {
            return;
        }
        if state.session.is_open() {
            let moved = self.moved_on(&mut state.audit);
            for aggregate in &moved {
                state.touched.note(aggregate);
            }
        }
        while let Some(aggregate) = state.touched.pop_first() {
            if self.registry.route(&aggregate).is_none() {
                continue;
            }
            if self.cache.timeline(&aggregate).is_some() {
                self.count_settled(state, &aggregate);
            } else {
                state.settling = true;
                state.touched.note(&aggregate);
                self.settling
                    .entry(aggregate.clone())
                    .or_default()
                    .push(link);
                self.want(&aggregate, false);
                return;
            }
        }
        if self.asks_before_leaving(state) {
            return;
        }
        let reason = String::from("both ends have everything");
        state.report.caught_up = !state.stuck;
        state.input(
            self.now,
            Input::Close {
                code: CloseCode::DONE,
                reason,
            },
        );
        while let Some(output) = state.session.poll_output() {
            self.on_output(link, state, output);
        }
    }

    fn count_settled(&mut self, state: &mut LinkState, aggregate: &AggregateId) {
        let guard = self.guard.clone();
        let fold = self.watches.fold(aggregate);
        let outcome = self
            .cache
            .fold(aggregate, &*guard, fold, |_, outcome| outcome);
        let outcome = outcome.unwrap_or_default();
        self.folded(aggregate, &outcome);
        self.fold_to_compare(aggregate);
        for (event, _) in outcome.rejected {
            if state
                .pulled
                .get(&event.replica)
                .is_some_and(|seqs| seqs.contains(event.seq))
            {
                state.report.rejected += 1;
            }
        }
        if let Some((standing, _)) = self.standing(aggregate) {
            state.audit.know(aggregate, standing);
        }
    }

    /// An aggregate came into memory that one-time syncs wait for.
    pub(in crate::engine) fn settled(&mut self, aggregate: &AggregateId) {
        for link in self.settling.remove(aggregate).unwrap_or_default() {
            self.with_link(link, |engine, state| {
                state.settling = false;
                engine.count_settled(state, aggregate);
                state.touched.remove(aggregate);
            });
        }
    }

    /// An aggregate cannot be read: its rejections stay uncounted.
    pub(in crate::engine) fn settled_failed(&mut self, aggregate: &AggregateId) {
        for link in self.settling.remove(aggregate).unwrap_or_default() {
            self.with_link(link, |_, state| {
                state.settling = false;
                state.touched.remove(aggregate);
            });
        }
    }

    pub(in crate::engine) fn end_link(
        &mut self,
        link: LinkId,
        state: &mut LinkState,
        code: CloseCode,
        reason: String,
    ) {
        if state.ended {
            return;
        }
        state.ended = true;
        self.audit.links = self.audit.links.saturating_sub(1);
        self.counting.remove(&link);
        let status = state.session.status();
        state.report.bytes_sent = status.sent.bytes;
        state.report.bytes_received = status.received.bytes;
        state.report.elapsed_ms = self.now.mono_ms.saturating_sub(state.opened_ms);
        state.report.waiting = u64::try_from(self.inbox.waiting_len()).unwrap_or(u64::MAX);
        if state.session.all_acked() {
            state.report.pushed = status.sent.events;
        }
        self.note_forks(&state.forked);
        if let Some(peer) = state.peer {
            // A greeting that was late may have taken back what the others have heard.
            let others = self.links.iter().filter(|other| other.peer == Some(peer));
            if let Some(position) = others.filter_map(|other| other.acked).max() {
                self.peers.acknowledged(peer, position, 0, false);
            }
        }
        let note = state.peer.and_then(|peer| self.peers.acked_note(peer));
        if let Some(note) = note.filter(|_| self.writer.failed.is_none()) {
            self.writer.push(WriteItem {
                notes: alloc::vec![note],
                ..WriteItem::default()
            });
        }
        let report = alloc::boxed::Box::new(core::mem::take(&mut state.report));
        self.effects.push_back(Effect::CloseLink {
            link,
            code,
            reason,
            report,
        });
    }

    /// Remembers commits that contradict what is here, as many as are ever listed.
    pub(in crate::engine) fn note_forks(&mut self, commits: &[EventId]) {
        self.forked.extend(commits);
        while self.forked.len() > FORKS_LISTED_MAX {
            self.forked.pop_last();
        }
    }

    pub(in crate::engine) fn end_link_failed(&mut self, link: LinkId, failure: &Failure) {
        let reason = failure.to_string();
        self.tell_session(
            link,
            Input::Close {
                code: CloseCode::INTERNAL,
                reason,
            },
        );
    }

    pub(in crate::engine) fn end_all_links(&mut self, code: CloseCode, reason: &str) {
        self.offer_gathered();
        let links: Vec<LinkId> = self.links.ids().collect();
        for link in links {
            self.tell_session(
                link,
                Input::Close {
                    code,
                    reason: reason.into(),
                },
            );
        }
    }

    /// Ends every connection because this replica stops; it may be back.
    pub fn say_goodbye(&mut self) {
        self.end_all_links(CloseCode::GOING_AWAY, "the replica stops");
    }

    /// The carrier is gone: there is nobody to say goodbye to.
    pub(in crate::engine) fn link_closed(
        &mut self,
        link: LinkId,
        code: Option<CloseCode>,
        reason: String,
    ) {
        if let Some(mut state) = self.links.take(link) {
            self.links.remove(link);
            self.timers.set(link, state.due, None);
            self.end_link(link, &mut state, code.unwrap_or(CloseCode::LOST), reason);
        }
    }
}
