use super::{ReadError, Replica};
use crate::engine::Failure;
use crate::event::AggregateId;
use crate::merge::{Explanation, RaceCounts, RacePage, RaceQuery};

/// Why a state is what it is, and what was decided on the way. Each reads the aggregate's whole
/// history, if it is not in memory, and asks its rule under the replica's lock.
impl Replica {
    /// The value piece by piece with the events that each piece comes from, what is refused or
    /// skipped and why, and one page of races; nothing if there are no events. An aggregate without a
    /// state is explained by its last good one, and its condition says why.
    ///
    /// # Errors
    /// [`ReadError`]: not a name, or the store failed.
    pub async fn explain(
        &self,
        aggregate: impl TryInto<AggregateId, Error: Into<ReadError>>,
        query: RaceQuery,
    ) -> Result<Option<Explanation>, ReadError> {
        let aggregate = aggregate.try_into().map_err(Into::into)?;
        self.look(&aggregate, true, |engine| {
            let explanation = engine.explain(&aggregate, &query).ok_or(Failure::Closed)?;
            Ok(Some(explanation).filter(|explanation| explanation.events > 0))
        })
        .await
    }

    /// One page of races: pairs of events whose writers did not know of each other and that touch
    /// the same places.
    ///
    /// # Errors
    /// As [`explain`](Self::explain).
    pub async fn races(
        &self,
        aggregate: impl TryInto<AggregateId, Error: Into<ReadError>>,
        query: RaceQuery,
    ) -> Result<RacePage, ReadError> {
        let aggregate = aggregate.try_into().map_err(Into::into)?;
        self.look(&aggregate, true, |engine| {
            Ok(engine.races(&aggregate, &query).ok_or(Failure::Closed)?)
        })
        .await
    }

    /// How many races there are among the first `pairs_max`, at most
    /// [`RACE_LOOKS_MAX`](crate::limits::RACE_LOOKS_MAX), and what was decided in them.
    ///
    /// # Errors
    /// As [`explain`](Self::explain).
    pub async fn race_counts(
        &self,
        aggregate: impl TryInto<AggregateId, Error: Into<ReadError>>,
        pairs_max: usize,
    ) -> Result<RaceCounts, ReadError> {
        let aggregate = aggregate.try_into().map_err(Into::into)?;
        self.look(&aggregate, true, |engine| {
            let counts = engine.race_counts(&aggregate, pairs_max);
            Ok(counts.ok_or(Failure::Closed)?)
        })
        .await
    }
}
