use std::collections::BTreeSet;
use std::ops::Bound;

use super::Disk;
use crate::event::{AggregateId, EventId};
use crate::log::{Entry, History, HistoryFrom, IdRange, Known, Page, ReadLimit};

/// A checksum does not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damaged;

impl Disk {
    fn entry(&self, at: usize) -> Result<&Entry, Damaged> {
        if self.flipped == Some(at) {
            return Err(Damaged);
        }
        self.entries.get(at).ok_or(Damaged)
    }

    pub(crate) fn since(&self, position: u64, limit: ReadLimit) -> Result<Page, Damaged> {
        let positions = position..self.entries.len() as u64;
        self.page(positions, position, limit)
    }

    pub(crate) fn at(&self, positions: &[u64], limit: ReadLimit) -> Result<Page, Damaged> {
        self.page(positions.iter().copied(), 0, limit)
    }

    fn page(
        &self,
        positions: impl Iterator<Item = u64>,
        next: u64,
        limit: ReadLimit,
    ) -> Result<Page, Damaged> {
        let mut page = Page {
            entries: Vec::new(),
            next,
        };
        let mut bytes = 0;
        for position in positions.take_while(|at| *at < self.entries.len() as u64) {
            let entry = self.entry(position as usize)?;
            page.entries.push((position, entry.clone()));
            page.next = position + 1;
            bytes += entry.commit.bytes();
            if page.entries.len() >= limit.entries || bytes >= limit.bytes {
                break;
            }
        }
        Ok(page)
    }

    pub(crate) fn locate(&self, ranges: &[IdRange]) -> Vec<u64> {
        let mut positions = BTreeSet::new();
        for range in ranges {
            let first = EventId::new(range.replica, *range.seqs.start());
            let last = EventId::new(range.replica, *range.seqs.end());
            if first <= last {
                let found = self
                    .arrivals
                    .range((Bound::Included(first), Bound::Included(last)));
                positions.extend(found.map(|(_, at)| *at as u64));
            }
        }
        positions.into_iter().collect()
    }

    pub(crate) fn known(&self, id: EventId) -> Result<Option<Known>, Damaged> {
        let Some(at) = self.arrivals.get(&id) else {
            return Ok(None);
        };
        self.entry(*at)?;
        let event = self.event(id).ok_or(Damaged)?;
        let chain = self.chain_at(id.replica, id.seq.get());
        let (digest, timestamp) = (event.digest(), event.timestamp());
        Ok(Some(Known {
            digest,
            chain,
            timestamp,
        }))
    }

    pub(crate) fn history(
        &self,
        aggregate: &AggregateId,
        from: HistoryFrom,
    ) -> Result<History, Damaged> {
        let fold = match from {
            HistoryFrom::Fold => self.folds.get(aggregate),
            HistoryFrom::Start => None,
        };
        let start = fold.map_or(0, |(end, _)| *end as usize);
        let positions = self.touching.get(aggregate).into_iter().flatten();
        let after = positions.filter(|at| **at >= start);
        let entries = after.map(|at| Ok((*at as u64, self.entry(*at)?.clone())));
        Ok(History {
            fold: fold.map(|(_, bytes)| bytes.clone()),
            entries: entries.collect::<Result<_, Damaged>>()?,
        })
    }
}
