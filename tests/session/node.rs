//! A naive owner of sessions: its log is a vector, and whatever it takes is durable at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use anabranch::event::{
    AggregateId, BlockNames, Commit, CommitSpan, Event, EventId, EventParts, EventType, Heads,
    Metadata, Payload, ReplicaId, Seq, Timestamp,
};
use anabranch::log::{Cursor, Entry, EntryKind, Epoch, Epochs, Received};
use anabranch::protocol::{
    Delivery, Input, KnownPeer, Lineage, Local, Output, Prepared, Staged, Standing,
};

/// One thing that was stored. What a node is follows from the list of these, so cutting the list
/// is losing power, or putting an old copy back.
#[derive(Clone, Debug)]
enum Write {
    Opened(Epoch),
    Entry(Entry),
    Cursor(ReplicaId, Cursor),
}

/// One replica, as far as the protocol can see it.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) replica: ReplicaId,
    pub(crate) lineage: Lineage,
    pub(crate) lineage_shared: bool,
    pub(crate) epochs: Epochs,
    pub(crate) log: Vec<Entry>,
    pub(crate) received: Received,
    pub(crate) cursors: BTreeMap<ReplicaId, Cursor>,
    pub(crate) staged: Option<Staged>,
    /// Commits that came although they were here.
    pub(crate) duplicates: u64,
    /// Events that came at all.
    pub(crate) arrived: u64,
    names: BlockNames,
    writes: Vec<Write>,
}

impl Node {
    pub(crate) fn new(number: u64) -> Self {
        let mut node = Self {
            replica: ReplicaId::new(number, 7),
            lineage: Lineage::from_bits(42),
            lineage_shared: true,
            epochs: Epochs::new(),
            log: Vec::new(),
            received: Received::new(),
            cursors: BTreeMap::new(),
            staged: None,
            duplicates: 0,
            arrived: 0,
            names: BlockNames::new(),
            writes: Vec::new(),
        };
        node.reopen(number * 1000 + 1);
        node
    }

    /// Opens the store again: a crash, or a copy that was put back.
    pub(crate) fn reopen(&mut self, epoch: u64) {
        self.store(Write::Opened(Epoch::from_bits(epoch)));
    }

    /// How many writes there are; see [`rewind`](Self::rewind).
    pub(crate) fn writes(&self) -> usize {
        self.writes.len()
    }

    /// Loses all writes but the first ones.
    pub(crate) fn rewind(&mut self, writes: usize) {
        let kept: Vec<Write> = self.writes.drain(..).take(writes).collect();
        (self.epochs, self.log, self.received) = Default::default();
        (self.cursors, self.staged) = Default::default();
        for write in kept {
            self.store(write);
        }
    }

    fn store(&mut self, write: Write) {
        match write.clone() {
            Write::Opened(epoch) => self.epochs.begin(epoch, self.end()),
            Write::Entry(entry) => {
                self.received.insert(&entry.commit);
                self.log.push(entry);
            }
            // Of several sessions with one peer, one may lag behind the others.
            Write::Cursor(peer, cursor) => {
                let kept = self.cursors.entry(peer).or_insert(cursor);
                if kept.epoch != cursor.epoch || kept.position < cursor.position {
                    *kept = cursor;
                }
            }
        }
        self.writes.push(write);
    }

    pub(crate) fn end(&self) -> u64 {
        self.log.len() as u64
    }

    /// Writes one commit of so many events, each with a payload of so many bytes.
    pub(crate) fn record(&mut self, events: u64, bytes: usize) -> Arc<Prepared> {
        let own = self
            .received
            .chain(self.replica)
            .map_or(0, |(seq, _)| seq.get());
        let commit = commit(self.replica, own + 1, events, bytes);
        self.append(commit, None)
    }

    fn append(&mut self, commit: Commit, from: Option<ReplicaId>) -> Arc<Prepared> {
        let chain_before = self
            .received
            .chain_before(commit.replica(), commit.span().first());
        let at = self.end();
        let entry = Entry {
            commit,
            kind: EntryKind::Ready,
            from,
            chain_before,
        };
        self.store(Write::Entry(entry.clone()));
        let epoch = self.epochs.current().unwrap();
        let entries = vec![(at, entry)];
        Arc::new(Prepared::named(epoch, at, at + 1, entries, &mut self.names))
    }

    pub(crate) fn local(&self, peers: &[ReplicaId]) -> Local {
        Local {
            replica: self.replica,
            own: self.received.chain(self.replica),
            lineage: self.lineage,
            lineage_shared: self.lineage_shared,
            epochs: self.epochs.clone(),
            end: self.end(),
            peers: peers.iter().filter_map(|peer| self.known(*peer)).collect(),
            staged: self.staged.clone(),
        }
    }

    pub(crate) fn known(&self, peer: ReplicaId) -> Option<KnownPeer> {
        let cursor = *self.cursors.get(&peer)?;
        Some(KnownPeer {
            replica: peer,
            cursor,
            own: self.received.chain(peer),
        })
    }

    pub(crate) fn standing(&self, peer: ReplicaId) -> Standing {
        Standing {
            peer: self.known(peer),
            received: Arc::new(self.received.clone()),
        }
    }

    /// Answers what a session asks of its owner's log; nothing for what is no question.
    pub(crate) fn answer(&self, peer: ReplicaId, output: &Output) -> Option<Input> {
        match output {
            Output::Greeted(_) | Output::Stand => Some(Input::Standing(self.standing(peer))),
            Output::Read {
                since,
                entries,
                bytes,
            } => {
                let positions: Vec<u64> = (*since..self.end()).take(*entries).collect();
                Some(self.page(&positions, *since, *bytes))
            }
            Output::ReadAt { positions, bytes } => Some(self.page(positions, 0, *bytes)),
            Output::Locate(received) => {
                let lacks = |entry: &Entry| {
                    entry.kind != EntryKind::Released && !received.contains(entry.commit.id())
                };
                let positions = (0..self.end())
                    .filter(|at| lacks(&self.log[*at as usize]))
                    .collect();
                Some(Input::Located {
                    positions,
                    end: self.end(),
                })
            }
            _ => None,
        }
    }

    fn page(&self, positions: &[u64], since: u64, bytes_max: usize) -> Input {
        let mut next = since;
        let mut bytes = 0;
        let mut entries = Vec::new();
        for at in positions {
            let entry = self.log[*at as usize].clone();
            bytes += entry.commit.bytes();
            if bytes > bytes_max && !entries.is_empty() {
                break;
            }
            entries.push((*at, entry));
            next = at + 1;
        }
        Input::Entries {
            entries,
            next,
            end: self.end(),
        }
    }

    /// Takes a delivery whole and tells what was new, for other sessions.
    pub(crate) fn take(&mut self, peer: ReplicaId, delivery: &Delivery) -> Vec<Arc<Prepared>> {
        let mut appended = Vec::new();
        for delivered in &delivery.commits {
            let commit = &delivered.commit;
            self.arrived += u64::from(commit.span().len());
            if self.received.contains(commit.id()) {
                self.duplicates += 1;
                continue;
            }
            if let Some(continues) = delivered.continues
                && let Some(before) = self
                    .received
                    .chain_before(commit.replica(), commit.span().first())
            {
                assert_eq!(continues, before.mark(), "the chain that a batch continues");
            }
            appended.push(self.append(commit.clone(), Some(peer)));
        }
        if let Some(cursor) = delivery.cursor {
            self.store(Write::Cursor(peer, cursor));
        }
        if self.staged.as_ref().map(|staged| staged.commit) == delivery.unstage {
            self.staged = None;
        }
        appended
    }

    pub(crate) fn stage(
        &mut self,
        peer: ReplicaId,
        commit: EventId,
        index: u32,
        bytes: &bytes::Bytes,
    ) {
        let fresh = || Staged {
            peer,
            commit,
            parts: Vec::new(),
        };
        let staged = self.staged.get_or_insert_with(fresh);
        if staged.commit != commit || staged.peer != peer {
            *staged = fresh();
        }
        staged.parts.truncate(index as usize);
        assert_eq!(
            staged.parts.len(),
            index as usize,
            "parts are staged in order"
        );
        staged.parts.push(bytes.clone());
    }

    /// Everything that is here, whatever the order of arrival.
    pub(crate) fn holds(&self) -> BTreeMap<EventId, anabranch::event::Digest> {
        let events = self.log.iter().flat_map(|entry| entry.commit.events());
        events.map(|event| (event.id(), event.digest())).collect()
    }
}

/// A cursor that the other end honours covers no commit that is not here.
pub(crate) fn assert_cursors_hold(nodes: &[Node]) {
    for (node, peer) in nodes
        .iter()
        .flat_map(|node| nodes.iter().map(move |peer| (node, peer)))
    {
        let Some(cursor) = node.cursors.get(&peer.replica) else {
            continue;
        };
        if !peer.epochs.honours(*cursor, peer.end()) {
            continue;
        }
        for entry in &peer.log[..cursor.position as usize] {
            let id = entry.commit.id();
            let is_here = entry.kind == EntryKind::Released || node.received.contains(id);
            assert!(is_here, "{cursor} covers {id}, which is not here");
        }
    }
}

pub(crate) fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap()
}

pub(crate) fn commit(replica: ReplicaId, first: u64, events: u64, bytes: usize) -> Commit {
    commit_with(replica, first, events, bytes, 0)
}

/// Commits of different `salt` differ in content.
pub(crate) fn commit_with(
    replica: ReplicaId,
    first: u64,
    events: u64,
    bytes: usize,
    salt: u8,
) -> Commit {
    let span = CommitSpan::new(seq(first), events as usize).unwrap();
    let event = |number: u64| {
        let mut payload = vec![number as u8 ^ salt; bytes];
        payload.extend_from_slice(&number.to_le_bytes());
        Event::assemble(EventParts {
            id: EventId::new(replica, seq(number)),
            commit: span,
            timestamp: Timestamp::at_millis(1_000_000 + first),
            written_ms: 1_000_000 + first,
            aggregate: AggregateId::new("note/1").unwrap(),
            event_type: EventType::new("written").unwrap(),
            heads: Heads::NONE,
            replaces: None,
            metadata: Metadata::new(),
            payload: Payload::from_bytes(payload.into()).unwrap(),
        })
        .unwrap()
    };
    Commit::new((first..first + events).map(event).collect()).unwrap()
}
