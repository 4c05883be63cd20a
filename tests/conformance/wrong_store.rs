//! A store as somebody might write it over a database who had not read the trait: right but for one
//! mistake.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use anabranch::event::{AggregateId, Chain, EventId};
use anabranch::log::{Durability, EntryKind, Epoch, Epochs, Group, IdRange, Known, Opening, Page};
use anabranch::store::{
    Compacted, EventStore, History, HistoryFrom, MemoryStore, ReadLimit, StoreError,
};
use anabranch::testing::conformance::store::StoreGuard;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};

use super::planted::Sin;

const ALL: ReadLimit = ReadLimit {
    entries: usize::MAX,
    bytes: usize::MAX,
};

/// What outlives a handle, beside the memory.
#[derive(Default)]
struct Shared {
    refused: u64,
    folds: BTreeMap<AggregateId, Bytes>,
    volatile: Vec<Epoch>,
    lost: Vec<Epoch>,
    claimed: BTreeMap<u64, Option<Chain>>,
    position: u64,
    previous_end: u64,
    end: u64,
    begun: Vec<Epoch>,
}

pub(super) struct WrongPlace {
    memory: MemoryStore,
    shared: Arc<Mutex<Shared>>,
    sin: Sin,
}

pub(super) struct WrongStore {
    inner: MemoryStore,
    shared: Arc<Mutex<Shared>>,
    sin: Sin,
}

impl WrongPlace {
    pub(super) fn with(memory: MemoryStore, sin: Sin) -> (Self, WrongStore) {
        let place = Self {
            memory,
            shared: Arc::default(),
            sin,
        };
        let store = place.reopen().unwrap();
        (place, store)
    }
}

impl StoreGuard for WrongPlace {
    type Store = WrongStore;

    fn reopen(&self) -> Result<WrongStore, StoreError> {
        Ok(WrongStore {
            inner: self.memory.clone(),
            shared: self.shared.clone(),
            sin: self.sin,
        })
    }

    fn lose_power(&self, store: WrongStore) {
        let mut shared = store.shared();
        let volatile = std::mem::take(&mut shared.volatile);
        shared.lost.extend(volatile);
        drop(shared);
        store.inner.power_loss();
    }
}

fn now<T>(future: BoxFuture<'_, T>) -> T {
    future.now_or_never().unwrap()
}

/// Long enough for another thread to come between.
fn dawdle() {
    thread::park_timeout(Duration::from_micros(300));
}

impl WrongStore {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap()
    }

    fn is(&self, sin: Sin) -> bool {
        self.sin == sin
    }

    fn spoil(&self, group: &mut Group) {
        let mut shared = self.shared();
        match self.sin {
            Sin::NeverFsyncs => group.durability = Durability::Buffered,
            Sin::KeepsRemovedNotes => group.notes.retain(|note| note.value.is_some()),
            Sin::TakesEmptyForAbsent => {
                for note in &mut group.notes {
                    note.value = note.value.take().filter(|value| !value.is_empty());
                }
            }
            Sin::EndsKeysAtNul => {
                for note in &mut group.notes {
                    let end = note.key.iter().skip(1).position(|byte| *byte == 0);
                    note.key.truncate(end.map_or(usize::MAX, |end| end + 1));
                }
            }
            Sin::CutsBlobs => {
                for state in &mut group.states {
                    state.bytes.truncate(1 << 20);
                }
            }
            Sin::ForgetsTheSender => {
                for entry in &mut group.entries {
                    entry.from = None;
                }
            }
            Sin::KeepsFoldsApart => {
                for state in &group.states {
                    let bytes = state.bytes.clone();
                    shared.folds.insert(state.aggregate.clone(), bytes);
                }
            }
            Sin::BelievesChains => {
                let claims = group.entries.iter().map(|entry| entry.chain_before);
                let claims: Vec<_> = (shared.end..).zip(claims).collect();
                shared.claimed.extend(claims);
            }
            _ => {}
        }
        if group.durability == Durability::Durable && !group.entries.is_empty() {
            shared.volatile.clear();
        }
    }

    fn write(&self, mut group: Group) -> Result<u64, StoreError> {
        self.spoil(&mut group);
        if self.is(Sin::ShowsHalfAGroup) && group.entries.len() > 1 {
            let rest = group.entries.split_off(group.entries.len() / 2);
            let first = Group {
                entries: std::mem::take(&mut group.entries),
                ..Group::default()
            };
            now(self.inner.append(first))?;
            dawdle();
            group.entries = rest;
        }
        let mut result = now(self.inner.append(group.clone()));
        if self.is(Sin::WritesWithoutARight) && matches!(result, Err(StoreError::Closed)) {
            now(self.inner.begin(Epoch::from_bits(0)))?;
            result = now(self.inner.append(group));
        }
        let mut shared = self.shared();
        if matches!(result, Err(StoreError::BadGroup { .. })) {
            shared.refused += 1;
            if self.is(Sin::IgnoresDuplicates) {
                return Ok(shared.end);
            }
        }
        if let Ok(end) = &mut result {
            shared.previous_end = shared.end;
            shared.end = *end;
            if self.is(Sin::LeavesHoles) {
                *end += shared.refused;
            }
        }
        result
    }

    fn page(&self, mut page: Page) -> Page {
        let shared = self.shared();
        match self.sin {
            Sin::BelievesChains => {
                for (position, entry) in &mut page.entries {
                    if let Some(Some(claim)) = shared.claimed.get(position) {
                        entry.chain_before = Some(*claim);
                    }
                }
            }
            Sin::ReadsAnOldSnapshot => {
                let end = shared.previous_end;
                page.entries.retain(|(position, _)| *position < end);
                page.next = page.next.min(end);
            }
            _ => {}
        }
        page
    }

    fn opened(&self, epoch: Epoch, mut opening: Opening) -> Opening {
        let mut shared = self.shared();
        shared.volatile.push(epoch);
        shared.begun.push(epoch);
        shared.end = opening.end;
        match self.sin {
            Sin::ForgetsWaitingAtASecondBegin if shared.begun.len() > 1 => {
                opening.waiting.clear();
            }
            Sin::LosesOpenings => {
                let listed = opening.epochs.iter();
                let kept = listed.filter(|(epoch, _)| !shared.lost.contains(epoch));
                opening.epochs = Epochs::from_list(kept.collect());
            }
            Sin::IsAlwaysClean => opening.clean = true,
            Sin::SortsWaitingByName => opening.waiting.sort_by_key(|entry| entry.commit.id()),
            _ => {}
        }
        opening
    }

    fn history_of(&self, mut name: AggregateId, from: HistoryFrom) -> History {
        if self.is(Sin::TrimsNames) {
            name = AggregateId::new(name.as_str().trim_end()).unwrap();
        }
        let mut history = now(self.inner.history(name.clone(), from)).unwrap();
        let is_fold = from == HistoryFrom::Fold;
        match self.sin {
            Sin::ReadsFoldAfterEntries if is_fold => {
                dawdle();
                history.fold = now(self.inner.history(name, from)).unwrap().fold;
            }
            Sin::KeepsFoldsApart if is_fold => {
                history.fold = self.shared().folds.get(&name).cloned().or(history.fold);
            }
            Sin::ShowsWhatWaits if !is_fold => {
                let log = now(self.inner.since(0, ALL)).unwrap().entries;
                let touches = |(_, entry): &(u64, anabranch::log::Entry)| {
                    let mut events = entry.commit.events().iter();
                    entry.kind != EntryKind::Released && events.any(|e| *e.aggregate() == name)
                };
                history.entries = log.into_iter().filter(touches).collect();
            }
            _ => {}
        }
        history
    }
}

impl EventStore for WrongStore {
    fn begin(&self, epoch: Epoch) -> BoxFuture<'_, Result<Opening, StoreError>> {
        let opening = now(self.inner.begin(epoch));
        ready(opening.map(|opening| self.opened(epoch, opening))).boxed()
    }

    fn append(&self, mut group: Group) -> BoxFuture<'_, Result<u64, StoreError>> {
        if !self.is(Sin::StopsHalfWay) || group.entries.len() < 2 {
            return ready(self.write(group)).boxed();
        }
        let rest = group.entries.split_off(group.entries.len() / 2);
        async move {
            self.write(group)?;
            // The connection yields here, and a caller who has gone away does not come back.
            let mut yielded = false;
            std::future::poll_fn(|cx| {
                if std::mem::replace(&mut yielded, true) {
                    return std::task::Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                std::task::Poll::Pending
            })
            .await;
            self.write(Group {
                entries: rest,
                ..Group::default()
            })
        }
        .boxed()
    }

    fn since(
        &self,
        mut position: u64,
        mut limit: ReadLimit,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        if self.is(Sin::SharesAStatement) {
            self.shared().position = position;
            dawdle();
            position = self.shared().position;
        }
        if self.is(Sin::CountsNoBytes) {
            limit.bytes = usize::MAX;
        }
        let mut page = now(self.inner.since(position, limit)).unwrap();
        let size = page.entries.iter().map(|(_, entry)| entry.commit.bytes());
        if self.is(Sin::GivesEmptyPages) && size.sum::<usize>() > limit.bytes {
            page.entries.pop();
            page.next -= 1;
        }
        ready(Ok(self.page(page))).boxed()
    }

    fn at(&self, positions: Vec<u64>, limit: ReadLimit) -> BoxFuture<'_, Result<Page, StoreError>> {
        let page = now(self.inner.at(positions, limit));
        ready(page.map(|page| self.page(page))).boxed()
    }

    fn locate(&self, ranges: Vec<IdRange>) -> BoxFuture<'_, Result<Vec<u64>, StoreError>> {
        if self.is(Sin::LocatesRangeByRange) {
            let each = ranges
                .into_iter()
                .map(|range| self.inner.locate(vec![range]));
            let found = each.flat_map(|found| now(found).unwrap());
            return ready(Ok(found.collect())).boxed();
        }
        self.inner.locate(ranges)
    }

    fn known(
        &self,
        mut ids: Vec<EventId>,
    ) -> BoxFuture<'_, Result<Vec<Option<Known>>, StoreError>> {
        match self.sin {
            Sin::AnswersInTheOrderOfIds => ids.sort_unstable(),
            Sin::BindsFewParameters if ids.len() > 999 => {
                let io = StoreError::Io {
                    action: "read what is known".into(),
                    reason: "too many SQL variables".into(),
                };
                return ready(Err(io)).boxed();
            }
            Sin::HasSignedColumns => {
                let fits = ids.iter().map(|id| i64::try_from(id.seq.get()).is_ok());
                let fits: Vec<_> = fits.collect();
                let known = now(self.inner.known(ids)).unwrap().into_iter().zip(fits);
                let known = known.map(|(known, fits)| known.filter(|_| fits)).collect();
                return ready(Ok(known)).boxed();
            }
            _ => {}
        }
        self.inner.known(ids)
    }

    fn history(
        &self,
        aggregate: AggregateId,
        from: HistoryFrom,
    ) -> BoxFuture<'_, Result<History, StoreError>> {
        ready(Ok(self.history_of(aggregate, from))).boxed()
    }

    fn aggregates(
        &self,
        prefix: String,
        after: Option<AggregateId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<AggregateId>, StoreError>> {
        if self.is(Sin::ComparesTextPrefixes) {
            let names = now(self.inner.aggregates(String::new(), after, usize::MAX)).unwrap();
            let under = names
                .into_iter()
                .filter(|name| name.as_str().starts_with(&prefix));
            return ready(Ok(under.take(limit).collect())).boxed();
        }
        let names = now(self.inner.aggregates(prefix, after, limit));
        let names = names.map(|mut names| {
            if self.is(Sin::IgnoresCase) {
                names.dedup_by_key(|name| name.as_str().to_lowercase());
                let mut seen = std::collections::BTreeSet::new();
                names.retain(|name| seen.insert(name.as_str().to_lowercase()));
            }
            names
        });
        ready(names).boxed()
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        if self.is(Sin::FlushesNothing) {
            return ready(Ok(())).boxed();
        }
        self.inner.flush()
    }

    fn compact(&self) -> BoxFuture<'_, Result<Compacted, StoreError>> {
        if self.is(Sin::CompactsNotesAway) {
            let notes = (0..3_u8).map(|key| anabranch::log::Note {
                key: vec![key],
                value: None,
            });
            let group = Group {
                notes: notes.collect(),
                ..Group::default()
            };
            now(self.inner.append(group)).unwrap();
        }
        self.inner.compact()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        if self.is(Sin::ClosesOnce) && now(self.inner.flush()).is_err() {
            return ready(Err(StoreError::Closed)).boxed();
        }
        self.inner.close()
    }
}
