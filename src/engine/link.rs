use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::io::{Failure, LinkOptions};
use super::reading::Pending;
use super::report::{RefusedCommit, SyncReport};
use super::writer::{Then, WriteItem};
use super::{Effect, Engine, LinkId};
use crate::clock::Now;
use crate::event::{AggregateId, Chain, Commit, Event, EventId, ReplicaId, Seq, SeqRanges};
use crate::limits::BATCH_BYTES_MAX;
use crate::log::{Durability, Page, ReadLimit, Received};
use crate::protocol::{
    CloseCode, Delivery, Greeting, Input, Local, Output, Prepared, Role, Session, SessionOptions,
    Standing,
};

/// One connection and what this replica knows of it.
pub(super) struct LinkState {
    pub(super) session: Session,
    pub(super) options: LinkOptions,
    pub(super) peer: Option<ReplicaId>,
    /// Under which incarnation the peer writes now, as far as what it sends tells.
    writer: Option<ReplicaId>,
    pub(super) report: SyncReport,
    opened_ms: u64,
    /// Who this replica was when the session began.
    me: ReplicaId,
    /// When the session wants to be told the time.
    due: Option<u64>,
    /// Deliveries that came while an earlier one waits for a look into the store.
    pub(super) parked: VecDeque<Delivery>,
    pub(super) looking: bool,
    /// Deliveries with smaller numbers were under way when something before them was refused.
    pub(super) ignored_before: u64,
    /// Number of the delivery after the last one taken, and after the last one that is fsynced.
    pub(super) delivered: u64,
    durable: u64,
    caught_up: bool,
    peer_caught_up: bool,
    /// The peer refuses commits that this replica cannot write again.
    pub(super) stuck: bool,
    /// Commits of others that contradict what is here; left where they are.
    pub(super) forked: Vec<EventId>,
    pulled: BTreeMap<ReplicaId, SeqRanges>,
    touched: BTreeSet<AggregateId>,
    settling: bool,
    pub(super) ended: bool,
}

impl LinkState {
    pub(super) fn input(&mut self, now: Now, input: Input) {
        self.session.handle(now, input);
    }

    /// Whether the peer itself wrote a commit. A peer that writes refused commits again goes on
    /// under the incarnation of what replaces them.
    pub(super) fn is_first_hop(&mut self, commit: &Commit) -> bool {
        let replaced = commit.events().iter().filter_map(Event::replaces);
        let mut replaced = replaced.map(|id| Some(id.replica));
        if self.writer.is_some() && replaced.any(|replica| replica == self.writer) {
            self.writer = Some(commit.replica());
        }
        self.writer == Some(commit.replica())
    }

    /// Counts a commit that is new here.
    pub(super) fn took(&mut self, commit: &Commit) {
        self.report.pulled += u64::from(commit.span().len());
        if self.options.once {
            let seqs = commit.span().first()..=commit.span().last();
            self.pulled
                .entry(commit.replica())
                .or_default()
                .insert(seqs);
            self.touched.extend(
                commit
                    .events()
                    .iter()
                    .map(|event| event.aggregate().clone()),
            );
        }
    }

    fn is_done(&self) -> bool {
        let quiet = !self.looking && self.parked.is_empty() && self.durable == self.delivered;
        let both = self.caught_up && self.peer_caught_up && self.session.all_acked();
        self.options.once && quiet && (both || (self.stuck && self.peer_caught_up))
    }

    pub(super) fn is_live(&self) -> bool {
        self.caught_up && self.peer_caught_up
    }
}

impl Engine {
    pub(super) fn open_link(&mut self, link: LinkId, role: Role, options: LinkOptions) {
        let received = self.inbox.received();
        let peers = self.peers.likely(options.address.as_deref(), received);
        let local = Local {
            replica: self.identity.replica,
            own: self.identity.own(received),
            lineage: self.identity.lineage,
            lineage_shared: self.identity.lineage_shared,
            epochs: self.log.epochs.clone(),
            end: self.log.offered_end(),
            staged: self.peers.staged(&peers),
            peers,
        };
        let session_options = SessionOptions {
            direction: options.direction,
            batch_events: options.batch_events,
            batch_bytes: BATCH_BYTES_MAX,
        };
        self.peers.session_begins();
        let state = LinkState {
            session: Session::new(role, local, session_options, self.now),
            options,
            peer: None,
            writer: None,
            report: SyncReport::default(),
            opened_ms: self.now.mono_ms,
            parked: VecDeque::new(),
            looking: false,
            ignored_before: 0,
            me: self.identity.replica,
            due: None,
            delivered: 0,
            durable: 0,
            caught_up: false,
            peer_caught_up: false,
            stuck: false,
            forked: Vec::new(),
            pulled: BTreeMap::new(),
            touched: BTreeSet::new(),
            settling: false,
            ended: false,
        };
        self.links.insert(link, state);
        self.with_link(link, |engine, state| {
            if let Some(reason) = engine.writer.failed.as_deref() {
                let (code, reason) = (CloseCode::INTERNAL, reason.into());
                state.input(engine.now, Input::Close { code, reason });
            }
        });
    }

    /// Works on one connection, then carries out what its session wants.
    pub(super) fn with_link(&mut self, link: LinkId, work: impl FnOnce(&mut Self, &mut LinkState)) {
        let Some(mut state) = self.links.remove(&link) else {
            return;
        };
        let live = state.is_live();
        work(self, &mut state);
        while !state.ended
            && let Some(output) = state.session.poll_output()
        {
            self.on_output(link, &mut state, output);
        }
        if state.session.all_acked() {
            state.report.pushed = state.session.status().sent.events;
        }
        if !state.ended && live != state.is_live() {
            self.effects.push_back(Effect::LinkChanged(link));
        }
        if !state.ended && state.is_done() {
            self.settle_next(link, &mut state);
        }
        let due = state.session.deadline().filter(|_| !state.ended);
        self.timers.set(link, state.due, due);
        state.due = due;
        if !state.ended {
            self.links.insert(link, state);
        }
    }

    pub(super) fn tell_session(&mut self, link: LinkId, input: Input) {
        self.with_link(link, |engine, state| {
            if let Input::Taken {
                delivery,
                durable: true,
            } = input
            {
                state.durable = delivery + 1;
            }
            state.input(engine.now, input);
        });
    }

    fn on_output(&mut self, link: LinkId, state: &mut LinkState, output: Output) {
        match output {
            Output::Send(frame) => self.effects.push_back(Effect::Send { link, frame }),
            Output::Greeted(greeting) => self.greeted(link, state, &greeting),
            Output::Stand => self.stand(state),
            Output::Read {
                since,
                entries,
                bytes,
            } => {
                self.read_for(link, state, since, ReadLimit { entries, bytes });
            }
            Output::ReadAt { positions, bytes } => {
                let limit = ReadLimit {
                    entries: positions.len(),
                    bytes,
                };
                let request = self.request(Pending::Page { link });
                self.effects.push_back(Effect::ReadAt {
                    request,
                    positions,
                    limit,
                });
            }
            Output::Locate(theirs) => self.locate_for(link, &theirs),
            Output::Deliver(delivery) => self.deliver(link, state, delivery),
            Output::Stage {
                commit,
                index,
                bytes,
            } => {
                let Some(peer) = state.peer else { return };
                let notes = self.peers.stage(peer, commit, index, bytes);
                self.writer.push(WriteItem {
                    notes,
                    durability: Durability::Durable,
                    then: alloc::vec![Then::PartStaged {
                        link,
                        commit,
                        index
                    }],
                    ..WriteItem::default()
                });
            }
            Output::Acked { .. } => {}
            Output::Refused {
                commit,
                why,
                remedy,
                clock_ms,
            } => {
                state.report.refused.push(RefusedCommit {
                    commit,
                    why: why.to_string(),
                    remedy: remedy.to_string(),
                });
                // What was caught up with is to be sent anew.
                state.caught_up = false;
                self.on_refused(link, state, commit, clock_ms);
            }
            Output::PeerCaughtUp => state.peer_caught_up = true,
            Output::CaughtUp => state.caught_up = true,
            Output::Closed { code, reason } => self.end_link(link, state, code, reason),
        }
    }

    fn greeted(&mut self, link: LinkId, state: &mut LinkState, greeting: &Greeting) {
        state.peer = Some(greeting.replica);
        state.writer = state.peer;
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
        let mut notes = Vec::new();
        if self.identity.lineage != greeting.lineage || !self.identity.lineage_shared {
            self.identity.lineage = greeting.lineage;
            self.identity.lineage_shared = true;
            notes.push(self.identity_note());
        }
        if let Some(address) = &state.options.address {
            notes.extend(self.peers.met_at(address, greeting.replica));
        }
        if !notes.is_empty() {
            let durability = Durability::Durable;
            self.writer.push(WriteItem {
                notes,
                durability,
                ..WriteItem::default()
            });
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
    pub(super) fn take_new_incarnation(&mut self, link: LinkId, state: &mut LinkState) {
        self.renew_incarnation();
        let note = self.identity_note();
        self.writer.push(WriteItem {
            notes: alloc::vec![note],
            durability: Durability::Durable,
            ..WriteItem::default()
        });
        let reason = "this store was restored or cloned and took a new incarnation";
        self.end_link(link, state, CloseCode::NEW_INCARNATION, reason.into());
    }

    pub(super) fn renew_incarnation(&mut self) {
        let device = self.identity.replica.device();
        let fresh = self.entropy ^ self.identity.replica.incarnation().rotate_left(17);
        self.identity.replica = ReplicaId::new(device, fresh);
        self.clock = crate::clock::HybridClock::new();
    }

    fn stand(&self, state: &mut LinkState) {
        let Some(peer) = state.peer else { return };
        let received = self.inbox.received();
        let peer = self.peers.known(peer, received);
        let standing = Standing {
            peer,
            received: Arc::new(received.clone()),
        };
        state.input(self.now, Input::Standing(standing));
    }

    fn read_for(&mut self, link: LinkId, state: &mut LinkState, since: u64, limit: ReadLimit) {
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
        let mut entries = self.log.kept_between(since, end);
        entries.truncate(limit.entries.max(1));
        let next = entries
            .last()
            .map_or(end.max(since), |(position, _)| position + 1);
        let entries = self.sendable(entries);
        state.input(self.now, Input::Entries { entries, next, end });
    }

    pub(super) fn page_for(&mut self, link: LinkId, page: Page) {
        let end = self.log.offered_end();
        let mut entries = self.sendable(page.entries);
        entries.retain(|(position, _)| *position < end);
        let next = page.next.min(end);
        self.tell_session(link, Input::Entries { entries, next, end });
    }

    fn locate_for(&mut self, link: LinkId, theirs: &Received) {
        // The store finds only what it has answered; what comes after is read along the log.
        let end = self.log.stored_end().min(self.log.offered_end());
        let ranges = self.inbox.received().without(theirs);
        let request = self.request(Pending::Located { link, end });
        self.effects.push_back(Effect::Locate { request, ranges });
    }

    pub(super) fn located_for(&mut self, link: LinkId, mut positions: Vec<u64>, end: u64) {
        positions.retain(|position| *position < end);
        self.tell_session(link, Input::Located { positions, end });
    }

    /// Offers what has become sendable to every connection, encoded once for all.
    pub(super) fn broadcast(&mut self) {
        if self.links.is_empty() {
            self.log.offer_to_nobody();
            return;
        }
        let Some(epoch) = self.log.epochs.current() else {
            return;
        };
        while let Some((from, next, entries)) = self.log.offer() {
            let entries = self.sendable(entries);
            let prepared = Arc::new(Prepared::new(epoch, from, next, entries));
            let links: Vec<LinkId> = self.links.keys().copied().collect();
            for link in links {
                self.tell_session(link, Input::Appended(prepared.clone()));
            }
        }
    }

    pub(super) fn count_rejection(&mut self, event: EventId) {
        for state in self.links.values_mut() {
            if state
                .pulled
                .get(&event.replica)
                .is_some_and(|seqs| seqs.contains(event.seq))
            {
                state.report.rejected += 1;
            }
        }
    }

    /// A one-time sync has everything: looks at each aggregate that it touched, one after the other,
    /// to learn which events were rejected, then says goodbye.
    fn settle_next(&mut self, link: LinkId, state: &mut LinkState) {
        if state.settling {
            return;
        }
        while let Some(aggregate) = state.touched.pop_first() {
            if self.registry.route(&aggregate).is_none() {
                continue;
            }
            if self.cache.timeline(&aggregate).is_some() {
                self.count_settled(state, &aggregate);
            } else {
                state.settling = true;
                state.touched.insert(aggregate.clone());
                self.settling
                    .entry(aggregate.clone())
                    .or_default()
                    .push(link);
                self.want(&aggregate, false);
                return;
            }
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
        let rejected = self
            .cache
            .fold(aggregate, &*guard, |_, outcome| outcome.rejected)
            .unwrap_or_default();
        for (event, _) in rejected {
            self.count_rejection(event);
            if state
                .pulled
                .get(&event.replica)
                .is_some_and(|seqs| seqs.contains(event.seq))
            {
                state.report.rejected += 1;
            }
        }
    }

    /// An aggregate came into memory that one-time syncs wait for.
    pub(super) fn settled(&mut self, aggregate: &AggregateId) {
        for link in self.settling.remove(aggregate).unwrap_or_default() {
            self.with_link(link, |engine, state| {
                state.settling = false;
                engine.count_settled(state, aggregate);
                state.touched.remove(aggregate);
            });
        }
    }

    /// An aggregate cannot be read: its rejections stay uncounted.
    pub(super) fn settled_failed(&mut self, aggregate: &AggregateId) {
        for link in self.settling.remove(aggregate).unwrap_or_default() {
            self.with_link(link, |_, state| {
                state.settling = false;
                state.touched.remove(aggregate);
            });
        }
    }

    pub(super) fn end_link(
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
        let status = state.session.status();
        state.report.bytes_sent = status.sent.bytes;
        state.report.bytes_received = status.received.bytes;
        state.report.elapsed_ms = self.now.mono_ms.saturating_sub(state.opened_ms);
        state.report.waiting = u64::try_from(self.inbox.waiting_len()).unwrap_or(u64::MAX);
        if state.session.all_acked() {
            state.report.pushed = status.sent.events;
        }
        let report = alloc::boxed::Box::new(core::mem::take(&mut state.report));
        self.effects.push_back(Effect::CloseLink {
            link,
            code,
            reason,
            report,
        });
    }

    pub(super) fn end_link_failed(&mut self, link: LinkId, failure: &Failure) {
        let reason = failure.to_string();
        self.tell_session(
            link,
            Input::Close {
                code: CloseCode::INTERNAL,
                reason,
            },
        );
    }

    pub(super) fn end_all_links(&mut self, code: CloseCode, reason: &str) {
        let links: Vec<LinkId> = self.links.keys().copied().collect();
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
    pub(super) fn link_closed(&mut self, link: LinkId, code: Option<CloseCode>, reason: String) {
        if let Some(mut state) = self.links.remove(&link) {
            self.timers.set(link, state.due, None);
            self.end_link(link, &mut state, code.unwrap_or(CloseCode::LOST), reason);
        }
    }
}

/// What a peer's memory of this replica says.
enum OwnPast {
    Agrees,
    Differs,
    /// The peer knows less than is here: whether its part agrees, the store must say.
    Unknown(EventId, Chain),
}
