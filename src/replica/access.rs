use std::collections::BTreeSet;
use std::string::String;
use std::vec::Vec;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::{ReadError, Replica};
use crate::engine::{AggregateStatus, Engine, Failure, Input};
use crate::event::{AggregateId, Digest, Event, cbor};
use crate::merge::{Outcome, Timeline, Unresolved};
use crate::resolver::Resolver;
use crate::store::StoreError;

/// One event of an aggregate's history, with what became of it.
#[derive(Clone, Debug)]
pub struct Told {
    /// The event.
    pub event: Event,
    /// Applied, rejected or replaced; nothing while the aggregate has no state.
    pub outcome: Option<Outcome>,
    /// Nothing here has it in its past: a new write would name it.
    pub is_head: bool,
}

impl Replica {
    /// The state of an aggregate as users see it, decoded; nothing if it has no events.
    ///
    /// Cost: one read of the store if the aggregate is not in memory, and a decoding.
    ///
    /// # Errors
    /// [`ReadError`]: not a name, unresolved, not a `T`, or the store failed.
    pub async fn state<T: DeserializeOwned>(
        &self,
        aggregate: impl TryInto<AggregateId, Error: Into<ReadError>>,
    ) -> Result<Option<T>, ReadError> {
        let aggregate = aggregate.try_into().map_err(Into::into)?;
        let Some(bytes) = self.present(&aggregate).await? else {
            return Ok(None);
        };
        cbor::from_slice(&bytes)
            .map(Some)
            .map_err(|source| ReadError::OtherType {
                aggregate,
                source: Some(source),
            })
    }

    /// The state of an aggregate as users see it, in canonical CBOR; nothing if it has no events.
    ///
    /// # Errors
    /// As [`state`](Self::state).
    pub async fn present(
        &self,
        aggregate: impl TryInto<AggregateId, Error: Into<ReadError>>,
    ) -> Result<Option<Bytes>, ReadError> {
        let aggregate = aggregate.try_into().map_err(Into::into)?;
        self.look(&aggregate, false, |engine| presented(engine, &aggregate))
            .await
    }

    /// Looks at the state of an aggregate without a copy; nothing if it has no events. `R` is the
    /// aggregate's resolver. `look` runs under the replica's lock: keep it short, and do not call
    /// the replica in it.
    ///
    /// # Errors
    /// As [`state`](Self::state).
    pub async fn read<R: Resolver, O>(
        &self,
        aggregate: impl TryInto<AggregateId, Error: Into<ReadError>>,
        mut look: impl FnMut(&R::State) -> O,
    ) -> Result<Option<O>, ReadError> {
        let aggregate = aggregate.try_into().map_err(Into::into)?;
        self.look(&aggregate, false, |engine| {
            let timeline = resolved(engine, &aggregate)?;
            seen_as::<R, O>(timeline, &aggregate, &mut look)
        })
        .await
    }

    /// Digest of an aggregate's state: equal on all replicas with the same events and rules.
    /// Nothing if it has no events.
    ///
    /// # Errors
    /// As [`state`](Self::state).
    pub async fn digest(
        &self,
        aggregate: impl TryInto<AggregateId, Error: Into<ReadError>>,
    ) -> Result<Option<Digest>, ReadError> {
        let aggregate = aggregate.try_into().map_err(Into::into)?;
        self.look(&aggregate, false, |engine| {
            let timeline = resolved(engine, &aggregate)?;
            Ok(timeline
                .filter(|timeline| !timeline.is_empty())
                .and_then(Timeline::digest))
        })
        .await
    }

    /// What there is to say of an aggregate: events, heads, rejections, rule. Nothing if it has no
    /// events. Reads its whole history.
    ///
    /// # Errors
    /// [`ReadError`]: not a name, or the store failed.
    pub async fn describe(
        &self,
        aggregate: impl TryInto<AggregateId, Error: Into<ReadError>>,
    ) -> Result<Option<AggregateStatus>, ReadError> {
        let aggregate = aggregate.try_into().map_err(Into::into)?;
        self.look(&aggregate, true, |engine| {
            Ok(engine
                .aggregate_status(&aggregate)
                .filter(|status| status.events > 0))
        })
        .await
    }

    /// All events of an aggregate in canonical order, with what became of each and what it names;
    /// invalid ones, which have no place in that order, follow. Reads the whole history, if it is not
    /// in memory; while it is folded and listed nothing else is done by this replica.
    ///
    /// # Errors
    /// [`ReadError`]: not a name, or the store failed.
    pub async fn history(
        &self,
        aggregate: impl TryInto<AggregateId, Error: Into<ReadError>>,
    ) -> Result<Vec<Told>, ReadError> {
        let aggregate = aggregate.try_into().map_err(Into::into)?;
        self.look(&aggregate, true, |engine| {
            let Some(timeline) = engine.timeline(&aggregate) else {
                return Ok(Vec::new());
            };
            let heads = timeline.heads().into_iter();
            let heads: BTreeSet<_> = heads.map(|(head, _)| head.id).collect();
            let told = |event: &Event| Told {
                event: event.clone(),
                outcome: timeline.outcome(event.id()),
                is_head: heads.contains(&event.id()),
            };
            Ok(timeline.events().map(told).collect())
        })
        .await
    }

    /// Names of aggregates under a prefix of whole segments, ascending, after `after`, at most
    /// `limit`. The empty prefix lists all.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn aggregates(
        &self,
        prefix: &str,
        after: Option<AggregateId>,
        limit: usize,
    ) -> Result<Vec<AggregateId>, StoreError> {
        self.shell
            .store
            .aggregates(String::from(prefix), after, limit)
            .await
    }

    /// Brings an aggregate into memory, then looks at it.
    pub(super) async fn look<O>(
        &self,
        aggregate: &AggregateId,
        whole: bool,
        mut look: impl FnMut(&mut Engine) -> Result<O, ReadError>,
    ) -> Result<O, ReadError> {
        loop {
            if self.shell.is_closed() {
                return Err(Failure::Closed.into());
            }
            let seen = self.shell.with(|engine| {
                let here = engine
                    .timeline(aggregate)
                    .is_some_and(|timeline| !whole || timeline.has_history());
                here.then(|| look(engine))
            });
            if let Some(result) = seen {
                return result;
            }
            let aggregate = aggregate.clone();
            self.shell
                .ask(|ticket| Input::Load {
                    ticket,
                    aggregate,
                    whole,
                })
                .await?;
        }
    }
}

/// The state as users see it; nothing without events.
pub(super) fn presented(
    engine: &mut Engine,
    aggregate: &AggregateId,
) -> Result<Option<Bytes>, ReadError> {
    let timeline = resolved(engine, aggregate)?.filter(|timeline| !timeline.is_empty());
    let bytes = timeline.and_then(Timeline::present).transpose();
    let bytes = bytes.map_err(|source| ReadError::OtherType {
        aggregate: aggregate.clone(),
        source: Some(source),
    })?;
    Ok(bytes.map(Bytes::from))
}

/// What `look` sees of the state; nothing without events.
pub(super) fn seen_as<R: Resolver, O>(
    timeline: Option<&Timeline>,
    aggregate: &AggregateId,
    look: impl FnOnce(&R::State) -> O,
) -> Result<Option<O>, ReadError> {
    let Some(timeline) = timeline.filter(|timeline| !timeline.is_empty()) else {
        return Ok(None);
    };
    let state = timeline.state().ok();
    match state.and_then(|state| state.downcast_ref::<R::State>()) {
        Some(state) => Ok(Some(look(state))),
        None => Err(ReadError::OtherType {
            aggregate: aggregate.clone(),
            source: None,
        }),
    }
}

/// The timeline, unless its aggregate has events but no state.
pub(super) fn resolved<'a>(
    engine: &'a mut Engine,
    aggregate: &AggregateId,
) -> Result<Option<&'a Timeline>, ReadError> {
    let Some(timeline) = engine.timeline(aggregate) else {
        return Ok(None);
    };
    match timeline.condition() {
        Some(why) if !timeline.is_empty() && *why != Unresolved::NotFolded => {
            Err(ReadError::Unresolved {
                aggregate: aggregate.clone(),
                why: why.clone(),
            })
        }
        _ => Ok(Some(timeline)),
    }
}
