use alloc::vec::Vec;

use super::relay::Meeting;
use super::{Finding, Heard, Pending, Suspicion};
use crate::engine::cache::Place;
use crate::engine::link::LinkState;
use crate::engine::{Effect, Engine, LinkId};
use crate::event::{AggregateId, ReplicaId};
use crate::limits::DIGESTS_MAX;
use crate::merge::{Standing, Timeline};
use crate::protocol::{Digests, Input, Round};

impl Engine {
    /// A peer told what aggregates stand at there. They are compared when the input has been worked
    /// on, and those that are not in memory when they are.
    pub(in crate::engine) fn hear(&mut self, link: LinkId, state: &mut LinkState, told: Digests) {
        let Some(peer) = state.peer else { return };
        match told.round {
            Round::Tell => {}
            Round::Ask => state.audit.owes_answer = true,
            Round::Answer => state.audit.was_answered = true,
        }
        for (aggregate, theirs) in told.entries {
            if !state.audit.heard.take(1, self.now.mono_ms) {
                break;
            }
            let Some(route) = self.registry.route(&aggregate) else {
                self.relay(state, peer, &aggregate, theirs, told.round);
                continue;
            };
            if route.fingerprint() != theirs.fingerprint {
                continue;
            }
            state.audit.waits.insert(aggregate.clone());
            let heard = Heard {
                link,
                peer,
                theirs,
                round: told.round,
                differed: false,
            };
            self.audit.pending(&aggregate).heard.push(heard);
        }
    }

    /// A peer told of an aggregate that has no rule here: passes on what another one told of it to
    /// whoever asks, and to all concerned where two differ, or do so no more.
    fn relay(
        &mut self,
        state: &mut LinkState,
        peer: ReplicaId,
        aggregate: &AggregateId,
        theirs: Standing,
        round: Round,
    ) {
        if round == Round::Answer {
            return;
        }
        let heard = self.audit.relay.hear(aggregate, theirs, peer, state.id);
        let Some(Meeting { other, concerns }) = heard else {
            return;
        };
        if round == Round::Ask || concerns.contains(&state.id) {
            state.audit.relayed.insert(aggregate.clone(), other);
        }
        for link in concerns {
            let digests = Digests {
                round: Round::Answer,
                entries: alloc::vec![(aggregate.clone(), theirs)],
            };
            // The one that speaks is not among those that can be told at this moment.
            self.tell_session(link, Input::Digests(digests));
        }
    }

    /// Answers a peer once everything that it told has been looked at: what differs or did, and, where
    /// it asked, what agrees.
    pub(in crate::engine) fn answer(&mut self, state: &mut LinkState) {
        if !state.audit.waits.is_empty() || !state.audit.has_to_answer() {
            return;
        }
        let mut entries = Vec::new();
        for (aggregate, theirs) in core::mem::take(&mut state.audit.answers) {
            // It may have healed in the meantime; then the peer learns that all is well.
            let ours = self.standing(&aggregate).map(|(ours, _)| ours);
            if let Some(ours) = ours.filter(|ours| is_comparable(ours, &theirs)) {
                entries.push((aggregate, ours));
            }
        }
        entries.extend(core::mem::take(&mut state.audit.relayed));
        entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        entries.truncate(DIGESTS_MAX);
        if !core::mem::take(&mut state.audit.owes_answer) && entries.is_empty() {
            return;
        }
        let round = Round::Answer;
        state.input(self.now, Input::Digests(Digests { round, entries }));
    }

    /// Goes on with whatever the audit can go on with.
    pub(in crate::engine) fn run_audit(&mut self) {
        self.audit_placed();
        while let Some(aggregate) = self.audit.runnable.pop_first() {
            self.go_on_with(&aggregate);
        }
    }

    fn go_on_with(&mut self, aggregate: &AggregateId) {
        match self.cache.place(aggregate) {
            Place::Hot => {}
            // It comes by here again when it has been read.
            Place::Loading { .. } => return,
            Place::Cold => {
                let now = self.now.mono_ms;
                if self.audit.pending.contains_key(aggregate) && self.audit.loads.take(1, now) {
                    self.want(aggregate, false);
                } else if let Some(pending) = self.audit.pending.remove(aggregate) {
                    self.done_with(aggregate, &pending);
                }
                return;
            }
        }
        let Some(mut pending) = self.audit.pending.remove(aggregate) else {
            return;
        };
        if pending.suspicion.is_none() {
            self.fold_to_compare(aggregate);
            pending.suspicion = self.compare(aggregate, &mut pending.heard);
        }
        if let Some(suspicion) = pending.suspicion {
            let has_history = self
                .cache
                .timeline(aggregate)
                .is_some_and(Timeline::has_history);
            if !has_history {
                self.audit.pending.insert(aggregate.clone(), pending);
                self.want(aggregate, true);
                return;
            }
            self.fold(aggregate);
            self.look_into(aggregate, &suspicion);
        }
        self.done_with(aggregate, &pending);
    }

    /// Holds what peers told against what stands here. What is to be looked into, if anything.
    fn compare(&mut self, aggregate: &AggregateId, heard: &mut [Heard]) -> Option<Suspicion> {
        let (stood, used) = self.standing(aggregate)?;
        let mut suspicion = None;
        for heard in heard {
            let (peer, theirs) = (heard.peer, heard.theirs);
            if !is_comparable(&stood, &theirs) {
                continue;
            }
            self.audit.comparisons = self.audit.comparisons.saturating_add(1);
            heard.differed = theirs.state != stood.state;
            if !heard.differed {
                self.agrees_again(aggregate, peer);
            } else if suspicion.is_none() {
                let peer = Some((peer, theirs.state));
                suspicion = Some(Suspicion { stood, used, peer });
            }
        }
        suspicion.filter(|suspicion| self.is_news(aggregate, suspicion))
    }

    /// Whether a difference has to be looked into: not while one of this aggregate is known and not
    /// healed, and not beyond as many as are listed.
    fn is_news(&mut self, aggregate: &AggregateId, suspicion: &Suspicion) -> bool {
        let known = self.audit.divergences.get(aggregate);
        if known.is_some_and(|known| !known.is_healed) {
            return false;
        }
        if known.is_none() && !self.audit.has_room() {
            self.audit.more_divergences = true;
            return false;
        }
        let Some(route) = self.registry.route(aggregate).cloned() else {
            return false;
        };
        if self.audit.is_chance(route.fingerprint()) {
            self.is_chance_again(aggregate, suspicion, &route);
            return false;
        }
        // Else it shows again.
        let replays = suspicion.stood.events.saturating_mul(2);
        self.audit.examined.take(replays, self.now.mono_ms)
    }

    /// A peer whose state was another one has the same now.
    fn agrees_again(&mut self, aggregate: &AggregateId, peer: ReplicaId) {
        let known = self.audit.divergences.get(aggregate);
        let is_it = known.is_some_and(|known| {
            known.finding == Finding::ElsewhereDifferent
                && known
                    .peer
                    .is_some_and(|(other, _)| other.device() == peer.device())
        });
        if is_it && let Some(mut healed) = self.audit.divergences.remove(aggregate) {
            healed.is_healed = true;
            self.effects
                .push_back(Effect::Diverged(alloc::boxed::Box::new(healed)));
        }
    }

    /// Nothing is under way any more for what was wanted of an aggregate.
    fn done_with(&mut self, aggregate: &AggregateId, pending: &Pending) {
        self.tell_later(&pending.tells, aggregate);
        for heard in &pending.heard {
            let is_answered = match heard.round {
                Round::Tell => heard.differed,
                Round::Ask => true,
                Round::Answer => false,
            };
            self.with_link(heard.link, |_, state| {
                state.audit.waits.remove(aggregate);
                if is_answered {
                    let name = aggregate.clone();
                    state.audit.answers.insert(name, heard.theirs);
                }
            });
        }
    }

    /// An aggregate cannot be read, so that nothing can be compared.
    pub(in crate::engine) fn audit_failed(&mut self, aggregate: &AggregateId) {
        if let Some(pending) = self.audit.pending.remove(aggregate) {
            self.done_with(aggregate, &pending);
        }
    }
}

/// Whether two states ought to be the same.
pub(super) fn is_comparable(ours: &Standing, theirs: &Standing) -> bool {
    (ours.events, ours.set, ours.fingerprint) == (theirs.events, theirs.set, theirs.fingerprint)
}
