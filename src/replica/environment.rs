//! The one place where the crate reads the operating system's clock and entropy.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::future::{BoxFuture, FutureExt};

use crate::clock::Now;

/// Where time and random bits come from.
///
/// Whoever brings a clock that does not run with the operating system's overrides
/// [`wait_until`](Self::wait_until), too: or a replica looks at one clock and waits for another.
pub trait Environment: Send + Sync + 'static {
    /// Both clocks, read together.
    fn now(&self) -> Now;

    /// 64 random bits.
    fn entropy(&self) -> u64;

    /// Returns when the monotonic clock shows so many milliseconds; how deadlines and the pauses
    /// between two tries are waited for. Unless overridden, tokio's timer is set to what is left.
    fn wait_until(&self, mono_ms: u64) -> BoxFuture<'static, ()> {
        let left = mono_ms.saturating_sub(self.now().mono_ms).max(1);
        tokio::time::sleep(Duration::from_millis(left)).boxed()
    }
}

/// The operating system's clock and entropy.
#[derive(Clone, Copy, Debug)]
pub struct OperatingSystem {
    started: Instant,
}

impl OperatingSystem {
    /// Starts the monotonic clock at zero.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the clock is read"
    )]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for OperatingSystem {
    fn default() -> Self {
        Self::new()
    }
}

impl Environment for OperatingSystem {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the clock is read"
    )]
    fn now(&self) -> Now {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Now {
            wall_ms: millis(wall),
            mono_ms: millis(self.started.elapsed()),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where entropy is drawn"
    )]
    fn entropy(&self) -> u64 {
        let mut bytes = [0; 8];
        // A system without entropy cannot run anything that draws ids; the process id and the clock
        // keep two processes apart even then.
        if getrandom::fill(&mut bytes).is_err() {
            let now = self.now();
            return now.wall_ms.rotate_left(32) ^ u64::from(std::process::id());
        }
        u64::from_ne_bytes(bytes)
    }
}
