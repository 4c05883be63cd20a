//! W1, W1a, W1b: bulk merge at one receiver.

use bytes::Bytes;

use super::Bench;
use crate::Done;
use crate::contest::{Contestant, Run, contest};
use crate::inputs::{self, Batch, Shape};
use crate::limit::{self, Slots};
use crate::measure::{cpu, ns_each};
use crate::ours::{self, Bulk, Rule};
use crate::peers::Peer;
use crate::table::{Role, Row};

/// Orders of delivery in which ours are recorded.
const ORDERS: usize = 3;

/// W1 over 10,000 keys.
pub(crate) fn run(bench: &mut Bench<'_>) -> Done<()> {
    for size in bench.sizes().iter().copied() {
        let million = size >= 1_000_000;
        let shape = Shape {
            replicas: 16,
            keys: 10_000,
            writes: size,
        };
        let title = |how: &str| {
            format!(
                "bulk merge, 16 replicas, {} writes over 10,000 keys, {how}",
                crate::table::count(size)
            )
        };
        let (target, moonshot) = if million {
            (150.0, 80.0)
        } else {
            (250.0, 140.0)
        };
        let mut row = Row::new("W1", title("one batch a replica"), "ns per write").sized(size);
        if size >= 100_000 {
            row = row.aims(target, Some(moonshot));
        }
        let mut peers = bench.peers();
        if size == 100_000 && !bench.arguments.ours {
            peers.push(crate::peers::exact());
        }
        run_one(bench, row, shape, None, Rule::LastWriteWins, &peers)?;
        if size == 10_000 {
            continue;
        }
        let target = if million { 200.0 } else { 250.0 };
        let row = Row::new("W1", title("batches of 512"), "ns per write");
        let row = row.aims(target, Some(moonshot));
        let peers = bench.peers();
        run_one(bench, row, shape, Some(512), Rule::LastWriteWins, &peers)?;
    }
    Ok(())
}

/// W1a: rules that claim nothing, and fields.
pub(crate) fn run_rules(bench: &mut Bench<'_>) -> Done<()> {
    let sizes: &[usize] = bench.pick(&[100_000, 1_000_000], &[100_000], &[1_000]);
    let rules = [
        (
            Rule::Replayed,
            "a rule that claims nothing",
            [(400.0, 250.0), (600.0, 400.0)],
        ),
        (
            Rule::Fields,
            "100 keys an aggregate, FieldMerge",
            [(250.0, 130.0), (200.0, 130.0)],
        ),
    ];
    for size in sizes.iter().copied() {
        for (rule, what, aims) in rules {
            let (target, moonshot) = aims[usize::from(size >= 1_000_000)];
            let shape = Shape {
                replicas: 16,
                keys: 10_000,
                writes: size,
            };
            let count = crate::table::count(size);
            let title = format!("bulk merge, {count} writes, {what}");
            let row = Row::new("W1a", title, "ns per write");
            let row = row.aims(target, Some(moonshot));
            run_one(bench, row, shape, None, rule, &[])?;
        }
    }
    Ok(())
}

/// W1b: 100 hot keys, by 16 and by 100 replicas.
pub(crate) fn run_hot(bench: &mut Bench<'_>) -> Done<()> {
    let peers = bench.peers();
    for replicas in [16, 100] {
        let shape = Shape {
            replicas,
            keys: 100,
            writes: bench.pick(100_000, 100_000, 1_000),
        };
        let title = format!("bulk merge, {replicas} replicas, 100,000 writes over 100 hot keys");
        let mut row = Row::new("W1b", title, "ns per write");
        if replicas == 16 {
            row = row.aims(150.0, Some(40.0));
        }
        run_one(bench, row, shape, None, Rule::LastWriteWins, &peers)?;
    }
    over(bench)
}

/// W1b: what a hundred replicas cost over what sixteen do.
fn over(bench: &mut Bench<'_>) -> Done<()> {
    let mut hot = bench.rows.iter().filter(|row| row.id == "W1b");
    let (few, many) = (hot.next().ok_or("no row")?, hot.next().ok_or("no row")?);
    let title = "the same, 100 replicas over 16";
    let mut row = Row::new("W1b", title, "times").aims(1.5, None);
    for (few, many) in few.cells.iter().zip(&many.cells) {
        if let Some((few_ns, many_ns)) = few.median.zip(many.median) {
            row.cell(&few.who, few.role, "").add(many_ns / few_ns);
        }
    }
    bench.rows.push(row);
    Ok(())
}

fn run_one(
    bench: &mut Bench<'_>,
    mut row: Row,
    shape: Shape,
    per_batch: Option<usize>,
    rule: Rule,
    peers: &[Box<dyn Peer>],
) -> Done<()> {
    let batches = inputs::bulk(shape, per_batch.unwrap_or(usize::MAX));
    let owners: Vec<usize> = batches.iter().map(|batch| batch.replica).collect();
    bench.progress.step("recording ours");
    let orders = if shape.writes > 100_000 {
        1
    } else {
        ORDERS.min(bench.arguments.rounds)
    };
    let recorded = (0..orders)
        .map(|round| Bulk::record(rule, &batches, &inputs::order(round, &owners), per_batch))
        .collect::<Done<Vec<Bulk>>>()?;
    let mut contestants = ours(&recorded);
    for peer in peers {
        bench
            .progress
            .step(&format!("writing with {}", peer.name()));
        let updates = peer.author(&batches)?;
        contestants.push(theirs(
            peer.as_ref(),
            updates,
            &owners,
            shape,
            per_batch.is_none(),
        ));
    }
    if rule == Rule::LastWriteWins {
        contestants.push(lower_bound(&batches, &owners, shape));
    }
    let rounds = bench.rounds(bench.pick(6, 3, 1));
    contest(&mut [&mut row], rounds, contestants, &bench.progress)?;
    bench.rows.push(row);
    Ok(())
}

/// Ours, and the merge alone.
pub(super) fn ours(recorded: &[Bulk]) -> Vec<Contestant<'_>> {
    let whole = move |round: usize| {
        let bulk = &recorded[round % recorded.len()];
        let (received, time) = cpu(|| bulk.receive());
        let state = bulk.state(&mut received?)?;
        Ok(Run::of(ns_each(time, bulk.events)).with_state(state))
    };
    let alone = move |round: usize| {
        let bulk = &recorded[round % recorded.len()];
        let frames: Vec<Bytes> = bulk.batches().cloned().collect();
        let (merged, time) = cpu(|| ours::core(bulk, &frames));
        let state = bulk.state_of(&mut merged?)?;
        Ok(Run::of(ns_each(time, bulk.events)).with_state(state))
    };
    let keeps = "the same; decoding and merge alone, no session, engine or store";
    vec![
        Contestant::new("anabranch", Role::Ours, ours::KEEPS, whole),
        Contestant::new("anabranch, merge alone", Role::Part, keeps, alone),
    ]
}

fn theirs<'a>(
    peer: &'a dyn Peer,
    updates: Vec<Vec<u8>>,
    owners: &'a [usize],
    shape: Shape,
    at_once: bool,
) -> Contestant<'a> {
    let run = move |round: usize| {
        let order = inputs::order(round, owners);
        let updates: Vec<&[u8]> = order.iter().map(|at| updates[*at].as_slice()).collect();
        let mut replica = peer.empty();
        let (outcome, time) = cpu(|| {
            if at_once {
                replica.apply_all(&updates)
            } else {
                updates.iter().try_for_each(|update| replica.apply(update))
            }
        });
        outcome?;
        Ok(Run::of(ns_each(time, shape.writes)).with_state(replica.state()?))
    };
    Contestant::new(peer.name(), Role::Peer, peer.keeps(), run)
}

fn lower_bound<'a>(batches: &[Batch], owners: &'a [usize], shape: Shape) -> Contestant<'a> {
    let encoded: Vec<Vec<u8>> = batches.iter().map(limit::encode).collect();
    let run = move |round: usize| {
        let order = inputs::order(round, owners);
        let mut slots = Slots::default();
        let (outcome, time) = cpu(|| order.iter().try_for_each(|at| slots.apply(&encoded[*at])));
        outcome?;
        Ok(Run::of(ns_each(time, shape.writes)).with_state(slots.state()))
    };
    Contestant::new(
        "limit",
        Role::Limit,
        "the encoded log and newest values",
        run,
    )
}
