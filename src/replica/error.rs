use std::string::String;

use thiserror::Error;

use crate::engine::{Failure, SyncReport};
use crate::event::{AggregateId, EventError, NameError, PayloadError};
use crate::log::Cursor;
use crate::merge::Unresolved;
use crate::protocol::CloseCode;
use crate::store::StoreError;
use crate::transport::TransportError;

/// Why a store cannot become a replica.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The store failed.
    #[error("cannot open the replica")]
    Store(#[from] StoreError),
    /// There is no runtime to run the replica's tasks.
    #[error("a replica must be opened inside a tokio runtime")]
    NoRuntime,
}

/// Why a write was not taken. Nothing was written, unless the store failed: then it is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The draft breaks a bound.
    #[error(transparent)]
    Draft(#[from] EventError),
    /// The engine says no.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Why a state cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Not an aggregate's name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The aggregate has no state.
    #[error("{aggregate} is unresolved: {why}")]
    Unresolved {
        /// The aggregate.
        aggregate: AggregateId,
        /// Why.
        why: Unresolved,
    },
    /// The state is not what was asked for.
    #[error("state of {aggregate} cannot be read as that type")]
    OtherType {
        /// The aggregate.
        aggregate: AggregateId,
        /// What does not fit.
        source: Option<PayloadError>,
    },
    /// The store failed, or the replica is closed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<std::convert::Infallible> for ReadError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// Why a tail cannot begin or go on.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum TailError {
    /// The cursor is of another store, or of this one's lost future.
    #[error("cursor {cursor} does not belong to this store's past: begin without one")]
    UnknownCursor {
        /// The cursor.
        cursor: Cursor,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a sync did not finish. Whatever was exchanged before is kept and counts.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SyncError {
    /// No connection.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// No transport of this replica understands the address.
    #[error(
        "no transport understands the address {address:?}: expected for example ws://host:port/sync"
    )]
    UnknownAddress {
        /// The address.
        address: String,
    },
    /// The connection ended before both ends had everything.
    #[error("sync ended early: {reason} ({code}); {report}")]
    Ended {
        /// Why, as a number.
        code: CloseCode,
        /// Why, in words.
        reason: String,
        /// What was exchanged.
        report: Box<SyncReport>,
    },
    /// The replica is closed.
    #[error("replica is closed")]
    Closed,
}
