use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::stream::{self, BoxStream, Stream};

use super::Replica;
use super::shell::Shell;
use crate::engine::{Failure, Input};
use crate::event::Commit;
use crate::limits::{PAGE_BYTES_MAX, PAGE_ENTRIES_MAX};
use crate::log::{EntryKind, ReadLimit};
use crate::protocol::Lineage;
use crate::store::StoreError;

const PAGE: ReadLimit = ReadLimit {
    entries: PAGE_ENTRIES_MAX,
    bytes: PAGE_BYTES_MAX,
};

/// A stream of the commits that a log holds. Memory: one page of the log.
pub struct Commits(BoxStream<'static, Result<Commit, StoreError>>);

impl Replica {
    /// Every commit that is here now, whole and once, in the order of arrival; those that wait for
    /// their past are among them. [`ingest`](Self::ingest) takes them elsewhere, in any order.
    ///
    /// The stream ends after an error, and what comes while it is read is not part of it.
    pub fn commits(&self) -> Commits {
        let reader = Reader {
            shell: self.shell.clone(),
            position: 0,
            end: self.shell.with(|engine| engine.stored_end()),
            ready: VecDeque::new(),
        };
        Commits(
            stream::unfold(reader, |mut reader| async move {
                let commit = reader.next().await?;
                Some((commit, reader))
            })
            .boxed(),
        )
    }

    /// Says which log the commits come from that are about to be [ingested](Self::ingest), by
    /// another way than a connection: `lineage` and `lineage_shared` of the status they were taken
    /// with. A replica without events joins that log; durable when it returns.
    ///
    /// # Errors
    /// [`Failure::OtherLineage`] when this replica belongs to another log, or the store failed.
    pub async fn join(&self, lineage: Lineage, shared: bool) -> Result<(), Failure> {
        let input = |ticket| Input::Join {
            ticket,
            lineage,
            shared,
        };
        self.shell.ask(input).await.map(drop)
    }
}

struct Reader {
    shell: Arc<Shell>,
    position: u64,
    end: u64,
    ready: VecDeque<Commit>,
}

impl Reader {
    async fn next(&mut self) -> Option<Result<Commit, StoreError>> {
        loop {
            if let Some(commit) = self.ready.pop_front() {
                return Some(Ok(commit));
            }
            if self.position >= self.end {
                return None;
            }
            match self.shell.store.since(self.position, PAGE).await {
                Ok(page) => {
                    // The page may reach past the end that the log had when this began.
                    let arrived = page
                        .entries
                        .into_iter()
                        .filter(|(position, entry)| {
                            *position < self.end && entry.kind != EntryKind::Released
                        })
                        .map(|(_, entry)| entry.commit);
                    self.ready.extend(arrived);
                    self.position = page.next.max(self.position.saturating_add(1));
                }
                Err(error) => {
                    self.position = self.end;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl Stream for Commits {
    type Item = Result<Commit, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}
