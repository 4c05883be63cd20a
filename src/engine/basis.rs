use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Engine;
use super::io::Failure;
use super::record::RecordWaiting;
use crate::event::{AggregateId, Head, Heads, ReplicaId};
use crate::merge::{BasisError, Ground, Timeline};

/// What somebody had seen of one aggregate when they looked at it: its heads at that moment, at most
/// 1,024. A write that rests on it names these, not what has come since.
///
/// It belongs to the replica that was read, as it was called then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basis {
    aggregate: AggregateId,
    reader: ReplicaId,
    heads: Heads,
}

impl Basis {
    /// What was looked at.
    pub fn aggregate(&self) -> &AggregateId {
        &self.aggregate
    }

    /// The maximal events that were seen; none where there was no event.
    pub fn heads(&self) -> &Heads {
        &self.heads
    }
}

impl AsRef<Self> for Basis {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// What a write rests on, by aggregate; the others are taken as they are when it is written.
pub(super) type Bases = BTreeMap<AggregateId, BTreeSet<Head>>;

impl Engine {
    /// What a look at an aggregate in memory rests on; nothing if it has to be loaded first.
    pub fn basis(&mut self, aggregate: &AggregateId) -> Option<Basis> {
        let reader = self.identity.replica;
        let heads = self.timeline(aggregate)?.heads_for_write(reader);
        Some(Basis {
            aggregate: aggregate.clone(),
            reader,
            heads,
        })
    }

    /// What was seen of each aggregate: of several looks at one of them, what any showed.
    pub(super) fn gathered(&self, bases: Vec<Basis>) -> Result<Bases, Failure> {
        let mut gathered = Bases::new();
        let replica = self.identity.replica;
        for basis in bases {
            let Basis {
                aggregate, reader, ..
            } = basis;
            if reader != replica {
                return Err(Failure::OtherReader {
                    aggregate,
                    reader,
                    replica,
                });
            }
            gathered.entry(aggregate).or_default().extend(&basis.heads);
        }
        Ok(gathered)
    }

    /// Whether something has come since an aggregate was looked at, so that only its history can
    /// tell what was seen.
    pub(super) fn needs_history_for(&self, wish: &RecordWaiting, aggregate: &AggregateId) -> bool {
        let timeline = self.cache.timeline(aggregate);
        let seen = wish.bases.get(aggregate);
        timeline
            .zip(seen)
            .is_some_and(|(timeline, seen)| !timeline.has_history() && !timeline.is_headed_by(seen))
    }

    /// What the first event of an aggregate in a commit names, whose timeline is at this place.
    pub(super) fn ground(
        &mut self,
        at: usize,
        aggregate: &AggregateId,
        bases: &Bases,
    ) -> Result<Ground, Failure> {
        let own = self.identity.replica;
        let ground = match bases.get(aggregate) {
            None => self.cache.at(at).map(|there| Ok(there.whole_ground(own))),
            Some(seen) => {
                let ground = |timeline: &mut Timeline| (timeline.ground(own, seen), 0);
                self.cache.with(aggregate, ground)
            }
        };
        ground
            .unwrap_or(Err(BasisError::HistoryMissing))
            .map_err(|why| Failure::LostBasis {
                aggregate: aggregate.clone(),
                why,
            })
    }
}
