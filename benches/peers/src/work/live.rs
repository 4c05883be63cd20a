//! W3, W3b: one event per message, folded before the next one comes.

use std::time::Duration;

use super::Bench;
use crate::Done;
use crate::contest::{Contestant, Run, contest};
use crate::inputs::{self, Batch, Shape, Write};
use crate::limit::{self, Slots};
use crate::measure::{cpu, ns_each};
use crate::ours::{self, Live, Rule};
use crate::peers::Peer;
use crate::table::{Role, Row, count};

/// How writers are related.
#[derive(Clone, Copy)]
struct Way {
    what: &'static str,
    replicas: usize,
    causal: bool,
}

const WAYS: [Way; 4] = [
    Way {
        what: "16 writers, each has seen everything",
        replicas: 16,
        causal: true,
    },
    Way {
        what: "one writer",
        replicas: 1,
        causal: true,
    },
    Way {
        what: "16 writers, none has seen another",
        replicas: 16,
        causal: false,
    },
    Way {
        what: "100 writers, each has seen everything",
        replicas: 100,
        causal: true,
    },
];

/// W3.
pub(crate) fn run(bench: &mut Bench<'_>) -> Done<()> {
    let usual = bench.pick(100_000, 10_000, 500);
    for way in WAYS {
        run_one(bench, way, usual, true)?;
    }
    over(bench);
    let others: &[usize] = bench.pick(&[10_000, 1_000_000], &[100_000], &[]);
    for size in others {
        run_one(bench, WAYS[0], *size, false)?;
    }
    Ok(())
}

/// What a hundred writers cost over what sixteen do.
fn over(bench: &mut Bench<'_>) {
    let live = |replicas: &str| {
        let mut rows = bench.rows.iter();
        rows.find(|row| {
            row.id == "W3" && row.unit == "ns per event" && row.title.contains(replicas)
        })
        .and_then(|row| row.figure(Role::Ours))
    };
    let few = live("16 writers, each");
    let many = live("100 writers, each");
    if let (Some(few), Some(many)) = (few, many) {
        let title = "live, 100 writers over 16";
        let mut row = Row::new("W3", title, "times").aims(1.3, None);
        row.cell("anabranch", Role::Ours, "").add(many / few);
        bench.rows.push(row);
    }
}

fn run_one(bench: &mut Bench<'_>, way: Way, size: usize, is_whole: bool) -> Done<()> {
    let shape = Shape {
        replicas: way.replicas,
        keys: 10_000,
        writes: size,
    };
    let writes = inputs::live(shape);
    let events = count(size);
    let title = format!("live, one event per message, {}, {events} events", way.what);
    let mut each = Row::new("W3", title, "ns per event").aims(500.0, Some(250.0));
    if way.causal && way.replicas == 16 {
        each = each.sized(size);
    }
    let title = format!("the same, second half against first, {events} events");
    let mut halves = Row::new("W3", title, "times").aims(1.1, None);

    bench.progress.step("recording ours");
    let live = Live::record(Rule::LastWriteWins, &writes, way.causal)?;
    let peers = if is_whole { bench.peers() } else { Vec::new() };
    let mut contestants = vec![us(&live)];
    for peer in &peers {
        bench
            .progress
            .step(&format!("writing with {}", peer.name()));
        let writes = &writes[..writes
            .len()
            .min(patience(peer.as_ref(), way, bench.quick()))];
        contestants.push(them(peer.as_ref(), writes, way.causal)?);
    }
    contestants.push(lower_bound(&writes));
    let rounds = bench.rounds(bench.pick(4, 2, 1));
    contest(
        &mut [&mut each, &mut halves],
        rounds,
        contestants,
        &bench.progress,
    )?;
    halves.orders = None;
    each.orders = None;
    for peer in &peers {
        let events = writes
            .len()
            .min(patience(peer.as_ref(), way, bench.quick()));
        if events < writes.len() {
            let note = format!("the first {} events", count(events));
            each.cell(peer.name(), Role::Peer, "").note(note.clone());
            halves.cell(peer.name(), Role::Peer, "").note(note);
        }
    }
    bench.rows.extend([each, halves]);
    Ok(())
}

/// How many events one is given at most: some take milliseconds for each.
fn patience(peer: &dyn Peer, way: Way, quick: bool) -> usize {
    let many = match peer.name() {
        name if name.starts_with("automerge") => 2_000,
        name if name.starts_with("loro") => 20_000,
        // Every writer takes what every other one writes.
        name if name.starts_with("yrs") && way.replicas > 16 => 10_000,
        _ => usize::MAX,
    };
    if quick { many / 4 } else { many }
}

/// W3b.
pub(crate) fn run_bytes(bench: &mut Bench<'_>) -> Done<()> {
    let shape = Shape {
        replicas: 16,
        keys: 10_000,
        writes: 2_000,
    };
    let writes = inputs::live(shape);
    let title = "bytes of one event in a message, 16 writers, each has seen everything";
    let mut row = Row::new("W3b", title, "bytes").aims(60.0, Some(45.0));
    let live = Live::record(Rule::LastWriteWins, &writes, true)?;
    row.cell("anabranch", Role::Ours, "context included")
        .add(live.bytes());
    for peer in bench.peers() {
        bench.progress.step(peer.name());
        let updates = peer.author_live(&writes, true)?;
        let bytes: usize = updates.iter().map(Vec::len).sum();
        row.cell(peer.name(), Role::Peer, peer.keeps())
            .add(bytes as f64 / writes.len() as f64);
    }
    let bytes: usize = alone(&writes).iter().map(Vec::len).sum();
    row.cell("limit", Role::Limit, "no context")
        .add(bytes as f64 / writes.len() as f64);
    bench.rows.push(row);
    Ok(())
}

fn figures(halves: [Duration; 2], count: usize) -> Run {
    let each = ns_each(halves[0] + halves[1], count);
    let growth = halves[1].as_secs_f64() / halves[0].as_secs_f64().max(1e-9);
    Run {
        figures: vec![each, growth],
        state: None,
    }
}

fn us(live: &Live) -> Contestant<'_> {
    let run = move |_| {
        let mut receiver = live.receiver()?;
        let messages = live.messages();
        let (first, second) = messages.split_at(messages.len() / 2);
        let halves = [first, second]
            .map(|half| cpu(|| half.iter().for_each(|message| receiver.take(message))).1);
        let state = live.state(&mut receiver)?;
        Ok(figures(halves, messages.len()).with_state(state))
    };
    Contestant::new("anabranch", Role::Ours, ours::KEEPS, run)
}

fn them<'a>(peer: &'a dyn Peer, writes: &[Write], causal: bool) -> Done<Contestant<'a>> {
    let updates = peer.author_live(writes, causal)?;
    let run = move |_| {
        let mut replica = peer.empty();
        let (first, second) = updates.split_at(updates.len() / 2);
        let mut times = [Duration::ZERO; 2];
        for (half, time) in [first, second].into_iter().zip(&mut times) {
            let (outcome, spent) = cpu(|| half.iter().try_for_each(|update| replica.apply(update)));
            outcome?;
            *time = spent;
        }
        Ok(figures(times, updates.len()).with_state(replica.state()?))
    };
    Ok(Contestant::new(peer.name(), Role::Peer, peer.keeps(), run))
}

/// Each write as a batch of its own.
fn alone(writes: &[Write]) -> Vec<Vec<u8>> {
    let one = |write: &Write| {
        limit::encode(&Batch {
            replica: write.replica,
            writes: vec![write.clone()],
        })
    };
    writes.iter().map(one).collect()
}

fn lower_bound(writes: &[Write]) -> Contestant<'static> {
    let encoded = alone(writes);
    let run = move |_| {
        let mut slots = Slots::default();
        let (first, second) = encoded.split_at(encoded.len() / 2);
        let mut times = [Duration::ZERO; 2];
        for (half, time) in [first, second].into_iter().zip(&mut times) {
            let (outcome, spent) = cpu(|| half.iter().try_for_each(|batch| slots.apply(batch)));
            outcome?;
            *time = spent;
        }
        Ok(figures(times, encoded.len()))
    };
    Contestant::new(
        "limit",
        Role::Limit,
        "the encoded log and newest values",
        run,
    )
}
