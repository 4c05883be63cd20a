use thiserror::Error;

use crate::event::Timestamp;
use crate::limits::{DRIFT_MS_MAX, TIMESTAMP_FAR_MS};

/// Makes the timestamps of one replica: the hybrid logical clock of Kulkarni et al. (*Logical
/// Physical Clocks*, 2014), on 64-bit stamps whose logic carries into the milliseconds.
///
/// The state is one stamp, the [`mark`](Self::mark): the greatest that the clock has made or
/// adopted. It rises for ever, whatever the readings do. Store it durably before a stamp leaves, and
/// [`resume`](Self::resume) from it after a restart.
///
/// Three rules keep a wild stamp from spreading:
/// - What the past of an aggregate demands (the *floor* of [`tick`](Self::tick)) lifts the stamp of
///   that commit. A lift beyond the drift bound leaves the clock itself where it was, so only the
///   aggregates written together with the wild event follow it.
/// - [`observe`](Self::observe) adopts no remote stamp beyond the drift bound.
/// - From 2^47 milliseconds on ([`TIMESTAMP_FAR_MS`]) only exact successors of a floor are valid.
///   The clock never enters that range by itself: a reading out there counts as no reading, and the
///   clock goes on by logic alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[doc(alias = "HLC")]
pub struct HybridClock {
    mark: Timestamp,
}

impl HybridClock {
    /// A clock that has made no stamp: that of a new incarnation.
    pub const fn new() -> Self {
        Self {
            mark: Timestamp::ZERO,
        }
    }

    /// The clock that had this mark. Its stamps will be greater.
    pub const fn resume(mark: Timestamp) -> Self {
        Self { mark }
    }

    /// What must survive a restart: no stamp of the clock itself has been greater so far.
    pub const fn mark(&self) -> Timestamp {
        self.mark
    }

    /// How many milliseconds the clock is ahead of a reading of the wall clock; 0 where it is not.
    /// More than the drift bound means that the wall clock has been set back.
    pub const fn ahead_ms(&self, now_ms: u64) -> u64 {
        self.mark.millis().saturating_sub(now_ms)
    }

    /// The stamp of a new commit: `max(clock, 1 + floor)`, where `floor` is the greatest timestamp
    /// in the pasts of the aggregates the commit writes (nothing for new aggregates).
    ///
    /// # Errors
    /// [`ClockError::Exhausted`] where no valid stamp is left; the clock is unchanged then.
    pub fn tick(&mut self, now_ms: u64, floor: Option<Timestamp>) -> Result<Timestamp, ClockError> {
        let exhausted = ClockError::Exhausted { mark: self.mark };
        let own = self.next_own(now_ms);
        let lifted = match floor {
            Some(floor) => Some(floor.next().ok_or(exhausted)?),
            None => None,
        };
        let stamp = own.max(lifted).ok_or(exhausted)?;
        if is_near(stamp, now_ms) {
            self.mark = self.mark.max(stamp);
        } else if let Some(own) = own {
            self.mark = own;
        }
        Ok(stamp)
    }

    /// Takes notice of a stamp from elsewhere, so that later stamps are greater, unless it is too
    /// far ahead of the wall clock.
    pub fn observe(&mut self, now_ms: u64, remote: Timestamp) -> Adoption {
        if remote <= self.mark {
            return Adoption::Behind;
        }
        if is_near(remote, now_ms) || mutant!("any-clock-adopted") {
            self.mark = remote;
            return Adoption::Adopted;
        }
        let ahead_ms = remote.millis().saturating_sub(now_ms);
        Adoption::Drift {
            ahead_ms,
            max_ms: DRIFT_MS_MAX,
        }
    }

    /// The stamp this clock would make by itself: the reading, or the next by logic where the
    /// reading is not greater. Nothing at the end of the range that a clock may use.
    fn next_own(&self, now_ms: u64) -> Option<Timestamp> {
        let next = self.mark.next().filter(|next| !next.is_far())?;
        if now_ms >= TIMESTAMP_FAR_MS {
            return Some(next);
        }
        Some(next.max(Timestamp::at_millis(now_ms)))
    }
}

/// What a clock did with a stamp that it observed. None is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Adoption {
    /// The clock moved up to the stamp.
    Adopted,
    /// The clock was there already.
    Behind,
    /// The stamp is too far ahead; the clock ignored it.
    Drift {
        /// How far it is ahead of the wall clock, in milliseconds. At most the bound only where the
        /// stamp lies in the range that clocks may not enter.
        ahead_ms: u64,
        /// The bound, in milliseconds.
        max_ms: u64,
    },
}

/// A clock that cannot make a stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ClockError {
    /// Every stamp has been used: the clock stands at 2^47 milliseconds (the year 6429) and the
    /// aggregates give no other place, or an aggregate holds the last stamp there is.
    #[error(
        "no timestamp is left after {mark}: take a new incarnation or write to other aggregates"
    )]
    Exhausted {
        /// Where the clock stands.
        mark: Timestamp,
    },
}

/// By how many milliseconds a commit's timestamp is too far ahead for a first hop, or nothing where
/// it is acceptable: refused if and only if it is beyond both `now_ms` + drift and
/// 1 + `greatest_past`, the greatest timestamp in the pasts of its aggregates.
///
/// So the honest writer whose stamp was lifted by what it had seen is never refused.
pub fn first_hop_skew(
    timestamp: Timestamp,
    now_ms: u64,
    greatest_past: Option<Timestamp>,
) -> Option<u64> {
    let lifted = greatest_past
        .is_some_and(|past| past.next().is_none_or(|successor| timestamp <= successor));
    let ahead_ms = timestamp.millis().saturating_sub(now_ms);
    (ahead_ms > DRIFT_MS_MAX && !lifted).then_some(ahead_ms)
}

/// Whether a clock may stand at a stamp: at most the drift bound ahead of the reading, and outside
/// the range in which only exact successors are valid.
fn is_near(stamp: Timestamp, now_ms: u64) -> bool {
    !stamp.is_far() && stamp.millis().saturating_sub(now_ms) <= DRIFT_MS_MAX
}

#[cfg(test)]
mod tests;
