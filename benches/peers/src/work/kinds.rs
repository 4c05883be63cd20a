//! W13: counters and add-wins sets.

use super::{Bench, bulk};
use crate::Done;
use crate::contest::{Contestant, Run, contest};
use crate::inputs::{self, Shape};
use crate::measure::{cpu, ns_each};
use crate::ours::{Bulk, Rule};
use crate::peers::{Kind, Peer, Written};
use crate::table::{Role, Row};

pub(crate) fn run(bench: &mut Bench<'_>) -> Done<()> {
    let counters = "bulk, 16 replicas, 100,000 steps of 1,000 counters, one batch a replica";
    let row = Row::new("W13", counters, "ns per event").aims(150.0, Some(80.0));
    run_one(bench, row, Kind::Counter, Rule::Counter)?;
    let sets = "bulk, 16 replicas, 100,000 additions and removals, 10 sets of 100 elements";
    let row = Row::new("W13", sets, "ns per event").aims(200.0, Some(100.0));
    run_one(bench, row, Kind::Set, Rule::Set)
}

fn run_one(bench: &mut Bench<'_>, mut row: Row, kind: Kind, rule: Rule) -> Done<()> {
    let shape = Shape {
        replicas: 16,
        keys: 1_000,
        writes: bench.pick(100_000, 20_000, 1_000),
    };
    let batches = inputs::bulk(shape, usize::MAX);
    let owners: Vec<usize> = batches.iter().map(|batch| batch.replica).collect();
    bench.progress.step("recording ours");
    let recorded = (0..bench.arguments.rounds.min(3))
        .map(|round| Bulk::record(rule, &batches, &inputs::order(round, &owners), None))
        .collect::<Done<Vec<Bulk>>>()?;
    let peers = bench.peers();
    let mut contestants = bulk::ours(&recorded);
    for peer in &peers {
        bench
            .progress
            .step(&format!("writing with {}", peer.name()));
        if let Some(written) = peer.author_kind(kind, &batches)? {
            contestants.push(theirs(peer.as_ref(), kind, written, &owners, shape.writes));
        }
    }
    let rounds = bench.rounds(4);
    contest(&mut [&mut row], rounds, contestants, &bench.progress)?;
    bench.rows.push(row);
    Ok(())
}

fn theirs<'a>(
    peer: &'a dyn Peer,
    kind: Kind,
    written: Written,
    owners: &'a [usize],
    events: usize,
) -> Contestant<'a> {
    let keeps = match (peer.name(), kind) {
        (name, Kind::Counter) if name.starts_with("loro") => "history, causality",
        (name, Kind::Set) if name.starts_with("loro") => "history; a map, the last write wins",
        (name, Kind::Set) if name.starts_with("yrs") => "no history; a map, the last write wins",
        (name, _) if name.starts_with("crdts") => "no history",
        _ => peer.keeps(),
    };
    let run = move |round: usize| {
        let order = inputs::order(round, owners);
        let updates = order.iter().map(|at| written.updates[*at].as_slice());
        let updates: Vec<&[u8]> = updates.collect();
        let mut replica = peer.empty_kind(kind);
        for base in &written.base {
            replica.apply(base)?;
        }
        let (outcome, time) = cpu(|| replica.apply_all(&updates));
        outcome?;
        Ok(Run::of(ns_each(time, events)).with_state(replica.state()?))
    };
    // The versions of the crate's own types differ in name alone.
    let who = peer.name().trim_end_matches(" LWWReg");
    Contestant::new(who, Role::Peer, keeps, run)
}
