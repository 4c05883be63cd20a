//! W4: two replicas with much in common meet again, each with ten new events.

use super::Bench;
use crate::Done;
use crate::contest::{Contestant, Run, contest};
use crate::inputs::{self, Shape, Write};
use crate::limit::Apart;
use crate::ours::{Meeting, Rule};
use crate::peers::Pair;
use crate::table::{Role, Row, count};

/// Meetings of one round, of which the middle one counts.
const MEETINGS: usize = 9;

pub(crate) fn run(bench: &mut Bench<'_>) -> Done<()> {
    for size in bench.sizes().iter().copied() {
        run_one(bench, size)?;
    }
    Ok(())
}

fn run_one(bench: &mut Bench<'_>, size: usize) -> Done<()> {
    let count = count(size);
    let title = format!("reconnect, {count} shared events and 10 new ones on each end, both ends");
    let mut time = Row::new("W4", title, "us")
        .aims(100.0, Some(40.0))
        .sized(size);
    let title = format!("the same, bytes both ways, {count} shared");
    let mut bytes = Row::new("W4", title, "bytes").aims(1_500.0, None);
    let shape = Shape {
        replicas: 16,
        keys: 10_000,
        writes: size,
    };
    let shared = inputs::bulk(shape, 512);
    bench.progress.step("two of ours");
    let ours = Meeting::new(Rule::LastWriteWins, &shared)?;
    let mut contestants = vec![meetings("anabranch", Role::Ours, Box::new(ours))];
    // What every peer does at other sizes is known by then.
    let peers = if size == 10_000 {
        Vec::new()
    } else {
        bench.peers()
    };
    for peer in &peers {
        if size > 100_000 && peer.name().starts_with("automerge") {
            continue;
        }
        bench.progress.step(&format!("two of {}", peer.name()));
        if let Some(pair) = peer.pair(&shared)? {
            contestants.push(meetings(peer.name(), Role::Peer, pair));
        }
    }
    let bare = Box::new(Apart::sharing(&shared)?);
    contestants.push(meetings("limit", Role::Limit, bare));
    let rounds = bench.rounds(3);
    contest(
        &mut [&mut time, &mut bytes],
        rounds,
        contestants,
        &bench.progress,
    )?;
    bench.rows.extend([time, bytes]);
    Ok(())
}

fn meetings(who: &str, role: Role, mut pair: Box<dyn Pair>) -> Contestant<'static> {
    let mut next = 0;
    let run = move |_| {
        let (mut times, mut bytes) = (Vec::new(), Vec::new());
        for _ in 0..MEETINGS {
            pair.write(&new(&mut next), &new(&mut next))?;
            let meeting = pair.reconnect()?;
            times.push(meeting.time.as_secs_f64() * 1e6);
            bytes.push(meeting.bytes as f64);
        }
        let middle = |figures: &[f64]| crate::measure::median(figures).unwrap_or_default();
        Ok(Run {
            figures: vec![middle(&times), middle(&bytes)],
            state: None,
        })
    };
    Contestant::new(who, role, "", run)
}

/// Ten writes that nobody has made before.
fn new(next: &mut usize) -> Vec<Write> {
    let shape = Shape {
        replicas: 1,
        keys: 10_000,
        writes: 10,
    };
    let mut writes = inputs::live(shape);
    for write in &mut writes {
        *next += 1;
        write.key = *next * 7_919 % 10_000;
        write.at = 10_000_000 + *next;
    }
    writes
}
