use alloc::boxed::Box;
use alloc::vec::Vec;

use thiserror::Error;

use super::{
    Explanation, Guard, Inbox, NameTable, RacePage, RaceQuery, Ready, Receipt, Timeline, Unguarded,
    Unresolved, tags,
};
use crate::event::{AggregateId, Chain, Commit, Digest, PayloadError};
use crate::resolver::{Registry, Resolver};

/// All aggregates of one replica in memory: the merge engine without store, clock or network.
///
/// Give it commits in any order, as often as they come; ask it for states. States are folded when
/// they are asked for.
///
/// ```
/// use anabranch::merge::Aggregates;
/// use anabranch::resolver::{FieldMerge, Registry};
///
/// let mut aggregates = Aggregates::new(Registry::new().with("note", FieldMerge)?);
/// // aggregates.receive(&commit) ...
/// let note = "note/1".parse().unwrap();
/// assert!(aggregates.state::<FieldMerge>(&note).is_err());
/// # Ok::<(), anabranch::resolver::RegistryError>(())
/// ```
pub struct Aggregates {
    registry: Registry,
    inbox: Inbox,
    #[expect(
        clippy::vec_box,
        reason = "a timeline is large, and a growing list would move them all"
    )]
    timelines: Vec<Box<Timeline>>,
    /// Where the timeline of each aggregate is.
    places: NameTable<usize>,
    /// Where timelines are to which something has come since they were folded; some may be named
    /// twice.
    unfolded: Vec<usize>,
    guard: Box<dyn Guard + Send + Sync>,
}

/// Why there is no state to read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StateError {
    /// No ready event of it is here.
    #[error("aggregate {aggregate} has no events here")]
    Unknown {
        /// The aggregate.
        aggregate: AggregateId,
    },
    /// Its type is bound to another rule than the one asked for.
    #[error("aggregate {aggregate} is not folded by this resolver")]
    OtherResolver {
        /// The aggregate.
        aggregate: AggregateId,
    },
    /// It cannot be folded here and now.
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    /// The state cannot be written.
    #[error(transparent)]
    Unwritable(#[from] PayloadError),
}

impl Aggregates {
    /// Nothing received yet. A panic of a resolver goes through to the caller.
    pub fn new(registry: Registry) -> Self {
        Self::guarded(registry, Unguarded)
    }

    /// Nothing received yet; resolvers run under the guard.
    pub fn guarded(registry: Registry, guard: impl Guard + Send + Sync + 'static) -> Self {
        Self {
            registry,
            inbox: Inbox::new(),
            timelines: Vec::new(),
            places: NameTable::seeded(0),
            unfolded: Vec::new(),
            guard: Box::new(guard),
        }
    }

    /// Takes a commit; it and what it releases are part of states from now on. Folds nothing.
    pub fn receive(&mut self, commit: &Commit) -> Receipt {
        let receipt = self.inbox.receive(commit);
        if let Receipt::Arrived {
            ready,
            chain_before,
            released,
        } = &receipt
        {
            if *ready {
                self.integrate(commit, *chain_before);
            }
            for Ready {
                commit,
                chain_before,
            } in released
            {
                self.integrate(commit, *chain_before);
            }
        }
        receipt
    }

    fn integrate(&mut self, commit: &Commit, chain_before: Option<Chain>) {
        for (event, tag) in commit.events().iter().zip(tags(commit, chain_before)) {
            let place = self.place(event.aggregate());
            if let Some(timeline) = self.timelines.get_mut(place) {
                if !timeline.has_news() {
                    self.unfolded.push(place);
                }
                timeline.integrate(event.clone(), tag);
            }
        }
    }

    /// Where an aggregate's timeline is, a new one if need be.
    fn place(&mut self, id: &AggregateId) -> usize {
        if let Some(place) = self.places.get(id) {
            return place;
        }
        let place = self.timelines.len();
        let route = self.registry.route(id).cloned();
        self.timelines
            .push(Box::new(Timeline::new(id.clone(), route)));
        self.places.insert(id.clone(), place);
        place
    }

    /// What has been received, and what waits.
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// The state of an aggregate, folded as far as its events are ready.
    ///
    /// # Errors
    /// [`StateError`] says why there is none.
    pub fn state<R: Resolver>(&mut self, id: &AggregateId) -> Result<&R::State, StateError> {
        let timeline = self.folded(id)?;
        let state = timeline.state().map_err(Clone::clone)?;
        state
            .downcast_ref()
            .ok_or_else(|| StateError::OtherResolver {
                aggregate: id.clone(),
            })
    }

    /// The state as users read it, in canonical CBOR.
    ///
    /// # Errors
    /// [`StateError`] says why there is none.
    pub fn present(&mut self, id: &AggregateId) -> Result<Vec<u8>, StateError> {
        let timeline = self.folded(id)?;
        timeline.state().map_err(Clone::clone)?;
        match timeline.present() {
            Some(bytes) => Ok(bytes?),
            None => Err(Unresolved::NotFolded.into()),
        }
    }

    /// Digest of the encoded state.
    ///
    /// # Errors
    /// [`StateError`] says why there is none.
    pub fn digest(&mut self, id: &AggregateId) -> Result<Digest, StateError> {
        let timeline = self.folded(id)?;
        timeline.state().map_err(Clone::clone)?;
        timeline
            .digest()
            .ok_or_else(|| Unresolved::NotFolded.into())
    }

    /// The timeline of an aggregate, folded.
    pub fn timeline(&mut self, id: &AggregateId) -> Option<&Timeline> {
        self.folded(id).ok().map(|timeline| &*timeline)
    }

    /// One page of the races of an aggregate, as [`Timeline::races`] tells and costs them.
    ///
    /// # Errors
    /// [`StateError::Unknown`]. An aggregate that is not resolved has its races, too.
    pub fn races(&mut self, id: &AggregateId, query: &RaceQuery) -> Result<RacePage, StateError> {
        let (timeline, guard) = self.folded_and_guard(id)?;
        Ok(timeline.races(query, guard))
    }

    /// Why the value of an aggregate is what it is, as [`Timeline::explain`] tells and costs it.
    ///
    /// # Errors
    /// [`StateError::Unknown`]. An aggregate that is not resolved can be explained, too.
    pub fn explain(
        &mut self,
        id: &AggregateId,
        query: &RaceQuery,
    ) -> Result<Explanation, StateError> {
        let (timeline, guard) = self.folded_and_guard(id)?;
        Ok(timeline.explain(query, guard))
    }

    /// Folds every aggregate, so that what [`iter`](Self::iter) gives is current.
    pub fn fold_all(&mut self) {
        for place in core::mem::take(&mut self.unfolded) {
            if let Some(timeline) = self.timelines.get_mut(place) {
                timeline.catch_up(&*self.guard);
            }
        }
    }

    /// Every aggregate in the order of ids, as it was last folded. Costs a sort.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Timeline> {
        let mut sorted: Vec<&Timeline> =
            self.timelines.iter().map(|timeline| &**timeline).collect();
        sorted.sort_unstable_by_key(|timeline| timeline.aggregate());
        sorted.into_iter()
    }

    /// One digest over all states: aggregate ids with the digests of their states. An aggregate
    /// that has no state here enters as such, so compare digests only of replicas with equal rules.
    pub fn state_digest(&mut self) -> Digest {
        self.fold_all();
        let mut bytes = Vec::new();
        for timeline in self.iter() {
            let id = timeline.aggregate();
            let len = u64::try_from(id.as_str().len()).unwrap_or(u64::MAX);
            bytes.extend_from_slice(&len.to_be_bytes());
            bytes.extend_from_slice(id.as_str().as_bytes());
            match timeline.digest() {
                Some(digest) => bytes.extend_from_slice(&digest.to_bytes()),
                None => bytes.push(0),
            }
        }
        Digest::of(&bytes)
    }

    fn folded(&mut self, id: &AggregateId) -> Result<&mut Timeline, StateError> {
        self.folded_and_guard(id).map(|(timeline, _)| timeline)
    }

    fn folded_and_guard(
        &mut self,
        id: &AggregateId,
    ) -> Result<(&mut Timeline, &dyn Guard), StateError> {
        let place = self.places.get(id);
        let Some(timeline) = place.and_then(|place| self.timelines.get_mut(place)) else {
            return Err(StateError::Unknown {
                aggregate: id.clone(),
            });
        };
        timeline.catch_up(&*self.guard);
        Ok((timeline, &*self.guard))
    }
}

impl core::fmt::Debug for Aggregates {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Aggregates")
            .field("aggregates", &self.timelines.len())
            .field("waiting", &self.inbox.waiting_len())
            .finish_non_exhaustive()
    }
}
