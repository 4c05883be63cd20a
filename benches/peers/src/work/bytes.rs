//! W2: bytes of a batch, with everything that its receiver needs.

use super::Bench;
use crate::Done;
use crate::inputs::{self, Shape};
use crate::limit;
use crate::ours::{self, Bulk, Rule};
use crate::table::{Role, Row};

pub(crate) fn run(bench: &mut Bench<'_>) -> Done<()> {
    let shape = Shape {
        replicas: 16,
        keys: 10_000,
        writes: 100_000,
    };
    let batches = inputs::bulk(shape, usize::MAX);
    let title = "bytes of those batches, 100,000 writes with all history (17.7 cannot be avoided)";
    let mut raw = Row::new("W2", title, "bytes per write").aims(50.0, None);
    let title = "the same, compressed by zstd at level 1: ours as it crosses the wire, of the others each batch";
    let mut packed = Row::new("W2", title, "bytes per write").aims(23.0, Some(20.0));
    let each = |bytes: usize| bytes as f64 / shape.writes as f64;

    let order: Vec<usize> = (0..batches.len()).collect();
    let bulk = Bulk::record(Rule::LastWriteWins, &batches, &order, None)?;
    let (bytes, compressed) = (
        bulk.bytes(),
        ours::compressed(Rule::LastWriteWins, &batches)?,
    );
    let mut enter = |who: &str, role, keeps: &str, bytes: usize, compressed: usize| {
        raw.cell(who, role, keeps).add(each(bytes));
        packed.cell(who, role, keeps).add(each(compressed));
    };
    enter("anabranch", Role::Ours, ours::KEEPS, bytes, compressed);
    for peer in bench.peers() {
        bench.progress.step(peer.name());
        let updates = peer.author(&batches)?;
        let (bytes, compressed) = sizes(&updates)?;
        enter(peer.name(), Role::Peer, peer.keeps(), bytes, compressed);
        let updates: Vec<&[u8]> = updates.iter().map(Vec::as_slice).collect();
        let mut replica = peer.empty();
        replica.apply_all(&updates)?;
        if let Some(saved) = replica.saved() {
            let who = format!("{}, document", peer.name());
            enter(
                &who,
                Role::Peer,
                "all writers' in one, as it is saved",
                saved,
                saved,
            );
        }
    }
    let encoded: Vec<Vec<u8>> = batches.iter().map(limit::encode).collect();
    let (bytes, compressed) = sizes(&encoded)?;
    enter("limit", Role::Limit, "no causality", bytes, compressed);
    bench.rows.extend([raw, packed]);
    Ok(())
}

/// Bytes of all of them, as they are and each compressed.
fn sizes(updates: &[Vec<u8>]) -> Done<(usize, usize)> {
    let mut bytes = (0, 0);
    for update in updates {
        bytes.0 += update.len();
        bytes.1 += zstd::bulk::compress(update, 1)?.len();
    }
    Ok(bytes)
}
