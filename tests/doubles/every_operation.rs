//! A replica at work while each operation of its store fails in turn: nothing that was acknowledged
//! is lost, nothing is there twice, nobody panics or waits for ever, and the store is named.

use std::collections::BTreeMap;
use std::error::Error;

use anabranch::engine::Filter;
use anabranch::event::EventId;
use anabranch::store::{EventStore, StoreError};
use anabranch::testing::doubles::{FaultyStore, Made, Operation, StoreFault, StoreFaults, When};
use anabranch::{Draft, Durability, MemoryStore, Replica};
use futures::{FutureExt, StreamExt};

use super::world::{clock, note, over, rules, soon};

/// A place in which stores are opened one after the other.
trait Disk {
    type Store: EventStore;
    /// How what was not fsynced is lost, where that can be done.
    const POWER: Option<fn(&Self::Store)>;
    fn open(&self) -> Result<Self::Store, StoreError>;
}

impl Disk for MemoryStore {
    type Store = Self;
    const POWER: Option<fn(&Self)> = Some(Self::power_loss);
    fn open(&self) -> Result<Self, StoreError> {
        Ok(self.clone())
    }
}

#[cfg(feature = "fjall")]
struct Folder(tempfile::TempDir);

#[cfg(feature = "fjall")]
impl Folder {
    /// In memory, where there is such a thing: hundreds of stores are opened.
    fn new() -> Self {
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        Self(folder.unwrap())
    }
}

#[cfg(feature = "fjall")]
impl Disk for Folder {
    type Store = anabranch::FjallStore;
    const POWER: Option<fn(&Self::Store)> = None;
    fn open(&self) -> Result<Self::Store, StoreError> {
        anabranch::FjallStore::open(self.0.path().join("store"))
    }
}

/// What happened to the user of one replica.
#[derive(Default)]
struct User {
    written: u32,
    acknowledged: Vec<EventId>,
    /// Buffered writes that nothing durable has covered yet.
    buffered: Vec<EventId>,
    errors: Vec<String>,
}

impl User {
    fn failed(&mut self, error: &dyn Error) {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        self.errors.push(text);
    }

    fn take<T, E: Error>(&mut self, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.failed(&error)).ok()
    }

    /// Each text is written once, so that what is there twice can be seen.
    fn next(&mut self, name: &str) -> Draft {
        self.written += 1;
        note(name, &format!("text {}", self.written))
    }

    async fn write(&mut self, replica: &Replica, name: &str, durability: Durability) {
        let draft = self.next(name);
        let recorded = replica.record_with(draft, durability).await;
        let Some(recorded) = self.take(recorded) else {
            return;
        };
        match durability {
            Durability::Durable => {
                self.acknowledged.append(&mut self.buffered);
                self.acknowledged.extend(recorded.events());
            }
            Durability::Buffered => self.buffered.extend(recorded.events()),
        }
    }

    async fn read(&mut self, replica: &Replica) {
        for name in ["note/1", "note/2", "note/3"] {
            let state = replica.present(name).await;
            self.take(state);
            let history = replica.history(name).await;
            self.take(history);
        }
        let names = replica.aggregates("note", None, 10).await;
        self.take(names);
        let mut tail = replica.tail_so_far(Filter::all(), None).unwrap();
        while let Some(event) = tail.next().await {
            self.take(event);
        }
        replica.health().await;
        let verified = replica.verify(|_| {}).await;
        self.take(verified);
    }

    /// One life of the process: it opens, writes, syncs, reads, watches and closes.
    async fn live(&mut self, store: impl EventStore, peer: &Replica, seed: u64) {
        let builder = Replica::builder(store).registry(rules());
        let opened = builder.environment(clock(seed)).open().await;
        let Some(replica) = self.take(opened) else {
            return;
        };
        let mut watch = replica.watch(Filter::all());
        self.read(&replica).await;
        self.write(&replica, "note/1", Durability::Durable).await;
        self.write(&replica, "note/2", Durability::Buffered).await;
        let both = vec![self.next("note/1"), self.next("note/2")];
        let recorded = replica.record_all(both).await;
        if let Some(recorded) = self.take(recorded) {
            self.acknowledged.append(&mut self.buffered);
            self.acknowledged.extend(recorded.events());
        }
        for _ in 0..2 {
            let report = replica.sync(peer).await;
            self.take(report);
            self.write(&replica, "note/3", Durability::Buffered).await;
            let flushed = replica.flush().await;
            if self.take(flushed).is_some() {
                self.acknowledged.append(&mut self.buffered);
            }
        }
        // Brought by hand as well, as from a file: everything in it is here already.
        let commits: Vec<_> = peer.commits().map(Result::unwrap).collect().await;
        let ingested = replica.ingest(commits).await;
        self.take(ingested);
        while let Some(Some(_)) = watch.next().now_or_never() {}
        self.read(&replica).await;
        let closed = replica.close().await;
        if self.take(closed).is_some() {
            self.acknowledged.append(&mut self.buffered);
        }
    }
}

/// Two lives with a script, then one without, in which everything must be as it was said to be.
async fn story<D: Disk>(disk: &D, faults: &StoreFaults) -> User {
    let peer = over(MemoryStore::new()).await;
    for number in 0..3 {
        let draft = note("note/1", &format!("of the peer {number}"));
        peer.record(draft).await.unwrap();
    }
    let mut user = User::default();
    for life in 1..=2 {
        match open_when_free(disk).await {
            Ok(store) => {
                let mut store = FaultyStore::new(store, faults.clone());
                if let Some(power_loss) = D::POWER {
                    store = store.with_power(power_loss);
                }
                user.live(store, &peer, life).await;
            }
            Err(error) => user.failed(&error),
        }
        if faults.made().iter().any(Made::is_power_loss) {
            // The next life begins when the power is back, and knows nothing of what was not fsynced.
            faults.clear();
            user.buffered.clear();
        }
    }
    faults.clear();
    let replica = over(open_when_free(disk).await.unwrap()).await;
    replica.sync(&peer).await.unwrap();
    for replica in [&replica, &peer] {
        check(&user, replica).await;
    }
    for name in ["note/1", "note/2", "note/3"] {
        let digests = [replica.digest(name).await, peer.digest(name).await];
        assert_eq!(digests[0].as_ref().unwrap(), digests[1].as_ref().unwrap());
    }
    replica.close().await.unwrap();
    user
}

/// A life ends with its runtime; here the lives share one, and the tasks of the last may still be
/// waiting for an answer of the store's threads.
async fn open_when_free<D: Disk>(disk: &D) -> Result<D::Store, StoreError> {
    loop {
        match disk.open() {
            Err(StoreError::Locked { .. }) => tokio::task::yield_now().await,
            opened => return opened,
        }
    }
}

async fn check(user: &User, replica: &Replica) {
    let tail = replica.tail_so_far(Filter::all(), None).unwrap();
    let events: Vec<_> = tail.map(|event| event.unwrap().event).collect().await;
    let mut texts = BTreeMap::<String, u32>::new();
    for event in &events {
        *texts.entry(event.payload().decode().unwrap()).or_default() += 1;
    }
    assert!(texts.values().all(|times| *times == 1), "twice: {texts:?}");
    let theirs = texts.keys().filter(|text| text.starts_with("of the peer"));
    assert_eq!(theirs.count(), 3);
    for id in &user.acknowledged {
        let there = events.iter().any(|event| event.id() == *id);
        assert!(there, "{id} was acknowledged and is gone");
    }
}

/// One story in which the operations that are meant fail. Says which was the first, if one was.
async fn run<D: Disk>(disk: &D, when: When, fault: StoreFault) -> Option<(Operation, bool)> {
    let faults = StoreFaults::new();
    faults.put(when, fault);
    let user = soon(story(disk, &faults)).await;
    for error in &user.errors {
        assert!(error.contains("store"), "{when:?} {fault:?}: {error}");
    }
    let made = faults.made();
    let hit = made.iter().find(|made| made.fault.is_some())?.operation;
    // `Replica::health` reads the log, and works while the store fails.
    let was_told = !user.errors.is_empty();
    assert!(
        was_told || hit == Operation::Since,
        "{hit:?} {when:?} {fault:?}: nobody was told"
    );
    Some((hit, was_told))
}

async fn sweep<D: Disk>(name: &str, new_disk: impl Fn() -> D) {
    let user = soon(story(&new_disk(), &StoreFaults::new())).await;
    assert!(user.errors.is_empty(), "{:?}", user.errors);
    assert_eq!(user.acknowledged.len(), 12);
    let (mut runs, mut told, mut points) = (0, 0, 0);
    for point in 1.. {
        let once = run(&new_disk(), When::Nth(point), StoreFault::FailBefore).await;
        let Some((operation, _)) = once else {
            break;
        };
        points += 1;
        let mut outcomes = vec![once];
        // A read that fails after it was done is one that failed.
        let faults = [StoreFault::FailBefore, StoreFault::FailAfter];
        for fault in &faults[..=usize::from(operation.writes())] {
            outcomes.push(run(&new_disk(), When::From(point), *fault).await);
        }
        if operation.writes() {
            outcomes.push(run(&new_disk(), When::Nth(point), StoreFault::FailAfter).await);
        }
        if D::POWER.is_some() {
            for fault in [StoreFault::PowerLossBefore, StoreFault::PowerLossAfter] {
                outcomes.push(run(&new_disk(), When::Nth(point), fault).await);
            }
        }
        runs += outcomes.len();
        let was_told = |outcome: &Option<_>| outcome.is_some_and(|(_, was_told)| was_told);
        told += outcomes.into_iter().filter(was_told).count();
    }
    println!("{name}: each of {points} operations failed in turn: {runs} runs, {told} told of it");
    assert!(points > 50, "a story of {points} operations tells little");
}

#[tokio::test]
async fn whichever_operation_of_a_store_in_memory_fails_nothing_acknowledged_is_lost() {
    sweep("memory", MemoryStore::new).await;
}

#[cfg(feature = "fjall")]
#[tokio::test]
async fn whichever_operation_of_a_store_on_disk_fails_nothing_acknowledged_is_lost() {
    sweep("fjall", Folder::new).await;
}
