//! A CRDT-style merge engine with pluggable resolvers: same events, same state, to the byte.
//!
//! Replicas of one shared log record events while they are apart and exchange them when they can.
//! What a conflict means for your data is your decision: you write a rule as a plain fold, and
//! every replica that holds the same events under the same rules holds byte-equal state, in whatever
//! order, however often and however late the events came. What was acknowledged as durable was
//! fsynced first, and a replica sends nothing of its own before that.
//!
//! ```
//! # #[cfg(feature = "replica")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use anabranch::{Draft, FieldEdit, FieldMerge, Registry, Replica};
//!
//! let rules = Registry::new().with("task", FieldMerge)?;
//! let laptop = Replica::in_memory(rules.clone()).await?;
//! let phone = Replica::in_memory(rules).await?;
//! let title = FieldEdit::new().set(["title"], "buy milk")?;
//! let done = FieldEdit::new().set(["done"], &true)?;
//! laptop.record(Draft::new("task/1", "edited", &title)?).await?;
//! phone.record(Draft::new("task/1", "edited", &done)?).await?;
//! laptop.sync(&phone).await?;
//! assert_eq!(laptop.digest("task/1").await?, phone.digest("task/1").await?);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "replica"))]
//! # fn main() {}
//! ```
//!
//! # How data flows
//!
//! **[`event`]** An [`Event`] is an immutable fact about one *aggregate*, the unit of consistency and
//! of conflict, named `type/name`. It is identified by its writer and a seq without holes, carries a
//! stamp of the writer's hybrid [`clock`], and names its *heads*: the newest events of this aggregate
//! that its writer had seen. From the heads follows its whole causal past, hence which events are
//! concurrent. Events that are written together are a *commit* and travel as one.
//!
//! **[`merge`]** A commit is *ready* when its causal past is here; until then it waits, visibly. The
//! ready events of an aggregate are folded in one order, which extends causality and which all
//! replicas share, by the [`Resolver`] that a [`Registry`] binds to the aggregate's type. A resolver
//! may *reject* an event: the event stays in the log, changes nothing, and is rejected everywhere.
//! Nothing has to commute, because the engine sees to the order: a late event takes its place among
//! those that were folded, and these are folded again.
//!
//! **[`replica`]** A [`Replica`] is the handle that an application holds. It records, reads states,
//! tells of changes and syncs. Behind it the [`engine`] takes every decision as a state machine without
//! IO, and a shell carries them out: it writes to a [`store`], whose arrival [`log`] is the memory of
//! everything else, and moves frames.
//!
//! **[`protocol`]** Between two replicas a [`Session`](protocol::Session) exchanges what either lacks:
//! by cursor where both remember each other, by a summary of what they hold where they do not. It is a
//! state machine without IO, too, and both ends are equal.
//!
//! **[`transport`]** Frames are carried within a process or over WebSocket.
#![cfg_attr(
    feature = "hub",
    doc = "A [`hub`] is a replica that listens; it needs no rules to store and forward."
)]
//!
//! Nothing reaches back up: what comes later in this list is unknown to what comes before it.
//!
//! # A rule of your own
//!
//! [`FieldMerge`] merges nested maps field by field, [`LastWriteWins`] takes a whole record as one
//! register. A rule of your own is a closure in a [`FoldFn`], or a type that implements [`Resolver`]:
//!
//! ```
//! use anabranch::{FoldFn, Registry, Rejection};
//!
//! let stock = FoldFn::new("stock", 1, |_| 0i64, |left, step: &i64, _| *left += step)
//!     .with_admit(|left, step, _| match left.checked_add(*step) {
//!         Some(0..) => Ok(()),
//!         _ => Err(Rejection::new(format!("only {left} left"))),
//!     });
//! let rules = Registry::new().with("stock", stock)?;
//! # Ok::<(), anabranch::resolver::RegistryError>(())
//! ```
//!
//! A rule must be *deterministic* and *pure*: it reads its arguments and nothing else. What happens
//! to one that panics, or does not know an event's type, is described at
//! [`Unresolved`](merge::Unresolved).
//!
//! # Features
//!
//! Each opens the module of its name and changes nothing that compiled without it. None of them: the
//! merge engine and the protocol, on `core` and `alloc` alone.
//!
//! | feature | brings |
//! |---|---|
//! | `replica` | the handle, the memory store, the in-process transport; needs tokio |
//! | `fjall` (default) | the disk store, and `replica` |
//! | `websocket` (default) | the WebSocket transport, both ends, and `replica` |
//! | `hub` | a replica that listens, and `websocket` |
//! | `cli` | the binary `anabranch`, and everything above |
//! | `testing` | the laws for rules of your own, the conformance suites for stores and transports, doubles that fail on command, and `replica` |
//! | `full` | all of them |
//!
//! # Where to go next
//!
//! - to embed the merge without IO: [`merge::Aggregates`];
//! - to write a rule: [`resolver`]; what the built-in ones take and show: [`resolver::payloads`];
//! - to keep a log on disk and sync it: [`Replica`], and the examples of the repository;
//! - to write a store or a transport: [`store::EventStore`] and [`transport::Transport`], with their laws;
//! - every bound in one place: [`limits`].
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(test)]
extern crate std;

#[macro_use]
#[doc(hidden)]
pub mod mutants;

pub mod clock;
pub mod engine;
pub mod event;
#[cfg(feature = "hub")]
pub mod hub;
pub mod limits;
pub mod log;
pub mod merge;
#[cfg(feature = "replica")]
pub mod open;
pub mod protocol;
#[cfg(feature = "replica")]
pub mod replica;
pub mod resolver;
#[cfg(feature = "replica")]
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "replica")]
pub mod transport;

pub use engine::{Change, Filter, SyncReport};
pub use event::{AggregateId, Draft, Event, EventId, EventType};
#[cfg(feature = "hub")]
pub use hub::Hub;
pub use log::Durability;
#[cfg(feature = "replica")]
pub use replica::Replica;
pub use resolver::{
    Context, FieldEdit, FieldMerge, FoldFn, LastWriteWins, Registry, Rejection, Resolver,
};
#[cfg(feature = "fjall")]
pub use store::FjallStore;
#[cfg(feature = "replica")]
pub use store::MemoryStore;

/// Compiles and runs what README.md shows.
#[cfg(all(doctest, feature = "fjall", feature = "hub", feature = "testing"))]
#[doc = include_str!("../README.md")]
pub struct ReadmeRuns;
