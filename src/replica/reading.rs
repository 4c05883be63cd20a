use std::vec::Vec;

use serde::de::DeserializeOwned;

use super::access::{presented, resolved, seen_as};
use super::{ReadError, RecordError, Replica};
use crate::engine::{Basis, Failure, Input, Recorded, Reply};
use crate::event::{AggregateId, Draft, cbor};
use crate::log::Durability;
use crate::resolver::Resolver;

/// A state together with what it rests on, for a [write](Replica::record_on) that is to rest on the
/// same.
#[derive(Clone, Debug)]
pub struct Reading<T> {
    /// What was read; nothing if there were no events.
    pub state: Option<T>,
    /// What it rests on: at most 1,024 names of events, however long it is kept.
    pub basis: Basis,
}

impl<T> AsRef<Basis> for Reading<T> {
    fn as_ref(&self) -> &Basis {
        &self.basis
    }
}

impl Replica {
    /// The state of an aggregate as users see it, decoded, with what it rests on. For whoever shows
    /// it to a person and later records what the person says.
    ///
    /// # Errors
    /// As [`state`](Self::state).
    pub async fn reading<T: DeserializeOwned>(
        &self,
        aggregate: impl TryInto<AggregateId, Error: Into<ReadError>>,
    ) -> Result<Reading<T>, ReadError> {
        let aggregate = aggregate.try_into().map_err(Into::into)?;
        let seen = self.look(&aggregate, false, |engine| {
            let state = presented(engine, &aggregate)?;
            Ok(engine.basis(&aggregate).map(|basis| (state, basis)))
        });
        let (bytes, basis) = seen.await?.ok_or(Failure::Closed)?;
        let state = bytes.map(|bytes| cbor::from_slice(&bytes)).transpose();
        let state = state.map_err(|source| ReadError::OtherType {
            aggregate,
            source: Some(source),
        })?;
        Ok(Reading { state, basis })
    }

    /// Looks at the state of an aggregate without a copy, as [`read`](Self::read) does, and tells
    /// with what it sees what that rests on.
    ///
    /// # Errors
    /// As [`state`](Self::state).
    pub async fn reading_of<R: Resolver, O>(
        &self,
        aggregate: impl TryInto<AggregateId, Error: Into<ReadError>>,
        mut look: impl FnMut(&R::State) -> O,
    ) -> Result<Reading<O>, ReadError> {
        let aggregate = aggregate.try_into().map_err(Into::into)?;
        let seen = self.look(&aggregate, false, |engine| {
            let timeline = resolved(engine, &aggregate)?;
            let state = seen_as::<R, O>(timeline, &aggregate, &mut look)?;
            Ok(engine.basis(&aggregate).map(|basis| (state, basis)))
        });
        let (state, basis) = seen.await?.ok_or(Failure::Closed)?;
        Ok(Reading { state, basis })
    }

    /// Writes one event that rests on what was read, and returns when it is fsynced. What has come
    /// since is concurrent with it, as if it had been written at the moment of the reading; only this
    /// replica's own events of the aggregate are always in its past, with what they rested on.
    ///
    /// The aggregate's rule is asked in the state that the event meets here now, and may settle it
    /// against what its writer had not seen. Where something has come since, the aggregate's whole
    /// history is read, if it is not in memory.
    ///
    /// ```
    /// # async fn example(replica: anabranch::Replica) -> Result<(), Box<dyn std::error::Error>> {
    /// let read = replica.reading::<String>("note/1").await?;
    /// // A person looks at `read.state` while others go on writing.
    /// let draft = anabranch::Draft::new("note/1", "written", "what the person said")?;
    /// replica.record_on(&read, draft).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`record`](Self::record). [`Failure::OtherReader`] when another replica read it, or this one
    /// before it took a new incarnation; [`Failure::LostBasis`] when what was read is not here, as in
    /// another store: read again.
    pub async fn record_on(
        &self,
        read: impl AsRef<Basis>,
        draft: Draft,
    ) -> Result<Recorded, RecordError> {
        let bases = Vec::from([read.as_ref().clone()]);
        self.record_all_on(bases, Vec::from([draft]), Durability::Durable)
            .await
    }

    /// Writes several events as one commit that rests on what was read, each on what was read of its
    /// own aggregate. Aggregates of which no reading is given are taken as they are now, readings of
    /// aggregates that no draft touches say nothing, and of several readings of one aggregate
    /// everything counts as seen that any of them showed.
    ///
    /// # Errors
    /// As [`record_on`](Self::record_on); one refused event refuses the whole commit.
    pub async fn record_all_on(
        &self,
        bases: Vec<Basis>,
        drafts: Vec<Draft>,
        durability: Durability,
    ) -> Result<Recorded, RecordError> {
        let input = |ticket| Input::Record {
            ticket,
            drafts,
            bases,
            durability,
        };
        match self.shell.ask(input).await? {
            Reply::Recorded(recorded) => Ok(recorded),
            Reply::Ingested(_) | Reply::Done => Err(Failure::Closed.into()),
        }
    }
}
