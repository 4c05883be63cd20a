//! W5: one event, 10,000 positions before the end of a long aggregate.

use super::Bench;
use crate::Done;
use crate::contest::{Contestant, Run, contest};
use crate::ours::{Rule, late};
use crate::table::{Role, Row, count};

const DEPTH: usize = 10_000;

pub(crate) fn run(bench: &mut Bench<'_>) -> Done<()> {
    let events = bench.pick(1_000_000, 100_000, 20_000);
    let count = count(events);
    let rows = [
        (
            Rule::Fields,
            "a field that no later event touches",
            1.0,
            None,
        ),
        (
            Rule::Replayed,
            "a rule that claims nothing",
            2.0 * DEPTH as f64,
            Some(1.2 * DEPTH as f64),
        ),
    ];
    for (rule, what, target, moonshot) in rows {
        let title =
            format!("a late event 10,000 positions deep in an aggregate of {count}, {what}");
        let mut applies = Row::new("W5", title, "events folded").aims(target, moonshot);
        let mut time = Row::new("W5", "the same, time", "us");
        let run = |_| {
            let late = late(rule, events, DEPTH)?;
            Ok(Run {
                figures: vec![late.applied as f64, late.time.as_secs_f64() * 1e6],
                state: None,
            })
        };
        let keeps = "no peer lets a rule of yours do this";
        let contestants = vec![Contestant::new("anabranch", Role::Ours, keeps, run)];
        let rounds = bench.rounds(8);
        contest(
            &mut [&mut applies, &mut time],
            rounds,
            contestants,
            &bench.progress,
        )?;
        bench.rows.extend([applies, time]);
    }
    Ok(())
}
