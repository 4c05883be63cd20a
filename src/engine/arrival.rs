use alloc::vec::Vec;

use super::io::{Failure, Ingested};
use super::judging::{Judgement, Taken};
use super::link::LinkState;
use super::looking::{Looked, Parked};
use super::reading::Pending;
use super::watching::{CameIn, keys_of};
use super::writer::{Then, WriteItem};
use super::{Effect, Engine, LinkId, Ticket};
use crate::event::{Commit, EventId, ReplicaId};
use crate::log::{Durability, Entry, EntryKind};
use crate::merge::{Integration, Ready, Receipt, Tags};
use crate::protocol::{self, Delivered, Delivery, Reason, Remedy};

impl Engine {
    /// A peer delivered commits: takes them, or first looks up what it needs to judge them.
    pub(super) fn deliver(&mut self, link: LinkId, state: &mut LinkState, delivery: Delivery) {
        if state.looking {
            state.parked.push_back(delivery);
        } else {
            self.examine(link, state, delivery);
        }
    }

    fn examine(&mut self, link: LinkId, state: &mut LinkState, delivery: Delivery) {
        if delivery.number < state.ignored_before {
            self.ignore(state, &delivery);
            return;
        }
        let commits = delivery.commits.iter().map(|delivered| &delivered.commit);
        let ids = self.to_look_up(commits, state.peer);
        if ids.is_empty() {
            self.take(link, state, delivery, &Looked::new());
        } else {
            state.looking = true;
            if mutant!("cursor-before-its-data")
                && let Some((peer, cursor)) = state.peer.zip(delivery.cursor)
            {
                let cursor = Some((peer, self.peers.advance(peer, cursor)));
                let durability = Durability::Durable;
                self.writer.push(WriteItem {
                    cursor,
                    durability,
                    ..WriteItem::default()
                });
            }
            self.look_up(ids, Parked::Delivery { link, delivery });
        }
    }

    /// An application hands over commits.
    pub(super) fn ingest(&mut self, ticket: Ticket, commits: Vec<Commit>) {
        if let Some(reason) = self.writer.failed.clone() {
            self.reply(ticket, Err(Failure::Store { reason }));
            return;
        }
        let ids = self.to_look_up(commits.iter(), None);
        if ids.is_empty() {
            self.take_ingest(ticket, commits, &Looked::new());
        } else {
            self.look_up(ids, Parked::Ingest { ticket, commits });
        }
    }

    fn look_up(&mut self, ids: Vec<EventId>, parked: Parked) {
        // What is being written now is found in memory when the store has missed it.
        let began = self.log.read_began();
        let request = self.request(Pending::Look {
            ids: ids.clone(),
            parked,
            began,
        });
        self.effects.push_back(Effect::Known { request, ids });
    }

    pub(super) fn looked_up(&mut self, parked: Parked, looked: &Looked) {
        match parked {
            Parked::Ingest { ticket, commits } => self.take_ingest(ticket, commits, looked),
            Parked::Delivery { link, delivery } => {
                self.with_link(link, |engine, state| {
                    state.looking = false;
                    engine.take(link, state, delivery, looked);
                    while !state.looking
                        && let Some(next) = state.parked.pop_front()
                    {
                        engine.examine(link, state, next);
                    }
                });
            }
        }
    }

    /// A delivery that was under way when a commit before it was refused: the peer sends it again.
    fn ignore(&mut self, state: &mut LinkState, delivery: &Delivery) {
        if let (Some(peer), Some(commit)) = (state.peer, delivery.unstage) {
            self.writer.push(WriteItem {
                notes: self.peers.unstage(peer, commit),
                ..WriteItem::default()
            });
        }
        let (delivery, durable) = (delivery.number, false);
        state.input(self.now, protocol::Input::Taken { delivery, durable });
    }

    fn take(&mut self, link: LinkId, state: &mut LinkState, delivery: Delivery, looked: &Looked) {
        let Some(peer) = state.peer else { return };
        let mut item = WriteItem {
            entries: Vec::with_capacity(delivery.commits.len()),
            durability: Durability::Durable,
            ..WriteItem::default()
        };
        let refused = self.take_commits(state, delivery.commits, &mut item, looked);
        if let Some(cursor) = delivery
            .cursor
            .filter(|_| !refused || mutant!("cursor-past-a-refusal"))
        {
            let note = self.peers.advance(peer, cursor);
            if mutant!("cursor-shown-before-fsync") {
                self.peers.keep(peer, note.cursor);
            }
            item.cursor = Some((peer, note));
        }
        if let Some(commit) = delivery.unstage {
            item.notes.extend(self.peers.unstage(peer, commit));
        }
        let number = delivery.number;
        state.delivered = number + 1;
        state.input(
            self.now,
            protocol::Input::Taken {
                delivery: number,
                durable: mutant!("durable-ack-before-fsync"),
            },
        );
        item.delivered = Some((link, number));
        self.writer.push(item);
    }

    /// Judges the commits of a delivery and takes them, one after the other, up to the first that is
    /// refused. Whether one was.
    fn take_commits(
        &mut self,
        state: &mut LinkState,
        commits: Vec<Delivered>,
        item: &mut WriteItem,
        looked: &Looked,
    ) -> bool {
        let mut taken = Taken::default();
        for Delivered { commit, continues } in commits {
            let events = u64::from(commit.span().len());
            let first_hop = state.is_first_hop(&commit);
            let skew = if first_hop {
                self.skew_of(&commit, looked, &item.entries)
            } else {
                None
            };
            let before = (&mut taken, item.entries.as_slice());
            match self.judge(&commit, continues, skew, looked, before) {
                Judgement::Take => {
                    state.took(&commit);
                    self.accept_from(state.origin(), commit, item);
                }
                Judgement::Duplicate => state.report.duplicates += events,
                Judgement::Forked if !first_hop => state.note_fork(commit.id(), events),
                Judgement::Forked => {
                    state.has_double = true;
                    self.refuse(state, &commit, Reason::Forked);
                    return true;
                }
                Judgement::Skewed { ahead_ms } => {
                    let max_ms = crate::limits::DRIFT_MS_MAX;
                    self.refuse(state, &commit, Reason::ClockSkew { ahead_ms, max_ms });
                    return true;
                }
            }
        }
        false
    }

    fn refuse(&self, state: &mut LinkState, commit: &Commit, why: Reason) {
        let remedy = Remedy::Restamp;
        state.input(
            self.now,
            protocol::Input::Refuse {
                commit: commit.id(),
                why,
                remedy,
            },
        );
        if !mutant!("followers-of-a-refused-commit-taken") {
            state.ignored_before = state.session.next_delivery();
        }
    }

    fn take_ingest(&mut self, ticket: Ticket, commits: Vec<Commit>, looked: &Looked) {
        if let Some(reason) = self.writer.failed.clone() {
            self.reply(ticket, Err(Failure::Store { reason }));
            return;
        }
        let mut item = WriteItem {
            durability: Durability::Durable,
            ..WriteItem::default()
        };
        let mut ingested = Ingested::default();
        let mut forked = None;
        let mut accepted = Vec::new();
        let mut taken = Taken::default();
        for commit in commits {
            let (id, events) = (commit.id(), u64::from(commit.span().len()));
            let before = (&mut taken, item.entries.as_slice());
            match self.judge(&commit, None, None, looked, before) {
                Judgement::Take | Judgement::Skewed { .. } => {
                    self.accept_from(None, commit, &mut item);
                    ingested.accepted += events;
                    accepted.push((id, events));
                }
                Judgement::Duplicate => ingested.duplicates += events,
                Judgement::Forked => {
                    forked = Some(id);
                    self.note_forks(&[id]);
                    break;
                }
            }
        }
        let waits = |id: &EventId| !self.inbox.is_ready(*id);
        ingested.waiting = accepted
            .iter()
            .filter(|(id, _)| waits(id))
            .map(|(_, n)| *n)
            .sum();
        if let Some(commit) = forked {
            self.writer.push(item);
            self.reply(ticket, Err(Failure::Forked { commit }));
            return;
        }
        item.then.push(Then::Ingested(ticket, ingested));
        self.writer.push(item);
    }

    /// Takes what was written elsewhere. If it stands under this replica's own name, this store was
    /// restored or cloned, and there may be more of it than comes now: what is written from here on
    /// belongs to a new incarnation, whose name is stored with it.
    fn accept_from(&mut self, from: Option<ReplicaId>, commit: Commit, item: &mut WriteItem) {
        if commit.replica() == self.identity.replica {
            self.renew_incarnation();
            item.identity = Some(self.marked_identity());
        }
        self.accept(commit, from, item);
    }

    /// Takes a commit into the set: the log gets an entry, and everything that is ready now is
    /// integrated. Whether it is here already was judged before; what is changes nothing.
    pub(super) fn accept(&mut self, commit: Commit, from: Option<ReplicaId>, item: &mut WriteItem) {
        self.accept_into(&[], commit, from, item);
    }

    /// The same, where it is known at which places in memory the aggregates of the first events are.
    pub(super) fn accept_into(
        &mut self,
        places: &[usize],
        commit: Commit,
        from: Option<ReplicaId>,
        item: &mut WriteItem,
    ) {
        let Receipt::Arrived {
            ready,
            chain_before,
            released,
        } = self.inbox.receive(&commit)
        else {
            return;
        };
        item.notes.extend(self.peers.unstage_all(commit.id()));
        if self.clock_adopts(&commit) {
            let wall = self.now.wall_ms.saturating_add_signed(self.clock_offset_ms);
            self.clock.observe(wall, commit.timestamp());
        }
        let kind = if ready {
            EntryKind::Ready
        } else {
            EntryKind::Waiting
        };
        let entry = Entry {
            commit,
            kind,
            from,
            chain_before,
        };
        self.append(places, entry, item);
        for waited in released {
            self.release(waited, from, item);
        }
    }

    /// A commit that waited is ready: the log says so, and its aggregates take it.
    pub(super) fn release(&mut self, waited: Ready, from: Option<ReplicaId>, item: &mut WriteItem) {
        let Ready {
            commit,
            chain_before,
        } = waited;
        let kind = EntryKind::Released;
        let entry = Entry {
            commit,
            kind,
            from,
            chain_before,
        };
        self.append(&[], entry, item);
    }

    fn clock_adopts(&self, commit: &Commit) -> bool {
        commit.replica() != self.identity.replica
    }

    /// Puts an entry at the end of the log and, if its commit is ready, hands that on.
    fn append(&mut self, places: &[usize], entry: Entry, item: &mut WriteItem) {
        let position = self.log.append(entry.clone());
        if entry.kind != EntryKind::Waiting {
            self.ready(places, &entry, position);
        }
        item.entries.push(entry);
    }

    /// Hands the events of a ready commit to the aggregates that are in memory; the others find them in
    /// the store when they are touched.
    fn ready(&mut self, places: &[usize], entry: &Entry, position: u64) {
        let commit = &entry.commit;
        let mut tags = Tags::of(commit, entry.chain_before);
        for (number, event) in commit.events().iter().enumerate() {
            if mutant!("commit-split") && event.id() != commit.id() {
                break;
            }
            let aggregate = event.aggregate();
            let watched = self.watches.wants(aggregate);
            let is_told = self.audit.links > 0;
            let route = (watched || is_told).then(|| self.registry.route(aggregate));
            let route = route.flatten();
            if is_told && route.is_some() {
                self.audit.moved.note(aggregate);
            }
            let keys = watched.then(|| keys_of(event, route, &*self.guard));
            let mut tag = || tags.at(number);
            let mut integration = match places.get(number) {
                // More of the same aggregate follows, or a watcher is to be told how it came in.
                Some(at) if watched || places.get(number + 1) == Some(at) => {
                    self.cache.integrate_at(*at, event, &mut tag)
                }
                Some(at) => self.integrate_and_fold_at(*at, event, &mut tag),
                None => self.cache.integrate(event, &mut tag),
            };
            if integration.is_none() && watched && self.begin_new(aggregate) {
                integration = self.cache.integrate(event, &mut tag);
            }
            // Whether or not it is being read: a read can fail, and nothing would tell of this event.
            self.holds_all &= integration.is_some();
            match integration {
                Some(Integration::Added { late, raced }) => {
                    if let Some(keys) = keys {
                        self.changed(event, keys, CameIn { late, raced }, position);
                    }
                }
                Some(Integration::HistoryMissing) if watched => {
                    self.watches.expect(event, position);
                    self.reload(aggregate, true);
                }
                Some(Integration::HistoryMissing) if mutant!("stale-state-served") => {}
                // Whoever touches it next reads what it needs.
                Some(Integration::HistoryMissing) => self.cache.forget(aggregate),
                None if watched => {
                    self.watches.expect(event, position);
                    self.want(aggregate, false);
                }
                None | Some(Integration::Duplicate) => {}
            }
        }
    }
}
