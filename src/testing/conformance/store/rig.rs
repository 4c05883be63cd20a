use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::string::String;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;
use std::vec::Vec;

use super::StoreGuard;
use super::model::Model;
use crate::event::{AggregateId, EventId, ReplicaId, Seq};
use crate::limits::{ANSWER_MS, EPOCHS_MAX};
use crate::log::{Durability, Entry, EntryKind, Epoch, Group, IdRange, Opening};
use crate::store::verify::by_reading;
use crate::store::{EventStore, HistoryFrom, Inspection, ReadLimit, StoreError};

/// A store, the list it is compared with, and where it lives.
pub(super) struct Rig<G: StoreGuard> {
    pub(super) store: Option<G::Store>,
    pub(super) guard: G,
    pub(super) model: Model,
    pub(super) opening: Opening,
    epochs: u64,
}

pub(super) const ALL: ReadLimit = ReadLimit {
    entries: usize::MAX,
    bytes: usize::MAX,
};

impl<G: StoreGuard> Rig<G> {
    /// An empty store that was begun.
    pub(super) fn new(make: &impl Fn() -> (G, G::Store)) -> Self {
        let (guard, store) = make();
        let mut rig = Self {
            store: Some(store),
            guard,
            model: Model::default(),
            opening: Opening::default(),
            epochs: 0,
        };
        rig.begin();
        rig.check_opening();
        rig
    }

    pub(super) fn store(&self) -> &G::Store {
        self.store.as_ref().unwrap()
    }

    /// Opens and begins, and checks what the opening tells.
    pub(super) fn open(&mut self) {
        self.open_unbegun();
        self.begin();
        self.check_opening();
    }

    pub(super) fn open_unbegun(&mut self) {
        self.store = Some(self.guard.reopen().unwrap());
    }

    pub(super) fn begin(&mut self) {
        self.epochs += 1;
        self.begin_as(Epoch::from_bits(self.epochs));
    }

    pub(super) fn begin_as(&mut self, epoch: Epoch) {
        self.opening = block_on(self.store().begin(epoch)).unwrap();
        self.model.epochs.push((epoch, self.opening.end));
        let surplus = self.model.epochs.len().saturating_sub(EPOCHS_MAX);
        self.model.epochs.drain(..surplus);
    }

    pub(super) fn check_opening(&self) {
        let opening = &self.opening;
        assert_eq!(opening.end, self.model.end());
        assert_eq!(opening.epochs.iter().collect::<Vec<_>>(), self.model.epochs);
        let waiting: Vec<_> = self.model.waiting().into_iter().cloned().collect();
        assert_eq!(opening.waiting, waiting);
        let notes: Vec<_> = self.model.notes.clone().into_iter().collect();
        assert_eq!(opening.notes, notes);
        self.model.check_received(&opening.received);
    }

    pub(super) fn close(&mut self) {
        block_on(self.store().close()).unwrap();
        self.store = None;
    }

    /// Closes, opens again, and compares everything.
    pub(super) fn reopen(&mut self) {
        self.close();
        self.open();
        self.check();
    }

    pub(super) fn append(&mut self, group: Group) {
        self.model.append(&group);
        let end = block_on(self.store().append(group)).unwrap();
        assert_eq!(end, self.model.end());
    }

    pub(super) fn append_all(&mut self, entries: impl IntoIterator<Item = Entry>) {
        self.append(Group {
            entries: entries.into_iter().collect(),
            ..Group::default()
        });
    }

    pub(super) fn buffer(&mut self, entries: impl IntoIterator<Item = Entry>) {
        let entries = entries.into_iter().collect();
        let durability = Durability::Buffered;
        self.append(Group {
            entries,
            durability,
            ..Group::default()
        });
    }

    /// Demands that a group is refused for a rule, and that nothing of it is there.
    pub(super) fn refuse(&self, group: Group) {
        let refused = block_on(self.store().append(group));
        assert!(
            matches!(refused, Err(StoreError::BadGroup { .. })),
            "{refused:?}"
        );
        self.check();
    }

    pub(super) fn lose_power(&mut self) {
        let store = self.store.take().unwrap();
        self.guard.lose_power(store);
    }

    /// Compares every read with the list.
    pub(super) fn check(&self) {
        self.check_log();
        self.check_ids();
        self.check_aggregates();
        self.check_itself();
    }

    /// A store that holds what the list holds finds nothing wrong with itself, and counts right.
    fn check_itself(&self) {
        let report = block_on(self.store().verify(Inspection::new())).unwrap();
        assert_eq!(report.faults, []);
        let arrived = || {
            let entries = self.model.entries().map(|(_, entry)| entry);
            let arrived = entries.filter(|entry| entry.kind != EntryKind::Released);
            arrived.map(|entry| &entry.commit)
        };
        let events: u64 = arrived().map(|commit| commit.events().len() as u64).sum();
        let bytes: u64 = arrived().map(|commit| commit.bytes() as u64).sum();
        let counts = (report.entries, report.events, report.bytes);
        assert_eq!(counts, (self.model.end(), events, bytes));
        let by_reading = by_reading(self.store(), Inspection::new());
        assert_eq!(block_on(by_reading).unwrap(), report);
    }

    fn check_log(&self) {
        let wanted: Vec<_> = self
            .model
            .entries()
            .map(|(at, entry)| (at, entry.clone()))
            .collect();
        for limit in [
            ALL,
            ReadLimit {
                entries: 3,
                bytes: usize::MAX,
            },
        ] {
            let (mut read, mut next) = (Vec::new(), 0);
            loop {
                let page = block_on(self.store().since(next, limit)).unwrap();
                if page.entries.is_empty() {
                    assert_eq!(page.next, next);
                    break;
                }
                assert_eq!(page.entries[0].0, next);
                next = page.next;
                read.extend(page.entries);
            }
            assert_eq!(read, wanted);
        }
        let positions = (0..self.model.end())
            .filter(|at| at % 2 == 0)
            .collect::<Vec<_>>();
        let page = block_on(self.store().at(positions, ALL)).unwrap();
        let even: Vec<_> = wanted.into_iter().filter(|(at, _)| at % 2 == 0).collect();
        assert_eq!(page.entries, even);
    }

    fn check_ids(&self) {
        let mut ids = Vec::new();
        for replica in self.model.replicas() {
            let held: Vec<_> = self.model.digests(replica).into_keys().collect();
            let around = held
                .iter()
                .flat_map(|seq| [seq.previous(), Some(*seq), seq.next()]);
            let asked: BTreeSet<_> = around.flatten().chain([Seq::FIRST]).collect();
            ids.extend(asked.into_iter().map(|seq| EventId::new(replica, seq)));
            for first in held.into_iter().take(6) {
                let range = range(replica, first.get(), first.get().saturating_add(2));
                let inside = |id: EventId| id.replica == replica && range.seqs.contains(&id.seq);
                let wanted = self.model.locate(inside);
                assert_eq!(
                    block_on(self.store().locate(Vec::from([range.clone()]))).unwrap(),
                    wanted
                );
            }
        }
        let known = block_on(self.store().known(ids.clone())).unwrap();
        for (id, known) in ids.iter().zip(&known) {
            assert_eq!(*known, self.model.known(*id), "what is known of {id}");
        }
        ids.reverse();
        let backwards = block_on(self.store().known(ids)).unwrap();
        assert!(
            backwards.iter().rev().eq(&known),
            "the order of questions matters"
        );
    }

    fn check_aggregates(&self) {
        let names = self.model.aggregates();
        for name in &names {
            for from in [HistoryFrom::Fold, HistoryFrom::Start] {
                let history = block_on(self.store().history(name.clone(), from)).unwrap();
                let wanted = self.model.history(name, from);
                assert_eq!((history.fold, history.entries), wanted, "history of {name}");
            }
        }
        let prefixes: BTreeSet<_> = names
            .iter()
            .flat_map(|name| prefixes(name.as_str()))
            .collect();
        for prefix in prefixes {
            for limit in [1, 2, usize::MAX] {
                assert_eq!(
                    self.list(prefix, limit),
                    self.under(prefix),
                    "under {prefix:?}"
                );
            }
        }
    }

    /// Lists names in pages.
    pub(super) fn list(&self, prefix: &str, limit: usize) -> Vec<AggregateId> {
        let (mut names, mut after) = (Vec::new(), None);
        loop {
            let listed = self
                .store()
                .aggregates(String::from(prefix), after.clone(), limit);
            let page = block_on(listed).unwrap();
            assert!(page.len() <= limit);
            let Some(last) = page.last() else {
                return names;
            };
            after = Some(last.clone());
            names.extend(page);
        }
    }

    pub(super) fn under(&self, prefix: &str) -> Vec<AggregateId> {
        self.model
            .aggregates()
            .into_iter()
            .filter(|name| name.is_under(prefix))
            .collect()
    }
}

pub(super) fn range(replica: ReplicaId, first: u64, last: u64) -> IdRange {
    IdRange {
        replica,
        seqs: Seq::new(first).unwrap()..=Seq::new(last).unwrap(),
    }
}

fn prefixes(name: &str) -> impl Iterator<Item = &str> {
    let ends = name
        .match_indices('/')
        .map(|(at, _)| at)
        .chain([0, name.len()]);
    ends.map(|end| &name[..end])
}

/// Polls a future to its end on this thread.
///
/// # Panics
/// When nothing happens for as long as an answer may take: a hang is a failure.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let unpark = Arc::new(Unpark {
        thread: thread::current(),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&unpark));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => unpark.wait(),
        }
    }
}

struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Unpark {
    fn wait(&self) {
        // A thread may be unparked for no reason, so the flag says whether it was.
        for _ in 0..30 {
            if self.woken.swap(false, Ordering::AcqRel) {
                return;
            }
            thread::park_timeout(Duration::from_millis(ANSWER_MS / 30));
        }
        assert!(self.woken.swap(false, Ordering::AcqRel), "the store hangs");
    }
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}
