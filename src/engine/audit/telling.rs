use alloc::collections::{BTreeMap, BTreeSet};

use super::allowance::Allowance;
use crate::engine::cache::Place;
use crate::engine::link::LinkState;
use crate::engine::{Engine, LinkId};
use crate::event::{AggregateId, ReplicaId};
use crate::limits::{
    DIGESTS_AT_ONCE, DIGESTS_HEARD_MAX, DIGESTS_MAX, DIGESTS_MS, DIGESTS_SAMPLE, DIGESTS_WAIT_MS,
    MOVED_KEPT_MAX,
};
use crate::log::Entry;
use crate::merge::Standing;
use crate::protocol::{Digests, Input, Round};

/// What one connection has told and heard of states.
#[derive(Debug)]
pub(in crate::engine) struct LinkAudit {
    /// How far it has told of what moved here.
    from: u64,
    /// Aggregates of entries that were read to be sent, which moved here before the connection.
    read: BTreeSet<AggregateId>,
    /// What can be told at once.
    ready: BTreeMap<AggregateId, Standing>,
    /// When this end wants to tell, or stops waiting for an answer; of the monotonic clock.
    pub(in crate::engine) due_ms: Option<u64>,
    asking: Asking,
    asked: BTreeMap<AggregateId, Standing>,
    pub(super) was_answered: bool,
    /// What is under way of what the peer told.
    pub(super) waits: BTreeSet<AggregateId>,
    /// What is to be answered to that.
    pub(super) answers: BTreeMap<AggregateId, Standing>,
    /// What other peers told, for this one.
    pub(super) relayed: BTreeMap<AggregateId, Standing>,
    /// The peer is waiting.
    pub(super) owes_answer: bool,
    /// How much more the peer may tell.
    pub(super) heard: Allowance,
}

/// How far a one-time sync is with comparing states before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    NotYet,
    /// The peer has been asked; once more, if this end has healed itself.
    Asked {
        again: bool,
    },
    Done,
}

impl LinkAudit {
    pub(in crate::engine) fn new(from: u64) -> Self {
        Self {
            from,
            read: BTreeSet::new(),
            ready: BTreeMap::new(),
            due_ms: None,
            asking: Asking::NotYet,
            asked: BTreeMap::new(),
            was_answered: false,
            waits: BTreeSet::new(),
            answers: BTreeMap::new(),
            relayed: BTreeMap::new(),
            owes_answer: false,
            heard: Allowance::new(DIGESTS_HEARD_MAX, DIGESTS_HEARD_MAX / 4),
        }
    }

    /// Whether there is something to be answered, if only that there is nothing.
    pub(super) fn has_to_answer(&self) -> bool {
        self.owes_answer || !self.answers.is_empty() || !self.relayed.is_empty()
    }

    /// It can be told at once what an aggregate stands at.
    pub(in crate::engine) fn know(&mut self, aggregate: &AggregateId, standing: Standing) {
        if self.ready.len() < DIGESTS_MAX {
            self.ready.insert(aggregate.clone(), standing);
        }
    }
}

impl Engine {
    /// These entries were read to be sent to a peer.
    pub(in crate::engine) fn note_read(
        &self,
        state: &mut LinkAudit,
        peer: Option<ReplicaId>,
        entries: &[(u64, Entry)],
    ) {
        if self.registry.is_empty() {
            return;
        }
        for (_, entry) in entries
            .iter()
            .filter(|(_, entry)| entry.from != peer || peer.is_none())
        {
            for event in entry.commit.events() {
                let name = event.aggregate();
                if state.read.len() < MOVED_KEPT_MAX
                    && self.registry.route(name).is_some()
                    && !state.read.contains(name)
                {
                    state.read.insert(name.clone());
                }
            }
        }
    }

    /// Tells a live peer what moved, a second after it began to: a burst is told of once, and no
    /// write waits for a digest.
    pub(in crate::engine) fn tell_moved(&mut self, state: &mut LinkState) {
        if state.options.once {
            return;
        }
        if !state.is_live() || !state.session.is_open() {
            state.audit.due_ms = None;
            return;
        }
        let now = self.now.mono_ms;
        if state.audit.due_ms.is_some_and(|due| due <= now) {
            state.audit.due_ms = None;
            let entries = self.next_round(state);
            if !entries.is_empty() {
                let digests = Digests {
                    round: Round::Tell,
                    entries: entries.into_iter().collect(),
                };
                state.input(self.now, Input::Digests(digests));
            }
        }
        if state.audit.due_ms.is_none() && self.has_to_tell(&state.audit) {
            state.audit.due_ms = Some(now.saturating_add(DIGESTS_MS));
        }
    }

    /// Whether a look at a connection would lead to nothing: it is no one-time sync, which may be done,
    /// nothing is to be answered, and it tells nothing now and has its time for that if it needs one.
    pub(in crate::engine) fn has_nothing_to_add(&self, state: &LinkState) -> bool {
        let audit = &state.audit;
        if state.options.once || audit.has_to_answer() {
            return false;
        }
        match audit.due_ms {
            Some(due) => state.is_live() && due > self.now.mono_ms,
            None => !state.is_live() || !self.has_to_tell(audit),
        }
    }

    fn has_to_tell(&self, link: &LinkAudit) -> bool {
        !link.ready.is_empty()
            || !link.read.is_empty()
            || self.audit.moved.next(link.from).is_some()
    }

    /// What moved, as far as it is in memory and resolved, and a few that did not.
    fn next_round(&mut self, state: &mut LinkState) -> BTreeMap<AggregateId, Standing> {
        let mut entries = core::mem::take(&mut state.audit.ready);
        for _ in 0..DIGESTS_AT_ONCE {
            let Some(name) = self.next_moved(&mut state.audit) else {
                break;
            };
            if self.cache.place(&name) == Place::Hot {
                self.fold_to_compare(&name);
                entries.extend(self.standing(&name).map(|(standing, _)| (name, standing)));
            } else {
                self.audit.pending(&name).tells.push(state.id);
            }
        }
        for _ in 0..DIGESTS_SAMPLE {
            let Some(name) = self.cache.next_hot() else {
                break;
            };
            // One that is not folded is not folded for this.
            entries.extend(self.standing(&name).map(|(standing, _)| (name, standing)));
        }
        while entries.len() > DIGESTS_MAX {
            entries.pop_last();
        }
        entries
    }

    fn next_moved(&self, link: &mut LinkAudit) -> Option<AggregateId> {
        if let Some(name) = link.read.pop_first() {
            return Some(name);
        }
        let (name, next) = self.audit.moved.next(link.from)?;
        link.from = next;
        Some(name.clone())
    }

    /// What a one-time sync is to look at before it ends, beside what it pulled: what it sent.
    pub(in crate::engine) fn moved_on(&self, link: &mut LinkAudit) -> BTreeSet<AggregateId> {
        if link.asking != Asking::NotYet {
            return BTreeSet::new();
        }
        let names = core::iter::from_fn(|| self.next_moved(link));
        names.take(DIGESTS_MAX).collect()
    }

    /// A one-time sync has looked at everything: asks the peer whether it agrees, and waits a while
    /// for the answer. Whether there is still something to wait for.
    pub(in crate::engine) fn asks_before_leaving(&mut self, state: &mut LinkState) -> bool {
        if state.stuck || !state.session.is_open() {
            return false;
        }
        let Asking::Asked { again } = state.audit.asking else {
            let entries = core::mem::take(&mut state.audit.ready);
            return state.audit.asking == Asking::NotYet && self.ask(state, entries, false);
        };
        let is_late = state.audit.due_ms.is_none_or(|due| due <= self.now.mono_ms);
        if !is_late && (!state.audit.was_answered || !state.audit.waits.is_empty()) {
            return true;
        }
        let healed = if again || is_late {
            BTreeMap::new()
        } else {
            self.healed_since(&core::mem::take(&mut state.audit.asked))
        };
        self.ask(state, healed, true)
    }

    /// What stands at another state of the same events now.
    fn healed_since(
        &mut self,
        asked: &BTreeMap<AggregateId, Standing>,
    ) -> BTreeMap<AggregateId, Standing> {
        let mut healed = BTreeMap::new();
        for (name, was) in asked {
            let now = self.standing(name).map(|(standing, _)| standing);
            let now = now.filter(|now| now.set == was.set && now.state != was.state);
            healed.extend(now.map(|now| (name.clone(), now)));
        }
        healed
    }

    fn ask(
        &mut self,
        state: &mut LinkState,
        entries: BTreeMap<AggregateId, Standing>,
        again: bool,
    ) -> bool {
        if entries.is_empty() {
            state.audit.asking = Asking::Done;
            state.audit.due_ms = None;
            return false;
        }
        state.audit.asking = Asking::Asked { again };
        state.audit.was_answered = false;
        state.audit.due_ms = Some(self.now.mono_ms.saturating_add(DIGESTS_WAIT_MS));
        state.audit.asked = entries.clone();
        let digests = Digests {
            round: Round::Ask,
            entries: entries.into_iter().collect(),
        };
        state.input(self.now, Input::Digests(digests));
        true
    }

    /// An aggregate that a connection wanted to tell of is in memory.
    pub(super) fn tell_later(&mut self, links: &[LinkId], aggregate: &AggregateId) {
        let Some((standing, _)) = self.standing(aggregate) else {
            return;
        };
        for link in links {
            if let Some(state) = self.links.lent(*link) {
                state.audit.know(aggregate, standing);
            }
            // So that it sets its deadline.
            self.with_link(*link, |_, _| {});
        }
    }
}
