use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::{BoxFuture, join};

use super::Carrier;
use crate::event::Draft;
use crate::replica::Replica;
use crate::resolver::{LastWriteWins, Registry};
use crate::store::MemoryStore;
use crate::testing::doubles::{Direction, LinkFault, LinkFaults};
use crate::transport::{Link, Transport, TransportError};

/// Frames after which the first connection is cut, then the second, and so on.
const LONGER_EACH_TIME: u64 = 4;

/// Many more than it takes.
const ENOUGH_CONNECTIONS: u64 = 60;

/// Hands out connections that were opened before.
#[derive(Clone, Default)]
struct Opened(Arc<Mutex<VecDeque<Link>>>);

impl Opened {
    fn put(&self, link: Link) {
        let mut links = self.0.lock().expect("nothing panics under this lock");
        links.push_back(link);
    }
}

impl Transport for Opened {
    fn dial<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Link, TransportError>> {
        let mut links = self.0.lock().expect("nothing panics under this lock");
        let link = links.pop_front().ok_or_else(|| TransportError::Refused {
            address: address.to_owned(),
        });
        std::future::ready(link).boxed()
    }

    fn serves(&self, address: &str) -> bool {
        address == "opened"
    }
}

/// Two replicas whose connection is cut again and again exchange everything in the end, each event
/// once, and what is written after that over yet another connection.
pub async fn a_sync_is_resumed_over_the_next_connection(carrier: &mut impl Carrier) {
    let links = Opened::default();
    let (near, far) = join(replica(&links), replica(&Opened::default())).await;
    for round in 0..2 {
        for (who, writer) in [&near, &far].into_iter().enumerate() {
            for number in 0..40 {
                let text = format!("{who} {round} {number} {}", long(number));
                let draft = Draft::new("note/1", "written", &text).expect("a small draft");
                writer.record(draft).await.expect("written");
            }
        }
        let tries = sync_until_done(carrier, &links, &near, &far).await;
        assert!(tries > 2, "it was done after {tries} connections");
        let events = 80 * (round + 1);
        assert_eq!(
            (near.status().events, far.status().events),
            (events, events)
        );
        let digests = [near.digest("note/1").await, far.digest("note/1").await];
        let [near, far] = digests.map(|digest| digest.expect("a state"));
        assert!(near.is_some() && near == far, "the states differ");
    }
}

/// Digits of which compression makes little, so that frames are long.
fn long(seed: u64) -> String {
    let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let digits = core::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        format!("{state:016x}")
    });
    digits.take(1_250).collect()
}

/// Cuts each connection later than the one before, and counts them.
async fn sync_until_done(
    carrier: &mut impl Carrier,
    links: &Opened,
    near: &Replica,
    far: &Replica,
) -> u64 {
    for tries in 1..=ENOUGH_CONNECTIONS {
        let (ours, theirs) = carrier.connect().await;
        let faults = LinkFaults::new();
        let direction = if tries % 2 == 0 {
            Direction::Outgoing
        } else {
            Direction::Incoming
        };
        faults.put(1, direction, tries * LONGER_EACH_TIME - 3, LinkFault::Cut);
        links.put(faults.wrap(ours));
        let (synced, _) = join(near.sync("opened"), far.accept(theirs)).await;
        if synced.is_ok() {
            return tries;
        }
    }
    panic!("it was not done after {ENOUGH_CONNECTIONS} connections");
}

async fn replica(links: &Opened) -> Replica {
    let rules = Registry::new().with_default(LastWriteWins);
    let builder = Replica::builder(MemoryStore::new()).registry(rules);
    let opened = builder.transport(links.clone()).open().await;
    opened.expect("a replica in memory opens")
}
