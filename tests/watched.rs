//! What a watch says of how events came in, against a model that looks at every pair.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::indexing_slicing,
    reason = "so does an index that is not there"
)]

use std::collections::{BTreeMap, BTreeSet};

use anabranch::clock::Now;
use anabranch::engine::{Change, Filter};
use anabranch::event::{Commit, Draft, Event, EventId, OrderKey};
use anabranch::replica::environment::{Environment, OperatingSystem};
use anabranch::replica::{Replica, Watch};
use anabranch::resolver::{FieldEdit, FieldMerge, Registry};
use anabranch::store::MemoryStore;
use futures::{FutureExt, StreamExt};
use proptest::prelude::*;

const DOC: &str = "doc/1";

/// An environment whose wall clock is behind the others'.
struct Behind(OperatingSystem, u64);

impl Environment for Behind {
    fn now(&self) -> Now {
        let now = self.0.now();
        let wall_ms = now.wall_ms - self.1;
        Now { wall_ms, ..now }
    }

    fn entropy(&self) -> u64 {
        self.0.entropy()
    }
}

async fn open(store: &MemoryStore, behind_ms: u64) -> Replica {
    let environment = Behind(OperatingSystem::new(), behind_ms);
    let registry = Registry::new().with_default(FieldMerge);
    let builder = Replica::builder(store.clone()).registry(registry);
    builder.environment(environment).open().await.unwrap()
}

async fn replica(behind_ms: u64) -> Replica {
    open(&MemoryStore::new(), behind_ms).await
}

async fn set(replica: &Replica, field: &str) {
    let edit = FieldEdit::new().set([field], &"text").unwrap();
    let draft = Draft::new(DOC, "edited", &edit).unwrap();
    replica.record(draft).await.unwrap();
}

/// The change that a watch has to tell, if there is one.
fn told(watch: &mut Watch) -> Option<Change> {
    let change = watch.next().now_or_never().flatten()?;
    assert_eq!(change.aggregate.as_str(), DOC);
    assert_eq!(watch.next().now_or_never().flatten(), None, "coalesced");
    Some(change)
}

#[tokio::test]
async fn concurrent_events_race_only_where_they_touch_the_same_keys() {
    let (a, b) = (replica(0).await, replica(0).await);
    let mut watch = a.watch(Filter::all());
    for (ours, theirs, raced) in [("x", "y", false), ("z", "z", true)] {
        set(&a, ours).await;
        set(&b, theirs).await;
        a.sync(&b).await.unwrap();
        assert_eq!(
            told(&mut watch).unwrap().raced,
            raced,
            "{ours} and {theirs}"
        );
    }
    set(&a, "z").await;
    assert!(!told(&mut watch).unwrap().raced, "it has seen both");
}

#[tokio::test]
async fn an_event_is_late_only_where_something_after_it_had_been_folded() {
    let (a, early) = (replica(0).await, replica(30_000).await);
    let mut watch = a.watch(Filter::all());
    set(&a, "x").await;
    set(&early, "y").await;
    a.ingest(commits(&early).await).await.unwrap();
    assert!(
        !told(&mut watch).unwrap().late,
        "nobody has seen one without the other"
    );
    set(&early, "y").await;
    a.ingest(commits(&early).await).await.unwrap();
    assert!(
        told(&mut watch).unwrap().late,
        "the watch has told of the later one"
    );
}

#[tokio::test]
async fn each_watch_is_told_exactly_whoever_folds_first() {
    let (a, b) = (replica(0).await, replica(0).await);
    let (mut first, mut second) = (a.watch(Filter::all()), a.watch(Filter::all()));
    set(&a, "x").await;
    set(&b, "x").await;
    a.sync(&b).await.unwrap();
    a.state::<serde_json::Value>(DOC).await.unwrap();
    assert!(told(&mut first).unwrap().raced);
    set(&a, "x").await;
    assert!(!told(&mut first).unwrap().raced);
    let change = told(&mut second).unwrap();
    assert!(change.raced && change.events == 3);
}

#[tokio::test]
async fn old_races_of_an_aggregate_that_has_to_be_read_are_no_news() {
    let (store, b) = (MemoryStore::new(), replica(0).await);
    let a = open(&store, 0).await;
    set(&a, "x").await;
    set(&b, "x").await;
    a.sync(&b).await.unwrap();
    a.close().await.unwrap();
    let a = open(&store, 0).await;
    let mut watch = a.watch(Filter::all());
    set(&b, "x").await;
    a.sync(&b).await.unwrap();
    assert!(!told(&mut watch).unwrap().raced);
    a.close().await.unwrap();
    // One that is concurrent with what the stored state covers, so that all of it has to be read.
    let a = open(&store, 0).await;
    let mut watch = a.watch(Filter::all());
    set(&a, "y").await;
    assert!(!told(&mut watch).unwrap().raced);
    set(&b, "x").await;
    a.sync(&b).await.unwrap();
    assert!(!told(&mut watch).unwrap().raced, "x and y");
    set(&a, "x").await;
    set(&b, "x").await;
    a.sync(&b).await.unwrap();
    assert!(told(&mut watch).unwrap().raced, "x and x");
}

async fn commits(replica: &Replica) -> Vec<Commit> {
    replica.commits().map(Result::unwrap).collect().await
}

/// What happens in one history; replica 0 is watched.
#[derive(Clone, Copy, Debug)]
enum Step {
    Set(usize, usize),
    /// The first dials the second.
    Sync(usize, usize),
    Read,
    /// Reads the state together with all that led to it.
    ReadAll,
    Take,
    Reopen,
}

const REPLICAS: usize = 3;
const FIELDS: [&str; 3] = ["x", "y", "z"];

fn step() -> impl Strategy<Value = Step> {
    let pair = (0..REPLICAS, 1..REPLICAS).prop_map(|(a, by)| (a, (a + by) % REPLICAS));
    prop_oneof![
        6 => (0..REPLICAS, 0..FIELDS.len()).prop_map(|(at, field)| Step::Set(at, field)),
        4 => pair.prop_map(|(a, b)| Step::Sync(a, b)),
        1 => Just(Step::Read),
        1 => Just(Step::ReadAll),
        3 => Just(Step::Take),
        1 => Just(Step::Reopen),
    ]
}

/// What the watched replica has, in the order in which it came, and how much of it was folded.
#[derive(Default)]
struct Model {
    here: Vec<Event>,
    folded: usize,
    pending: Pending,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pending {
    events: u64,
    late: bool,
    raced: bool,
}

impl Model {
    /// Takes what has come.
    async fn look(&mut self, replica: &Replica) {
        let commits = commits(replica).await;
        let events = commits.iter().flat_map(Commit::events);
        let before = self.here.len();
        self.here = events.cloned().collect();
        let new = self.here.len() - before;
        self.pending.events += u64::try_from(new).unwrap();
    }

    fn past(&self, event: &Event) -> BTreeSet<EventId> {
        let by_id: BTreeMap<_, _> = self.here.iter().map(|event| (event.id(), event)).collect();
        let mut past = BTreeSet::new();
        let mut open = vec![event];
        while let Some(next) = open.pop() {
            for head in next.heads() {
                if past.insert(head.id) {
                    open.push(by_id[&head.id]);
                }
            }
        }
        past
    }

    fn fold(&mut self) {
        let (old, new) = self.here.split_at(self.folded);
        let last: Option<OrderKey> = old.iter().map(Event::order_key).max();
        for event in new {
            self.pending.late |= Some(event.order_key()) < last;
            let past = self.past(event);
            self.pending.raced |= self.here.iter().any(|other| {
                let is_concurrent = other.id() != event.id()
                    && !past.contains(&other.id())
                    && !self.past(other).contains(&event.id());
                is_concurrent && other.payload() == event.payload()
            });
        }
        self.folded = self.here.len();
    }
}

async fn run(steps: &[Step]) {
    let store = MemoryStore::new();
    let mut replicas = vec![open(&store, 0).await];
    for number in 1..REPLICAS {
        replicas.push(replica(20_000 * u64::try_from(number).unwrap()).await);
    }
    let mut watch = replicas[0].watch(Filter::all());
    let mut model = Model::default();
    for step in steps {
        match *step {
            Step::Set(at, field) => {
                if at == 0 {
                    // A write is judged in the state as it is.
                    model.fold();
                }
                set(&replicas[at], FIELDS[field]).await;
                model.look(&replicas[0]).await;
            }
            Step::Sync(a, b) => {
                let report = replicas[a].sync(&replicas[b]).await.unwrap();
                model.look(&replicas[0]).await;
                // Both ends look what became of the events that moved, and compare it.
                if report.pushed + report.pulled > 0 && (a == 0 || b == 0) {
                    model.fold();
                }
            }
            Step::Read => {
                let state = replicas[0].state::<serde_json::Value>(DOC);
                state.await.unwrap();
                model.fold();
            }
            Step::ReadAll => {
                let history = replicas[0].history(DOC).await.unwrap();
                assert_eq!(history.len(), model.here.len());
                model.fold();
            }
            Step::Take => {
                model.fold();
                let pending = std::mem::take(&mut model.pending);
                let told = told(&mut watch).map_or(Pending::default(), |change| Pending {
                    events: change.events,
                    late: change.late,
                    raced: change.raced,
                });
                assert_eq!(told, pending);
            }
            Step::Reopen => {
                replicas[0].close().await.unwrap();
                replicas[0] = open(&store, 0).await;
                watch = replicas[0].watch(Filter::all());
                model.fold();
                model.pending = Pending::default();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn in_any_history_a_change_is_late_or_raced_exactly_where_the_model_says(
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(&steps));
    }
}
