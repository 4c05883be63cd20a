//! One event that comes late into a long aggregate.

use std::time::Duration;

use anabranch::merge::{Timeline, Unguarded};

use super::Rule;
use super::author::Author;
use crate::Done;
use crate::inputs::Write;
use crate::measure::cpu;

/// What a late event cost.
pub(crate) struct Late {
    /// Events that were folded for it, itself included.
    pub(crate) applied: usize,
    pub(crate) time: Duration,
}

/// An aggregate of so many events, folded, and one event so many positions before its end.
pub(crate) fn late(rule: Rule, events: usize, depth: usize) -> Done<Late> {
    let mut author = Author::new(rule, false)?;
    let aggregate = Rule::aggregate(0)?;
    let route = rule.registry().route(&aggregate).cloned();
    let mut timeline = Timeline::new(aggregate, route);
    let write = |replica, at: usize| Write {
        replica,
        // The last key of the aggregate is the late one's alone, where keys are fields.
        key: match (rule, replica) {
            (Rule::Fields, 0) => at % 99,
            (Rule::Fields, _) => 99,
            _ => 0,
        },
        value: format!("{at:032}"),
        at: at * 8,
    };
    for at in 1..=events {
        let commit = author.commit(&write(0, at))?;
        for event in commit.events() {
            timeline.integrate(event.clone(), None);
        }
        // As if it had been looked at now and then, so that there are places to go back to.
        if at % 1_000 == 0 {
            timeline.fold(&Unguarded);
        }
    }
    timeline.fold(&Unguarded);
    let late = author.commit(&write(1, events - depth))?;
    let (outcome, time) = cpu(|| {
        for event in late.events() {
            timeline.integrate(event.clone(), None);
        }
        timeline.fold(&Unguarded)
    });
    let applied = outcome.applied;
    Ok(Late { applied, time })
}
