use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use tokio::sync::watch;

use crate::clock::Now;
use crate::replica::environment::Environment;

/// A clock that moves only when it is told to, and entropy from a seed. Clones share both.
///
/// Given to [`ReplicaBuilder::environment`](crate::replica::ReplicaBuilder::environment) it is all the
/// time that a replica knows: stamps, deadlines and the pauses before reconnects. A replica that waits
/// is woken by [`advance`](Self::advance), so neither sleeping nor `tokio::time::pause` is needed.
/// What is not a replica's own, such as how long a WebSocket waits for its goodbye, or a
/// [`StoreFault::Slow`](super::StoreFault), waits on tokio's clock; a test that is about both pauses
/// tokio's and moves each.
///
/// ```
/// use std::time::Duration;
///
/// use anabranch::clock::HybridClock;
/// use anabranch::testing::doubles::ManualClock;
///
/// let clock = ManualClock::at(1_700_000_000_000);
/// let mut stamps = HybridClock::new();
/// let first = stamps.tick(clock.wall_ms(), None)?;
/// clock.advance(Duration::from_secs(60));
/// let second = stamps.tick(clock.wall_ms(), None)?;
/// assert_eq!(second.millis() - first.millis(), 60_000);
///
/// // Set back by an hour, as a person may: stamps still rise.
/// clock.set_wall_ms(clock.wall_ms() - 3_600_000);
/// assert!(stamps.tick(clock.wall_ms(), None)? > second);
/// # Ok::<(), anabranch::clock::ClockError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock {
    hands: Arc<Mutex<Hands>>,
    moved: watch::Sender<u64>,
}

#[derive(Debug)]
struct Hands {
    now: Now,
    seed: u64,
}

impl ManualClock {
    /// A clock whose wall shows these milliseconds since 1970, and whose monotonic side shows 0.
    pub fn at(wall_ms: u64) -> Self {
        let now = Now {
            wall_ms,
            mono_ms: 0,
        };
        let seed = 0;
        Self {
            hands: Arc::new(Mutex::new(Hands { now, seed })),
            moved: watch::Sender::new(0),
        }
    }

    /// The same with other random bits. Replicas that are to be told apart need different seeds.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        self.hands().seed = seed;
        self
    }

    /// Moves both sides on, and wakes who waits for that.
    pub fn advance(&self, by: Duration) {
        let ms = millis(by);
        let mut hands = self.hands();
        hands.now.wall_ms = hands.now.wall_ms.saturating_add(ms);
        hands.now.mono_ms = hands.now.mono_ms.saturating_add(ms);
        // Under the lock, so that of two who move the clock the later has the last word.
        self.moved.send_replace(hands.now.mono_ms);
    }

    /// Moves the monotonic side alone, as for a process that was stopped while its wall clock was set
    /// back by as much.
    pub fn advance_monotonic(&self, by: Duration) {
        let wall_ms = self.wall_ms();
        self.advance(by);
        self.set_wall_ms(wall_ms);
    }

    /// Sets the wall clock, in either direction. Nobody who waits notices.
    pub fn set_wall_ms(&self, wall_ms: u64) {
        self.hands().now.wall_ms = wall_ms;
    }

    /// What the wall clock shows, in milliseconds since 1970.
    pub fn wall_ms(&self) -> u64 {
        self.hands().now.wall_ms
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.hands.lock().expect("nothing panics under this lock")
    }
}

impl Environment for ManualClock {
    fn now(&self) -> Now {
        self.hands().now
    }

    fn entropy(&self) -> u64 {
        let mut hands = self.hands();
        // SplitMix64, so that neighbouring seeds have nothing in common.
        hands.seed = hands.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (hands.seed ^ (hands.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn wait_until(&self, mono_ms: u64) -> BoxFuture<'static, ()> {
        let mut moved = self.moved.subscribe();
        async move {
            if moved.wait_for(|now| *now >= mono_ms).await.is_err() {
                // The clock is gone and will never move.
                std::future::pending::<()>().await;
            }
        }
        .boxed()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
