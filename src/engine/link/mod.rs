//! Connections: each has a session, and what the session asks for is found or decided here.
//!
//! Invariant: while one connection is worked on it is out of the map, so nothing that happens to
//! others on the way can touch it twice; everything a session says is carried out before the next
//! input.
//!
//! The frames' form and their rules are the session's; this module knows no carrier.

mod ending;
mod greeting;
mod links;
mod pace;
mod supply;
mod touched;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::ToString;
use alloc::vec::Vec;

use bytes::Bytes;

pub(super) use self::links::Links;
pub(super) use self::pace::Pace;
use self::touched::Touched;
use super::audit::LinkAudit;
use super::io::LinkOptions;
use super::reading::Pending;
use super::report::{RefusedCommit, SyncReport};
use super::writer::{Then, WriteItem};
use super::{Effect, Engine, LinkId};
use crate::clock::Now;
use crate::event::{Commit, Event, EventId, ReplicaId, SeqRanges};
use crate::limits::{BATCH_BYTES_MAX, FORKS_LISTED_MAX};
use crate::log::{Durability, IdRange, ReadLimit};
use crate::protocol::{
    CloseCode, Delivery, Input, KnownPeer, Local, Output, Role, Session, SessionOptions, Staged,
};

/// One connection and what this replica knows of it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and they combine"
)]
pub(super) struct LinkState {
    pub(super) id: LinkId,
    pub(super) session: Session,
    pub(super) options: LinkOptions,
    pub(super) peer: Option<ReplicaId>,
    /// Whether another store writes under the peer's name.
    pub(super) has_double: bool,
    /// Under which incarnation the peer writes now, as far as what it sends tells.
    writer: Option<ReplicaId>,
    pub(super) report: SyncReport,
    /// Which session of this replica it is.
    number: u64,
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
    /// The position up to which the peer has durably acknowledged this log in this session.
    pub(super) acked: Option<u64>,
    /// What the peer's summary had and this replica lacked when it came; nothing of it is left once
    /// the peer has sent everything.
    pub(super) lacking: Option<Vec<IdRange>>,
    /// Whether events flow from the peer to this replica.
    pub(super) receives: bool,
    pulled: BTreeMap<ReplicaId, SeqRanges>,
    touched: Touched,
    settling: bool,
    pub(super) audit: LinkAudit,
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

    /// Whom what comes over it is not sent back to: the peer, unless two stores were found to bear its
    /// name, of which the other one may lack it.
    pub(super) fn origin(&self) -> Option<ReplicaId> {
        self.peer.filter(|_| !self.has_double)
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
            for event in commit.events() {
                self.touched.note(event.aggregate());
            }
        }
    }

    /// Notes down that an end holds another branch of a writer's events, which this one leaves
    /// where it is.
    fn found_fork(&mut self, id: EventId) {
        if !self.forked.contains(&id) {
            self.note_fork(id, 1);
        }
    }

    /// Counts events that contradict what is here, and remembers the first such commits.
    pub(super) fn note_fork(&mut self, id: EventId, events: u64) {
        self.report.forked += events;
        if self.forked.len() < FORKS_LISTED_MAX {
            self.forked.push(id);
        }
    }

    fn is_done(&self) -> bool {
        if !self.options.once {
            return false;
        }
        let quiet = !self.looking && self.parked.is_empty() && self.durable == self.delivered;
        let both = self.caught_up && self.peer_caught_up && self.session.all_acked();
        quiet && (both || (self.stuck && self.peer_caught_up))
    }

    pub(super) fn is_live(&self) -> bool {
        self.caught_up && self.peer_caught_up
    }
}

impl Engine {
    pub(super) fn open_link(&mut self, link: LinkId, role: Role, options: LinkOptions) {
        self.offer_gathered();
        let (staged, peers) = self.expected(role, &options);
        let received = self.inbox.received();
        let local = Local {
            replica: self.identity.replica,
            own: self.identity.own(received),
            lineage: self.identity.lineage,
            lineage_shared: self.identity.lineage_shared,
            epochs: self.log.epochs.clone(),
            end: self.log.offered_end(),
            staged,
            peers,
        };
        let session_options = SessionOptions {
            direction: options.direction,
            batch_events: options.batch_events,
            batch_bytes: BATCH_BYTES_MAX,
        };
        let number = self.peers.session_begins();
        self.audit.links += 1;
        let state = LinkState {
            id: link,
            session: Session::compressing(
                role,
                local,
                session_options,
                self.now,
                self.compression.clone(),
            ),
            options,
            peer: None,
            has_double: false,
            writer: None,
            report: SyncReport::default(),
            number,
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
            acked: None,
            lacking: None,
            receives: false,
            pulled: BTreeMap::new(),
            touched: Touched::seeded(self.entropy),
            settling: false,
            audit: LinkAudit::new(self.audit.moved.end()),
            ended: false,
        };
        if state.options.once {
            self.counting.insert(link);
        }
        self.links.open(Box::new(state));
        self.with_link(link, |engine, state| {
            if let Some(reason) = engine.writer.failed.as_deref() {
                let (code, reason) = (CloseCode::INTERNAL, reason.into());
                state.input(engine.now, Input::Close { code, reason });
            }
        });
    }

    /// Who may be at the other end, and the parts of a large commit of theirs that are here.
    fn expected(&self, role: Role, options: &LinkOptions) -> (Option<Staged>, Vec<KnownPeer>) {
        let received = self.inbox.received();
        match role {
            Role::Dialer => {
                let peers = self.peers.likely(options.address.as_deref(), received);
                let listed = |peer| peers.iter().any(|known| known.replica == peer);
                (self.peers.staged(listed), peers)
            }
            // A listener learns who is there before it has to say what it knows of anybody.
            Role::Listener => (
                self.peers.staged(|_| !mutant!("staged-parts-forgotten")),
                Vec::new(),
            ),
        }
    }

    /// Works on one connection, then carries out what its session wants.
    pub(super) fn with_link(&mut self, link: LinkId, work: impl FnOnce(&mut Self, &mut LinkState)) {
        let Some(mut state) = self.links.take(link) else {
            return;
        };
        let live = state.is_live();
        work(self, &mut state);
        self.drain(link, &mut state);
        if state.session.all_acked() {
            state.report.pushed = state.session.sent_events();
        }
        if state.lacking.is_none()
            && let Some(theirs) = state.session.peer_summary()
        {
            state.lacking = Some(theirs.without(self.inbox.received()));
        }
        if !state.ended && live != state.is_live() {
            self.effects.push_back(Effect::LinkChanged(link));
        }
        if !state.ended && state.is_done() {
            self.settle_next(link, &mut state);
        }
        if !state.ended {
            self.answer(&mut state);
            self.tell_moved(&mut state);
            self.drain(link, &mut state);
        }
        let due = state.session.deadline().into_iter();
        // One that has passed was looked at just now.
        let audit = state.audit.due_ms.filter(|due| *due > self.now.mono_ms);
        let due = due.chain(audit).min();
        let due = due.filter(|_| !state.ended);
        self.timers.set(link, state.due, due);
        state.due = due;
        if state.ended {
            self.links.remove(link);
        } else {
            self.links.put_back(state);
        }
    }

    /// Carries out what a session wants.
    fn drain(&mut self, link: LinkId, state: &mut LinkState) {
        while !state.ended
            && let Some(output) = state.session.poll_output()
        {
            self.on_output(link, state, output);
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

    fn acknowledged(&mut self, state: &mut LinkState, position: u64) {
        let begins = state.acked.replace(position).is_none();
        if let Some(peer) = state.peer {
            self.peers
                .acknowledged(peer, position, state.number, begins);
        }
    }

    fn peer_caught_up(&mut self, state: &mut LinkState) {
        state.peer_caught_up = true;
        if let Some(peer) = state.peer.filter(|_| state.receives) {
            state.lacking = Some(Vec::new());
            self.peers.has_sent_all(peer);
        }
    }

    /// Keeps a part of a large commit, unless the whole has come by another way meanwhile.
    fn stage(
        &mut self,
        link: LinkId,
        state: &LinkState,
        commit: EventId,
        index: u32,
        bytes: Bytes,
    ) {
        let Some(peer) = state.peer else { return };
        let notes = if self.inbox.received().contains(commit) {
            Vec::new()
        } else {
            self.peers.stage(peer, commit, index, bytes)
        };
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
            Output::Locate(theirs) => self.locate_for(link, state, &theirs),
            Output::Deliver(delivery) => self.deliver(link, state, delivery),
            Output::Stage {
                commit,
                index,
                bytes,
            } => self.stage(link, state, commit, index, bytes),
            Output::Acked { position, durable } => {
                if durable {
                    self.acknowledged(state, position);
                }
            }
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
                self.on_refused(link, state, commit, clock_ms, why);
            }
            Output::PeerCaughtUp => self.peer_caught_up(state),
            Output::CaughtUp => state.caught_up = true,
            Output::Digests(told) => self.hear(link, state, told),
            Output::Closed { code, reason } => self.end_link(link, state, code, reason),
        }
    }
}
