use alloc::format;
use alloc::vec::Vec;

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use super::outbox::{Ending, Outcome};
use crate::event::{Commit, EventId, ReplicaId, decode_commit};
use crate::protocol::{HelloStaged, Part, Staged};

/// A large commit of which not all parts are here. At most 8 MiB, in parts that have come.
#[derive(Debug)]
pub(super) struct Assembly {
    commit: EventId,
    parts: Vec<Bytes>,
    /// Number of parts, once one has come in this session.
    total: Option<u32>,
    /// Bytes of the frames that brought parts in this session.
    frame_bytes: usize,
    staged: bool,
}

impl Assembly {
    /// Goes on with what an earlier session staged.
    pub(super) fn resumed(staged: Staged) -> Self {
        let Staged { commit, parts, .. } = staged;
        Self {
            commit,
            staged: !parts.is_empty(),
            parts,
            total: None,
            frame_bytes: 0,
        }
    }

    /// The assembly that this part belongs to: of parts that are here, unless it is a first one.
    pub(super) fn begin(part: &Part, resumed: Option<Self>) -> Self {
        let staged = resumed.as_ref().is_some_and(|resumed| resumed.staged);
        let parts = resumed
            .filter(|_| part.index > 0)
            .map_or_else(Vec::new, |old| old.parts);
        Self {
            commit: part.commit,
            parts,
            total: None,
            frame_bytes: 0,
            staged,
        }
    }

    pub(super) fn is_of(&self, commit: EventId) -> bool {
        self.commit == commit
    }

    /// Whether parts of it are kept by the owner.
    pub(super) fn is_staged(&self) -> bool {
        self.staged
    }

    pub(super) fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }

    /// Adds the next part.
    pub(super) fn add(&mut self, part: &Part, frame_bytes: usize) -> Outcome {
        let fits = self.commit == part.commit
            && u32::try_from(self.parts.len()) == Ok(part.index)
            && self.total.is_none_or(|total| total == part.total);
        if !fits {
            let what = format!("part {} of {} is out of place", part.index, part.commit);
            return Err(Ending::violation(what));
        }
        self.total = Some(part.total);
        self.parts.push(part.bytes.clone());
        self.frame_bytes = self.frame_bytes.saturating_add(frame_bytes);
        self.staged |= part.index + 1 < part.total;
        Ok(())
    }

    /// Reads the commit once its last part is here.
    pub(super) fn into_commit(self) -> Result<Commit, Ending> {
        let mut bytes = Vec::new();
        for part in &self.parts {
            bytes.extend_from_slice(part);
        }
        drop(self.parts);
        let commit = decode_commit(&bytes)
            .map_err(|error| Ending::violation(format!("parts of {}: {error}", self.commit)))?;
        if commit.id() == self.commit {
            Ok(commit)
        } else {
            Err(Ending::violation(format!(
                "parts of {} hold {}",
                self.commit,
                commit.id()
            )))
        }
    }
}

/// What a hello says of staged parts.
pub(super) fn announced(staged: &Staged) -> Option<HelloStaged> {
    let parts = u32::try_from(staged.parts.len())
        .ok()
        .filter(|parts| *parts > 0)?;
    let digest = digest(staged.parts.iter().map(AsRef::as_ref));
    Some(HelloStaged {
        peer: staged.peer,
        commit: staged.commit,
        parts,
        digest,
    })
}

/// The announced parts, if they are for this end.
pub(super) fn meant_for(me: ReplicaId, staged: Option<HelloStaged>) -> Option<HelloStaged> {
    staged.filter(|staged| staged.peer == me)
}

/// xxh3-64 of some bytes in pieces.
pub(super) fn digest<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> u64 {
    let mut hasher = Xxh3::new();
    for piece in pieces {
        hasher.update(piece);
    }
    hasher.digest()
}
