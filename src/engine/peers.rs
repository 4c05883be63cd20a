use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::notes::{self, Key};
use crate::event::{EventId, ReplicaId, Seq, cbor};
use crate::limits::HELLO_PEERS_MAX;
use crate::log::{Cursor, Note, Received};
use crate::protocol::{KnownPeer, Staged};

/// What is remembered of other replicas between sessions.
#[derive(Debug, Default)]
pub(super) struct Peers {
    cursors: BTreeMap<ReplicaId, PeerNote>,
    /// The same as far as they are fsynced: only these are shown to peers, who take what lies before
    /// them for durable here.
    kept: BTreeMap<ReplicaId, Cursor>,
    addresses: BTreeMap<String, ReplicaId>,
    staged: BTreeMap<(ReplicaId, EventId), BTreeMap<u32, Bytes>>,
    /// Own commits that were refused and written again under a later incarnation: from which seq
    /// on nothing of that incarnation is sent.
    withdrawn: BTreeMap<ReplicaId, Seq>,
    met: BTreeMap<ReplicaId, Met>,
    sessions: u64,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct PeerNote {
    pub(super) cursor: Cursor,
    /// Grows with every session, so that the latest peers are listed first.
    session: u64,
}

impl PeerNote {
    /// As `cbor::to_vec` does it, without asking field by field: it is written with everything that
    /// a peer sends.
    pub(super) fn encode(&self) -> Bytes {
        let Cursor { epoch, position } = self.cursor;
        let [before_epoch, before_position, before_session] = NOTE;
        let names = before_epoch.len() + before_position.len() + before_session.len();
        let numbers = number_len(epoch.to_bits()) + number_len(position);
        let room = names + numbers + number_len(self.session);
        // Where all room is used the bytes are taken over as they are.
        let mut cbor = cbor::Writer::with_capacity(room);
        cbor.raw(before_epoch).uint(epoch.to_bits());
        cbor.raw(before_position).uint(position);
        cbor.raw(before_session).uint(self.session);
        cbor.into_bytes().into()
    }
}

/// What stands before each of three numbers: the heads of two maps, and names.
const NOTE: [&[u8]; 3] = [
    b"\xa2\x66cursor\xa2\x65epoch",
    b"\x68position",
    b"\x67session",
];

/// Bytes of an unsigned integer.
const fn number_len(number: u64) -> usize {
    match number {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

/// What a peer has told of itself and acknowledged.
#[derive(Clone, Copy, Debug, Default)]
struct Met {
    /// Its last own event.
    own: Option<Seq>,
    /// The position of this replica's log up to which it has everything durably.
    acked: Option<u64>,
    /// The same as the store knows it.
    noted: Option<u64>,
    session: u64,
    /// The latest session that acknowledged something.
    acked_in: u64,
}

impl Peers {
    /// Takes a note that a store read back.
    pub(super) fn restore(&mut self, key: Key, value: &Bytes) {
        match key {
            Key::Identity | Key::Distrust(_) => {}
            Key::Peer(peer) => {
                if let Some(note) = notes::read::<PeerNote>(value) {
                    self.sessions = self.sessions.max(note.session);
                    self.kept.insert(peer, note.cursor);
                    self.cursors.insert(peer, note);
                }
            }
            Key::Address(address) => {
                if let Some(peer) = notes::read(value) {
                    self.addresses.insert(address, peer);
                }
            }
            Key::Staged {
                peer,
                commit,
                index,
            } => {
                self.staged
                    .entry((peer, commit))
                    .or_default()
                    .insert(index, value.clone());
            }
            Key::Acked(peer) => {
                if let Some((acked, session)) = notes::read::<(u64, u64)>(value) {
                    self.sessions = self.sessions.max(session);
                    let met = self.met.entry(peer).or_default();
                    (met.acked, met.noted) = (Some(acked), Some(acked));
                    met.session = session;
                }
            }
            Key::Withdrawn(replica) => {
                if let Some(seq) = notes::read(value) {
                    self.withdrawn.insert(replica, seq);
                }
            }
        }
    }

    pub(super) fn session_begins(&mut self) -> u64 {
        self.sessions = self.sessions.saturating_add(1);
        self.sessions
    }

    /// The peer's log was read up to here; the note belongs in the group that holds what was read.
    /// Of several sessions with one peer one may lag behind, and what the others have read must not
    /// be forgotten: a peer that loses what it passed on to us would be taken for whole.
    pub(super) fn advance(&mut self, peer: ReplicaId, cursor: Cursor) -> PeerNote {
        let session = self.sessions;
        let entry = self.cursors.entry(peer);
        let note = entry.or_insert(PeerNote { cursor, session });
        let stored = note.cursor;
        let is_further = stored.epoch == cursor.epoch && stored.position > cursor.position;
        if !is_further || mutant!("cursor-moves-back") {
            note.cursor = cursor;
        }
        note.session = session;
        *note
    }

    /// Remembers who answers at an address, if that is news.
    pub(super) fn met_at(&mut self, address: &str, peer: ReplicaId) -> Option<Note> {
        if self.addresses.get(address) == Some(&peer) {
            return None;
        }
        self.addresses.insert(address.into(), peer);
        Some(Key::Address(address.into()).put(&peer))
    }

    /// The note of a cursor was fsynced.
    pub(super) fn keep(&mut self, peer: ReplicaId, cursor: Cursor) {
        self.kept.insert(peer, cursor);
    }

    pub(super) fn known(&self, peer: ReplicaId, received: &Received) -> Option<KnownPeer> {
        let cursor = *self.kept.get(&peer)?;
        Some(KnownPeer {
            replica: peer,
            cursor,
            own: received.chain(peer),
        })
    }

    /// Who may answer at an address: the one who did last time first, then the latest met.
    pub(super) fn likely(&self, address: Option<&str>, received: &Received) -> Vec<KnownPeer> {
        let expected = address
            .and_then(|address| self.addresses.get(address))
            .copied();
        let mut latest: Vec<_> = self.cursors.iter().collect();
        latest.sort_by_key(|(peer, note)| (Some(**peer) != expected, u64::MAX - note.session));
        latest
            .into_iter()
            .take(HELLO_PEERS_MAX)
            .filter_map(|(peer, _)| self.known(*peer, received))
            .collect()
    }

    /// Keeps a part of a large commit. A peer sends one large commit at a time, so what is left of
    /// another one goes.
    pub(super) fn stage(
        &mut self,
        peer: ReplicaId,
        commit: EventId,
        index: u32,
        part: Bytes,
    ) -> Vec<Note> {
        let mut notes = Vec::new();
        let of_peer = self.staged.keys().filter(|(from, _)| *from == peer);
        let others: Vec<EventId> = of_peer
            .map(|(_, id)| *id)
            .filter(|id| *id != commit)
            .collect();
        for other in others {
            notes.extend(self.unstage(peer, other));
        }
        let note = Key::Staged {
            peer,
            commit,
            index,
        }
        .put_bytes(part.clone());
        self.staged
            .entry((peer, commit))
            .or_default()
            .insert(index, part);
        notes.push(note);
        notes
    }

    /// Lets the parts of a commit go, whoever sent them: it is here, or will not come.
    pub(super) fn unstage_all(&mut self, commit: EventId) -> Vec<Note> {
        if self.staged.is_empty() {
            return Vec::new();
        }
        let of_commit = self.staged.keys().filter(|(_, id)| *id == commit);
        let peers: Vec<ReplicaId> = of_commit.map(|(peer, _)| *peer).collect();
        let notes = peers
            .into_iter()
            .flat_map(|peer| self.unstage(peer, commit));
        notes.collect()
    }

    /// Lets the parts of a commit go.
    pub(super) fn unstage(&mut self, peer: ReplicaId, commit: EventId) -> Vec<Note> {
        let parts = self.staged.remove(&(peer, commit)).unwrap_or_default();
        parts
            .keys()
            .filter(|_| !mutant!("staged-parts-kept"))
            .map(|index| {
                Key::Staged {
                    peer,
                    commit,
                    index: *index,
                }
                .remove()
            })
            .collect()
    }

    /// The parts that an earlier session with one of some peers staged, from the first on.
    pub(super) fn staged(&self, may_be: impl Fn(ReplicaId) -> bool) -> Option<Staged> {
        let ((peer, commit), parts) = self.staged.iter().find(|((peer, _), _)| may_be(*peer))?;
        let parts = (0..)
            .zip(parts)
            .map_while(|(at, (index, part))| (at == *index).then(|| part.clone()));
        Some(Staged {
            peer: *peer,
            commit: *commit,
            parts: parts.collect(),
        })
    }

    pub(super) fn withdraw(&mut self, replica: ReplicaId, from: Seq) -> Note {
        let from = self
            .withdrawn
            .get(&replica)
            .map_or(from, |earlier| from.min(*earlier));
        self.withdrawn.insert(replica, from);
        Key::Withdrawn(replica).put(&from)
    }

    pub(super) fn is_withdrawn(&self, commit: EventId) -> bool {
        self.withdrawn
            .get(&commit.replica)
            .is_some_and(|from| *from <= commit.seq)
    }

    /// A peer has said who it is, and which is its last own event.
    pub(super) fn introduced(&mut self, peer: ReplicaId, own: Option<Seq>) {
        let session = self.sessions;
        let met = self.met.entry(peer).or_default();
        (met.own, met.session) = (own, session);
    }

    /// A peer has sent everything that it had: what it keeps to itself it has withdrawn.
    pub(super) fn has_sent_all(&mut self, peer: ReplicaId) {
        if let Some(met) = self.met.get_mut(&peer) {
            met.own = None;
        }
    }

    /// A peer has everything of this replica's log before a position, as a session says. Where the
    /// latest one begins, the peer may turn out to have lost something; what an older one says may come
    /// late, after another session with the same peer has got further.
    pub(super) fn acknowledged(
        &mut self,
        peer: ReplicaId,
        position: u64,
        session: u64,
        begins: bool,
    ) {
        let met = self.met.entry(peer).or_default();
        let is_news = begins && session > met.acked_in;
        met.acked_in = met.acked_in.max(session);
        let before = met.acked.filter(|_| !is_news);
        met.acked = before.max(Some(position));
    }

    /// What to write of that, if it is news.
    pub(super) fn acked_note(&mut self, peer: ReplicaId) -> Option<Note> {
        let met = self.met.get_mut(&peer)?;
        let acked = met.acked.filter(|_| met.acked != met.noted)?;
        met.noted = Some(acked);
        Some(Key::Acked(peer).put(&(acked, met.session)))
    }

    /// The position up to which a peer has acknowledged everything.
    pub(super) fn acked(&self, peer: ReplicaId) -> Option<u64> {
        self.met.get(&peer)?.acked
    }

    /// The events that a peer has said to have written.
    pub(super) fn own_of(&self, peer: ReplicaId) -> Option<RangeInclusive<Seq>> {
        Some(Seq::FIRST..=self.met.get(&peer)?.own?)
    }

    /// Everybody who was met, each device under the name that it had last.
    pub(super) fn known_replicas(&self) -> impl Iterator<Item = ReplicaId> {
        let cursors = self.cursors.iter().map(|(id, note)| (*id, note.session));
        let met = self.met.iter().map(|(id, met)| (*id, met.session));
        let mut latest: BTreeMap<u64, (u64, ReplicaId)> = BTreeMap::new();
        for (replica, session) in cursors.chain(met) {
            let last = latest.entry(replica.device()).or_insert((session, replica));
            *last = (session, replica).max(*last);
        }
        latest.into_values().map(|(_, replica)| replica)
    }

    pub(super) fn cursors(&self) -> impl Iterator<Item = (ReplicaId, Cursor)> {
        self.cursors.iter().map(|(peer, note)| (*peer, note.cursor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Epoch;

    #[test]
    fn a_session_that_lags_behind_another_does_not_move_the_cursor_back() {
        let peer = ReplicaId::new(2, 7);
        let at = |epoch, position| Cursor {
            epoch: Epoch::from_bits(epoch),
            position,
        };
        let mut peers = Peers::default();
        let mut stored = |cursor| {
            let note = peers.advance(peer, cursor);
            peers.keep(peer, note.cursor);
            peers.known(peer, &Received::new()).unwrap().cursor
        };
        assert_eq!(stored(at(1, 5)), at(1, 5));
        assert_eq!(stored(at(1, 3)), at(1, 5));
        assert_eq!(stored(at(2, 1)), at(2, 1));
        assert_eq!(stored(at(0, u64::MAX)), at(0, u64::MAX));
        assert_eq!(stored(at(2, 2)), at(2, 2));
    }

    #[test]
    fn a_note_of_a_peer_has_the_bytes_that_serde_gives_it() {
        for (epoch, position, session) in [(0, 0, 0), (7, 23, 24), (u64::MAX, 1 << 40, 65_536)] {
            let epoch = Epoch::from_bits(epoch);
            let cursor = Cursor { epoch, position };
            let note = PeerNote { cursor, session };
            let encoded = note.encode();
            assert_eq!(encoded, cbor::to_vec(&note).unwrap());
            let names: usize = NOTE.iter().map(|names| names.len()).sum();
            let numbers = [epoch.to_bits(), position, session].map(number_len);
            assert_eq!(encoded.len(), names + numbers.iter().sum::<usize>());
        }
    }

    #[test]
    fn a_late_acknowledgement_of_an_older_session_takes_nothing_back() {
        let peer = ReplicaId::new(2, 7);
        let mut peers = Peers::default();
        peers.acknowledged(peer, 5, 1, true);
        peers.acknowledged(peer, 5, 3, true);
        peers.acknowledged(peer, 9, 3, false);
        peers.acknowledged(peer, 7, 1, false);
        peers.acknowledged(peer, 6, 2, true);
        assert_eq!(peers.acked(peer), Some(9));
        peers.acknowledged(peer, 3, 4, true);
        assert_eq!(peers.acked(peer), Some(3), "it was restored");
    }
}
