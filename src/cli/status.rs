use anabranch::engine::{ReplicaStatus, WaitingCommit};
use serde_json::{Map, Value, json};

use super::arguments::Status;
use super::failure::Failure;
use super::output::Output;
use super::table::Table;

/// Shows who a replica is, what it holds and what it waits for.
pub(super) async fn run(arguments: &Status, output: Output) -> Result<(), Failure> {
    let replica = arguments.directory.open_existing().await?;
    let status = replica.status();
    output.tell(&json(&status), &table(&status).to_string())?;
    Ok(replica.close().await?)
}

fn json(status: &ReplicaStatus) -> Value {
    let vector: Map<String, Value> = status
        .vector
        .iter()
        .map(|id| (id.replica.to_string(), id.seq.get().into()))
        .collect();
    let waiting = status.waiting_commits.iter().map(|waiting| {
        let missing: Vec<String> = waiting.missing.iter().map(ToString::to_string).collect();
        json!({ "commit": waiting.commit.to_string(), "missing": missing })
    });
    let unresolved = status
        .unresolved
        .iter()
        .map(|(aggregate, why)| json!({ "aggregate": aggregate, "why": why.to_string() }));
    let peers = status.peers.iter().map(
        |(peer, cursor)| json!({ "replica": peer.to_string(), "read_to": cursor.to_string() }),
    );
    json!({
        "kind": "status",
        "replica": status.replica.to_string(),
        "lineage": status.lineage.to_string(),
        "events": status.events,
        "log_entries": status.end,
        "waiting": status.waiting,
        "waiting_commits": waiting.collect::<Value>(),
        "unresolved": unresolved.collect::<Value>(),
        "vector": vector,
        "peers": peers.collect::<Value>(),
        "failed": status.failed.as_deref(),
    })
}

fn table(status: &ReplicaStatus) -> Table {
    let mut table = Table::plain();
    table.row(["replica", &status.replica.to_string()]);
    table.row(["lineage", &status.lineage.to_string()]);
    table.row(["events", &status.events.to_string()]);
    table.row(["waiting", &format!("{} commits", status.waiting)]);
    for waiting in &status.waiting_commits {
        table.row(["", &missing(waiting)]);
    }
    for (aggregate, why) in &status.unresolved {
        table.row(["unresolved", &format!("{aggregate}: {why}")]);
    }
    for (name, id) in names("vector").zip(&status.vector) {
        let own = if id.replica == status.replica {
            " (this one)"
        } else {
            ""
        };
        table.row([name, &format!("{} to {}{own}", id.replica, id.seq)]);
    }
    for (name, (peer, cursor)) in names("peers").zip(&status.peers) {
        table.row([name, &format!("{peer} read to {cursor}")]);
    }
    if let Some(failed) = &status.failed {
        table.row(["failed", failed]);
    }
    table
}

fn missing(waiting: &WaitingCommit) -> String {
    let missing: Vec<String> = waiting.missing.iter().map(ToString::to_string).collect();
    format!("{} waits for\n  {}", waiting.commit, missing.join("\n  "))
}

/// The name on the first row, nothing on the others.
fn names(name: &'static str) -> impl Iterator<Item = &'static str> {
    std::iter::once(name).chain(std::iter::repeat(""))
}
