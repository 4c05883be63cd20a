//! W10: memory, as the operating system counts it.

use std::io::Write;

use super::Bench;
use super::disk::Kind;
use super::fanout;
use crate::Done;
use crate::child::Process;
use crate::contest::{Contestant, Run, contest};
use crate::inputs::{self, Shape};
use crate::limit;
use crate::ours::{self, Bulk, Rule};
use crate::table::{Role, Row, count};

const MEGABYTE: f64 = 1e6;

pub(crate) fn run(bench: &mut Bench<'_>) -> Done<()> {
    let sizes = bench.sizes();
    let greatest = sizes.last().copied().unwrap_or_default();
    for size in sizes {
        run_growth(bench, *size, *size == greatest)?;
    }
    run_idle(bench, bench.arguments.idle_hub.unwrap_or(greatest))?;
    run_connections(bench)
}

/// What a receiver grows by in W1.
fn run_growth(bench: &mut Bench<'_>, size: usize, is_last: bool) -> Done<()> {
    let shape = Shape {
        replicas: 16,
        keys: 10_000,
        writes: size,
    };
    let batches = inputs::bulk(shape, usize::MAX);
    let count = count(size);
    let title = format!("memory that a receiver grows by in W1, {count} writes");
    let mut row = Row::new("W10", title, "MB").sized(size);
    let folder = tempfile::tempdir_in(bench.stores.folder()?)?;
    let write = |who: &str, messages: &mut dyn Iterator<Item = &[u8]>| -> Done<String> {
        let path = folder.path().join(who);
        let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
        for message in messages {
            file.write_all(&(message.len() as u32).to_le_bytes())?;
            file.write_all(message)?;
        }
        file.flush()?;
        Ok(path.to_str().ok_or("no text")?.to_owned())
    };
    bench.progress.step("recording ours");
    let order: Vec<usize> = (0..batches.len()).collect();
    let bulk = Bulk::record(Rule::LastWriteWins, &batches, &order, None)?;
    let path = write(
        "anabranch",
        &mut bulk.frames().iter().map(|frame| &frame[..]),
    )?;
    drop(bulk);
    let mut contestants = vec![growing("anabranch", Role::Ours, ours::KEEPS, path)];
    let encoded: Vec<Vec<u8>> = batches.iter().map(limit::encode).collect();
    let log: usize = encoded.iter().map(Vec::len).sum();
    let path = write("limit", &mut encoded.iter().map(Vec::as_slice))?;
    let peers = if is_last { bench.peers() } else { Vec::new() };
    for peer in &peers {
        bench
            .progress
            .step(&format!("writing with {}", peer.name()));
        let updates = peer.author(&batches)?;
        let path = write(peer.name(), &mut updates.iter().map(Vec::as_slice))?;
        contestants.push(growing(peer.name(), Role::Peer, peer.keeps(), path));
    }
    contestants.push(growing(
        "limit",
        Role::Limit,
        "the encoded log and newest values",
        path,
    ));
    let log = log as f64 / MEGABYTE;
    row = row.aims(2.0 * log, Some(1.25 * log));
    let rounds = bench.rounds(5);
    contest(&mut [&mut row], rounds, contestants, &bench.progress)?;
    bench.rows.push(row);
    Ok(())
}

fn growing(who: &str, role: Role, keeps: &str, path: String) -> Contestant<'static> {
    let name = who.to_owned();
    let run = move |_| {
        let mut child = Process::start(&["memory", &name, &path])?;
        let bytes: f64 = child.line()?.parse()?;
        child.end()?;
        Ok(Run::of(bytes / MEGABYTE))
    };
    Contestant::new(who, role, keeps, run)
}

/// A hub that has nothing to do.
fn run_idle(bench: &mut Bench<'_>, size: usize) -> Done<()> {
    let count = count(size);
    bench
        .progress
        .step(&format!("filling a store with {count}"));
    let path = bench.stores.filled(Kind::Replica, size)?;
    let title = format!("memory of an idle hub with {count} events on disk");
    let mut row = Row::new("W10", title, "MB").aims(150.0, Some(60.0));
    let mut hub = Process::start(&["hub", "2", path.to_str().ok_or("no text")?])?;
    hub.line()?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    row.cell("anabranch", Role::Ours, "")
        .add(hub.memory()? as f64 / MEGABYTE);
    hub.end()?;
    bench.rows.push(row);
    Ok(())
}

/// What one connection adds to a hub.
fn run_connections(bench: &mut Bench<'_>) -> Done<()> {
    let readers_there = fanout::readers(bench);
    let title = format!(
        "memory of one idle connection, of {} on a hub",
        count(readers_there)
    );
    let mut row = Row::new("W10", title, "KiB").aims(6.0, Some(4.0));
    for who in ["anabranch", "bare"] {
        let mut server = Process::start(&["fan-out", who, "1", "1"])?;
        let address = server.line()?;
        let before = server.memory()?;
        server.tell(&readers_there.to_string())?;
        let mut readers = Process::start(&["readers", &address, who, &readers_there.to_string()])?;
        readers.line()?;
        server.line()?;
        let grown = server.memory()?.saturating_sub(before) as f64;
        let (name, role) = match who {
            "bare" => ("bare loop", Role::Limit),
            ours => (ours, Role::Ours),
        };
        row.cell(name, role, "")
            .add(grown / 1024.0 / readers_there as f64);
        server.tell("go")?;
        readers.line()?;
        readers.end()?;
        server.end()?;
    }
    bench.rows.push(row);
    Ok(())
}
