use crate::limits::{BATCH_EVENTS_MAX, OFFERS_AT_ONCE_MAX};

/// How often what has become sendable is offered by itself. Whoever writes now and then waits for
/// nobody; of a burst the first few are offered one by one, and what comes behind them is gathered
/// until the millisecond is over, the next tick, or a batch is full.
#[derive(Debug, Default)]
pub(in crate::engine) struct Pace {
    /// In which millisecond of the monotonic clock, and how many offers were made in it.
    at_ms: u64,
    offers: u32,
    gathers: bool,
}

impl Pace {
    /// Whether so many entries are offered now; if not, a tick is [due](Self::due).
    pub(super) fn admits(&mut self, entries: u64, now_ms: u64) -> bool {
        if self.at_ms != now_ms {
            self.begin();
            self.at_ms = now_ms;
        }
        let is_full = usize::try_from(entries).is_ok_and(|entries| entries >= BATCH_EVENTS_MAX);
        let admits = is_full || self.offers < OFFERS_AT_ONCE_MAX;
        self.offers += u32::from(admits);
        self.gathers = !admits;
        admits
    }

    /// Whoever had to wait had a turn, or what was gathered cannot wait.
    pub(in crate::engine) fn begin(&mut self) {
        self.offers = 0;
        self.gathers = false;
    }

    /// When a tick is due, in milliseconds of the monotonic clock: at once, if at all.
    pub(in crate::engine) fn due(&self) -> Option<u64> {
        self.gathers.then_some(self.at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_burst_the_first_few_go_alone_and_the_rest_together() {
        let mut pace = Pace::default();
        for now in [7, 8] {
            for _ in 0..OFFERS_AT_ONCE_MAX {
                assert!(pace.admits(1, now) && pace.due().is_none());
            }
            assert!(!pace.admits(1, now) && !pace.admits(2, now));
            assert_eq!(pace.due(), Some(now));
        }
        let full = BATCH_EVENTS_MAX.try_into().unwrap();
        assert!(pace.admits(full, 8) && pace.due().is_none());
        assert!(!pace.admits(1, 8));
        pace.begin();
        assert!(pace.due().is_none() && pace.admits(1, 8));
    }
}
