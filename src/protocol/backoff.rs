use crate::limits::{BACKOFF_MS_MAX, BACKOFF_MS_MIN};

/// Delays between attempts to connect: doubled per failure up to 30 s, and drawn anew each time so
/// that a thousand peers that lost one hub do not come back as one.
///
/// Each delay lies between 250 ms and a ceiling that starts at twice that; which one is decided by
/// entropy from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Before the first failure.
    pub const fn new() -> Self {
        Self { failures: 0 }
    }

    /// How long to wait after one more failure, in milliseconds. `entropy` is any random number.
    pub fn failed(&mut self, entropy: u64) -> u64 {
        self.failures = self.failures.saturating_add(1);
        let factor = 1u64.checked_shl(self.failures).unwrap_or(u64::MAX);
        let ceiling = BACKOFF_MS_MIN.saturating_mul(factor).min(BACKOFF_MS_MAX);
        BACKOFF_MS_MIN + entropy % (ceiling - BACKOFF_MS_MIN + 1)
    }

    /// A session got as far as both hellos: the next failure is a first one again.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last success.
    pub const fn failures(self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_half_a_minute_and_start_over_after_a_success() {
        let mut backoff = Backoff::new();
        let ceilings = [250u64, 750, 1_750, 3_750, 7_750, 15_750, 29_750, 29_750];
        for span in ceilings {
            let mut other = backoff;
            assert_eq!(other.failed(0), BACKOFF_MS_MIN);
            assert_eq!(backoff.failed(span), BACKOFF_MS_MIN + span);
        }
        for entropy in (0..200).map(|n| u64::MAX / 200 * n) {
            let delay = backoff.failed(entropy);
            assert!((BACKOFF_MS_MIN..=BACKOFF_MS_MAX).contains(&delay));
        }
        backoff.succeeded();
        assert_eq!(backoff, Backoff::new());
    }

    #[test]
    fn countless_failures_do_not_overflow() {
        let mut backoff = Backoff {
            failures: u32::MAX - 1,
        };
        assert!(backoff.failed(u64::MAX) <= BACKOFF_MS_MAX);
        assert!(backoff.failed(u64::MAX) <= BACKOFF_MS_MAX);
    }
}
