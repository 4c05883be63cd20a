//! What disks and networks do on bad days, and what a replica makes of it.

use std::time::Duration;

use anabranch::engine::{Filter, Gap, Health};
use anabranch::protocol::CloseCode;
use anabranch::replica::{Closed, Connection, ConnectionStatus, Replica, SyncError};
use anabranch::store::StoreError;
use anabranch::testing::doubles::{
    Direction, FaultyStore, FaultyTransport, LinkFault, LinkFaults, ManualClock, Operation,
    StoreFault, StoreFaults, When,
};
use anabranch::transport::in_process::InProcess;
use anabranch::{Draft, Durability, MemoryStore};
use futures::{FutureExt, StreamExt};
use tokio::task::JoinHandle;

use super::world::{clock, dialing, note, over, rules, settle, soon};

/// A replica over a store with a script, live with a hub behind a transport with another.
struct Live {
    phone: Replica,
    hub: Replica,
    connection: Connection,
    disk: MemoryStore,
    store: StoreFaults,
    links: LinkFaults,
    phone_clock: ManualClock,
    hub_clock: ManualClock,
    served: JoinHandle<Closed>,
}

impl Live {
    async fn begin() -> Self {
        let (network, disk) = (InProcess::new(), MemoryStore::new());
        let (store, links) = (StoreFaults::new(), LinkFaults::new());
        let (phone_clock, hub_clock) = (clock(1), clock(2));
        let hub = Replica::builder(MemoryStore::new()).registry(rules());
        let hub = hub.environment(hub_clock.clone()).open().await.unwrap();
        let mut listener = network.listen("hub").unwrap();
        let serving = hub.clone();
        let builder = Replica::builder(FaultyStore::new(disk.clone(), store.clone()));
        let builder = builder.environment(phone_clock.clone()).registry(rules());
        let transport = FaultyTransport::new(network, links.clone());
        let phone = builder.transport(transport).open().await.unwrap();
        let mut connection = phone.connect("mem://hub").unwrap();
        let link = listener.accept().await;
        let accepting = serving.clone();
        let served = tokio::spawn(async move { accepting.accept(link).await });
        super::world::serve(&serving, listener);
        assert_eq!(soon(connection.caught_up()).await, ConnectionStatus::Live);
        settle().await;
        Self {
            phone,
            hub,
            connection,
            disk,
            store,
            links,
            phone_clock,
            hub_clock,
            served,
        }
    }

    /// Both clocks go on, a second at a time.
    async fn pass(&self, seconds: u32) {
        for _ in 0..seconds {
            self.phone_clock.advance(Duration::from_secs(1));
            self.hub_clock.advance(Duration::from_secs(1));
            settle().await;
        }
    }

    async fn write(&self, text: &str) {
        self.phone.record(note("note/1", text)).await.unwrap();
    }

    /// Both ends have the same, and everything once.
    async fn check(&self, events: u64) {
        for replica in [&self.phone, &self.hub] {
            let tail = replica.tail_so_far(Filter::all(), None).unwrap();
            let mut ids: Vec<_> = tail.map(|told| told.unwrap().event.id()).collect().await;
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(
                (u64::try_from(ids.len()).unwrap(), replica.status().events),
                (events, events)
            );
        }
        let digests = [&self.phone, &self.hub].map(|replica| replica.digest("note/1"));
        let [ours, theirs] = futures::future::join_all(digests).await.try_into().unwrap();
        assert_eq!(ours.unwrap(), theirs.unwrap());
    }
}

#[tokio::test]
async fn a_full_disk_fails_writes_and_not_reads_and_costs_nothing_that_was_acknowledged() {
    let live = Live::begin().await;
    live.write("kept").await;
    live.store.set_full(true);
    let failed = live.phone.record(note("note/1", "no room")).await;
    let text = failed.unwrap_err().to_string();
    assert!(text.contains("no space left on device"), "{text}");
    assert!(!live.phone.is_ready());
    assert!(live.phone.state::<String>("note/1").await.is_ok());
    assert!(
        live.phone
            .record(note("note/1", "still none"))
            .await
            .is_err()
    );
    assert!(live.phone.close().await.is_err());
    let again = over(live.disk.clone()).await;
    assert_eq!(
        again.state::<String>("note/1").await.unwrap().unwrap(),
        "kept"
    );
    again.record(note("note/1", "there is room")).await.unwrap();
}

#[tokio::test]
async fn what_was_written_though_it_failed_is_there_once_after_the_next_opening() {
    let live = Live::begin().await;
    let next = live.store.count(Operation::Append) + 1;
    let when = When::NthOf(Operation::Append, next);
    live.store.put(when, StoreFault::FailAfter);
    assert!(
        live.phone
            .record(note("note/1", "who knows"))
            .await
            .is_err()
    );
    settle().await;
    assert_eq!(live.hub.status().events, 0, "it was never called durable");
    drop(live.connection);
    let again = over(live.disk.clone()).await;
    again.sync(&live.hub).await.unwrap();
    assert_eq!((again.status().events, live.hub.status().events), (1, 1));
    let state = live.hub.state::<String>("note/1").await.unwrap();
    assert_eq!(state.unwrap(), "who knows");
}

#[tokio::test]
async fn an_fsync_that_failed_is_never_tried_again() {
    let live = Live::begin().await;
    let next = live.store.count(Operation::Append) + 1;
    let when = When::NthOf(Operation::Append, next);
    live.store.put(when, StoreFault::FailBefore);
    let buffered = live
        .phone
        .record_with(note("note/1", "x"), Durability::Buffered);
    drop(buffered.await);
    live.pass(3).await;
    let appends = live.store.count(Operation::Append);
    assert!(live.phone.flush().await.is_err());
    assert!(live.phone.record(note("note/1", "y")).await.is_err());
    live.pass(120).await;
    let after = (
        live.store.count(Operation::Append),
        live.store.count(Operation::Flush),
    );
    assert_eq!(
        after,
        (appends, 0),
        "a store that failed was asked to write again"
    );
    assert!(matches!(
        live.phone.close().await,
        Err(StoreError::Poisoned { .. })
    ));
}

#[tokio::test]
async fn a_read_that_fails_costs_its_aggregate_an_error_and_the_connection_nothing() {
    let live = Live::begin().await;
    for name in ["note/1", "note/2"] {
        live.hub.record(note(name, "from the hub")).await.unwrap();
    }
    settle().await;
    let next = live.store.count(Operation::History) + 1;
    let when = When::NthOf(Operation::History, next);
    live.store.put(when, StoreFault::FailBefore);
    // The whole history of what was only received has to be read.
    let described = live.phone.history("note/1").await;
    if live.store.fired() > 0 {
        assert!(described.unwrap_err().to_string().contains("store"));
    }
    let state = live.phone.state::<String>("note/2").await.unwrap();
    assert_eq!(state.unwrap(), "from the hub");
    let state = live.phone.state::<String>("note/1").await.unwrap();
    assert_eq!(state.unwrap(), "from the hub");
    assert_eq!(live.connection.status(), ConnectionStatus::Live);
    assert!(live.store.fired() > 0, "nothing was read");
}

/// A peer says up to where it knows this replica, and with which chain value; whether that is this
/// store's past is asked of the store. A read that failed was once taken for a yes, so a cloned store
/// would have gone on under an id that is another's.
#[tokio::test]
async fn a_store_that_cannot_tell_a_replica_of_its_own_past_ends_the_connection() {
    let (disk, faults) = (MemoryStore::new(), StoreFaults::new());
    let hub = over(MemoryStore::new()).await;
    let phone = over(disk.clone()).await;
    phone.record(note("note/1", "the hub knows")).await.unwrap();
    phone.sync(&hub).await.unwrap();
    phone.record(note("note/1", "the hub lacks")).await.unwrap();
    phone.close().await.unwrap();
    let phone = over(FaultyStore::new(disk, faults.clone())).await;
    faults.put(When::NthOf(Operation::Known, 1), StoreFault::FailBefore);
    let failed = soon(phone.sync(&hub)).await.unwrap_err().to_string();
    assert!(failed.contains("store cannot known"), "{failed}");
    phone.sync(&hub).await.unwrap();
    assert_eq!(hub.status().events, 2);
}

#[tokio::test]
async fn an_fsync_that_hangs_delays_its_answer_and_nothing_else() {
    let live = Live::begin().await;
    live.write("before").await;
    settle().await;
    let next = live.store.count(Operation::Append) + 1;
    live.store
        .put(When::NthOf(Operation::Append, next), StoreFault::Hang);
    let phone = live.phone.clone();
    let hanging = tokio::spawn(async move { phone.record(note("note/1", "late")).await });
    live.pass(120).await;
    assert!(!hanging.is_finished());
    assert_eq!(live.connection.status(), ConnectionStatus::Live);
    assert_eq!(
        live.links.dials(),
        1,
        "the connection was given up meanwhile"
    );
    assert_eq!(live.hub.status().events, 1, "it left before it was fsynced");
    let read = live.phone.state::<String>("note/1").now_or_never();
    assert!(read.is_some(), "a read waits for a write");
    live.store.release();
    soon(hanging).await.unwrap().unwrap();
    settle().await;
    live.check(2).await;
}

#[tokio::test]
async fn a_peer_whose_disk_hangs_acknowledges_late_and_stays_connected() {
    let live = Live::begin().await;
    let next = live.store.count(Operation::Append) + 1;
    live.store
        .put(When::NthOf(Operation::Append, next), StoreFault::HangAfter);
    live.hub
        .record(note("note/1", "to a slow disk"))
        .await
        .unwrap();
    live.pass(120).await;
    assert_eq!(live.connection.status(), ConnectionStatus::Live);
    let unacknowledged = |health: Health| health.peers[0].ahead.as_ref().map(|gap| gap.events);
    assert_eq!(unacknowledged(live.hub.health().await), Some(1));
    live.store.release();
    settle().await;
    assert_eq!(unacknowledged(live.hub.health().await), Some(0));
    live.check(1).await;
}

#[tokio::test]
async fn a_reader_that_stops_is_caught_up_with_later_and_holds_up_nobody_else() {
    let live = Live::begin().await;
    let other = over(MemoryStore::new()).await;
    live.links.put(1, Direction::Incoming, 0, LinkFault::Hold);
    let text = "x".repeat(200_000);
    for _ in 0..60 {
        live.hub.record(note("note/1", &text)).await.unwrap();
    }
    settle().await;
    let report = soon(other.sync(&live.hub)).await.unwrap();
    assert_eq!(report.pulled, 60);
    let before = live.phone.status().events;
    assert!(before < 60, "the hub had to wait");
    live.links.release();
    for _ in 0..50 {
        settle().await;
    }
    live.check(60).await;
    assert_eq!(live.links.dials(), 1);
}

#[tokio::test]
async fn a_hub_gives_up_a_client_that_has_vanished_without_a_word() {
    let live = Live::begin().await;
    for direction in [Direction::Outgoing, Direction::Incoming] {
        live.links.put(1, direction, 0, LinkFault::Silence);
    }
    live.links.refuse_dials(true);
    live.pass(44).await;
    assert!(!live.served.is_finished());
    live.pass(2).await;
    let closed = soon(live.served).await.unwrap();
    assert_eq!(closed.code, CloseCode::DEAD_PEER);
}

#[tokio::test]
async fn a_connection_that_flaps_makes_progress_each_time_and_sends_little_twice() {
    let (network, links) = (InProcess::new(), LinkFaults::new());
    let hub = super::world::hub(&network).await;
    let phone = dialing(FaultyTransport::new(network, links.clone()), clock(1)).await;
    let large = "x".repeat(100_000);
    for number in 0..40 {
        let draft = note("note/1", &format!("{number} {large}"));
        phone.record(draft).await.unwrap();
    }
    let (mut there, mut stuck, mut tries) = (0, 0, 0);
    loop {
        tries += 1;
        links.put(tries, Direction::Outgoing, 8, LinkFault::Cut);
        let synced = soon(phone.sync("mem://hub")).await;
        settle().await;
        let events = hub.status().events;
        stuck = if events > there { 0 } else { stuck + 1 };
        assert!(stuck < 3, "no progress after {events} events");
        there = events;
        match synced {
            Ok(report) => break assert!(report.caught_up),
            Err(SyncError::Ended { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    let sent: u64 = links.passed().iter().map(|passed| passed.outgoing).sum();
    assert_eq!(there, 40);
    assert!(
        tries > 3 && sent < 40 + 6 * tries,
        "{sent} frames over {tries} connections"
    );
}

#[tokio::test]
async fn who_sends_and_is_never_answered_connects_again_and_nothing_counts_twice() {
    let live = Live::begin().await;
    live.links
        .put(1, Direction::Incoming, 0, LinkFault::Silence);
    live.write("into the void").await;
    settle().await;
    assert_eq!(live.hub.status().events, 1, "that direction works");
    live.pass(50).await;
    assert_eq!(live.links.dials(), 2);
    assert_eq!(live.connection.status(), ConnectionStatus::Live);
    live.write("heard").await;
    settle().await;
    live.check(2).await;
    let health = live.phone.health().await;
    assert!(health.peers[0].ahead.as_ref().is_some_and(Gap::is_empty));
}

#[tokio::test]
async fn a_process_that_was_stopped_for_a_minute_connects_again_when_it_wakes() {
    let live = Live::begin().await;
    live.write("before").await;
    settle().await;
    // The phone's clock stands still for its process, and the hub's goes on.
    live.links.put(1, Direction::Incoming, 0, LinkFault::Hold);
    live.links.put(1, Direction::Outgoing, 0, LinkFault::Hold);
    for _ in 0..60 {
        live.hub_clock.advance(Duration::from_secs(1));
        settle().await;
    }
    assert!(live.served.is_finished(), "the hub has moved on");
    live.hub.record(note("note/1", "meanwhile")).await.unwrap();
    live.phone_clock.advance(Duration::from_secs(60));
    live.links.release();
    settle().await;
    live.pass(31).await;
    assert_eq!(live.connection.status(), ConnectionStatus::Live);
    live.write("after").await;
    settle().await;
    live.check(3).await;
    let state = live.hub.state::<String>("note/1").await.unwrap();
    assert_eq!(state.unwrap(), "after");
}

#[tokio::test]
async fn many_writes_that_wait_for_one_fsync_are_all_answered_by_the_next() {
    let live = Live::begin().await;
    let next = live.store.count(Operation::Append) + 1;
    live.store
        .put(When::NthOf(Operation::Append, next), StoreFault::Hang);
    let drafts = (0..200).map(|number| note("note/1", &number.to_string()));
    let write = |draft: Draft| {
        let phone = live.phone.clone();
        tokio::spawn(async move { phone.record(draft).await })
    };
    let waiting: Vec<_> = drafts.map(write).collect();
    live.pass(10).await;
    assert!(waiting.iter().all(|write| !write.is_finished()));
    assert_eq!(
        live.store.count(Operation::Append),
        next,
        "one write at a time"
    );
    live.store.release();
    for write in waiting {
        soon(write).await.unwrap().unwrap();
    }
    assert!(
        live.store.count(Operation::Append) <= next + 3,
        "they were not gathered"
    );
    settle().await;
    live.check(200).await;
}
