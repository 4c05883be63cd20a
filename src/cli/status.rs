use std::collections::BTreeMap;
use std::fmt::Write as _;

use anabranch::engine::{
    Distrusted, Divergence, Gap, Health, PeerLag, ReplicaStatus, WaitingCommit,
};
use anabranch::event::ReplicaId;
use anabranch::limits::PAGE_ENTRIES_MAX;
use anabranch::replica::Replica;
use serde_json::{Map, Value, json};

use super::arguments::Status;
use super::failure::Failure;
use super::output::Output;
use super::progress::Progress;
use super::state::Shown;
use super::table::Table;
use super::text::{count, counted};

/// Shows who a replica is, what it holds, what it waits for and how it is.
pub(super) async fn run(arguments: &Status, output: Output) -> Result<(), Failure> {
    let replica = arguments.directory.open_existing().await?;
    if arguments.all {
        look_at_all(&replica).await?;
    }
    let health = replica.health().await;
    let status = replica.status();
    output.tell(
        &json(&status, &health),
        &table(&status, &health).to_string(),
    )?;
    Ok(replica.close().await?)
}

/// Folds every aggregate, so that those that have no state are known.
async fn look_at_all(replica: &Replica) -> Result<(), Failure> {
    let mut progress = Progress::new();
    let (mut after, mut count) = (None, 0u64);
    loop {
        let page = replica.aggregates("", after, PAGE_ENTRIES_MAX).await?;
        for aggregate in &page {
            Shown::read(replica, aggregate).await?;
            count += 1;
            progress.show(|| format!("{} looked at", counted(count, "aggregate")));
        }
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.clone());
    }
}

/// How far the logs of others were read, by whose they are.
fn cursors(status: &ReplicaStatus) -> BTreeMap<ReplicaId, String> {
    let peers = status.peers.iter();
    peers
        .map(|(peer, cursor)| (*peer, cursor.to_string()))
        .collect()
}

fn json(status: &ReplicaStatus, health: &Health) -> Value {
    let vector: Map<String, Value> = status
        .vector
        .iter()
        .map(|id| (id.replica.to_string(), id.seq.get().into()))
        .collect();
    let waiting = health.waiting_commits.iter().map(|waiting| {
        let missing: Vec<String> = waiting.missing.iter().map(ToString::to_string).collect();
        json!({ "commit": waiting.commit.to_string(), "missing": missing })
    });
    let unresolved = health
        .unresolved
        .iter()
        .map(|(aggregate, why)| json!({ "aggregate": aggregate, "why": why.to_string() }));
    let cursors = cursors(status);
    let peers = health.peers.iter().map(|lag| {
        json!({
            "replica": lag.peer.to_string(),
            "read_to": cursors.get(&lag.peer),
            "behind": lag.behind.events,
            "ahead": lag.ahead.as_ref().map(|gap| gap.events),
        })
    });
    json!({
        "kind": "status",
        "replica": status.replica.to_string(),
        "lineage": status.lineage.to_string(),
        "events": status.events,
        "log_entries": status.end,
        "well": health.is_well(),
        "waiting": health.waiting,
        "waiting_commits": waiting.collect::<Value>(),
        "unresolved": unresolved.collect::<Value>(),
        "more_unresolved": health.more_unresolved,
        "divergences": health.divergences.iter().map(found).collect::<Value>(),
        "more_divergences": health.more_divergences,
        "distrusted": health.distrusted.iter().map(distrusted).collect::<Value>(),
        "vector": vector,
        "peers": peers.collect::<Value>(),
        "failed": health.failed.as_deref(),
    })
}

fn table(status: &ReplicaStatus, health: &Health) -> Table {
    let mut table = Table::plain();
    table.row(["replica", &status.replica.to_string()]);
    table.row(["lineage", &status.lineage.to_string()]);
    table.row(["events", &status.events.to_string()]);
    table.row([
        "health",
        if health.is_well() {
            "well"
        } else {
            "needs a look"
        },
    ]);
    table.row(["waiting", &counted(count(health.waiting), "commit")]);
    for waiting in &health.waiting_commits {
        table.row(["", &missing(waiting)]);
    }
    for (aggregate, why) in &health.unresolved {
        table.row(["unresolved", &format!("{aggregate}: {why}")]);
    }
    for rule in &health.distrusted {
        table.row(["distrusted", &doubts(rule)]);
    }
    for found in &health.divergences {
        table.row(["diverged", &found.to_string()]);
    }
    for (name, id) in names("vector").zip(&status.vector) {
        let own = if id.replica == status.replica {
            " (this one)"
        } else {
            ""
        };
        table.row([name, &format!("{} to {}{own}", id.replica, id.seq)]);
    }
    let cursors = cursors(status);
    for (name, lag) in names("peers").zip(&health.peers) {
        let read = cursors.get(&lag.peer);
        let read = read.map_or("never read".into(), |cursor| format!("read to {cursor}"));
        table.row([name, &format!("{} {read}\n{}", lag.peer, behind(lag))]);
    }
    if let Some(failed) = &health.failed {
        table.row(["failed", failed]);
    }
    table
}

fn found(found: &Divergence) -> Value {
    json!({
        "aggregate": found.aggregate.as_str(),
        "resolver": found.resolver.to_string(),
        "finding": found.finding.to_string(),
        "healed": found.is_healed,
        "ours": found.ours.to_string(),
        "replayed": found.replayed.map(|digest| digest.to_string()),
        "peer": found.peer.map(|(peer, _)| peer.to_string()),
        "theirs": found.peer.map(|(_, digest)| digest.to_string()),
        "test": found.evidence.as_ref().map(|evidence| evidence.test.as_str()),
    })
}

fn distrusted(rule: &Distrusted) -> Value {
    let off = rule.shortcuts.iter().map(|shortcut| shortcut.to_string());
    json!({
        "resolver": rule.resolver.to_string(),
        "deterministic": rule.is_deterministic,
        "off": off.collect::<Vec<String>>(),
    })
}

/// What is wrong with a rule, and what was done about it.
fn doubts(rule: &Distrusted) -> String {
    let mut text = rule.resolver.to_string();
    if !rule.is_deterministic {
        text.push_str(": it is not deterministic");
    }
    if !rule.shortcuts.is_empty() {
        let _ = write!(text, ": off since an audit: {}", rule.shortcuts);
    }
    text
}

/// What this replica and a peer lack of each other, as far as it is known here.
fn behind(lag: &PeerLag) -> String {
    let events = |gap: &Gap| counted(gap.events, "event");
    let there = match &lag.ahead {
        None => "it is not known what it lacks".into(),
        Some(gap) if gap.is_empty() => "it has everything".into(),
        Some(gap) => format!("it lacks {}", events(gap)),
    };
    if lag.behind.is_empty() {
        there
    } else {
        format!(
            "{there}, and {} of it are missing here",
            events(&lag.behind)
        )
    }
}

fn missing(waiting: &WaitingCommit) -> String {
    let missing: Vec<String> = waiting.missing.iter().map(ToString::to_string).collect();
    format!("{} waits for\n  {}", waiting.commit, missing.join("\n  "))
}

/// The name on the first row, nothing on the others.
fn names(name: &'static str) -> impl Iterator<Item = &'static str> {
    std::iter::once(name).chain(std::iter::repeat(""))
}
