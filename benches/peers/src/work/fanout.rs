//! W9: one event to a thousand readers. A server of one thread, readers of one thread.

use super::Bench;
use crate::Done;
use crate::child::Process;
use crate::contest::{Contestant, Run, contest};
use crate::table::{Role, Row};

/// Readers that hang on a server.
pub(super) fn readers(bench: &Bench<'_>) -> usize {
    bench.pick(1_000, 1_000, 20)
}

pub(crate) fn run(bench: &mut Bench<'_>) -> Done<()> {
    let readers = readers(bench);
    for (each, events) in [(1, 200), (64, 3_200)] {
        let events = events * bench.pick(5, 1, 1);
        let together = if each == 1 {
            "one event a frame"
        } else {
            "64 events a frame"
        };
        let title = format!("fan-out of 200-byte events to 1,000 readers, {together}");
        let mut row = Row::new("W9", title, "deliveries/s").more_is_better();
        let contestants = vec![
            Contestant::new("anabranch", Role::Ours, "a hub in memory", move |_| {
                once("anabranch", events, each, readers)
            }),
            Contestant::new(
                "bare loop",
                Role::Limit,
                "tungstenite, the same bytes",
                move |_| once("bare", events, each, readers),
            ),
        ];
        let rounds = bench.rounds(8);
        contest(&mut [&mut row], rounds, contestants, &bench.progress)?;
        if let Some(bare) = row.figure(Role::Limit) {
            row = row.aims(bare * 0.8, Some(bare));
        }
        bench.rows.push(row);
    }
    Ok(())
}

fn once(who: &str, events: usize, each: usize, count: usize) -> Done<Run> {
    let (mut server, mut readers) = connected(who, events, each, count)?;
    server.tell("go")?;
    let seconds: f64 = readers.line()?.parse()?;
    readers.end()?;
    server.end()?;
    Ok(Run::of((events * count) as f64 / seconds))
}

/// A server and its readers who wait for what it sends.
fn connected(who: &str, events: usize, each: usize, count: usize) -> Done<(Process, Process)> {
    let mut server = Process::start(&["fan-out", who, &events.to_string(), &each.to_string()])?;
    let address = server.line()?;
    server.tell(&count.to_string())?;
    let mut readers = Process::start(&["readers", &address, who, &count.to_string()])?;
    readers.line()?;
    server.line()?;
    Ok((server, readers))
}
