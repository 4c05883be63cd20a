//! Keys and forms of the engine's own records in a store.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::event::{Digest, EventId, ReplicaId, cbor};
use crate::limits::ADDRESS_KEY_BYTES;
use crate::log::Note;

const IDENTITY: &[u8] = b"identity";
const PEER: &[u8] = b"peer/";
const ADDRESS: &[u8] = b"address/";
const STAGED: &[u8] = b"staged/";
const WITHDRAWN: &[u8] = b"withdrawn/";
const ACKED: &[u8] = b"acked/";
const DISTRUST: &[u8] = b"distrust/";

/// What a note is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Identity,
    Peer(ReplicaId),
    Address(String),
    Staged {
        peer: ReplicaId,
        commit: EventId,
        index: u32,
    },
    Withdrawn(ReplicaId),
    Acked(ReplicaId),
    /// A rule, by its fingerprint.
    Distrust(Digest),
}

impl Key {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Identity => IDENTITY.to_vec(),
            Self::Peer(peer) => [PEER, &peer.to_bytes()].concat(),
            Self::Address(address) => {
                let bytes = address.as_bytes();
                [ADDRESS, bytes.get(..ADDRESS_KEY_BYTES).unwrap_or(bytes)].concat()
            }
            Self::Staged {
                peer,
                commit,
                index,
            } => [
                STAGED,
                &peer.to_bytes(),
                &commit.replica.to_bytes(),
                &commit.seq.get().to_be_bytes(),
                &index.to_be_bytes(),
            ]
            .concat(),
            Self::Withdrawn(replica) => [WITHDRAWN, &replica.to_bytes()].concat(),
            Self::Acked(peer) => [ACKED, &peer.to_bytes()].concat(),
            Self::Distrust(rule) => [DISTRUST, &rule.to_bytes()].concat(),
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes == IDENTITY {
            return Some(Self::Identity);
        }
        if let Some(rest) = bytes.strip_prefix(PEER) {
            return Some(Self::Peer(replica(rest)?));
        }
        if let Some(rest) = bytes.strip_prefix(WITHDRAWN) {
            return Some(Self::Withdrawn(replica(rest)?));
        }
        if let Some(rest) = bytes.strip_prefix(ACKED) {
            return Some(Self::Acked(replica(rest)?));
        }
        if let Some(rest) = bytes.strip_prefix(DISTRUST) {
            return Some(Self::Distrust(Digest::from_bytes(rest.try_into().ok()?)));
        }
        if let Some(rest) = bytes.strip_prefix(ADDRESS) {
            return Some(Self::Address(String::from_utf8(rest.to_vec()).ok()?));
        }
        let (peer, rest) = bytes.strip_prefix(STAGED)?.split_first_chunk::<16>()?;
        let (writer, rest) = rest.split_first_chunk::<16>()?;
        let (seq, rest) = rest.split_first_chunk::<8>()?;
        let seq = crate::event::Seq::new(u64::from_be_bytes(*seq))?;
        Some(Self::Staged {
            peer: ReplicaId::from_bytes(*peer),
            commit: EventId::new(ReplicaId::from_bytes(*writer), seq),
            index: u32::from_be_bytes(rest.try_into().ok()?),
        })
    }

    pub(super) fn put<T: Serialize>(&self, value: &T) -> Note {
        let value = cbor::to_vec(value).unwrap_or_default();
        Note {
            key: self.encode(),
            value: Some(value.into()),
        }
    }

    pub(super) fn put_bytes(&self, value: Bytes) -> Note {
        Note {
            key: self.encode(),
            value: Some(value),
        }
    }

    pub(super) fn remove(&self) -> Note {
        Note {
            key: self.encode(),
            value: None,
        }
    }
}

pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    cbor::from_slice(bytes).ok()
}

fn replica(bytes: &[u8]) -> Option<ReplicaId> {
    Some(ReplicaId::from_bytes(bytes.try_into().ok()?))
}
