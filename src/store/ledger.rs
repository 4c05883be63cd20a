use std::collections::BTreeMap;
use std::string::String;

use crate::event::{Chain, Commit, EventId, ReplicaId, Seq};
use crate::limits::NOTE_KEY_BYTES_MAX;
use crate::log::{Entry, EntryKind, Group, Received};
use crate::store::StoreError;

/// What a store must remember to judge the next group: the end of the log, what has been received
/// and what still waits. Proportional to replicas and waiting commits, not to history.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    end: u64,
    received: Received,
    waiting: BTreeMap<EventId, Arrival>,
}

/// Where a waiting commit arrived, and what it was.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    position: u64,
    content: Chain,
}

/// The place an entry got.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    /// Its own position.
    pub(super) position: u64,
    /// The position at which its commit arrived; its own, unless it is a release.
    pub(super) arrival: u64,
    /// Chain value of the writer before the commit, where everything before it is here.
    pub(super) chain_before: Option<Chain>,
}

/// For stores that read their past back.
#[cfg(feature = "fjall")]
impl Ledger {
    /// A ledger with what has been received, before its waiting commits are put in.
    pub(super) fn restored(end: u64, received: Received) -> Self {
        Self {
            end,
            received,
            waiting: BTreeMap::new(),
        }
    }

    /// Puts a waiting commit that was read back.
    pub(super) fn restore_waiting(&mut self, position: u64, commit: &Commit) {
        self.waiting.insert(
            commit.id(),
            Arrival {
                position,
                content: content(commit),
            },
        );
    }
}

impl Ledger {
    /// The position the next entry gets.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// What has been received.
    pub(super) fn received(&self) -> &Received {
        &self.received
    }

    /// Where the waiting commits arrived, in no particular order.
    pub(super) fn waiting(&self) -> impl Iterator<Item = u64> {
        self.waiting.values().map(|arrival| arrival.position)
    }

    /// Checks a group against the rules of the log; changes nothing.
    pub(super) fn check(&self, group: &Group) -> Result<(), StoreError> {
        // Ready commits of a writer behind one another are one entry here, under the first of them:
        // none of them can be released.
        let mut fresh: BTreeMap<(ReplicaId, Seq), (Seq, Option<Chain>)> = BTreeMap::new();
        for entry in &group.entries {
            let commit = &entry.commit;
            let (replica, span) = (commit.replica(), commit.span());
            if entry.kind == EntryKind::Released {
                let arrived = match fresh.get_mut(&(replica, span.first())) {
                    Some((_, content)) => content.take(),
                    None => self
                        .waiting
                        .get(&commit.id())
                        .map(|arrival| arrival.content),
                };
                if arrived != Some(content(commit)) {
                    return bad(format!(
                        "commit {} is released but does not wait",
                        commit.id()
                    ));
                }
                fresh
                    .entry((replica, span.first()))
                    .or_insert((span.last(), None));
                continue;
            }
            let before = fresh.range_mut(..=(replica, span.last())).next_back();
            let before = before.filter(|((writer, _), _)| *writer == replica);
            let again = before
                .as_ref()
                .is_some_and(|(_, (last, _))| *last >= span.first());
            let known = |event: &crate::event::Event| self.received.contains(event.id());
            if again || commit.events().iter().any(known) {
                return bad(format!(
                    "an event of commit {} is here already",
                    commit.id()
                ));
            }
            if entry.kind == EntryKind::Ready
                && let Some((_, (last, None))) = before
                && last.next() == Some(span.first())
            {
                *last = span.last();
                continue;
            }
            let waits = (entry.kind == EntryKind::Waiting).then(|| content(commit));
            fresh.insert((replica, span.first()), (span.last(), waits));
        }
        for note in &group.notes {
            if note.key.is_empty() || note.key.len() > NOTE_KEY_BYTES_MAX {
                let bytes = note.key.len();
                return bad(format!(
                    "note key has {bytes} bytes, 1 to {NOTE_KEY_BYTES_MAX} are allowed"
                ));
            }
        }
        Ok(())
    }

    /// Takes the next entry of a group that was checked.
    pub(super) fn place(&mut self, entry: &Entry) -> Placed {
        let commit = &entry.commit;
        let position = self.end;
        self.end = self.end.saturating_add(1);
        if entry.kind == EntryKind::Released {
            let arrival = self
                .waiting
                .remove(&commit.id())
                .map_or(position, |a| a.position);
            return Placed {
                position,
                arrival,
                chain_before: None,
            };
        }
        let chain_before = self
            .received
            .chain_before(commit.replica(), commit.span().first());
        self.received.insert(commit);
        if entry.kind == EntryKind::Waiting {
            self.waiting.insert(
                commit.id(),
                Arrival {
                    position,
                    content: content(commit),
                },
            );
        }
        Placed {
            position,
            arrival: position,
            chain_before,
        }
    }
}

fn content(commit: &Commit) -> Chain {
    commit.chain_after(Chain::START)
}

fn bad(reason: String) -> Result<(), StoreError> {
    Err(StoreError::BadGroup { reason })
}
