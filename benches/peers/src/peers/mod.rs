//! The other libraries, each used as its documentation recommends for speed.

mod automerge;
mod crdts;
mod loro;
mod yrs;

use std::time::Duration;

use crate::Done;
use crate::inputs::{Batch, Write};

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

    /// Two replicas that hold the same writes; nothing where the library has no way to ask what the
    /// other end lacks.
    fn pair(&self, _shared: &[Batch]) -> Done<Option<Box<dyn Pair>>> {
        Ok(None)
    }
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
