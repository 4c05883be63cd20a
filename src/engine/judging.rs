use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Engine;
use super::looking::Looked;
use crate::clock;
use crate::event::{ChainMark, Commit, Digest, Event, EventId, Head, ReplicaId, Timestamp};
use crate::log::Entry;

/// What was taken of a batch so far, which no look into the store could tell of.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Only where something comes twice in one batch are they needed.
    digests: BTreeMap<EventId, Digest>,
    /// How many entries are in them.
    noted: usize,
}

impl Taken {
    /// The digest of an event, if it is among what was taken.
    fn digest(&mut self, id: EventId, entries: &[Entry]) -> Option<Digest> {
        let news = entries.get(self.noted..).unwrap_or_default();
        let events = news.iter().flat_map(|entry| entry.commit.events());
        self.digests
            .extend(events.map(|event| (event.id(), event.digest())));
        self.noted = entries.len();
        self.digests.get(&id).copied()
    }
}

/// What is to be done with one commit of somebody else.
pub(super) enum Judgement {
    Take,
    Duplicate,
    Forked,
    Skewed { ahead_ms: u64 },
}

impl Engine {
    /// Events whose digests or stamps are needed: those that are here already, to tell a duplicate
    /// from a fork, and what a stamp far ahead of this clock follows, to tell a lift from a skew.
    pub(super) fn to_look_up<'a>(
        &self,
        commits: impl Iterator<Item = &'a Commit>,
        peer: Option<ReplicaId>,
    ) -> Vec<EventId> {
        let received = self.inbox.received();
        let mut ids = Vec::new();
        // Commits of one writer mostly come one after another.
        let (mut writer, mut track) = (None, None);
        for commit in commits {
            let replica = commit.replica();
            if writer != Some(replica) {
                (writer, track) = (Some(replica), received.track(replica));
            }
            if let Some(track) = track
                && Some(commit.span().first()) <= track.ranges().last()
            {
                let here = |event: &&Event| track.ranges().contains(event.id().seq);
                ids.extend(commit.events().iter().filter(here).map(Event::id));
            }
            let device = |peer: ReplicaId| peer.device() == replica.device();
            if peer.is_some_and(device) && self.skew(commit.timestamp(), None).is_some() {
                let heads = commit
                    .events()
                    .iter()
                    .flat_map(|event| event.heads().iter());
                ids.extend(heads.map(|head| head.id));
            }
        }
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn skew(&self, timestamp: Timestamp, past: Option<Timestamp>) -> Option<u64> {
        clock::first_hop_skew(timestamp, self.now.wall_ms, past)
    }

    /// By how much the stamp of a commit that its writer sends is too far ahead. Where something that it
    /// names is not here, or another branch of that writer's events is, nobody can tell a skewed
    /// stamp from a lifted one, and a lifted one is never refused: it would be written again for ever.
    pub(super) fn skew_of(
        &self,
        commit: &Commit,
        looked: &Looked,
        before: &[Entry],
    ) -> Option<u64> {
        self.skew(commit.timestamp(), None)?;
        let heads = commit.events().iter().flat_map(Event::heads);
        let outside = heads.filter(|head| {
            head.id.replica != commit.replica() || !commit.span().contains(head.id.seq)
        });
        let mut past = None;
        for head in outside {
            past = past.max(Some(stamp_of(head, looked, before)?));
        }
        self.skew(commit.timestamp(), past)
    }

    /// What is to be done with a commit, given what was looked up and the entries of what was taken of
    /// the same batch before it.
    pub(super) fn judge(
        &self,
        commit: &Commit,
        continues: Option<ChainMark>,
        skew: Option<u64>,
        looked: &Looked,
        (taken, entries): (&mut Taken, &[Entry]),
    ) -> Judgement {
        let received = self.inbox.received();
        // Of the next one of its writer nothing is here.
        if let Some(ours) = received.before_next(commit) {
            return match (continues, skew) {
                (Some(theirs), _) if theirs != ours.mark() => Judgement::Forked,
                (_, Some(ahead_ms)) => Judgement::Skewed { ahead_ms },
                _ => Judgement::Take,
            };
        }
        let here = commit
            .events()
            .iter()
            .filter(|event| received.contains(event.id()))
            .count();
        if here > 0 && !mutant!("skip-dedupe") {
            let mut differs = |event: &Event| {
                let stored = looked.get(&event.id()).map(|known| known.digest);
                let known = stored.or_else(|| taken.digest(event.id(), entries));
                known.is_some_and(|digest| digest != event.digest()) && !mutant!("fork-unseen")
            };
            let forked = here < commit.events().len() || commit.events().iter().any(&mut differs);
            return if forked {
                Judgement::Forked
            } else {
                Judgement::Duplicate
            };
        }
        let before = received.chain_before(commit.replica(), commit.span().first());
        if let (Some(theirs), Some(ours)) = (continues, before)
            && theirs != ours.mark()
        {
            return Judgement::Forked;
        }
        match skew {
            Some(ahead_ms) => Judgement::Skewed { ahead_ms },
            None => Judgement::Take,
        }
    }
}

/// The stamp of what a head names, if that very event is here: in the store, or among what was taken
/// right before.
fn stamp_of(head: &Head, looked: &Looked, before: &[Entry]) -> Option<Timestamp> {
    if let Some(known) = looked.get(&head.id) {
        let is_it = known.chain.is_some_and(|chain| chain.tag() == head.tag);
        return is_it.then_some(known.timestamp);
    }
    let holds = |commit: &&Commit| {
        commit.replica() == head.id.replica && commit.span().contains(head.id.seq)
    };
    let mut commits = before.iter().rev().map(|entry| &entry.commit);
    commits.find(holds).map(Commit::timestamp)
}
