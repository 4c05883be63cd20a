//! The other libraries, each used as its documentation recommends for speed.

mod automerge;
mod crdts;
mod loro;
mod yrs;

use std::time::Duration;

use crate::Done;
use crate::inputs::{Batch, Change, Write};

/// What every library can do with writes of keys.
pub(crate) trait Peer {
    fn name(&self) -> &'static str;

    /// What a replica keeps of what it is given.
    fn keeps(&self) -> &'static str;

    /// Encodes each batch as its writer would send it, having seen only its own earlier ones.
    fn author(&self, batches: &[Batch]) -> Done<Vec<Vec<u8>>>;

    /// Encodes each write as a message of its own, whose writer had seen all earlier ones if
    /// `causal`, and only its own otherwise.
    fn author_live(&self, writes: &[Write], causal: bool) -> Done<Vec<Vec<u8>>>;

    /// A replica that has nothing yet.
    fn empty(&self) -> Box<dyn Replica>;

    /// Encodes each batch as steps of counters or as edits of sets; nothing where there is no such kind.
    fn author_kind(&self, _kind: Kind, _batches: &[Batch]) -> Done<Option<Written>> {
        Ok(None)
    }

    /// A replica of such a kind that has nothing yet.
    fn empty_kind(&self, _kind: Kind) -> Box<dyn Replica> {
        self.empty()
    }

    /// Encodes commits of a tree of maps, one update each, as one writer would make them; nothing
    /// where maps do not nest.
    fn author_nested(&self, _commits: &[Vec<Change>]) -> Done<Option<Vec<Vec<u8>>>> {
        Ok(None)
    }

    /// Two replicas that hold the same writes; nothing where the library has no way to ask what the
    /// other end lacks.
    fn pair(&self, _shared: &[Batch]) -> Done<Option<Box<dyn Pair>>> {
        Ok(None)
    }
}

/// What a key is, where it is not a register.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number that is counted up.
    Counter,
    /// An element that is added or removed.
    Set,
}

/// What writers of a kind have sent.
pub(crate) struct Written {
    /// What everybody has from the start.
    pub(crate) base: Vec<Vec<u8>>,
    /// An update for each batch.
    pub(crate) updates: Vec<Vec<u8>>,
}

/// One replica of some library.
pub(crate) trait Replica {
    /// Takes one message.
    fn apply(&mut self, update: &[u8]) -> Done<()>;

    /// Takes messages that are here together.
    fn apply_all(&mut self, updates: &[&[u8]]) -> Done<()> {
        updates.iter().try_for_each(|update| self.apply(update))
    }

    /// Stands for everything that can be read.
    fn state(&self) -> Done<u64>;

    /// Bytes of the whole document, written down as the library recommends.
    fn saved(&mut self) -> Option<usize> {
        None
    }
}

/// Two replicas that are apart for a while.
pub(crate) trait Pair {
    /// Each end writes these.
    fn write(&mut self, here: &[Write], there: &[Write]) -> Done<()>;

    /// They exchange what is new.
    fn reconnect(&mut self) -> Done<Reconnect>;
}

/// What it cost two replicas to meet again.
pub(crate) struct Reconnect {
    /// Processor time of both ends.
    pub(crate) time: Duration,
    /// Bytes both ways.
    pub(crate) bytes: usize,
}

/// All of them.
pub(crate) fn all() -> Vec<Box<dyn Peer>> {
    vec![
        Box::new(loro::Loro),
        Box::new(yrs::Yrs),
        Box::new(automerge::Automerge { change_each: false }),
        Box::new(crdts::Registers),
    ]
}

/// One that is asked for more in bulk: to know each write, not each batch, by its cause.
pub(crate) fn exact() -> Box<dyn Peer> {
    Box::new(automerge::Automerge { change_each: true })
}

/// Stands for a value, in whatever order its maps are walked.
pub(crate) fn digest_json(value: &serde_json::Value) -> u64 {
    match value {
        serde_json::Value::Object(map) => {
            let entries = map.iter();
            digest_of(entries.map(|(key, value)| (key, digest_json(value).to_be_bytes())))
        }
        other => xxhash_rust::xxh3::xxh3_64(other.to_string().as_bytes()),
    }
}

/// Stands for what a map holds, in whatever order it is walked.
pub(crate) fn digest_of<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    entries: impl Iterator<Item = (K, V)>,
) -> u64 {
    entries
        .map(|(key, value)| {
            let key = xxhash_rust::xxh3::xxh3_64(key.as_ref());
            xxhash_rust::xxh3::xxh3_64_with_seed(value.as_ref(), key)
        })
        .fold(0, u64::wrapping_add)
}
