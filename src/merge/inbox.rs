use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use crate::event::{Chain, ChainTag, Commit, Event, EventId, Seq};
use crate::log::Received;

/// Holds commits back until their causal past is here.
///
/// A commit is *ready* when every event that its events name as a head is received and not waiting,
/// and every earlier event of its own writer is received. The second condition is there for the
/// tags of heads: without it the chain value of a ready event could be unknown, and whether a tag
/// matches, which decides validity, would depend on the order of arrival. (In a commit a head is
/// always an earlier event, so heads inside the same commit are here with it.)
///
/// A commit waits as a whole. Receiving costs O(log n) per head, whatever waits; what a commit
/// releases is worked off in a loop, so a long chain needs no stack.
#[derive(Clone, Debug, Default)]
pub struct Inbox {
    received: Received,
    waiting: BTreeMap<EventId, Waiting>,
    /// By the head that is missing or waiting: the commits that name it.
    wanted: BTreeMap<EventId, BTreeSet<EventId>>,
}

#[derive(Clone, Debug)]
struct Waiting {
    commit: Commit,
    chain_before: Option<Chain>,
    /// Whether some earlier event of its writer is not here.
    gap: bool,
    /// Heads that are missing or waiting.
    unmet: BTreeSet<EventId>,
}

/// A commit whose whole past is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The commit.
    pub commit: Commit,
    /// The chain value of its writer before its first event. Always known, except for a commit that
    /// was [restored](Inbox::restored) without it.
    pub chain_before: Option<Chain>,
}

/// What became of a commit that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// Its seqs, or some of them, are here already. Whether they mean the same events is not looked
    /// at: digests tell a fork from a duplicate.
    Duplicate,
    /// It is new.
    Arrived {
        /// Whether its past is here; if not, it waits.
        ready: bool,
        /// The chain value of its writer before its first event, where all earlier ones are here:
        /// always when it is ready.
        chain_before: Option<Chain>,
        /// Commits that waited and are ready now, in a causal order.
        released: Vec<Ready>,
    },
}

impl Inbox {
    /// Nothing received yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An inbox as a store kept it: what was received, and which commits wait, each with the chain
    /// value before its first event. Where that is not given, it is worked out from a waiting
    /// commit right before; failing that it stays unknown, so that the tags of these events are
    /// not checked and local writes do not name them.
    ///
    /// Also returns what does not wait after all, in a causal order; nothing, unless the store
    /// missed a release.
    pub fn restored(
        received: Received,
        waiting: impl IntoIterator<Item = (Commit, Option<Chain>)>,
    ) -> (Self, Vec<Ready>) {
        let mut commits: BTreeMap<EventId, (Commit, Option<Chain>)> = waiting
            .into_iter()
            .map(|(commit, chain)| (commit.id(), (commit, chain)))
            .collect();
        let mut end = None;
        for (id, (commit, chain)) in &mut commits {
            *chain = chain.or_else(|| end.filter(|(next, _)| next == id).map(|(_, chain)| chain));
            let next = commit
                .span()
                .last()
                .next()
                .map(|seq| EventId::new(id.replica, seq));
            end = next.zip(chain.map(|chain| commit.chain_after(chain)));
        }
        let mut inbox = Self {
            received,
            ..Self::default()
        };
        for (commit, chain_before) in commits.into_values() {
            let gap = inbox.has_gap(&commit);
            inbox.hold(Waiting {
                commit,
                chain_before,
                gap,
                unmet: BTreeSet::new(),
            });
        }
        let ids: Vec<EventId> = inbox.waiting.keys().copied().collect();
        let mut ready = VecDeque::new();
        for id in ids {
            let Some(mut waiting) = inbox.waiting.remove(&id) else {
                continue;
            };
            waiting.unmet = heads(&waiting.commit)
                .filter(|head| !inbox.is_ready(*head))
                .collect();
            inbox.hold(waiting);
        }
        inbox.waiting.retain(|_, waiting| {
            let waits = !waiting.is_ready();
            if !waits {
                ready.push_back(waiting.clone().into());
            }
            waits
        });
        let released = inbox.release(ready);
        (inbox, released)
    }

    /// Takes a commit, of which a copy is kept only while it waits.
    pub fn receive(&mut self, commit: &Commit) -> Receipt {
        if let Some(before) = self.received.insert_next(commit) {
            // Nothing of its writer is missing, so nothing of it waits for a gap to close.
            if self.waiting.is_empty() && heads(commit).all(|head| self.received.contains(head)) {
                return Receipt::Arrived {
                    ready: true,
                    chain_before: Some(before),
                    released: Vec::new(),
                };
            }
            return self.judge(commit, Some(before));
        }
        let is_here = |event: &Event| self.received.contains(event.id());
        if commit.events().iter().any(is_here) && !mutant!("skip-dedupe") {
            return Receipt::Duplicate;
        }
        let (replica, first) = (commit.replica(), commit.span().first());
        let chain_before = self.received.chain_before(replica, first);
        self.received.insert(commit);
        self.judge(commit, chain_before)
    }

    /// What becomes of a commit that is received now, and what it releases.
    fn judge(&mut self, commit: &Commit, chain_before: Option<Chain>) -> Receipt {
        let mut ready = VecDeque::new();
        if let Some(chain) = chain_before {
            self.close_gap(commit, chain, &mut ready);
        }
        let unmet = heads(commit).filter(|head| !self.is_ready(*head)).collect();
        let waiting = Waiting {
            commit: commit.clone(),
            chain_before,
            gap: chain_before.is_none(),
            unmet,
        };
        let arrived_ready = waiting.is_ready();
        if arrived_ready {
            self.wake(commit, &mut ready);
        } else {
            self.hold(waiting);
        }
        let released = self.release(ready);
        Receipt::Arrived {
            ready: arrived_ready,
            chain_before,
            released,
        }
    }

    /// Whether an event is here with its whole past.
    pub fn is_ready(&self, id: EventId) -> bool {
        self.received.contains(id) && !self.is_waiting(id)
    }

    /// Everything received, ready or waiting.
    pub fn received(&self) -> &Received {
        &self.received
    }

    /// What a commit names, or needs of its own writer, that is not received: of a gap, the event
    /// right before the commit.
    pub fn missing(&self, commit: &Commit) -> Vec<EventId> {
        let previous = commit.span().first().previous();
        let previous = previous.map(|seq| EventId::new(commit.replica(), seq));
        let ids: BTreeSet<EventId> = heads(commit).chain(previous).collect();
        ids.into_iter()
            .filter(|id| !self.received.contains(*id))
            .collect()
    }

    /// The commits that wait, in the order of ids, each with the heads that are missing or waiting
    /// and, of a gap in its own writer's events, the one right before it.
    pub fn waiting(&self) -> impl Iterator<Item = (&Commit, Vec<EventId>)> {
        self.waiting.values().map(|waiting| {
            let first = waiting.commit.span().first();
            let previous = first.previous().filter(|_| waiting.gap);
            let previous = previous.map(|seq| EventId::new(waiting.commit.replica(), seq));
            let ids: BTreeSet<EventId> = waiting.unmet.iter().copied().chain(previous).collect();
            (&waiting.commit, ids.into_iter().collect())
        })
    }

    /// How many commits wait.
    pub fn waiting_len(&self) -> usize {
        self.waiting.len()
    }

    fn is_waiting(&self, id: EventId) -> bool {
        let first = EventId::new(id.replica, Seq::FIRST);
        let before = self.waiting.range(first..=id).next_back();
        before.is_some_and(|(_, waiting)| waiting.commit.span().contains(id.seq))
    }

    fn has_gap(&self, commit: &Commit) -> bool {
        let last = self.received.chain(commit.replica()).map(|(seq, _)| seq);
        last < commit.span().first().previous()
    }

    fn hold(&mut self, waiting: Waiting) {
        let id = waiting.commit.id();
        for head in &waiting.unmet {
            self.wanted.entry(*head).or_default().insert(id);
        }
        self.waiting.insert(id, waiting);
    }

    /// The commits of one writer that follow `commit` without a hole learn their chain values.
    fn close_gap(&mut self, commit: &Commit, before: Chain, ready: &mut VecDeque<Ready>) {
        let mut chain = commit.chain_after(before);
        let mut next = commit.span().last().next();
        while let Some(seq) = next {
            let id = EventId::new(commit.replica(), seq);
            let Some(waiting) = self.waiting.get_mut(&id) else {
                break;
            };
            waiting.gap = false;
            waiting.chain_before = Some(chain);
            chain = waiting.commit.chain_after(chain);
            next = waiting.commit.span().last().next();
            if waiting.is_ready()
                && let Some(waiting) = self.waiting.remove(&id)
            {
                ready.push_back(waiting.into());
            }
        }
    }

    /// Tells the commits that want one of these events.
    fn wake(&mut self, commit: &Commit, ready: &mut VecDeque<Ready>) {
        let id = |seq| EventId::new(commit.replica(), seq);
        let (first, last) = (id(commit.span().first()), id(commit.span().last()));
        while let Some((&head, _)) = self.wanted.range(first..=last).next() {
            for id in self.wanted.remove(&head).unwrap_or_default() {
                let Some(waiting) = self.waiting.get_mut(&id) else {
                    continue;
                };
                waiting.unmet.remove(&head);
                if waiting.is_ready()
                    && let Some(waiting) = self.waiting.remove(&id)
                {
                    ready.push_back(waiting.into());
                }
            }
        }
    }

    fn release(&mut self, mut ready: VecDeque<Ready>) -> Vec<Ready> {
        let mut released = Vec::new();
        while let Some(next) = ready.pop_front() {
            self.wake(&next.commit, &mut ready);
            released.push(next);
        }
        released
    }
}

impl Waiting {
    fn is_ready(&self) -> bool {
        let has_gap = self.gap && !mutant!("writer-gap-ignored");
        let lacks_past = !self.unmet.is_empty() && !mutant!("released-before-its-past");
        !has_gap && !lacks_past
    }
}

impl From<Waiting> for Ready {
    fn from(waiting: Waiting) -> Self {
        Self {
            commit: waiting.commit,
            chain_before: waiting.chain_before,
        }
    }
}

/// The tag of each event of a commit, given the chain value before it.
pub fn tags(
    commit: &Commit,
    chain_before: Option<Chain>,
) -> impl ExactSizeIterator<Item = Option<ChainTag>> {
    let mut tags = Tags::of(commit, chain_before);
    let events = commit.events().iter().enumerate();
    events.map(move |(at, _)| tags.at(at))
}

/// The tags of a commit's events, worked out as far as somebody asks.
pub(crate) struct Tags<'a> {
    events: core::slice::Iter<'a, Event>,
    /// The number of the next one of them.
    next: usize,
    /// The chain value before it.
    chain: Option<Chain>,
}

impl<'a> Tags<'a> {
    /// Given the chain value before the commit.
    pub(crate) fn of(commit: &'a Commit, chain_before: Option<Chain>) -> Self {
        Self {
            events: commit.events().iter(),
            next: 0,
            chain: chain_before,
        }
    }

    /// The tag of the event with this number, from 0, which is not before one that was asked for.
    pub(crate) fn at(&mut self, number: usize) -> Option<ChainTag> {
        while self.next <= number
            && let Some(event) = self.events.next()
        {
            self.next += 1;
            self.chain = self.chain.map(|chain| chain.extend(event.digest()));
        }
        self.chain.map(Chain::tag)
    }
}

/// What a commit names outside itself.
fn heads(commit: &Commit) -> impl Iterator<Item = EventId> {
    let (replica, span) = (commit.replica(), commit.span());
    let named = commit
        .events()
        .iter()
        .flat_map(|event| event.heads().iter().map(|head| head.id));
    named.filter(move |id| id.replica != replica || !span.contains(id.seq))
}
