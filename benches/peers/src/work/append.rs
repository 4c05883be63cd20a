//! W6: durable appends, each commit fsynced before the next one.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anabranch::{FjallStore, Replica};
use fjall::{Database, KeyspaceCreateOptions, PersistMode};

use super::Bench;
use crate::Done;
use crate::child::{Fresh, ROW, registry, runtime};
use crate::contest::{Contestant, Run, contest};
use crate::measure::quantile;
use crate::table::{Role, Row, count};

/// Bytes of text in an event, so that it takes about as much as a row.
const TEXT: usize = 100;
/// Commits between two looks at the clock.
const BETWEEN: usize = 8;

pub(crate) fn run(bench: &mut Bench<'_>) -> Done<()> {
    let long = Duration::from_millis(bench.pick(600, 250, 20));
    let folder = tempfile::tempdir_in(bench.stores.folder()?)?;
    // One event: 0.9 of raw fjall; a hundred: the same; a thousand: as much as it.
    for (each, share, moonshot) in [(1, 0.9, None), (100, 0.9, None), (1_000, 1.0, Some(1.2e6))] {
        let count = count(each);
        let title = format!("durable append, {count} events a commit, fsynced");
        let mut row = Row::new("W6", title, "events/s").more_is_better();
        let contestants = vec![
            ours(folder.path(), each, long)?,
            rows(folder.path(), each, long)?,
            bare(folder.path(), each, long)?,
        ];
        let rounds = bench.rounds(30);
        contest(&mut [&mut row], rounds, contestants, &bench.progress)?;
        if let Some(raw) = row.figure(Role::Peer) {
            row = row.aims(raw * share, moonshot);
        }
        bench.rows.push(row);
    }
    run_callers(bench, folder.path(), long)
}

/// Does it again and again for so long; how many a second.
fn rate(each: usize, long: Duration, mut commit: impl FnMut() -> Done<()>) -> Done<f64> {
    let began = Instant::now();
    let mut commits = 0;
    while began.elapsed() < long {
        for _ in 0..BETWEEN {
            commit()?;
        }
        commits += BETWEEN;
    }
    Ok((commits * each) as f64 / began.elapsed().as_secs_f64())
}

fn ours(folder: &Path, each: usize, long: Duration) -> Done<Contestant<'static>> {
    let runtime = runtime(2)?;
    let path = folder.join(format!("ours-{each}"));
    let replica = runtime.block_on(async {
        let store = FjallStore::open(path)?;
        Done::Ok(Replica::builder(store).registry(registry()).open().await?)
    })?;
    let fresh = Fresh::new(TEXT);
    let mut next = 0;
    let run = move |_| {
        let figure = rate(each, long, || {
            let drafts = (0..each)
                .map(|at| fresh.draft(next + at))
                .collect::<Done<_>>()?;
            next += each;
            runtime.block_on(replica.record_all(drafts))?;
            Ok(())
        });
        Ok(Run::of(figure?))
    };
    let keeps = "events with ids, heads, chains, indices; one commit each";
    Ok(Contestant::new("anabranch", Role::Ours, keeps, run))
}

fn rows(folder: &Path, each: usize, long: Duration) -> Done<Contestant<'static>> {
    let db = Database::builder(folder.join(format!("rows-{each}"))).open()?;
    let keyspace = db.keyspace("rows", KeyspaceCreateOptions::default)?;
    let row = vec![7_u8; ROW];
    let mut next = 0_u64;
    let run = move |_| {
        let figure = rate(each, long, || {
            let mut batch = db.batch();
            for _ in 0..each {
                batch.insert(&keyspace, next.to_be_bytes(), row.as_slice());
                next += 1;
            }
            batch.commit()?;
            Ok(db.persist(PersistMode::SyncAll)?)
        });
        Ok(Run::of(figure?))
    };
    Ok(Contestant::new(
        "raw fjall",
        Role::Peer,
        "a row an event",
        run,
    ))
}

fn bare(folder: &Path, each: usize, long: Duration) -> Done<Contestant<'static>> {
    let (file, room) = preallocated(&folder.join(format!("bare-{each}")))?;
    let records = vec![7_u8; ROW * each];
    let mut place = 0;
    let run = move |_| {
        let figure = rate(each, long, || {
            if place + records.len() as u64 > room {
                place = 0;
            }
            file.write_all_at(&records, place)?;
            place += records.len() as u64;
            Ok(file.sync_data()?)
        });
        Ok(Run::of(figure?))
    };
    let keeps = "bytes in a preallocated file, fdatasync";
    Ok(Contestant::new("file", Role::Limit, keeps, run))
}

/// A file whose every byte was written once, and how many there are.
pub(super) fn preallocated(path: &Path) -> Done<(File, u64)> {
    let room = 32 << 20;
    let file = File::create(path)?;
    let zeros = vec![0_u8; 1 << 20];
    for place in (0..room).step_by(zeros.len()) {
        file.write_all_at(&zeros, place)?;
    }
    file.sync_all()?;
    Ok((file, room))
}

/// Many who write one event each and wait for it.
fn run_callers(bench: &mut Bench<'_>, folder: &Path, long: Duration) -> Done<()> {
    for callers in [64, 256] {
        let title = format!("durable append, {callers} callers of record at a time, fsynced");
        let row = Row::new("W6", title, "events/s").more_is_better();
        let mut row = row.aims(100_000.0, Some(150_000.0));
        let title = format!("the same, {callers} callers, p99 of one call");
        let mut slow = Row::new("W6", title, "ms").aims(1.0, None);
        let runtime = runtime(2)?;
        let path = folder.join(format!("callers-{callers}"));
        let replica = runtime.block_on(async {
            let store = FjallStore::open(path)?;
            Done::Ok(Arc::new(
                Replica::builder(store).registry(registry()).open().await?,
            ))
        })?;
        let run = |_| {
            let began = Instant::now();
            let calls = runtime.block_on(call(&replica, callers, long))?;
            let each = calls.len() as f64 / began.elapsed().as_secs_f64();
            let slowest = quantile(&calls, 0.99).unwrap_or_default();
            Ok(Run {
                figures: vec![each, slowest],
                state: None,
            })
        };
        let contestants = vec![Contestant::new("anabranch", Role::Ours, "", run)];
        let rounds = bench.rounds(30);
        contest(
            &mut [&mut row, &mut slow],
            rounds,
            contestants,
            &bench.progress,
        )?;
        bench.rows.extend([row, slow]);
    }
    Ok(())
}

/// How many milliseconds each call took.
async fn call(replica: &Arc<Replica>, callers: usize, long: Duration) -> Done<Vec<f64>> {
    let began = Instant::now();
    let mut tasks = Vec::new();
    for caller in 0..callers {
        let replica = replica.clone();
        tasks.push(tokio::spawn(async move {
            let mut calls = Vec::new();
            let fresh = Fresh::new(TEXT);
            while began.elapsed() < long {
                let Ok(draft) = fresh.draft(caller * 1_000 + calls.len()) else {
                    break;
                };
                let called = Instant::now();
                if replica.record(draft).await.is_err() {
                    break;
                }
                calls.push(called.elapsed().as_secs_f64() * 1e3);
            }
            calls
        }));
    }
    let mut calls = Vec::new();
    for task in tasks {
        calls.extend(task.await?);
    }
    Ok(calls)
}
