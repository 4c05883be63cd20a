//! A sync that is cut after each of its frames in turn, in both directions, at either end: after a
//! second try everybody has everything, once.

use std::time::Duration;

use anabranch::engine::Filter;
use anabranch::testing::doubles::{Direction, FaultyTransport, LinkFault, LinkFaults, ManualClock};
use anabranch::transport::in_process::InProcess;
use anabranch::{MemoryStore, Replica};
use futures::StreamExt;

use super::world::{clock, note, over, rules, settle, soon};

/// Who is behind the script: the end that dials, or the one that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Dialer,
    Listener,
}

/// What both have written before they meet; the second a commit larger than a frame.
struct Written([MemoryStore; 2]);

impl Written {
    async fn new() -> Self {
        let disks = [(); 2].map(|()| MemoryStore::new());
        for (number, disk) in disks.iter().enumerate() {
            let replica = over(disk.clone()).await;
            for batch in 0..3 {
                let text = format!("{number} wrote {batch}");
                replica.record(note("note/1", &text)).await.unwrap();
            }
            let large = (0..6).map(|part| {
                let text = format!("{number} {part} {}", "x".repeat(number * 180_000));
                note(&format!("large/{part}"), &text)
            });
            replica.record_all(large.collect()).await.unwrap();
            replica.close().await.unwrap();
        }
        Self(disks)
    }
}

struct Story {
    phone: Replica,
    hub: Replica,
    faults: LinkFaults,
    clocks: [ManualClock; 2],
}

impl Story {
    async fn begin(written: &Written, end: End) -> Self {
        let [phone, hub] = &written.0;
        let (network, faults) = (InProcess::new(), LinkFaults::new());
        let clocks = [clock(1), clock(2)];
        let hub = Replica::builder(hub.copy()).registry(rules());
        let hub = hub.environment(clocks[1].clone()).open().await.unwrap();
        let mut listener = network.listen("hub").unwrap();
        let (serving, script) = (hub.clone(), faults.clone());
        tokio::spawn(async move {
            loop {
                let link = listener.accept().await;
                let link = match end {
                    End::Listener => script.wrap(link),
                    End::Dialer => link,
                };
                let serving = serving.clone();
                tokio::spawn(async move { serving.accept(link).await });
            }
        });
        let builder = Replica::builder(phone.copy()).registry(rules());
        let builder = match end {
            End::Dialer => builder.transport(FaultyTransport::new(network, faults.clone())),
            End::Listener => builder.transport(network),
        };
        let phone = builder.environment(clocks[0].clone()).open().await.unwrap();
        Self {
            phone,
            hub,
            faults,
            clocks,
        }
    }

    async fn check(&self) {
        for replica in [&self.phone, &self.hub] {
            let tail = replica.tail_so_far(Filter::all(), None).unwrap();
            let mut ids: Vec<_> = tail.map(|event| event.unwrap().event.id()).collect().await;
            let told = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!((told, ids.len()), (18, 18));
        }
        for name in ["note/1", "large/0", "large/5"] {
            let digests = [self.phone.digest(name).await, self.hub.digest(name).await];
            assert_eq!(digests[0].as_ref().unwrap(), digests[1].as_ref().unwrap());
        }
    }
}

#[tokio::test]
async fn a_sync_that_is_cut_after_any_frame_in_any_direction_is_made_up_for() {
    let written = Written::new().await;
    let (mut runs, mut ended_early) = (0, 0);
    for end in [End::Dialer, End::Listener] {
        for direction in [Direction::Outgoing, Direction::Incoming] {
            for frames in 0.. {
                let story = Story::begin(&written, end).await;
                story.faults.put(1, direction, frames, LinkFault::Cut);
                let first = soon(story.phone.sync("mem://hub")).await;
                settle().await;
                if story.faults.fired() == 0 {
                    first.unwrap();
                    story.check().await;
                    assert!(frames > 4, "a sync of {frames} frames tells little");
                    break;
                }
                runs += 1;
                ended_early += usize::from(first.is_err());
                story.faults.clear();
                let second = soon(story.phone.sync("mem://hub")).await;
                second.unwrap_or_else(|error| panic!("{end:?} {direction:?} {frames}: {error}"));
                story.check().await;
            }
        }
    }
    println!("a sync was cut {runs} times, {ended_early} times before its end");
    assert!(ended_early > 20);
}

#[tokio::test]
async fn a_sync_that_falls_silent_after_any_frame_in_any_direction_ends_and_is_made_up_for() {
    let written = Written::new().await;
    let mut runs = 0;
    for direction in [Direction::Outgoing, Direction::Incoming] {
        for frames in 0.. {
            let story = Story::begin(&written, End::Dialer).await;
            story.faults.put(1, direction, frames, LinkFault::Silence);
            let phone = story.phone.clone();
            let syncing = tokio::spawn(async move { phone.sync("mem://hub").await });
            // Nobody is told, so it takes until the other end counts as dead.
            for _ in 0..10 {
                settle().await;
                for clock in &story.clocks {
                    clock.advance(Duration::from_secs(5));
                }
            }
            let first = soon(syncing).await.unwrap();
            settle().await;
            if story.faults.fired() == 0 {
                first.unwrap();
                break;
            }
            runs += 1;
            story.faults.clear();
            let second = soon(story.phone.sync("mem://hub")).await;
            second.unwrap_or_else(|error| panic!("{direction:?} {frames}: {error}"));
            story.check().await;
        }
    }
    println!("a sync fell silent {runs} times");
    assert!(runs > 20);
}

#[tokio::test]
async fn a_frame_that_was_changed_on_the_way_is_never_taken_for_what_was_sent() {
    let written = Written::new().await;
    for direction in [Direction::Outgoing, Direction::Incoming] {
        for frames in 0.. {
            let story = Story::begin(&written, End::Dialer).await;
            story.faults.put(1, direction, frames, LinkFault::Corrupt);
            let first = soon(story.phone.sync("mem://hub")).await;
            settle().await;
            if story.faults.fired() == 0 {
                break;
            }
            story.faults.clear();
            let second = soon(story.phone.sync("mem://hub")).await;
            second.unwrap_or_else(|error| panic!("{direction:?} {frames}: {error}; {first:?}"));
            story.check().await;
        }
    }
}
