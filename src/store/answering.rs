//! What a store answers an engine that asks.
//!
//! An engine names what it wants of a store as an effect and takes the answer as an input; this is
//! the one place that knows which method of the store belongs to which. When to ask, in which order
//! and on which thread is for the caller to decide.

use super::{EventStore, StoreError};
use crate::engine::{Effect, Failure, Input};

/// Asks a store what an effect asks, and gives what the engine is to be told; nothing, and nothing is
/// done, where the effect is not meant for a store.
///
/// A store that fails is an answer, too. Writes must be answered in the order in which the engine
/// wrote them; reads may overtake one another.
///
/// ```
/// use anabranch::engine::{Effect, Engine};
/// use anabranch::store::{self, MemoryStore};
///
/// async fn turn(engine: &mut Engine, store: &MemoryStore, outside: fn() -> anabranch::engine::Outside) {
///     while let Some(effect) = engine.poll_effect() {
///         match effect {
///             Effect::Send { link, frame } => println!("{} bytes for {link:?}", frame.len()),
///             effect => {
///                 if let Some(input) = store::answer(store, effect).await {
///                     engine.handle(outside(), input);
///                 }
///             }
///         }
///     }
/// }
/// ```
pub async fn answer(store: &dyn EventStore, effect: Effect) -> Option<Input> {
    Some(match effect {
        Effect::Write(group) => written(store.append(group).await),
        Effect::ReadHistory {
            request,
            aggregate,
            from,
        } => Input::HistoryRead {
            request,
            result: told(store.history(aggregate, from).await),
        },
        Effect::ReadSince {
            request,
            position,
            limit,
        } => Input::PageRead {
            request,
            result: told(store.since(position, limit).await),
        },
        Effect::ReadAt {
            request,
            positions,
            limit,
        } => Input::PageRead {
            request,
            result: told(store.at(positions, limit).await),
        },
        Effect::Locate { request, ranges } => Input::Located {
            request,
            result: told(store.locate(ranges).await),
        },
        Effect::Known { request, ids } => Input::KnownFound {
            request,
            result: told(store.known(ids).await),
        },
        _ => return None,
    })
}

/// What an engine is told of its group.
pub(crate) fn written(result: Result<u64, StoreError>) -> Input {
    match result {
        Ok(_) => Input::Written,
        Err(error) => Input::WriteFailed {
            reason: error.to_string().into(),
        },
    }
}

fn told<T>(result: Result<T, StoreError>) -> Result<T, Failure> {
    result.map_err(|error| Failure::store(error.to_string()))
}
