use std::time::Duration;

use anabranch::Durability;
use anabranch::MemoryStore;
use anabranch::replica::environment::Environment;
use anabranch::replica::{ConnectionStatus, Replica, SyncOptions};
use anabranch::testing::doubles::{
    Direction, FaultyStore, FaultyTransport, LinkFault, LinkFaults, Operation, StoreFaults,
};
use anabranch::transport::in_process::InProcess;
use futures::FutureExt;

use super::world::{clock, dialing, hub, note, over, rules, settle, soon};

#[test]
fn the_same_seed_gives_the_same_bits_and_another_others() {
    let bits = |seed| {
        let clock = clock(seed);
        [(); 4].map(|()| clock.entropy())
    };
    assert_eq!(bits(1), bits(1));
    assert_ne!(bits(1), bits(2));
}

#[test]
fn who_waits_is_woken_when_the_clock_has_come_there_and_not_before() {
    let clock = clock(1);
    let mut waiting = clock.wait_until(100);
    clock.advance(Duration::from_millis(99));
    assert!((&mut waiting).now_or_never().is_none());
    clock.set_wall_ms(u64::MAX);
    assert!((&mut waiting).now_or_never().is_none());
    clock.set_wall_ms(0);
    clock.clone().advance(Duration::from_millis(1));
    assert!(waiting.now_or_never().is_some());
    assert!(clock.wait_until(100).now_or_never().is_some());
    assert_eq!((clock.now().mono_ms, clock.wall_ms()), (100, 1));
}

#[tokio::test]
async fn a_buffered_write_is_fsynced_when_the_clock_says_that_a_second_has_passed() {
    let (clock, faults) = (clock(1), StoreFaults::new());
    let store = FaultyStore::new(MemoryStore::new(), faults.clone());
    let builder = Replica::builder(store).registry(rules());
    let replica = builder.environment(clock.clone()).open().await.unwrap();
    let write = replica.record_with(note("note/1", "x"), Durability::Buffered);
    write.await.unwrap();
    let appends = faults.count(Operation::Append);
    clock.advance(Duration::from_millis(999));
    settle().await;
    assert_eq!(faults.count(Operation::Append), appends);
    clock.advance(Duration::from_millis(1));
    settle().await;
    assert!(
        faults.count(Operation::Append) > appends,
        "nothing was fsynced"
    );
}

#[tokio::test]
async fn stamps_follow_the_clock_and_rise_though_it_is_set_back() {
    let clock = clock(1);
    let replica = dialing(InProcess::new(), clock.clone()).await;
    let mut stamps = Vec::new();
    for by in [0, 3_600_000_i64, -86_400_000, 7] {
        clock.set_wall_ms(clock.wall_ms().saturating_add_signed(by));
        replica.record(note("note/1", "x")).await.unwrap();
        let told = replica.history("note/1").await.unwrap();
        stamps.push(told.last().unwrap().event.timestamp());
    }
    assert_eq!(stamps[1].millis() - stamps[0].millis(), 3_600_000);
    assert!(stamps.is_sorted_by(|a, b| a < b), "{stamps:?}");
}

#[tokio::test]
async fn a_lost_connection_comes_back_when_the_clock_says_so() {
    let (network, faults, clock) = (InProcess::new(), LinkFaults::new(), clock(1));
    let hub = hub(&network).await;
    let phone = dialing(FaultyTransport::new(network, faults.clone()), clock.clone()).await;
    faults.refuse_dial(1);
    faults.refuse_dial(2);
    let connection = phone.connect("mem://hub").unwrap();
    for dials in [1, 2] {
        settle().await;
        assert!(matches!(
            connection.status(),
            ConnectionStatus::Waiting { .. }
        ));
        assert_eq!(faults.dials(), dials);
        clock.advance(Duration::from_secs(30));
    }
    settle().await;
    assert_eq!(connection.status(), ConnectionStatus::Live);
    phone.record(note("note/1", "x")).await.unwrap();
    settle().await;
    assert_eq!(hub.status().events, 1);
}

#[tokio::test]
async fn syncs_at_intervals_follow_the_clock() {
    let clock = clock(1);
    let phone = dialing(InProcess::new(), clock.clone()).await;
    let peer = over(MemoryStore::new()).await;
    let interval = Duration::from_secs(3_600);
    let syncing = phone.sync_every(&peer, interval, SyncOptions::default());
    settle().await;
    phone.record(note("note/1", "x")).await.unwrap();
    settle().await;
    assert_eq!(peer.status().events, 0);
    clock.advance(interval);
    settle().await;
    assert_eq!(peer.status().events, 1);
    drop(syncing);
}

#[tokio::test]
async fn a_peer_that_has_gone_silent_is_given_up_after_forty_five_seconds() {
    let (network, faults, clock) = (InProcess::new(), LinkFaults::new(), clock(1));
    let _hub = hub(&network).await;
    let phone = dialing(FaultyTransport::new(network, faults.clone()), clock.clone()).await;
    let mut connection = phone.connect("mem://hub").unwrap();
    soon(connection.caught_up()).await;
    for direction in [Direction::Outgoing, Direction::Incoming] {
        faults.put(1, direction, 0, LinkFault::Silence);
    }
    for _ in 0..44 {
        clock.advance(Duration::from_secs(1));
        settle().await;
    }
    assert_eq!(connection.status(), ConnectionStatus::Live);
    faults.refuse_dials(true);
    clock.advance(Duration::from_secs(2));
    settle().await;
    let status = connection.status();
    assert!(
        matches!(status, ConnectionStatus::Waiting { .. }),
        "{status:?}"
    );
    faults.clear();
    clock.advance(Duration::from_secs(60));
    settle().await;
    assert_eq!(connection.status(), ConnectionStatus::Live);
}
