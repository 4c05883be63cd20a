use std::io::IsTerminal;

use anabranch::engine::Change;
use anabranch::hub::signals::Signals;
use anabranch::limits::PAGE_ENTRIES_MAX;
use anabranch::replica::{Connection, ConnectionStatus, Replica};
use anabranch::resolver::Footprint;
use futures::StreamExt;
use serde_json::{Value, json};

use super::arguments::Watch;
use super::failure::{Failure, Kind};
use super::output::Output;
use super::place::{Opened, filter};
use super::record::record_lines;
use super::state::Shown;
use super::stdin::{Lines, lines, next_lines};
use super::text::escaped;

/// Shows states, and again whenever they change, until it is interrupted.
pub(super) async fn run(arguments: &Watch, output: Output) -> Result<(), Failure> {
    let filter = filter(&arguments.prefixes)?;
    let mut signals = Signals::install()?;
    let opened = arguments.place.open(arguments.record).await?;
    let mut changes = opened.replica.watch(filter);
    if opened.address.is_none() && !arguments.record {
        output.note("nothing will change: say --connect URL to hear of others, --record to write");
    }
    if !arguments.changes_only {
        show_all(&opened.replica, &arguments.prefixes, output).await?;
    }
    let mut live = opened.connect()?;
    let mut told = Told::default();
    let mut input = arguments.record.then(lines);
    if arguments.record && std::io::stdin().is_terminal() {
        output.note("type AGGREGATE PATH=VALUE ... to write, for example: note/1 title=Milk");
    }
    loop {
        tokio::select! {
            () = signals.next() => break,
            change = changes.next() => match change {
                Some(change) => show(&opened.replica, &change, output).await?,
                None => break,
            },
            status = next_status(&mut live) => told.tell(&opened, &status, output)?,
            lines = typed(&mut input) => {
                if lines.is_empty() {
                    input = None;
                } else {
                    record_lines(&opened, lines, output).await?;
                }
            }
        }
    }
    if let Some(live) = live {
        live.close().await;
    }
    Ok(opened.replica.close().await?)
}

/// The next status of a connection; never, if there is none or it has ended.
pub(super) async fn next_status(live: &mut Option<Connection>) -> ConnectionStatus {
    match live {
        Some(connection) if !matches!(connection.status(), ConnectionStatus::Ended { .. }) => {
            connection.changed().await
        }
        _ => std::future::pending().await,
    }
}

async fn typed(input: &mut Option<Lines>) -> Vec<(u64, String)> {
    match input {
        Some(lines) => next_lines(lines).await,
        None => std::future::pending().await,
    }
}

/// Tells what a connection is doing, once until it changes: to people beside the result, to
/// programs within it.
#[derive(Debug, Default)]
pub(super) struct Told {
    latest: &'static str,
}

impl Told {
    pub(super) fn tell(
        &mut self,
        opened: &Opened,
        status: &ConnectionStatus,
        output: Output,
    ) -> Result<(), Failure> {
        let address = opened.address.as_deref().unwrap_or_default();
        let (word, reason, text) = match status {
            ConnectionStatus::Live => ("live", None, format!("live with {address}")),
            ConnectionStatus::Waiting { reason, .. } => {
                let text = format!("no connection, trying again until there is one: {reason}");
                ("waiting", Some(reason), text)
            }
            ConnectionStatus::Ended { reason } => {
                let text = format!("the connection to {address} ended: {reason}");
                ("ended", Some(reason), text)
            }
            _ => return Ok(()),
        };
        if word == std::mem::replace(&mut self.latest, word) {
            return Ok(());
        }
        if output.is_json() {
            let json = json!({
                "kind": "connection",
                "address": address,
                "status": word,
                "reason": reason,
            });
            output.tell(&json, "")?;
        } else {
            output.note(&text);
        }
        match status {
            ConnectionStatus::Ended { .. } if opened.on_hub => {
                Err(Failure::new(Kind::Unreachable, text))
            }
            _ => Ok(()),
        }
    }
}

async fn show_all(replica: &Replica, prefixes: &[String], output: Output) -> Result<(), Failure> {
    let all = [String::new()];
    for prefix in if prefixes.is_empty() {
        &all[..]
    } else {
        prefixes
    } {
        let mut after = None;
        loop {
            let page = replica.aggregates(prefix, after, PAGE_ENTRIES_MAX).await?;
            for aggregate in &page {
                let shown = Shown::read(replica, aggregate).await?;
                let text = format!("{}  {}", escaped(aggregate.as_str()), shown.text());
                output.tell(&shown.json(aggregate), &text)?;
            }
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
        }
    }
    Ok(())
}

async fn show(replica: &Replica, change: &Change, output: Output) -> Result<(), Failure> {
    let shown = Shown::read(replica, &change.aggregate).await?;
    let mut json = shown.json(&change.aggregate);
    if let Value::Object(fields) = &mut json {
        let causes: Vec<String> = change.causes.iter().map(ToString::to_string).collect();
        fields.insert("kind".into(), "change".into());
        fields.insert("events".into(), json!(change.events));
        fields.insert("causes".into(), json!(causes));
        fields.insert("keys".into(), keys(&change.keys));
        fields.insert("late".into(), json!(change.late));
        fields.insert("raced".into(), json!(change.raced));
        fields.insert("durable".into(), json!(change.durable));
    }
    let mut marks = Vec::new();
    if change.late {
        marks.push("late");
    }
    if change.raced {
        marks.push("raced");
    }
    let marks = match marks.as_slice() {
        [] => String::new(),
        marks => format!("  ({})", marks.join(", ")),
    };
    let aggregate = escaped(change.aggregate.as_str());
    output.tell(&json, &format!("{aggregate}  {}{marks}", shown.text()))
}

/// The keys that were touched as paths, or null where that is everything.
fn keys(footprint: &Footprint) -> Value {
    let Footprint::Keys(keys) = footprint else {
        return Value::Null;
    };
    let path = |key: &anabranch::resolver::Key| {
        let segments: Vec<String> = key.path.iter().map(ToString::to_string).collect();
        json!(segments)
    };
    keys.iter().map(path).collect()
}
