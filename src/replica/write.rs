use std::vec::Vec;

use super::{RecordError, Replica};
use crate::engine::{Failure, Ingested, Input, Recorded, Reply};
use crate::event::{Commit, Draft};
use crate::log::Durability;

impl Replica {
    /// Writes one event and returns when it is fsynced.
    ///
    /// # Errors
    /// [`RecordError`]: the draft breaks a bound, the aggregate's own rule refuses the event now, or
    /// the store failed. Only in the last case is it unknown whether the event was written.
    pub async fn record(&self, draft: Draft) -> Result<Recorded, RecordError> {
        self.record_all_with(std::vec![draft], Durability::Durable)
            .await
    }

    /// Writes one event and returns when it is as durable as asked for. A buffered event is
    /// fsynced, and only then sent to anyone, within a second.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub async fn record_with(
        &self,
        draft: Draft,
        durability: Durability,
    ) -> Result<Recorded, RecordError> {
        self.record_all_with(std::vec![draft], durability).await
    }

    /// Writes several events as one commit and returns when it is fsynced. They arrive everywhere
    /// together or not at all; each is admitted or rejected by its own aggregate.
    ///
    /// # Errors
    /// As [`record`](Self::record); one refused event refuses the whole commit.
    pub async fn record_all(&self, drafts: Vec<Draft>) -> Result<Recorded, RecordError> {
        self.record_all_with(drafts, Durability::Durable).await
    }

    /// [`record_all`](Self::record_all) with a choice of durability.
    ///
    /// # Errors
    /// As [`record_all`](Self::record_all).
    pub async fn record_all_with(
        &self,
        drafts: Vec<Draft>,
        durability: Durability,
    ) -> Result<Recorded, RecordError> {
        self.record_all_on(Vec::new(), drafts, durability).await
    }

    /// Takes commits that somebody else wrote, in any order, duplicates included, and returns when
    /// they are fsynced. Commits whose past is not here wait for it.
    ///
    /// # Errors
    /// [`Failure`] when a commit contradicts what is here of its writer, or the store failed.
    pub async fn ingest(&self, commits: Vec<Commit>) -> Result<Ingested, Failure> {
        match self
            .shell
            .ask(|ticket| Input::Ingest { ticket, commits })
            .await?
        {
            Reply::Ingested(ingested) => Ok(ingested),
            Reply::Recorded(_) | Reply::Done => Err(Failure::Closed),
        }
    }

    /// Returns when everything answered so far is fsynced.
    ///
    /// # Errors
    /// [`Failure`] when the store failed.
    pub async fn flush(&self) -> Result<(), Failure> {
        self.shell
            .ask(|ticket| Input::Flush { ticket })
            .await
            .map(drop)
    }
}
