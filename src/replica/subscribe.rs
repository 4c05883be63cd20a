use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, Stream};
use futures::{FutureExt, StreamExt};
use tokio::sync::Notify;

use super::shell::{Shell, told};
use super::{Replica, TailError};
use crate::engine::{Change, Filter, Tailed, WatchId, Watched, tailed};
use crate::limits::{PAGE_BYTES_MAX, PAGE_ENTRIES_MAX};
use crate::log::{Cursor, Epoch, Page, ReadLimit};
use crate::store::StoreError;

const PAGE: ReadLimit = ReadLimit {
    entries: PAGE_ENTRIES_MAX,
    bytes: PAGE_BYTES_MAX,
};

/// A stream of changes, coalesced per aggregate. Dropping it unsubscribes.
pub struct Watch(BoxStream<'static, Change>);

/// A stream of every event, in an order that respects causality.
pub struct Tail(BoxStream<'static, Result<Tailed, TailError>>);

impl Replica {
    /// Tells of changes from now on, one at a time and coalesced per aggregate; read the current
    /// state with [`state`](Self::state). Ends when the replica is closed.
    ///
    /// A reader that stops reading holds nobody up: at most 1,024 changes are kept for it, after
    /// that it is served from the log.
    pub fn watch(&self, filter: Filter) -> Watch {
        let (watch, notify) = self.shell.add_watch(filter);
        let subscription = Subscription {
            shell: self.shell.clone(),
            watch,
            notify,
        };
        Watch(
            stream::unfold(subscription, |mut subscription| async move {
                let change = subscription.next().await?;
                Some((change, subscription))
            })
            .boxed(),
        )
    }

    /// Every event that passes the filter, from a cursor or from the start, then live. Nothing is
    /// lost and nothing comes twice; a reader that stops reading costs nothing but its cursor.
    ///
    /// # Errors
    /// [`TailError::UnknownCursor`] for a cursor of another store or of a lost future. The stream
    /// itself ends after an error, or when the replica is closed.
    pub fn tail(&self, filter: Filter, cursor: Option<Cursor>) -> Result<Tail, TailError> {
        self.tail_until(filter, cursor, None)
    }

    /// What [`tail`](Self::tail) yields until it would have to wait: every event that is here now.
    ///
    /// # Errors
    /// As [`tail`](Self::tail).
    pub fn tail_so_far(&self, filter: Filter, cursor: Option<Cursor>) -> Result<Tail, TailError> {
        let end = self.shell.with(|engine| engine.stored_end());
        self.tail_until(filter, cursor, Some(end))
    }

    fn tail_until(
        &self,
        filter: Filter,
        cursor: Option<Cursor>,
        until: Option<u64>,
    ) -> Result<Tail, TailError> {
        if let Some(cursor) = cursor
            && !self.shell.with(|engine| engine.honours(cursor))
        {
            return Err(TailError::UnknownCursor { cursor });
        }
        let epoch = self.shell.with(|engine| engine.epoch());
        let reader = Reader {
            shell: self.shell.clone(),
            filter,
            epoch: epoch.unwrap_or(Epoch::from_bits(0)),
            position: cursor.map_or(0, |cursor| cursor.position),
            until,
            ready: VecDeque::new(),
            ahead: None,
            failed: false,
        };
        Ok(Tail(
            stream::unfold(reader, |mut reader| async move {
                let event = reader.next().await?;
                Some((event, reader))
            })
            .boxed(),
        ))
    }
}

struct Subscription {
    shell: Arc<Shell>,
    watch: WatchId,
    notify: Arc<Notify>,
}

impl Subscription {
    async fn next(&mut self) -> Option<Change> {
        loop {
            match self.shell.with(|engine| engine.next_change(self.watch)) {
                Watched::Change(change) => return Some(change),
                Watched::Gone => return None,
                Watched::Behind(position) => {
                    let page = self.shell.store.since(position, PAGE).await.ok()?;
                    self.shell
                        .with(|engine| engine.watch_page(self.watch, &page));
                }
                Watched::Idle => {
                    let mut stopping = self.shell.stopping.subscribe();
                    tokio::select! {
                        () = self.notify.notified() => {}
                        () = told(&mut stopping) => return None,
                    }
                }
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shell.remove_watch(self.watch);
    }
}

struct Reader {
    shell: Arc<Shell>,
    filter: Filter,
    epoch: Epoch,
    position: u64,
    /// Position at which it ends; nothing for one that goes on.
    until: Option<u64>,
    ready: VecDeque<Tailed>,
    /// The page behind what is ready, which the store has been asked for.
    ahead: Option<Reading>,
    failed: bool,
}

type Reading = BoxFuture<'static, Result<Page, StoreError>>;

impl Reader {
    async fn next(&mut self) -> Option<Result<Tailed, TailError>> {
        if let Some(event) = self.ready.pop_front() {
            return Some(Ok(event));
        }
        let mut stored_end = self.shell.stored_end();
        let mut stopping = self.shell.stopping.subscribe();
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            let is_past_end = self.until.is_some_and(|until| until <= self.position);
            if is_past_end || self.failed || *stopping.borrow() {
                return None;
            }
            if *stored_end.borrow_and_update() <= self.position {
                tokio::select! {
                    grown = stored_end.changed() => grown.ok()?,
                    () = told(&mut stopping) => return None,
                }
                continue;
            }
            let ahead = self.ahead.take();
            match ahead.unwrap_or_else(|| self.read()).await {
                Ok(page) => {
                    self.position = page.next.max(self.position);
                    let end = *stored_end.borrow();
                    if self.position < self.until.unwrap_or(end).min(end) {
                        self.read_ahead();
                    }
                    self.ready.extend(tailed(&page, &self.filter, self.epoch));
                }
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error.into()));
                }
            }
        }
    }
}

impl Reader {
    fn read(&self) -> Reading {
        let (store, position) = (self.shell.store.clone(), self.position);
        async move { store.since(position, PAGE).await }.boxed()
    }

    /// Asks for the next page before anybody waits for it.
    fn read_ahead(&mut self) {
        let mut reading = self.read();
        self.ahead = Some(match (&mut reading).now_or_never() {
            Some(page) => std::future::ready(page).boxed(),
            None => reading,
        });
    }
}

impl Stream for Watch {
    type Item = Change;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Change>> {
        self.0.poll_next_unpin(cx)
    }
}

impl Stream for Tail {
    type Item = Result<Tailed, TailError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}
