use crate::engine::Engine;
use crate::event::AggregateId;
use crate::limits::{
    AUDIT_EVENTS_MAX, AUDIT_FIRST, AUDIT_FREE_APPLIES, AUDIT_SHARE, AUDITED_ANEW_MAX,
};
use crate::merge::{Placed, Replay, Shortcuts, Timeline};

use super::Suspicion;

impl Engine {
    /// Folds anew, aside, some of what took a late event where it came, and compares. The first few
    /// times for a rule, then one in 64, and never more than a twentieth of all folding, the first
    /// 1,024 events apart.
    pub(super) fn audit_placed(&mut self) {
        if !self.cache.has_placed() {
            return;
        }
        for aggregate in self.cache.take_placed(AUDITED_ANEW_MAX) {
            self.audit_placed_in(&aggregate);
        }
    }

    /// Folds an aggregate before its state is told or compared, and audits the shortcuts that this
    /// took, so that a mistake of this end is found at this end.
    pub(in crate::engine) fn fold_to_compare(&mut self, aggregate: &AggregateId) {
        self.fold(aggregate);
        if self
            .cache
            .timeline(aggregate)
            .is_some_and(Timeline::has_placed)
        {
            self.audit_placed_in(aggregate);
        }
    }

    fn audit_placed_in(&mut self, aggregate: &AggregateId) {
        let look = |timeline: &mut Timeline| {
            let fingerprint = timeline.route().map(crate::resolver::Route::fingerprint);
            ((timeline.take_placed(), fingerprint, timeline.len()), 0)
        };
        let Some((placed, Some(fingerprint), events)) = self.cache.with(aggregate, look) else {
            return;
        };
        let made = self.audit.placed.get(&fingerprint).copied().unwrap_or(0);
        let drawn = made < AUDIT_FIRST || placed.iter().any(Placed::is_sampled);
        if placed.is_empty()
            || !drawn
            || !self.audit.can_afford(events)
            || self.audit.is_chance(fingerprint)
        {
            return;
        }
        // What came since may not be folded yet.
        self.fold(aggregate);
        let guard = self.guard.clone();
        let timeline = self.cache.timeline(aggregate);
        let Some(timeline) = timeline.filter(|timeline| timeline.has_history()) else {
            return;
        };
        let Some(stands) = timeline.as_replay(&*guard) else {
            return;
        };
        let Ok(replay) = timeline.replay(timeline.len(), &*guard) else {
            return;
        };
        self.audit.audits += 1;
        self.audit
            .placed
            .insert(fingerprint, made.saturating_add(1));
        self.audit.replayed = self.audit.replayed.saturating_add(replay.applies);
        if agree(&stands, &replay) {
            return;
        }
        let used: Shortcuts = placed.iter().map(|placed| placed.shortcut).collect();
        if let Some((stood, all)) = self.standing(aggregate) {
            let suspicion = Suspicion {
                stood,
                used: if used.is_empty() { all } else { used },
                peer: None,
            };
            self.look_into(aggregate, &suspicion);
        }
    }
}

impl super::Audit {
    fn can_afford(&self, events: u64) -> bool {
        let allowed = AUDIT_FREE_APPLIES.saturating_add(self.applies / AUDIT_SHARE);
        events <= AUDIT_EVENTS_MAX && self.replayed.saturating_add(events) <= allowed
    }
}

/// Whether both came to the same state and refused the same events, for whatever reasons.
pub(super) fn agree(one: &Replay, other: &Replay) -> bool {
    let refused = |replay: &Replay| {
        replay
            .rejected
            .iter()
            .map(|(id, _)| *id)
            .collect::<alloc::vec::Vec<_>>()
    };
    one.state == other.state && refused(one) == refused(other)
}
