use crate::limits::{OFFER_ENTRIES, OFFERS_AT_ONCE_MAX, OFFERS_PER_MS_MAX};

/// How often what has become sendable is offered by itself. Whoever writes now and then waits for
/// nobody. Of a burst the first few are offered one by one, then a few times what came until whoever
/// waits for the processor had a turn, the next tick. A burst that goes on is gathered until the
/// millisecond is over, or until it is worth a frame.
#[derive(Debug, Default)]
pub(in crate::engine) struct Pace {
    /// In which millisecond of the monotonic clock, how many offers were made in it, and how many
    /// since a turn.
    at_ms: u64,
    offers: u32,
    in_turn: u32,
    gathers: bool,
    /// Something waits for the end of the millisecond: the next one is offered what has gathered,
    /// and no more.
    is_crowded: bool,
    was_crowded: bool,
}

impl Pace {
    /// Whether so many entries are offered now; if not, a tick is [due](Self::due).
    pub(super) fn admits(&mut self, entries: u64, now_ms: u64) -> bool {
        if self.at_ms != now_ms {
            self.was_crowded = self.is_crowded;
            (self.offers, self.in_turn, self.is_crowded) = (0, 0, false);
            self.at_ms = now_ms;
        }
        let offers_max = if self.was_crowded {
            1
        } else {
            OFFERS_PER_MS_MAX
        };
        let has_offers = self.offers < offers_max;
        let admits = entries >= OFFER_ENTRIES || (has_offers && self.in_turn < OFFERS_AT_ONCE_MAX);
        self.offers += u32::from(admits);
        self.in_turn += u32::from(admits);
        self.gathers = !admits;
        self.is_crowded |= !admits && !has_offers;
        admits
    }

    /// Whoever had to wait for the processor had a turn.
    pub(in crate::engine) fn turn(&mut self) {
        self.in_turn = 0;
    }

    /// What was gathered cannot wait, or nobody is there for it.
    pub(super) fn begin(&mut self) {
        *self = Self {
            at_ms: self.at_ms,
            ..Self::default()
        };
    }

    /// When a tick is due, in milliseconds of the monotonic clock.
    pub(in crate::engine) fn due(&self) -> Option<u64> {
        let wait = u64::from(self.is_crowded);
        self.gathers.then_some(self.at_ms.saturating_add(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Single entries that come one behind the other: how many are offered before one waits.
    fn offered(pace: &mut Pace, now_ms: u64) -> u32 {
        (0..1_000)
            .take_while(|_| pace.admits(1, now_ms))
            .count()
            .try_into()
            .unwrap()
    }

    #[test]
    fn of_a_burst_the_first_few_go_alone_and_the_rest_together() {
        let mut pace = Pace::default();
        for now in [7, 17] {
            for _ in 0..OFFERS_PER_MS_MAX / OFFERS_AT_ONCE_MAX {
                assert_eq!(offered(&mut pace, now), OFFERS_AT_ONCE_MAX);
                pace.turn();
            }
            assert_eq!(offered(&mut pace, now), 0);
            assert_eq!(pace.due(), Some(now + 1));
            pace.turn();
            assert_eq!(offered(&mut pace, now), 0);
            assert!(pace.admits(OFFER_ENTRIES, now) && pace.due().is_none());
            pace.begin();
        }
    }

    #[test]
    fn of_a_burst_that_goes_on_a_millisecond_is_one_offer() {
        let mut pace = Pace::default();
        while pace.due() != Some(8) {
            offered(&mut pace, 7);
            pace.turn();
        }
        for now in 8..12 {
            assert_eq!(offered(&mut pace, now), 1);
            assert_eq!(pace.due(), Some(now + 1));
        }
        // It pauses, and whoever comes then waits for nobody.
        assert!(pace.admits(1, 12) && pace.due().is_none());
        assert_eq!(offered(&mut pace, 13), OFFERS_AT_ONCE_MAX);
        assert_eq!(pace.due(), Some(13));
        pace.begin();
        assert!(pace.due().is_none());
        assert_eq!(offered(&mut pace, 13), OFFERS_AT_ONCE_MAX);
    }
}
