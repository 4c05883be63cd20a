//! W12: a real history, fourteen years of edits to a public record set.
//!
//! `ANABRANCH_DATA` names its folder, `../shared/data` beside the repository if it is not set. Peers
//! are given it as nested maps in one line of history, so what was concurrent costs them nothing.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anabranch::event::Commit;
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;

use super::Bench;
use crate::Done;
use crate::contest::{Contestant, Run, contest};
use crate::data;
use crate::inputs::{Change, Random};
use crate::measure::cpu;
use crate::ours;
use crate::peers::Peer;
use crate::table::{Role, Row};

pub(crate) fn run(bench: &mut Bench<'_>) -> Done<()> {
    let title = "a real history: 52,400 events, 575,563 field writes, 204 replicas, in memory";
    let mut core = Row::new("W12", title, "s").aims(1.0, Some(0.3));
    let Some(folder) = folder() else {
        let cell = core.cell("anabranch", Role::Ours, "");
        cell.note("the history is not here; ANABRANCH_DATA names its folder");
        bench.rows.push(core);
        return Ok(());
    };
    bench.progress.step("reading the history");
    let history = data::history(&folder)?;
    let commits: Vec<&Commit> = history.told.commits.iter().collect();
    // To write it takes some of them a minute.
    let peers = if bench.quick() {
        Vec::new()
    } else {
        bench.peers()
    };
    let mut contestants = vec![us(&commits)];
    let changes = changes(&folder)?;
    for peer in &peers {
        bench
            .progress
            .step(&format!("writing with {}", peer.name()));
        if let Some(updates) = peer.author_nested(&changes)? {
            contestants.push(them(peer.as_ref(), updates));
        }
    }
    let rounds = bench.rounds(6);
    contest(&mut [&mut core], rounds, contestants, &bench.progress)?;
    core.orders = core.orders.map(|said| format!("{said} (of ours)"));
    bench.rows.push(core);
    run_whole(bench, &commits)
}

/// The same on disk and through sockets.
fn run_whole(bench: &mut Bench<'_>, commits: &[&Commit]) -> Done<()> {
    let title = "the same: three replicas and a hub over WebSockets, fsynced, all states read";
    let mut row = Row::new("W12", title, "s").aims(10.0, Some(3.0));
    let folder = tempfile::tempdir_in(bench.stores.folder()?)?;
    let run = |round: usize| {
        let folder = folder.path().join(round.to_string());
        let (took, state) = ours::whole(commits, &folder)?;
        std::fs::remove_dir_all(folder)?;
        Ok(Run::of(took.as_secs_f64()).with_state(state))
    };
    let ours = Contestant::new(
        "anabranch",
        Role::Ours,
        "all of the above, in four stores",
        run,
    );
    let rounds = bench.rounds(20);
    contest(&mut [&mut row], rounds, vec![ours], &bench.progress)?;
    bench.rows.push(row);
    Ok(())
}

/// Where the history is, if it is anywhere.
pub(crate) fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("ANABRANCH_DATA").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folders = named
        .into_iter()
        .chain([PathBuf::from("../shared/data"), beside]);
    folders
        .into_iter()
        .find(|folder| folder.join("legislators.jsonl.gz").exists())
}

/// In the order of the file, and shuffled.
fn us<'a>(commits: &'a [&'a Commit]) -> Contestant<'a> {
    let run = move |round: usize| {
        let mut order = commits.to_vec();
        if round > 0 {
            Random::new(round as u64).shuffle(&mut order);
        }
        let (mut merged, time) = cpu(|| ours::merge(&order));
        let state = merged.state_digest().to_bytes();
        let state = xxhash_rust::xxh3::xxh3_64(&state);
        Ok(Run::of(time.as_secs_f64()).with_state(state))
    };
    let keeps = "history, causality, digests, chains, concurrency; shuffled after the first round";
    Contestant::new("anabranch", Role::Ours, keeps, run)
}

fn them(peer: &dyn Peer, updates: Vec<Vec<u8>>) -> Contestant<'_> {
    let run = move |_| {
        let updates: Vec<&[u8]> = updates.iter().map(Vec::as_slice).collect();
        let mut replica = peer.empty();
        let (outcome, time) = cpu(|| replica.apply_all(&updates));
        outcome?;
        Ok(Run::of(time.as_secs_f64()))
    };
    let keeps = format!(
        "{}; one line of history, a transaction a commit",
        peer.keeps()
    );
    Contestant::new(peer.name(), Role::Peer, &keeps, run)
}

type Written = (String, Vec<String>, Value, Value);
type Settled = (String, Vec<String>, Value, Value, Value);

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    changes: Vec<Written>,
    #[serde(default)]
    edits: Vec<Written>,
    #[serde(default)]
    resolve: Vec<Settled>,
}

/// What each commit that writes anything writes.
fn changes(folder: &Path) -> Done<Vec<Vec<Change>>> {
    let file = std::fs::File::open(folder.join("legislators.jsonl.gz"))?;
    let mut commits = Vec::new();
    for text in BufReader::new(GzDecoder::new(file)).lines() {
        let line: Line = serde_json::from_str(&text?)?;
        let written = line.changes.into_iter().chain(line.edits);
        let settled = line.resolve.into_iter();
        let settled = settled.map(|(file, path, _, result, _)| (file, path, Value::Null, result));
        let change = |(file, path, _, new): Written| Change {
            path: std::iter::once(file).chain(path).collect(),
            value: match new {
                Value::Null => None,
                Value::String(text) => Some(text),
                other => Some(other.to_string()),
            },
        };
        let commit: Vec<Change> = written.chain(settled).map(change).collect();
        if !commit.is_empty() {
            commits.push(commit);
        }
    }
    Ok(commits)
}
