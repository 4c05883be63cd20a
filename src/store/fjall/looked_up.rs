use std::collections::BTreeMap;
use std::vec::Vec;

use super::arrivals::{self, Arrival};
use super::reader::Reader;
use crate::event::{AggregateId, EventId, ReplicaId};
use crate::limits::STORE_ROWS_AT_HAND;
use crate::store::StoreError;

/// Index rows at hand while entry after entry is looked up: one row tells the places of many.
#[derive(Default)]
pub(super) struct LookedUp {
    ids: BTreeMap<ReplicaId, Vec<Arrival>>,
    histories: BTreeMap<AggregateId, Vec<u64>>,
}

impl LookedUp {
    /// Where the commit of an event arrived, as the index says.
    pub(super) fn arrival(
        &mut self,
        reader: &Reader,
        id: EventId,
    ) -> Result<Option<Arrival>, StoreError> {
        let at_hand = self.ids.get(&id.replica);
        if let Some(arrival) = at_hand.and_then(|commits| arrivals::find(commits, id.seq)) {
            return Ok(Some(arrival));
        }
        let commits = reader.arrivals_before(id)?;
        let arrival = arrivals::find(&commits, id.seq);
        make_room(&mut self.ids);
        self.ids.insert(id.replica, commits);
        Ok(arrival)
    }

    /// Whether the index says that an entry touches an aggregate.
    pub(super) fn is_in_history(
        &mut self,
        reader: &Reader,
        aggregate: &AggregateId,
        position: u64,
    ) -> Result<bool, StoreError> {
        let tells = |positions: &Vec<u64>| positions.binary_search(&position).is_ok();
        if self.histories.get(aggregate).is_some_and(tells) {
            return Ok(true);
        }
        let positions = reader.history_before(aggregate, position)?;
        let is_in = tells(&positions);
        make_room(&mut self.histories);
        self.histories.insert(aggregate.clone(), positions);
        Ok(is_in)
    }
}

fn make_room<K, V>(rows: &mut BTreeMap<K, V>) {
    if rows.len() >= STORE_ROWS_AT_HAND {
        rows.clear();
    }
}
