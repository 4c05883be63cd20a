//! Writes that rest on what their writer really saw: what came between the look and the write is
//! concurrent with it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::indexing_slicing,
    reason = "so does an index that is not there"
)]

use std::collections::{BTreeMap, BTreeSet};

use anabranch::clock::Now;
use anabranch::engine::{Basis, Failure, Filter};
use anabranch::event::{
    AggregateId, Commit, CommitSpan, Draft, Event, EventId, EventParts, Heads, ReplicaId, Seq,
    Timestamp,
};
use anabranch::limits::HEADS_MAX;
use anabranch::log::Durability;
use anabranch::merge::BasisError;
use anabranch::replica::environment::{Environment, OperatingSystem};
use anabranch::replica::{Reading, RecordError, Replica};
use anabranch::resolver::{Context, LastWriteWins, Registry, Rejection, Resolver, ResolverId};
use anabranch::store::MemoryStore;
use futures::StreamExt;
use proptest::prelude::*;

/// Keeps the texts in the order in which they count, each with how many rivals it had. Nobody may
/// write a fourth line, nor one beside a line called "alone".
struct Lines;

impl Resolver for Lines {
    type State = Vec<(String, usize)>;
    type Payload = String;

    fn id(&self) -> ResolverId {
        ResolverId::new("lines", 1)
    }

    fn init(&self, _: &AggregateId) -> Self::State {
        Vec::new()
    }

    fn admit(
        &self,
        state: &Self::State,
        _: &String,
        cx: &Context<'_, String>,
    ) -> Result<(), Rejection> {
        if state.len() > 2 {
            return Err(Rejection::new("three lines are enough"));
        }
        if cx.rivals().iter().any(|rival| rival.payload == "alone") {
            return Err(Rejection::new("not beside that one"));
        }
        Ok(())
    }

    fn apply(&self, state: &mut Self::State, text: &String, cx: &Context<'_, String>) {
        state.push((text.clone(), cx.rivals().len()));
    }
}

fn registry() -> Registry {
    let registry = Registry::new().with("lines", Lines).unwrap();
    registry.with_default(LastWriteWins)
}

async fn open(store: &MemoryStore) -> Replica {
    let builder = Replica::builder(store.clone()).registry(registry());
    builder.open().await.unwrap()
}

async fn replica() -> Replica {
    open(&MemoryStore::new()).await
}

/// One whose wall clock is an hour ahead of the others'.
async fn replica_ahead() -> Replica {
    struct Ahead(OperatingSystem);
    impl Environment for Ahead {
        fn now(&self) -> Now {
            let now = self.0.now();
            let wall_ms = now.wall_ms + 3_600_000;
            Now { wall_ms, ..now }
        }
        fn entropy(&self) -> u64 {
            self.0.entropy()
        }
    }
    let builder = Replica::builder(MemoryStore::new()).registry(registry());
    let environment = Ahead(OperatingSystem::new());
    builder.environment(environment).open().await.unwrap()
}

fn write(aggregate: &str, text: &str) -> Draft {
    Draft::new(aggregate, "written", text).unwrap()
}

async fn record(replica: &Replica, aggregate: &str, text: &str) -> EventId {
    replica.record(write(aggregate, text)).await.unwrap().commit
}

async fn read(replica: &Replica, aggregate: &str) -> Reading<serde_json::Value> {
    replica.reading(aggregate).await.unwrap()
}

async fn names(replica: &Replica, aggregate: &str, id: EventId) -> BTreeSet<EventId> {
    let history = replica.history(aggregate).await.unwrap();
    let told = history.iter().find(|told| told.event.id() == id).unwrap();
    told.event.heads().iter().map(|head| head.id).collect()
}

#[tokio::test]
async fn what_arrives_between_a_look_and_a_write_is_concurrent_with_it() {
    let (a, b) = (replica().await, replica().await);
    let first = record(&a, "note/1", "first").await;
    a.sync(&b).await.unwrap();
    let seen = read(&a, "note/1").await;
    assert_eq!(seen.state.as_ref().unwrap(), "first");
    let theirs = record(&b, "note/1", "theirs").await;
    a.sync(&b).await.unwrap();
    let ours = a.record_on(&seen, write("note/1", "ours")).await.unwrap();
    assert_eq!(names(&a, "note/1", ours.commit).await, [first].into());
    let heads = a.describe("note/1").await.unwrap().unwrap().heads;
    let heads: BTreeSet<_> = heads.iter().map(|head| head.id).collect();
    assert_eq!(heads, [theirs, ours.commit].into());
    let plain = record(&a, "note/1", "plain").await;
    let everything = [theirs, ours.commit].into();
    assert_eq!(names(&a, "note/1", plain).await, everything);
    a.sync(&b).await.unwrap();
    let digests = [a.digest("note/1").await, b.digest("note/1").await];
    assert_eq!(digests[0], digests[1]);
}

#[tokio::test]
async fn the_writers_own_event_in_between_is_in_the_past() {
    let (a, b) = (replica().await, replica().await);
    record(&a, "note/1", "first").await;
    a.sync(&b).await.unwrap();
    let seen = read(&a, "note/1").await;
    let theirs = record(&b, "note/1", "theirs").await;
    let own = record(&a, "note/1", "own").await;
    a.sync(&b).await.unwrap();
    let on = a.record_on(&seen, write("note/1", "on")).await.unwrap();
    assert_eq!(names(&a, "note/1", on.commit).await, [own].into());
    let with_theirs = record(&a, "note/1", "saw theirs").await;
    let again = a.record_on(&seen, write("note/1", "again")).await.unwrap();
    let named = names(&a, "note/1", again.commit).await;
    assert_eq!(named, [with_theirs].into(), "{theirs} is in the past of it");
}

#[tokio::test]
async fn nothing_having_come_since_a_write_names_all_heads() {
    let a = replica().await;
    let nothing = read(&a, "note/1").await;
    assert_eq!(nothing.state, None);
    assert!(nothing.basis.heads().is_empty());
    let first = a.record_on(&nothing, write("note/1", "first")).await;
    let first = first.unwrap().commit;
    assert!(names(&a, "note/1", first).await.is_empty());
    let seen = read(&a, "note/1").await;
    let next = a.record_on(seen, write("note/1", "next")).await.unwrap();
    assert_eq!(names(&a, "note/1", next.commit).await, [first].into());
}

#[tokio::test]
async fn an_aggregate_of_which_only_the_fold_is_in_memory_is_loaded_first() {
    let (store, b) = (MemoryStore::new(), replica().await);
    let a = open(&store).await;
    let first = record(&a, "lines/1", "first").await;
    a.sync(&b).await.unwrap();
    a.close().await.unwrap();
    let a = open(&store).await;
    let seen = a.reading_of::<Lines, _>("lines/1", Vec::len);
    let seen = seen.await.unwrap();
    assert_eq!(seen.state, Some(1));
    record(&b, "lines/1", "theirs").await;
    a.sync(&b).await.unwrap();
    a.close().await.unwrap();
    // The basis outlives the handle: it names events, not places in memory.
    let a = open(&store).await;
    let ours = a.record_on(&seen, write("lines/1", "ours")).await.unwrap();
    assert_eq!(names(&a, "lines/1", ours.commit).await, [first].into());
    let state = a.state::<Vec<(String, usize)>>("lines/1").await.unwrap();
    // Which of the two comes first depends on their clocks.
    let state = state.unwrap();
    let rivals: Vec<_> = state.iter().map(|(_, rivals)| *rivals).collect();
    assert_eq!(rivals, [0, 0, 1], "{state:?}");
}

#[tokio::test]
async fn the_rule_is_asked_in_the_state_that_the_event_meets_and_with_what_its_writer_saw() {
    let (a, b) = (replica().await, replica().await);
    record(&a, "lines/1", "first").await;
    a.sync(&b).await.unwrap();
    let seen = read(&a, "lines/1").await;
    record(&b, "lines/1", "alone").await;
    a.sync(&b).await.unwrap();
    let refused = a.record_on(&seen, write("lines/1", "beside")).await;
    assert_eq!(reason(refused), "not beside that one");
    // Whoever has seen it may.
    record(&a, "lines/1", "below").await;
    let seen = read(&a, "lines/1").await;
    let refused = a.record_on(&seen, write("lines/1", "fourth")).await;
    assert_eq!(reason(refused), "three lines are enough");
    // The second event of a commit is judged in what the first one leaves.
    let seen = read(&b, "lines/2").await;
    a.record(write("lines/2", "theirs")).await.unwrap();
    a.sync(&b).await.unwrap();
    let drafts = ["one", "two", "three"].map(|text| write("lines/2", text));
    let commit = b.record_all_on(vec![seen.basis.clone()], drafts.into(), Durability::Durable);
    assert_eq!(reason(commit.await), "three lines are enough");
    assert_eq!(b.describe("lines/2").await.unwrap().unwrap().events, 1);
    let drafts = ["one", "two"].map(|text| write("lines/2", text));
    let commit = b.record_all_on(vec![seen.basis], drafts.into(), Durability::Durable);
    let ids: Vec<_> = commit.await.unwrap().events().collect();
    assert!(names(&b, "lines/2", ids[0]).await.is_empty());
    assert_eq!(names(&b, "lines/2", ids[1]).await, [ids[0]].into());
    let state = b.state::<Vec<(String, usize)>>("lines/2").await.unwrap();
    let expected = [("theirs", 0), ("one", 1), ("two", 1)];
    assert_eq!(
        state.unwrap(),
        expected.map(|(text, n)| (text.to_owned(), n))
    );
}

fn reason<T: std::fmt::Debug>(result: Result<T, RecordError>) -> String {
    match result.unwrap_err() {
        RecordError::Failed(Failure::Rejected { reason, .. }) => reason.to_string(),
        other => panic!("{other}"),
    }
}

/// What a clock far ahead has stamped, and has come by another way than a connection, is later in
/// the order than what is written here without having seen it.
#[tokio::test]
async fn a_write_that_takes_its_place_before_others_is_judged_at_that_place() {
    let (a, ahead) = (replica().await, replica_ahead().await);
    let seen = read(&a, "lines/1").await;
    for text in ["x", "y", "z"] {
        record(&ahead, "lines/1", text).await;
    }
    let theirs: Vec<_> = ahead.commits().map(Result::unwrap).collect().await;
    a.ingest(theirs).await.unwrap();
    let refused = a.record(write("lines/1", "fourth")).await;
    assert_eq!(reason(refused), "three lines are enough");
    let drafts = ["one", "two", "three"].map(|text| write("lines/1", text));
    let bases = vec![seen.basis.clone()];
    a.record_all_on(bases, drafts.into(), Durability::Durable)
        .await
        .unwrap();
    let state = a.state::<Vec<(String, usize)>>("lines/1").await.unwrap();
    let expected = ["one", "two", "three"].map(|text| (text.to_owned(), 0));
    assert_eq!(state.unwrap(), expected);
    let refused = a.record_on(&seen, write("lines/1", "fourth")).await;
    assert_eq!(reason(refused), "three lines are enough");
}

#[tokio::test]
async fn a_commit_rests_on_what_was_read_of_each_aggregate_and_on_the_others_as_they_are() {
    let (a, b) = (replica().await, replica().await);
    let [read_and_old, read_and_same, not_read] = ["note/old", "note/same", "note/now"];
    let mut first = BTreeMap::new();
    for name in [read_and_old, read_and_same, not_read] {
        first.insert(name, record(&a, name, "first").await);
    }
    a.sync(&b).await.unwrap();
    let bases = [read(&a, read_and_old).await, read(&a, read_and_same).await];
    record(&b, read_and_old, "theirs").await;
    let newest = record(&b, not_read, "theirs").await;
    a.sync(&b).await.unwrap();
    let later = read(&a, not_read).await.basis;
    let drafts = [read_and_old, read_and_same, not_read].map(|name| write(name, "ours"));
    let on = bases.map(|reading| reading.basis).to_vec();
    let written = a.record_all_on(on, drafts.into(), Durability::Buffered);
    let ids: Vec<_> = written.await.unwrap().events().collect();
    let named = [
        names(&a, read_and_old, ids[0]).await,
        names(&a, read_and_same, ids[1]).await,
        names(&a, not_read, ids[2]).await,
    ];
    let expected = [first[read_and_old], first[read_and_same], newest];
    assert_eq!(named, expected.map(|id| BTreeSet::from([id])));
    // A reading of what is not written says nothing, and of several readings all that they show.
    let draft = vec![write("note/other", "text")];
    let written = a.record_all_on(vec![later], draft, Durability::Durable);
    assert!(
        names(&a, "note/other", written.await.unwrap().commit)
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn several_readings_of_one_aggregate_count_together() {
    let (a, b) = (replica().await, replica().await);
    let early = read(&a, "note/1").await.basis;
    let theirs = record(&b, "note/1", "theirs").await;
    a.sync(&b).await.unwrap();
    let late = read(&a, "note/1").await.basis;
    record(&b, "note/1", "newest").await;
    a.sync(&b).await.unwrap();
    let draft = vec![write("note/1", "ours")];
    let written = a.record_all_on(vec![late, early], draft, Durability::Durable);
    let named = names(&a, "note/1", written.await.unwrap().commit).await;
    assert_eq!(named, [theirs].into());
}

#[tokio::test]
async fn a_reading_of_another_replica_or_of_events_that_are_not_here_is_an_error_that_says_so() {
    let store = MemoryStore::new();
    let (a, b) = (open(&store).await, replica().await);
    record(&a, "note/1", "first").await;
    a.flush().await.unwrap();
    let copy = store.copy();
    let elsewhere = read(&b, "note/1").await;
    let refused = a
        .record_on(&elsewhere, write("note/1", "text"))
        .await
        .unwrap_err();
    let expected = format!(
        "note/1 was read by replica {}, this is {}: read it again",
        b.id(),
        a.id()
    );
    assert_eq!(refused.to_string(), expected);
    record(&a, "note/1", "second").await;
    let future = read(&a, "note/1").await;
    let restored = open(&copy).await;
    let refused = restored
        .record_on(&future, write("note/1", "text"))
        .await
        .unwrap_err();
    let RecordError::Failed(Failure::LostBasis { why, .. }) = &refused else {
        panic!("{refused}");
    };
    let event = future.basis.heads().as_slice()[0].id;
    assert_eq!(*why, BasisError::Unknown { event });
    assert_eq!(
        refused.to_string(),
        format!(
            "the reading of note/1 cannot be written on: {event} was seen and is not here; read it again"
        )
    );
    assert_eq!(restored.status().events, 1, "nothing was written");
    // The same name for another event: the copy has written on, too.
    record(&restored, "note/1", "another second").await;
    let refused = restored
        .record_on(&future, write("note/1", "text"))
        .await
        .unwrap_err();
    let RecordError::Failed(Failure::LostBasis { why, .. }) = &refused else {
        panic!("{refused}");
    };
    assert_eq!(*why, BasisError::Unknown { event });
}

/// What a writer of this number says who has seen nothing.
fn alone(number: u64, like: &Event) -> Commit {
    let parts = EventParts {
        id: EventId::new(ReplicaId::new(number, 1), Seq::FIRST),
        commit: CommitSpan::new(Seq::FIRST, 1).unwrap(),
        timestamp: Timestamp::from_bits(like.timestamp().to_bits() + number),
        heads: Heads::NONE,
        ..like.parts().clone()
    };
    Commit::new(vec![Event::assemble(parts).unwrap()]).unwrap()
}

#[tokio::test]
async fn of_more_heads_than_an_event_names_the_writers_own_is_among_those_kept() {
    let a = replica().await;
    let own = record(&a, "note/1", "own").await;
    let like = a.history("note/1").await.unwrap()[0].event.clone();
    let many = 1..=u64::try_from(HEADS_MAX).unwrap() + 5;
    let many = many.map(|number| alone(number, &like)).collect();
    a.ingest(many).await.unwrap();
    let seen = read(&a, "note/1").await;
    assert_eq!(seen.basis.heads().len(), HEADS_MAX);
    a.ingest(vec![alone(5_000, &like)]).await.unwrap();
    let on = a.record_on(&seen, write("note/1", "text")).await.unwrap();
    let named = names(&a, "note/1", on.commit).await;
    let seen_ids: BTreeSet<_> = seen.basis.heads().iter().map(|head| head.id).collect();
    assert_eq!(named, seen_ids);
    assert!(named.contains(&own));
    // What it saw is all in the past of its own event.
    let again = a.record_on(&seen, write("note/1", "text")).await.unwrap();
    assert_eq!(names(&a, "note/1", again.commit).await, [on.commit].into());
}

/// The same event under another incarnation of its writer's device, as a refusal leads to.
fn replacement(event: &Event) -> Commit {
    let EventId { replica, seq } = event.id();
    let new = ReplicaId::new(replica.device(), replica.incarnation() ^ 1);
    let parts = EventParts {
        id: EventId::new(new, Seq::FIRST),
        commit: CommitSpan::new(Seq::FIRST, 1).unwrap(),
        timestamp: Timestamp::from_bits(event.timestamp().to_bits() + 1),
        replaces: Some(EventId::new(replica, seq)),
        ..event.parts().clone()
    };
    Commit::new(vec![Event::assemble(parts).unwrap()]).unwrap()
}

#[tokio::test]
async fn what_was_seen_and_has_been_written_again_since_cannot_be_named() {
    let (a, b) = (replica().await, replica().await);
    let theirs = record(&b, "note/1", "theirs").await;
    a.sync(&b).await.unwrap();
    let seen = read(&a, "note/1").await;
    let told = a.history("note/1").await.unwrap();
    let again = replacement(&told[0].event);
    a.ingest(vec![again]).await.unwrap();
    let refused = a.record_on(&seen, write("note/1", "ours")).await;
    let RecordError::Failed(Failure::LostBasis { why, .. }) = refused.unwrap_err() else {
        panic!("another error");
    };
    assert_eq!(why, BasisError::Replaced { event: theirs });
    let seen = read(&a, "note/1").await;
    a.record_on(&seen, write("note/1", "ours")).await.unwrap();
}

/// What happens in one history.
#[derive(Clone, Copy, Debug)]
enum Step {
    Read(usize),
    Record(usize),
    RecordOn(usize),
    Sync(usize, usize),
    Reopen(usize),
}

const REPLICAS: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    let at = 0..REPLICAS;
    prop_oneof![
        2 => at.clone().prop_map(Step::Read),
        2 => at.clone().prop_map(Step::Record),
        4 => at.clone().prop_map(Step::RecordOn),
        3 => (at.clone(), at.clone()).prop_map(|(a, b)| Step::Sync(a, b)),
        1 => at.prop_map(Step::Reopen),
    ]
}

/// Sets of everything that was seen, kept beside the replicas and never asked of them.
#[derive(Default)]
struct Seen {
    here: [BTreeSet<EventId>; REPLICAS],
    looked: [BTreeSet<EventId>; REPLICAS],
    own: [Option<EventId>; REPLICAS],
    past: BTreeMap<EventId, BTreeSet<EventId>>,
}

impl Seen {
    fn wrote(&mut self, at: usize, id: EventId, mut past: BTreeSet<EventId>) {
        if let Some(own) = self.own[at].replace(id) {
            past.extend(self.past[&own].iter().copied().chain([own]));
        }
        self.past.insert(id, past);
        self.here[at].insert(id);
    }
}

/// What the names in the events add up to.
fn past(id: EventId, events: &BTreeMap<EventId, Event>) -> BTreeSet<EventId> {
    let mut past = BTreeSet::new();
    let mut open = vec![id];
    while let Some(next) = open.pop() {
        for head in events[&next].heads() {
            if past.insert(head.id) {
                open.push(head.id);
            }
        }
    }
    past
}

async fn run(steps: &[Step]) {
    let stores: Vec<MemoryStore> = (0..REPLICAS).map(|_| MemoryStore::new()).collect();
    let mut replicas = Vec::new();
    let mut bases: Vec<Basis> = Vec::new();
    for store in &stores {
        let replica = open(store).await;
        bases.push(read(&replica, "note/1").await.basis);
        replicas.push(replica);
    }
    let mut seen = Seen::default();
    for step in steps {
        match *step {
            Step::Read(at) => {
                bases[at] = read(&replicas[at], "note/1").await.basis;
                seen.looked[at].clone_from(&seen.here[at]);
            }
            Step::Record(at) => {
                let id = record(&replicas[at], "note/1", "text").await;
                seen.wrote(at, id, seen.here[at].clone());
            }
            Step::RecordOn(at) => {
                let written = replicas[at].record_on(&bases[at], write("note/1", "text"));
                let id = written.await.unwrap().commit;
                seen.wrote(at, id, seen.looked[at].clone());
            }
            Step::Sync(a, b) if a != b => {
                replicas[a].sync(&replicas[b]).await.unwrap();
                let both = &seen.here[a] | &seen.here[b];
                seen.here[a].clone_from(&both);
                seen.here[b] = both;
            }
            Step::Sync(..) => {}
            Step::Reopen(at) => {
                replicas[at].close().await.unwrap();
                replicas[at] = open(&stores[at]).await;
            }
        }
    }
    let mut digests = BTreeSet::new();
    for _ in 0..2 {
        for at in 1..REPLICAS {
            replicas[0].sync(&replicas[at]).await.unwrap();
        }
    }
    for replica in &replicas {
        let history = replica.history("note/1").await.unwrap();
        let events: BTreeMap<_, _> = history
            .iter()
            .map(|told| (told.event.id(), told.event.clone()))
            .collect();
        let pasts: BTreeMap<_, _> = events.keys().map(|id| (*id, past(*id, &events))).collect();
        assert_eq!(pasts, seen.past);
        for event in events.values() {
            let above = |id: &EventId| events[id].timestamp() < event.timestamp();
            assert!(pasts[&event.id()].iter().all(above));
            let covered = |id| {
                event
                    .heads()
                    .iter()
                    .any(|head| pasts[&head.id].contains(&id))
            };
            assert!(!event.heads().iter().any(|head| covered(head.id)));
        }
        digests.insert(format!("{:?}", replica.digest("note/1").await.unwrap()));
    }
    assert_eq!(digests.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn in_any_history_an_event_has_in_its_past_what_its_writer_saw(
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(&steps));
    }
}

/// What came since is told as a race by whoever watches.
#[tokio::test]
async fn a_write_on_an_old_reading_is_told_as_a_race() {
    let (a, b) = (replica().await, replica().await);
    let seen = read(&a, "note/1").await;
    record(&b, "note/1", "theirs").await;
    a.sync(&b).await.unwrap();
    let mut changes = a.watch(Filter::all());
    a.record_on(&seen, write("note/1", "ours")).await.unwrap();
    assert!(changes.next().await.unwrap().raced);
    record(&a, "note/1", "plain").await;
    assert!(!changes.next().await.unwrap().raced);
}
