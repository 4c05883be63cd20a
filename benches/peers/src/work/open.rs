//! W11 and W14: a store is opened, and its log is read.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

use super::Bench;
use super::disk::{self, Kind};
use crate::Done;
use crate::contest::{Contestant, Run, contest};
use crate::measure::{ns_each, wall};
use crate::table::{Role, Row, count};

/// Bytes of one event in a bare file.
const RECORD: usize = 178;

/// W11.
pub(crate) fn run(bench: &mut Bench<'_>) -> Done<()> {
    for size in bench.sizes().iter().copied() {
        let count = count(size);
        let title = format!("open a store of {count} events that was closed, to the first answer");
        let mut clean = Row::new("W11", title, "ms")
            .aims(200.0, Some(20.0))
            .sized(size);
        let title = format!("open a store of {count} events after a crash, to the first answer");
        let mut crashed = Row::new("W11", title, "ms").aims(1_000.0, Some(200.0));
        let rounds = bench.rounds(8);
        let ours = path(bench, Kind::Replica, size)?;
        let rows = path(bench, Kind::Rows, size)?;
        let both = |broken: bool| {
            vec![
                opening("anabranch", Role::Ours, Kind::Replica, &ours, broken),
                opening("raw fjall", Role::Peer, Kind::Rows, &rows, broken),
            ]
        };
        contest(&mut [&mut clean], rounds, both(false), &bench.progress)?;
        contest(&mut [&mut crashed], rounds, both(true), &bench.progress)?;
        bench.rows.extend([clean, crashed]);
    }
    Ok(())
}

fn path(bench: &mut Bench<'_>, kind: Kind, size: usize) -> Done<std::path::PathBuf> {
    bench
        .progress
        .step(&format!("filling a store with {}", count(size)));
    bench.stores.filled(kind, size)
}

fn opening<'a>(who: &str, role: Role, kind: Kind, path: &'a Path, broken: bool) -> Contestant<'a> {
    let run = move |_| {
        if broken {
            disk::crash(kind, path)?;
        }
        Ok(Run::of(disk::open(kind, path)?.micros / 1e3))
    };
    let keeps = if kind == Kind::Replica {
        "a state read"
    } else {
        "a row read"
    };
    Contestant::new(who, role, keeps, run)
}

/// W14.
pub(crate) fn run_replay(bench: &mut Bench<'_>) -> Done<()> {
    let size = bench.sizes().last().copied().unwrap_or_default();
    let count = count(size);
    let title = format!("the whole log of {count} events is read from disk");
    let mut replay = Row::new("W14", title, "ns per event").aims(150.0, Some(70.0));
    let title = format!("bytes on disk, {count} events of 174 bytes by themselves");
    let mut bytes = Row::new("W14", title, "bytes per event").aims(150.0, Some(100.0));
    let ours = path(bench, Kind::Replica, size)?;
    let rows = path(bench, Kind::Rows, size)?;
    let file = bench.stores.folder()?.join("records");
    write_records(&file, size)?;
    for (who, role, keeps, bytes_there) in [
        (
            "anabranch",
            Role::Ours,
            "log, ids, histories, states",
            disk::bytes(&ours)?,
        ),
        (
            "raw fjall",
            Role::Peer,
            "rows of 174 bytes",
            disk::bytes(&rows)?,
        ),
        (
            "file",
            Role::Limit,
            "records one after another",
            file.metadata()?.len(),
        ),
    ] {
        bytes
            .cell(who, role, keeps)
            .add(bytes_there as f64 / size as f64);
    }
    let contestants = vec![
        replaying("anabranch", Role::Ours, Kind::Replica, &ours),
        replaying("raw fjall", Role::Peer, Kind::Rows, &rows),
        Contestant::new("file", Role::Limit, "length and bytes", |_| {
            let (records, time) = wall(|| read_records(&file));
            Ok(Run::of(ns_each(time, records?)))
        }),
    ];
    let rounds = bench.rounds(8);
    contest(&mut [&mut replay], rounds, contestants, &bench.progress)?;
    bench.rows.extend([replay, bytes]);
    Ok(())
}

fn replaying<'a>(who: &str, role: Role, kind: Kind, path: &'a Path) -> Contestant<'a> {
    let run = move |_| Ok(Run::of(disk::open(kind, path)?.replay_ns));
    let keeps = match kind {
        Kind::Replica => "events as a tail tells them, checksums looked at",
        Kind::Rows => "bytes of rows",
    };
    Contestant::new(who, role, keeps, run)
}

fn write_records(path: &Path, count: usize) -> Done<()> {
    let mut file = std::io::BufWriter::new(File::create(path)?);
    let mut record = vec![7_u8; RECORD];
    record[..4].copy_from_slice(&(RECORD as u32 - 4).to_le_bytes());
    for _ in 0..count {
        file.write_all(&record)?;
    }
    file.flush()?;
    Ok(())
}

/// How many there are, each copied out of the file.
fn read_records(path: &Path) -> Done<usize> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let (mut records, mut length, mut record) = (0, [0; 4], Vec::new());
    while file.read_exact(&mut length).is_ok() {
        record.resize(u32::from_le_bytes(length) as usize, 0);
        file.read_exact(&mut record)?;
        records += 1;
    }
    Ok(records)
}
