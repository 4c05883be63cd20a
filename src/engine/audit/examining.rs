use alloc::boxed::Box;

use super::placed::agree;
use super::{Divergence, Finding, Suspicion};
use crate::engine::{Effect, Engine};
use crate::event::AggregateId;
use crate::limits::{REPLAYS_MAX, REPLAYS_OF_FEW};
use crate::merge::{Evidence, Guard, Replay, Shortcut, Shortcuts, Standing, Timeline};
use crate::resolver::Route;

/// What folding everything anew, several times, came to.
enum Trial {
    /// Another state each time, or now and then.
    Chance,
    /// This, each time.
    Stable(Replay),
}

impl Engine {
    /// Finds out what is wrong with an aggregate whose history is in memory, says so, and heals it if
    /// a replay can.
    pub(super) fn look_into(&mut self, aggregate: &AggregateId, suspicion: &Suspicion) {
        let guard = self.guard.clone();
        let stood = suspicion.stood;
        let Some(timeline) = self.cache.timeline(aggregate) else {
            return;
        };
        let Some(route) = timeline.route().cloned() else {
            return;
        };
        let suspects = suspicion.used.among(timeline.avoided().others());
        // Events may have come since; then it shows again, or does not matter any more.
        match try_again(timeline, &stood, &*guard) {
            None => {}
            Some(Trial::Stable(replay)) => {
                let is_different = replay.digest() != stood.state
                    || (suspicion.peer.is_none() && !suspects.is_empty());
                if !is_different {
                    self.is_elsewhere(aggregate, suspicion, &route, &replay);
                } else if suspects.is_empty() {
                    // Nothing was taken for granted, and yet it does not come to the same.
                    self.is_chance(aggregate, suspicion, &route);
                } else {
                    self.is_shortcut(aggregate, suspicion, &route, &replay, suspects);
                }
            }
            Some(Trial::Chance) => self.is_chance(aggregate, suspicion, &route),
        }
    }

    fn is_chance(&mut self, aggregate: &AggregateId, suspicion: &Suspicion, route: &Route) {
        let known = self.audit.is_chance(route.fingerprint());
        let guard = self.guard.clone();
        let evidence = if known {
            None
        } else {
            let look = |timeline: &mut Timeline| (timeline.evidence_of_chance(&*guard), 0);
            self.cache.with(aggregate, look).flatten()
        };
        if !known {
            self.distrust(route, Shortcuts::NONE, false);
        }
        let found = divergence(
            aggregate,
            suspicion,
            route,
            Finding::NotDeterministic,
            evidence,
        );
        self.found(found);
    }

    /// The same for an aggregate of a rule of which that is known.
    pub(super) fn is_chance_again(
        &mut self,
        aggregate: &AggregateId,
        suspicion: &Suspicion,
        route: &Route,
    ) {
        let finding = Finding::NotDeterministic;
        let found = divergence(aggregate, suspicion, route, finding, None);
        self.found(found);
    }

    fn is_elsewhere(
        &mut self,
        aggregate: &AggregateId,
        suspicion: &Suspicion,
        route: &Route,
        replay: &Replay,
    ) {
        let Some((_, theirs)) = suspicion.peer else {
            return;
        };
        let ours = suspicion.stood.state;
        let finding = Finding::ElsewhereDifferent;
        let look = |timeline: &mut Timeline| (timeline.evidence_of_elsewhere(ours, theirs), 0);
        let evidence = if self.audit.has_evidence(&route.resolver().id(), finding) {
            None
        } else {
            self.cache.with(aggregate, look).flatten()
        };
        let mut found = divergence(aggregate, suspicion, route, finding, evidence);
        found.replayed = Some(replay.digest());
        self.found(found);
    }

    fn is_shortcut(
        &mut self,
        aggregate: &AggregateId,
        suspicion: &Suspicion,
        route: &Route,
        replay: &Replay,
        suspects: Shortcuts,
    ) {
        let guard = self.guard.clone();
        let look = |timeline: &mut Timeline| (timeline.false_shortcuts(suspects, &*guard), 0);
        let (shown, evidence) = self.cache.with(aggregate, look).unwrap_or_default();
        let off = blamed(shown, suspects);
        self.distrust(route, off, true);
        self.fold(aggregate);
        let now = self.standing(aggregate).map(|(standing, _)| standing);
        let finding = Finding::FalseShortcut(off);
        let mut found = divergence(aggregate, suspicion, route, finding, evidence);
        found.replayed = Some(replay.digest());
        found.is_healed =
            now.is_some_and(|now| now.set != replay.set || now.state == replay.digest());
        self.cache.save_soon(aggregate);
        self.audit.moved.note(aggregate);
        self.found(found);
    }

    fn found(&mut self, divergence: Divergence) {
        self.effects
            .push_back(Effect::Diverged(Box::new(divergence.clone())));
        self.audit.note(divergence);
    }

    /// What an aggregate in memory stands at, as of its last fold, and the shortcuts that may have
    /// led there.
    pub(in crate::engine) fn standing(
        &mut self,
        aggregate: &AggregateId,
    ) -> Option<(Standing, Shortcuts)> {
        let guard = self.guard.clone();
        let look = |timeline: &mut Timeline| {
            let standing = timeline.standing(&*guard);
            (standing.map(|standing| (standing, timeline.used())), 0)
        };
        self.cache.with(aggregate, look).flatten()
    }
}

/// Which shortcuts are switched off: those that were seen to fail. Where none was, a state that had been
/// stored is blamed on that, and folded from the start from now on; then the others show by themselves.
fn blamed(shown: Shortcuts, suspects: Shortcuts) -> Shortcuts {
    if !shown.is_empty() {
        shown
    } else if suspects.has(Shortcut::StoredFold) {
        Shortcut::StoredFold.into()
    } else {
        suspects
    }
}

/// Folds what stood anew, several times. Nothing where it cannot be folded, or is not the same set.
fn try_again(timeline: &Timeline, stood: &Standing, guard: &dyn Guard) -> Option<Trial> {
    let first = timeline.replay(stood.events, guard).ok()?;
    if first.set != stood.set {
        return None;
    }
    let times = if first.applies <= REPLAYS_OF_FEW {
        REPLAYS_MAX
    } else {
        2
    };
    for _ in 1..times {
        let again = timeline.replay(stood.events, guard).ok()?;
        if !agree(&first, &again) {
            return Some(Trial::Chance);
        }
    }
    Some(Trial::Stable(first))
}

fn divergence(
    aggregate: &AggregateId,
    suspicion: &Suspicion,
    route: &Route,
    finding: Finding,
    evidence: Option<Evidence>,
) -> Divergence {
    Divergence {
        aggregate: aggregate.clone(),
        resolver: route.resolver().id(),
        finding,
        events: suspicion.stood.events,
        set: suspicion.stood.set,
        ours: suspicion.stood.state,
        replayed: None,
        peer: suspicion.peer,
        is_healed: false,
        evidence,
    }
}
