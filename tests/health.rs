//! What a replica says of its health and of how far its peers are.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::indexing_slicing,
    reason = "so does an index that is not there"
)]

use std::collections::{BTreeMap, BTreeSet};

use anabranch::clock::Now;
use anabranch::engine::{Gap, Health, PeerLag};
use anabranch::event::{Commit, Draft, EventId, ReplicaId};
use anabranch::merge::Unresolved;
use anabranch::replica::environment::{Environment, OperatingSystem};
use anabranch::replica::{Replica, SyncOptions};
use anabranch::resolver::{FoldFn, LastWriteWins, Registry};
use anabranch::store::MemoryStore;
use anabranch::transport::in_process::InProcess;
use futures::StreamExt;
use proptest::prelude::*;

fn registry() -> Registry {
    let apply = |state: &mut u64, text: &String, _: &anabranch::resolver::Context<'_, String>| {
        assert!(text != "boom" || *state > 0, "this rule panics");
        *state += 1;
    };
    let bomb = FoldFn::new("bomb", 1, |_| 0, apply);
    let registry = Registry::new().with("note", LastWriteWins).unwrap();
    registry.with("bomb", bomb).unwrap()
}

/// An environment whose wall clock is ahead.
struct Ahead(OperatingSystem, u64);

impl Environment for Ahead {
    fn now(&self) -> Now {
        let now = self.0.now();
        let wall_ms = now.wall_ms + self.1;
        Now { wall_ms, ..now }
    }

    fn entropy(&self) -> u64 {
        self.0.entropy()
    }
}

async fn open(store: &MemoryStore) -> Replica {
    let builder = Replica::builder(store.clone()).registry(registry());
    builder.open().await.unwrap()
}

async fn replica() -> Replica {
    open(&MemoryStore::new()).await
}

async fn record(replica: &Replica, aggregate: &str) -> EventId {
    let draft = Draft::new(aggregate, "written", "text").unwrap();
    replica.record(draft).await.unwrap().commit
}

async fn commits(replica: &Replica) -> Vec<Commit> {
    replica.commits().map(Result::unwrap).collect().await
}

/// Every event of a gap, by itself.
fn events(gap: &Gap) -> BTreeSet<EventId> {
    let mut events = BTreeSet::new();
    for range in &gap.ranges {
        let mut next = Some(*range.seqs.start());
        while let Some(seq) = next.filter(|seq| range.seqs.contains(seq)) {
            events.insert(EventId::new(range.replica, seq));
            next = seq.next();
        }
    }
    assert_eq!(gap.events, u64::try_from(events.len()).unwrap());
    assert_eq!(gap.more_ranges, 0);
    events
}

fn lag_of(health: &Health, peer: ReplicaId) -> PeerLag {
    health
        .peers
        .iter()
        .find(|lag| lag.peer == peer)
        .unwrap()
        .clone()
}

#[tokio::test]
async fn a_replica_that_has_met_nobody_is_well() {
    let a = replica().await;
    record(&a, "note/1").await;
    let health = a.health().await;
    assert!(health.is_well());
    assert_eq!((health.replica, health.peers), (a.id(), vec![]));
}

#[tokio::test]
async fn commits_that_wait_are_named_with_what_they_wait_for() {
    let (a, b) = (replica().await, replica().await);
    let first = record(&a, "note/1").await;
    let second = record(&a, "note/1").await;
    let mut late = commits(&a).await;
    let early = late.remove(0);
    b.ingest(late).await.unwrap();
    let health = b.health().await;
    assert!(!health.is_well());
    assert_eq!(health.waiting, 1);
    assert_eq!(health.waiting_commits[0].commit, second);
    assert_eq!(health.waiting_commits[0].missing, [first]);
    b.ingest(vec![early]).await.unwrap();
    assert!(b.health().await.is_well());
}

#[tokio::test]
async fn aggregates_without_a_state_are_named_until_they_have_one() {
    let plain = Replica::builder(MemoryStore::new());
    let (a, b) = (plain.open().await.unwrap(), replica().await);
    // They know another rule for it, so that they write what this one panics at.
    let mut writers = Vec::new();
    for ahead_ms in [0, 1_000] {
        let anything = Registry::new().with_default(LastWriteWins);
        let builder = Replica::builder(MemoryStore::new()).registry(anything);
        let builder = builder.environment(Ahead(OperatingSystem::new(), ahead_ms));
        writers.push(builder.open().await.unwrap());
    }
    record(&writers[0], "bomb/1").await;
    record(&writers[0], "note/1").await;
    let boom = Draft::new("bomb/1", "written", "boom").unwrap();
    writers[1].record(boom).await.unwrap();

    a.ingest(commits(&writers[0]).await).await.unwrap();
    assert!(a.health().await.is_well(), "nobody has looked yet");
    a.state::<String>("note/1").await.unwrap_err();
    let [(name, why)] = &a.health().await.unresolved[..] else {
        panic!("one aggregate was looked at");
    };
    assert_eq!((name.as_str(), why), ("note/1", &Unresolved::NoResolver));

    b.ingest(commits(&writers[1]).await).await.unwrap();
    b.state::<u64>("bomb/1").await.unwrap_err();
    let health = b.health().await;
    let [(name, why)] = &health.unresolved[..] else {
        panic!("{:?}", health.unresolved);
    };
    assert_eq!(name.as_str(), "bomb/1");
    assert!(matches!(why, Unresolved::Panicked { .. }), "{why}");
    assert!(!health.more_unresolved && !health.is_well());
    // With what was written before it the rule does not panic.
    b.ingest(commits(&writers[0]).await).await.unwrap();
    assert_eq!(b.state::<u64>("bomb/1").await.unwrap(), Some(2));
    assert!(b.health().await.is_well());
}

#[tokio::test]
async fn commits_of_another_branch_are_named_after_the_connection_has_ended() {
    let (hub, store) = (replica().await, MemoryStore::new());
    let a = open(&store).await;
    record(&a, "note/1").await;
    a.sync(&hub).await.unwrap();
    let backup = store.copy();
    let second = record(&a, "note/1").await;
    a.sync(&hub).await.unwrap();
    a.close().await.unwrap();
    let restored = open(&backup).await;
    let draft = Draft::new("note/1", "written", "another second").unwrap();
    restored.record(draft).await.unwrap();
    restored.sync(&hub).await.unwrap();
    let health = restored.health().await;
    assert_eq!(health.forked, [second]);
    assert!(!health.is_well());
}

#[tokio::test]
async fn what_a_peer_has_not_acknowledged_is_told_exactly_and_outlives_the_process() {
    let store = MemoryStore::new();
    let (a, b) = (open(&store).await, replica().await);
    for _ in 0..3 {
        record(&a, "note/1").await;
    }
    record(&b, "note/1").await;
    a.sync(&b).await.unwrap();
    let health = a.health().await;
    let lag = lag_of(&health, b.id());
    assert_eq!((lag.is_connected, lag.is_live), (false, false));
    assert!(lag.behind.is_empty() && lag.ahead.unwrap().is_empty());
    // What came from the peer itself stands behind what it has acknowledged.
    assert_eq!(lag.unacknowledged, Some(1));
    let new = [record(&a, "note/1").await, record(&a, "note/2").await];
    let lag = lag_of(&a.health().await, b.id());
    assert_eq!(events(&lag.ahead.unwrap()), new.into());
    assert_eq!(lag.unacknowledged, Some(3));
    a.close().await.unwrap();
    let a = open(&store).await;
    let lag = lag_of(&a.health().await, b.id());
    assert_eq!(events(&lag.ahead.unwrap()), new.into());
    assert!(a.health().await.is_well(), "being ahead is no ailment");
}

#[tokio::test]
async fn a_commit_that_was_passed_on_while_it_waited_is_not_lacking_once_it_is_ready() {
    let (writer, a, b) = (replica().await, replica().await, replica().await);
    record(&writer, "note/1").await;
    record(&writer, "note/1").await;
    let mut second = commits(&writer).await;
    let first = second.remove(0);
    a.ingest(second).await.unwrap();
    a.sync(&b).await.unwrap();
    a.ingest(vec![first.clone()]).await.unwrap();
    let health = a.health().await;
    assert_eq!(health.waiting, 0);
    let lag = lag_of(&health, b.id());
    assert_eq!(events(&lag.ahead.unwrap()), [first.id()].into());
}

#[tokio::test]
async fn what_a_peer_has_withdrawn_is_not_waited_for() {
    let hub = replica().await;
    let builder = Replica::builder(MemoryStore::new()).registry(registry());
    let builder = builder.environment(Ahead(OperatingSystem::new(), 120_000));
    let a = builder.open().await.unwrap();
    let refused = record(&a, "note/1").await;
    let report = a.sync(&hub).await.unwrap();
    assert_eq!(report.refused[0].commit, refused, "{report}");
    assert_ne!(
        a.id(),
        refused.replica,
        "it was written again under another name"
    );
    let health = hub.health().await;
    assert!(health.peers[0].behind.is_empty(), "{health:?}");
    assert_eq!(health.peers.len(), 1);
}

#[tokio::test]
async fn a_live_connection_shows_as_one() {
    let network = InProcess::new();
    let mut listener = network.listen("b").unwrap();
    let builder = Replica::builder(MemoryStore::new()).registry(registry());
    let (a, b) = (
        builder.transport(network).open().await.unwrap(),
        replica().await,
    );
    record(&b, "note/1").await;
    let mut connection = a.connect("mem://b").unwrap();
    let link = listener.accept().await;
    let serving = tokio::spawn({
        let b = b.clone();
        async move { b.accept(link).await }
    });
    connection.caught_up().await;
    let lag = lag_of(&a.health().await, b.id());
    assert!(lag.is_connected && lag.is_live && lag.behind.is_empty());
    connection.close().await;
    serving.await.unwrap();
    assert!(!lag_of(&a.health().await, b.id()).is_connected);
}

#[tokio::test]
async fn a_peer_that_has_told_all_it_has_is_behind_by_exactly_that() {
    let network = InProcess::new();
    let mut listener = network.listen("b").unwrap();
    let builder = Replica::builder(MemoryStore::new()).registry(registry());
    let a = builder.transport(network).open().await.unwrap();
    let (b, c) = (replica().await, replica().await);
    let mut lacking = BTreeSet::new();
    for replica in [&b, &c, &c] {
        lacking.insert(record(replica, "note/1").await);
    }
    b.sync(&c).await.unwrap();
    // One that only pushes is told what it need not push, and so what there is.
    let mut connection = a.connect_with("mem://b", SyncOptions::push_only()).unwrap();
    let link = listener.accept().await;
    let serving = tokio::spawn({
        let b = b.clone();
        async move { b.accept(link).await }
    });
    connection.caught_up().await;
    let lag = lag_of(&a.health().await, b.id());
    assert_eq!(events(&lag.behind), lacking);
    assert!(lag.is_live);
    connection.close().await;
    serving.await.unwrap();
    let own: BTreeSet<_> = lacking
        .into_iter()
        .filter(|id| id.replica == b.id())
        .collect();
    let lag = lag_of(&a.health().await, b.id());
    assert_eq!(events(&lag.behind), own, "as far as the hello told");
}

/// What happens in one history.
#[derive(Clone, Copy, Debug)]
enum Step {
    Record(usize),
    Sync(usize, usize),
    Push(usize, usize),
    Pull(usize, usize),
    Reopen(usize),
}

const REPLICAS: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    let pair = (0..REPLICAS, 1..REPLICAS).prop_map(|(a, by)| (a, (a + by) % REPLICAS));
    prop_oneof![
        4 => (0..REPLICAS).prop_map(Step::Record),
        2 => pair.clone().prop_map(|(a, b)| Step::Sync(a, b)),
        1 => pair.clone().prop_map(|(a, b)| Step::Push(a, b)),
        1 => pair.prop_map(|(a, b)| Step::Pull(a, b)),
        1 => (0..REPLICAS).prop_map(Step::Reopen),
    ]
}

/// Who has what from whom, and who has said what to whom; kept beside the replicas.
#[derive(Default)]
struct Known {
    /// Events, each with the index of the replica it came from.
    here: [BTreeMap<EventId, Option<usize>>; REPLICAS],
    acked: BTreeMap<(usize, usize), BTreeSet<EventId>>,
    own: BTreeMap<(usize, usize), BTreeSet<EventId>>,
}

impl Known {
    fn all(&self, at: usize) -> BTreeSet<EventId> {
        self.here[at].keys().copied().collect()
    }

    fn meet(&mut self, a: usize, b: usize) {
        for (one, other) in [(a, b), (b, a)] {
            let written = self.here[other].iter().filter(|(_, from)| from.is_none());
            self.own
                .insert((one, other), written.map(|(id, _)| *id).collect());
        }
    }

    fn give(&mut self, from: usize, to: usize) {
        for id in self.all(from) {
            self.here[to].entry(id).or_insert(Some(from));
        }
        self.acked.insert((from, to), self.all(from));
    }

    fn check(&self, at: usize, peer: usize, lag: Option<&PeerLag>) {
        let Some(own) = self.own.get(&(at, peer)) else {
            assert_eq!(lag, None);
            return;
        };
        let lag = lag.unwrap();
        let behind: BTreeSet<_> = own.difference(&self.all(at)).copied().collect();
        assert_eq!(events(&lag.behind), behind);
        let ahead = self.acked.get(&(at, peer)).map(|acked| {
            let here = self.here[at].iter();
            let not_from_peer = here.filter(|(_, from)| **from != Some(peer));
            let ids: BTreeSet<_> = not_from_peer.map(|(id, _)| *id).collect();
            ids.difference(acked).copied().collect::<BTreeSet<_>>()
        });
        assert_eq!(lag.ahead.as_ref().map(events), ahead);
    }
}

async fn run(steps: &[Step]) {
    let stores: Vec<MemoryStore> = (0..REPLICAS).map(|_| MemoryStore::new()).collect();
    let mut replicas = Vec::new();
    for store in &stores {
        replicas.push(open(store).await);
    }
    let mut known = Known::default();
    for step in steps {
        match *step {
            Step::Record(at) => {
                let id = record(&replicas[at], "note/1").await;
                known.here[at].insert(id, None);
            }
            Step::Sync(a, b) => {
                replicas[a].sync(&replicas[b]).await.unwrap();
                known.meet(a, b);
                let (left, right) = (known.all(a), known.all(b));
                known.give(a, b);
                known.give(b, a);
                let both: BTreeSet<_> = left.union(&right).copied().collect();
                assert_eq!(known.all(a), both);
            }
            Step::Push(a, b) => {
                let options = SyncOptions::push_only();
                replicas[a].sync_with(&replicas[b], options).await.unwrap();
                known.meet(a, b);
                known.give(a, b);
            }
            Step::Pull(a, b) => {
                let options = SyncOptions::pull_only();
                replicas[a].sync_with(&replicas[b], options).await.unwrap();
                known.meet(a, b);
                known.give(b, a);
            }
            Step::Reopen(at) => {
                replicas[at].close().await.unwrap();
                replicas[at] = open(&stores[at]).await;
                // What others have said of themselves is told anew at the next meeting.
                for (key, own) in &mut known.own {
                    if key.0 == at {
                        own.clear();
                    }
                }
            }
        }
    }
    for (at, replica) in replicas.iter().enumerate() {
        let health = replica.health().await;
        for peer in (0..REPLICAS).filter(|peer| *peer != at) {
            let id = replicas[peer].id();
            known.check(at, peer, health.peers.iter().find(|lag| lag.peer == id));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn in_any_history_the_gaps_are_what_was_not_exchanged(
        steps in prop::collection::vec(step(), 0..24),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(&steps));
    }
}
