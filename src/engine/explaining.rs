use super::Engine;
use crate::event::AggregateId;
use crate::merge::{Explanation, RaceCounts, RacePage, RaceQuery};

/// Why a state is what it is. Of an aggregate in memory with its history; nothing if it has to be
/// loaded first. What is told of one that has no state is told of its last good one.
impl Engine {
    /// Where each piece of the value comes from, what is refused, and a page of races. Costs what
    /// [`Timeline::explain`](crate::merge::Timeline::explain) costs.
    pub fn explain(&mut self, aggregate: &AggregateId, query: &RaceQuery) -> Option<Explanation> {
        self.fold(aggregate);
        let guard = self.guard.clone();
        self.cache
            .with(aggregate, |timeline| (timeline.explain(query, &*guard), 0))
    }

    /// One page of races. Costs what [`Timeline::races`](crate::merge::Timeline::races) costs.
    pub fn races(&mut self, aggregate: &AggregateId, query: &RaceQuery) -> Option<RacePage> {
        self.fold(aggregate);
        let guard = self.guard.clone();
        self.cache
            .with(aggregate, |timeline| (timeline.races(query, &*guard), 0))
    }

    /// How many races there are among the first `pairs_max`, and what was decided in them.
    pub fn race_counts(&mut self, aggregate: &AggregateId, pairs_max: usize) -> Option<RaceCounts> {
        self.fold(aggregate);
        let guard = self.guard.clone();
        self.cache.with(aggregate, |timeline| {
            (timeline.race_counts(pairs_max, &*guard), 0)
        })
    }
}
